//! Who calls: credentials as clients show them, and what the gateway makes of them.

mod basic;
mod consumers;
