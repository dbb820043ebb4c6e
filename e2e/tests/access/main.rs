//! Whether who is known may call: the policies of the authorize stage, and those by address.

mod addresses;
mod policy_server;
mod roles;
mod rules;
mod trying;
