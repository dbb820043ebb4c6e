//! What a request is told apart by where the same goes to the same target.

use http::HeaderName;
use model::load::Spanned;
use model::problem::Problem;
use model::resource::{HashBalance, HashBy};

use crate::exchange::{Exchange, cookies};
use crate::expr::{Expr, Scope};
use crate::policies::query;

/// What a request is told apart by. A request without it goes by the client's address.
pub(in crate::upstream) enum Key {
    Client,
    Consumer,
    Header(HeaderName),
    Cookie(Box<[u8]>),
    Query(Box<str>),
    Cel(Expr),
}

impl Key {
    /// The key of what was written; what is wrong with it is a problem of this place.
    pub(in crate::upstream) fn compile(
        written: &HashBalance,
        problem: impl Fn(&str) -> Problem,
    ) -> Result<Self, Vec<Problem>> {
        let header = |name: &Spanned<String>| {
            HeaderName::try_from(name.as_str()).map(Key::Header).map_err(|_| vec![problem("no header has such a name")])
        };
        match written {
            HashBalance { by: Some(by), header: None, cookie: None, query: None, cel: None, .. } => Ok(match by {
                HashBy::Client => Key::Client,
                HashBy::Consumer => Key::Consumer,
            }),
            HashBalance { by: None, header: Some(name), cookie: None, query: None, cel: None, .. } => header(name),
            HashBalance { by: None, header: None, cookie: Some(name), query: None, cel: None, .. } => {
                Ok(Key::Cookie(name.as_bytes().into()))
            }
            HashBalance { by: None, header: None, cookie: None, query: Some(name), cel: None, .. } => {
                Ok(Key::Query(name.as_str().into()))
            }
            HashBalance { by: None, header: None, cookie: None, query: None, cel: Some(text), .. } => {
                Expr::compile(text, Scope::Request).map(Key::Cel)
            }
            _ => Err(vec![problem("`hash` goes by one of `by`, `header`, `cookie`, `query` and `cel`")]),
        }
    }

    /// The number of this request.
    pub(in crate::upstream) fn of(&self, x: &Exchange) -> u64 {
        let found = match self {
            Key::Client => None,
            Key::Consumer => {
                let slot = x.identity.as_ref().and_then(|identity| identity.consumer);
                let known = slot.and_then(|slot| x.local.program.consumers.get(slot));
                known.map(|consumer| hash(consumer.name.as_bytes()))
            }
            Key::Header(name) => x.request.headers.get(name).map(|value| hash(value.as_bytes())),
            Key::Cookie(name) => {
                let found = cookies::cookies(&x.request.headers).find(|(known, _)| *known == &**name);
                found.map(|(_, value)| hash(value))
            }
            Key::Query(name) => {
                let all = x.request.uri.query().unwrap_or_default();
                query::pairs(all)
                    .find(|(known, _)| query::decode(known) == **name)
                    .map(|(_, value)| hash(value.as_bytes()))
            }
            Key::Cel(expr) => expr.text(x).map(|text| hash(text.as_bytes())),
        };
        found.unwrap_or_else(|| match x.client {
            std::net::IpAddr::V4(address) => hash(&address.octets()),
            std::net::IpAddr::V6(address) => hash(&address.octets()),
        })
    }
}

/// A number of these bytes, the same in every process (FNV-1a, 64 bits, mixed).
pub(in crate::upstream) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mixed(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Every bit of it depends on every bit of `number` (the finaliser of MurmurHash3).
pub(in crate::upstream) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}
