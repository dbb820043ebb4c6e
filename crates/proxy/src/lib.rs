//! What happens to a request. The folders stand in the order a request meets them: [`listen`] turns bytes into an
//! [`exchange::Exchange`], [`pipeline`] tells the story, [`program`] is what configuration compiled to, [`policies`]
//! act, [`terminals`] and [`upstream`] answer, [`telemetry`] remembers.

pub mod caller_keys;
pub mod calls;
pub mod clock;
pub mod exchange;
pub mod expr;
#[doc(hidden)]
pub mod fuzzing;
pub mod gate_key;
pub mod geo;
mod h1;
pub mod limit;
pub mod listen;
pub mod pipeline;
pub mod policies;
pub mod program;
pub mod random;
pub mod registry;
mod sigv4;
pub mod stores;
pub mod telemetry;
pub mod terminals;
pub mod tokens;
pub mod upstream;
pub mod wire;
