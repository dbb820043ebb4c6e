//! How targets are watched: by what becomes of requests ([`passive`]), and by asking them ([`active`]).

mod active;
mod compile;
mod passive;
mod vitals;

pub(super) use self::active::Active;
pub(super) use self::passive::Passive;
pub(super) use self::vitals::Vitals;

/// How an upstream's targets are watched.
#[derive(Default)]
pub(super) struct Health {
    pub(super) active: Option<Active>,
    pub(super) passive: Option<Passive>,
}
