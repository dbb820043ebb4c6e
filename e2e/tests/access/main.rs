//! Whether who is known may call: the policies of the authorize stage, and those by address.

mod rules;
mod trying;
