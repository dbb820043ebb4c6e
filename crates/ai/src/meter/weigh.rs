//! What of a request counts as text. Pictures, sound and documents are in it as base64, which no provider charges by the
//! byte; they are found by what they look like and not by the format, so that every format is weighed alike and quickly.

use memchr::{memchr, memchr_iter};

/// What a piece of media is taken to be in tokens: Anthropic's largest picture is 1,568, OpenAI's some 1,500, Gemini's 258 a
/// tile. (Sources: the vendors' guides to vision, read 2026-11.)
pub(crate) const MEDIA_TOKENS: u64 = 1_600;
/// Shorter texts are no media.
const MEDIA: usize = 4096;
/// So much of a text without a blank or an escape is no text.
const PROBE: usize = 256;

/// How heavy a request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Bytes of text, the JSON around it included.
    pub bytes: u64,
    /// Tokens of what is not text.
    pub media: u64,
}

/// Weighs the JSON of a request.
pub fn weigh(body: &[u8]) -> Weight {
    let mut weight = Weight { bytes: body.len() as u64, media: 0 };
    if body.len() < MEDIA {
        return weight;
    }
    // Between two quotes stands a text, or what is between texts, which is short.
    let mut start = 0;
    for end in memchr_iter(b'"', body).chain([body.len()]) {
        if let Some(piece) = body.get(start..end).filter(|piece| piece.len() >= MEDIA && is_media(piece)) {
            weight.bytes -= piece.len() as u64;
            weight.media += MEDIA_TOKENS;
        }
        start = end + 1;
    }
    weight
}

/// Whether it looks like base64: after what may stand before it, only its letters.
fn is_media(piece: &[u8]) -> bool {
    let head = piece.get(..PROBE).unwrap_or(piece);
    let from = memchr(b',', head).map_or(0, |at| at + 1);
    let probe = piece.get(from..from + PROBE).unwrap_or_default();
    !probe.is_empty() && probe.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(byte))
}
