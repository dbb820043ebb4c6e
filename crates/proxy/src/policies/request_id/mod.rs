//! Gives each request an id, by which the client, the logs and the upstream mean the same request.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use model::load::Spanned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::Exchange;
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;
use crate::terminals::may_set;

#[cfg(test)]
mod tests;

/// Gives each request an id.
pub(crate) struct RequestId;

/// Gives each request an id: for the upstream, the answer, problem documents and the access log.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// The header that carries it.
    header: Spanned<String>,
    /// Whether an id that comes with the request is taken over. It has to be 1 to 128 letters, digits and `-_.:+/=@`;
    /// else a new one is made.
    inbound: Inbound,
    /// What a new id looks like.
    format: Format,
    /// Whether the answer carries it too.
    answer: Answer,
}

impl Default for Spec {
    fn default() -> Self {
        let header = Spanned::from("x-request-id".to_owned());
        Self { header, inbound: Inbound::default(), format: Format::default(), answer: Answer::default() }
    }
}

/// Whose ids are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RequestIdInbound")]
enum Inbound {
    /// Those that come from a trusted proxy (`trusted_proxies`).
    #[default]
    Trusted,
    /// Everyone's.
    Accept,
    /// Nobody's.
    Replace,
}

/// What a new id looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RequestIdFormat")]
enum Format {
    /// A UUID of version 7 (RFC 9562): sorted by time.
    #[default]
    Uuid,
    /// 32 hexadecimal digits, all random.
    Hex,
}

/// Whether the answer carries the id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RequestIdAnswer")]
enum Answer {
    /// It does.
    #[default]
    Send,
    /// It does not.
    Omit,
}

impl Policy for RequestId {
    type Spec = Spec;
    const KIND: &'static str = "request_id";
    const ORDER: (Stage, u8) = (Stage::Admit, 0);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let header = cx.header_name(&spec.header)?;
        if !may_set(&header, spec.header.span, cx) {
            return None;
        }
        Some(Arc::new(Naming { header, inbound: spec.inbound, format: spec.format, answer: spec.answer }))
    }
}

struct Naming {
    header: HeaderName,
    inbound: Inbound,
    format: Format,
    answer: Answer,
}

impl Step for Naming {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let id = match self.inbound(x) {
            Some(id) => id,
            None => make(self.format, x.local.program.clock.wall()),
        };
        x.request.headers.insert(&self.header, id.clone());
        x.notes.request_id = Some(id);
        Verdict::NEXT
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if let (Answer::Send, Some(id), Some(response)) = (self.answer, &x.notes.request_id, &mut x.response) {
            response.headers.insert(&self.header, id.clone());
        }
        Verdict::NEXT
    }
}

impl Naming {
    /// The id that came with the request, if it is to be taken over.
    fn inbound(&self, x: &Exchange) -> Option<HeaderValue> {
        let taken = match self.inbound {
            Inbound::Accept => true,
            Inbound::Replace => false,
            Inbound::Trusted => {
                let peer = x.connection.peer.ip().to_canonical();
                x.local.program.trusted_proxies.iter().any(|network| network.contains(&peer))
            }
        };
        let mut values = x.request.headers.get_all(&self.header).iter();
        let (id, more) = (values.next().filter(|_| taken)?, values.next());
        (more.is_none() && is_plain(id.as_bytes())).then(|| id.clone())
    }
}

/// Whether an id from outside is one that no log and no header can trip over.
fn is_plain(id: &[u8]) -> bool {
    (1..=128).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte))
}

/// A new id. Random enough never to meet another by chance; not a secret.
fn make(format: Format, wall: Duration) -> HeaderValue {
    let random = u128::from(crate::random::next()) << 64 | u128::from(crate::random::next());
    let mut text = [0; 36];
    let written = match format {
        Format::Hex => {
            let mut at = 0;
            digits(&mut text, &mut at, random, 32);
            at
        }
        Format::Uuid => {
            // 48 bits of milliseconds, the version, 12 random bits, the variant, 62 random bits.
            let id = (wall.as_millis() << 80)
                | (7 << 76)
                | (random >> 52 & 0xfff) << 64
                | 2 << 62
                | random & (u128::MAX >> 66);
            let mut at = 0;
            for (group, (shift, count)) in [(96, 8), (80, 4), (64, 4), (48, 4), (0, 12)].into_iter().enumerate() {
                if group > 0 {
                    put(&mut text, &mut at, b'-');
                }
                digits(&mut text, &mut at, id >> shift, count);
            }
            at
        }
    };
    let text = text.get(..written).unwrap_or_default();
    HeaderValue::from_bytes(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// Writes the last so many hexadecimal digits of a number.
fn digits(text: &mut [u8], at: &mut usize, number: u128, count: u32) {
    for place in (0..count).rev() {
        let digit = (number >> (4 * place) & 15) as u32;
        put(text, at, char::from_digit(digit, 16).unwrap_or('0') as u8);
    }
}

fn put(text: &mut [u8], at: &mut usize, byte: u8) {
    if let Some(place) = text.get_mut(*at) {
        *place = byte;
    }
    *at += 1;
}
