//! What a user can say: the resources of a configuration, how text becomes them, and what is valid.

pub mod load;
pub mod problem;
pub mod resolve;
pub mod resource;
pub mod snapshot;
pub mod value;
