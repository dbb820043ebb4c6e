//! Who calls: credentials as clients show them, and what the gateway makes of them.

mod access;
mod basic;
mod consumers;
mod file;
mod ldap;
mod mtls;
mod signed;
mod taken;
