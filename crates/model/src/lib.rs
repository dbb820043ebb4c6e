//! What a user can say.
pub mod load;
pub mod problem;
pub mod value;
