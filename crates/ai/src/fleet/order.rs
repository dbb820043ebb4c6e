//! In which order the targets of a model are asked.

use std::cmp::Reverse;
use std::sync::Arc;

use http::HeaderName;
use model::load::Spanned;
use model::resource::{ModelHash, ModelStrategy};
use proxy::exchange::Exchange;
use proxy::expr::{Expr, Scope};
use proxy::program::Compile;

use super::{Model, Target};
use crate::call::AiCall;

/// What goes to the same target.
pub(super) enum Alike {
    Conversation,
    Header(HeaderName),
    Value(Expr),
}

/// A call whose targets are to be chosen.
pub(crate) struct Chooser<'x> {
    pub(crate) x: &'x Exchange,
    /// The gateway's clock, in nanoseconds.
    pub(crate) now: u64,
    /// A random number.
    pub(crate) draw: u64,
}

impl Alike {
    pub(super) fn compile(written: &ModelHash, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match written {
            ModelHash::Conversation => Self::Conversation,
            ModelHash::Header(name) => Self::Header(cx.header_name(name)?),
            ModelHash::Cel(text) => Self::Value(cx.expr(text, Scope::Request)?),
            ModelHash::Consumer => {
                let name = Spanned::from("auth.consumer.name".to_owned());
                Self::Value(cx.expr(&name, Scope::Request)?)
            }
        })
    }

    /// What is alike has the same number; what has nothing of the kind goes by its conversation, if it has one.
    fn of(&self, x: &Exchange) -> Option<u64> {
        let own = match self {
            Self::Conversation => None,
            Self::Header(name) => x.request.headers.get(name).map(|value| fnv(value.as_bytes())),
            Self::Value(expr) => expr.text(x).map(|text| fnv(text.as_bytes())),
        };
        own.or_else(|| conversation(AiCall::past(x)?))
    }
}

/// A number for the conversation that a call belongs to: by what the caller says belongs together, else by how it begins.
fn conversation(call: &AiCall) -> Option<u64> {
    let key = call.head.raw("prompt_cache_key").filter(|key| key.len() > 2 && key.starts_with('"'));
    key.map(|key| fnv(key.as_bytes())).or_else(|| call.gist().beginning)
}

impl Model {
    /// The targets that serve this call, in the order in which they are asked.
    pub(crate) fn order(&self, by: &Chooser<'_>) -> Vec<Arc<Target>> {
        let serves = |target: &&Arc<Target>| target.when.as_ref().is_none_or(|when| when.test(by.x));
        let mut order: Vec<Arc<Target>> = self.targets.iter().filter(serves).cloned().collect();
        match self.strategy {
            ModelStrategy::Priority => {}
            _ if order.len() < 2 => {}
            ModelStrategy::Weighted => {
                if let Some(first) = drawn(&order, by.draw) {
                    order.get_mut(..=first).into_iter().for_each(|front| front.rotate_right(1));
                }
            }
            ModelStrategy::LeastBusy => {
                // Of those that are alike each is the first in its turn.
                let turn = usize::try_from(by.draw >> 32).unwrap_or_default() % order.len();
                order.rotate_left(turn);
                order.sort_by_cached_key(|target| {
                    u64::from(target.pulse.going() + 1) * 65_536 / u64::from(target.weight.max(1))
                });
            }
            ModelStrategy::LowestLatency => order.sort_by_cached_key(|target| target.pulse.latency(by.now)),
            ModelStrategy::LowestCost => order.sort_by_key(|target| target.price.unwrap_or(u64::MAX)),
            ModelStrategy::Hash => {
                let of = self.alike.of(by.x).unwrap_or(by.draw);
                order.sort_by_cached_key(|target| Reverse(share(of, target)));
            }
        }
        order
    }
}

/// The place of one that is drawn by weight.
fn drawn(order: &[Arc<Target>], draw: u64) -> Option<usize> {
    let sum: u64 = order.iter().map(|target| u64::from(target.weight)).sum();
    let mut left = draw.checked_rem(sum)?;
    order.iter().position(|target| match left.checked_sub(u64::from(target.weight)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

/// How much of a claim a target has on what has this number: rendezvous hashing by weight (Wang and Ravishankar's
/// logarithmic method), so that a target that comes or goes moves only what is its own.
fn share(of: u64, target: &Target) -> u64 {
    // The highest 53 bits, as a number above 0 and up to 1.
    let unit = ((mix(of ^ target.id) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let share = f64::from(target.weight) / -unit.ln().min(-f64::MIN_POSITIVE);
    // Numbers that are not negative are in the order of their bits.
    share.to_bits()
}

/// A number for a text, the same on every gateway (FNV-1a).
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Spreads a number over all its bits (the end of MurmurHash3).
fn mix(mut number: u64) -> u64 {
    number = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    number = (number ^ number >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ number >> 33
}
