//! AWS Signature Version 4: what is signed of a request, and how. For requests that clients sign and for those that the
//! gateway signs for an upstream.

use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::policies::query;
use crate::program::sha256;

/// The name of the scheme.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Says that the body is not signed.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// All but the unreserved (RFC 3986 section 2.3).
const ALL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &ALL.remove(b'/');

/// How a path is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoded {
    /// As S3 has it.
    Once,
    /// As everything else has it: what is sent, encoded again.
    Twice,
}

/// What is signed of a request.
pub(crate) struct Canonical<'r> {
    pub(crate) method: &'r str,
    /// The path as it is sent.
    pub(crate) path: &'r str,
    pub(crate) encoded: Encoded,
    /// The query as it is sent.
    pub(crate) query: &'r str,
    /// Fields by their names in lower case and in order, each with its value as [`value`] writes it.
    pub(crate) fields: &'r [(&'r str, Vec<u8>)],
    /// The digest of the body in hexadecimal, or what stands for it.
    pub(crate) payload: &'r str,
}

impl Canonical<'_> {
    /// The signature with this secret, in hexadecimal: `scope` is `DAY/REGION/SERVICE/aws4_request`, `date` the moment.
    pub(crate) fn signature(&self, secret: &[u8], scope: &str, date: &str) -> String {
        let mut key = [b"AWS4", secret].concat();
        for part in scope.split('/') {
            key = hmac_of(&key, part.as_bytes()).as_ref().to_vec();
        }
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", hex(&sha256(&self.request())));
        hex(hmac_of(&key, text.as_bytes()).as_ref())
    }

    /// Names of the fields that are signed.
    pub(crate) fn names(&self) -> String {
        self.fields.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
    }

    fn request(&self) -> Vec<u8> {
        let path = match self.encoded {
            Encoded::Once => percent_encode(&percent_decode_str(self.path).collect::<Vec<u8>>(), PATH).to_string(),
            Encoded::Twice => percent_encode(self.path.as_bytes(), PATH).to_string(),
        };
        let mut out = format!("{}\n{path}\n{}\n", self.method, ordered(self.query)).into_bytes();
        for (name, value) in self.fields {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out.extend_from_slice(format!("\n{}\n{}", self.names(), self.payload).as_bytes());
        out
    }
}

/// A field as it is signed: lines joined by commas, white space as one space each.
pub(crate) fn value<'l>(lines: impl Iterator<Item = &'l [u8]>) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = lines
        .map(|line| {
            let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join(&b' ')
        })
        .collect();
    lines.join(&b',')
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A moment as it is signed, such as `20150830T123600Z`.
pub(crate) fn compact(seconds: u64) -> String {
    // To the second: the date's own form has none of its fractions.
    model::value::Timestamp::from_millis(seconds.saturating_mul(1000)).to_string().replace(['-', ':'], "")
}

fn hmac_of(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

/// Parameters in order, each encoded anew.
fn ordered(text: &str) -> String {
    let encode = |raw: &str| percent_encode(&percent_decode_str(raw).collect::<Vec<u8>>(), ALL).to_string();
    let mut pairs: Vec<_> = query::pairs(text).map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}
