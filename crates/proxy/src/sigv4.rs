//! AWS Signature Version 4: what is signed of a request, and how. For requests that clients sign and for those that the
//! gateway signs for an upstream.

use aws_lc_rs::hmac;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, request};
use model::load::Spanned;
use model::resource::AwsKeys;
use model::value::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::policies::query;
use crate::program::{Compile, sha256};

/// The name of the scheme.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Says that the body is not signed.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// All but the unreserved (RFC 3986 section 2.3).
const ALL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &ALL.remove(b'/');

static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static PAYLOAD: HeaderName = HeaderName::from_static("x-amz-content-sha256");
static TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs requests for a service of AWS.
pub struct Signer {
    access_key: String,
    secret: Secret<String>,
    token: Option<HeaderValue>,
    /// `REGION/SERVICE/aws4_request`.
    scope: String,
}

/// What is signed beside the header fields.
pub(crate) struct Unsigned<'r> {
    pub(crate) method: &'r Method,
    /// Path and query, as they are sent.
    pub(crate) target: &'r str,
    /// The `Host` that is sent.
    pub(crate) host: &'r str,
    pub(crate) encoded: Encoded,
    /// The digest of the body in hexadecimal, or what stands for it.
    pub(crate) payload: &'r str,
    /// Whether the digest is a field too.
    pub(crate) tells_payload: bool,
    /// Seconds since 1970.
    pub(crate) now: u64,
}

impl Signer {
    /// Compiles it.
    pub fn compile(
        keys: &AwsKeys,
        region: &Spanned<String>,
        service: &Spanned<String>,
        cx: &mut Compile<'_>,
    ) -> Option<Self> {
        let word = |text: &Spanned<String>| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        for (text, what) in [(region, "region"), (service, "service")] {
            if !word(text) {
                cx.problem(text.span, format!("`{}` is not a {what}", **text), "write it as AWS does");
                return None;
            }
        }
        let key = !keys.access_key.is_empty() && keys.access_key.bytes().all(|b| b.is_ascii_graphic() && b != b',');
        if !key || keys.secret_key.expose().is_empty() {
            cx.problem(keys.access_key.span, "an access key has an id and a secret", "give both, as AWS tells them");
            return None;
        }
        let token = match &keys.session_token {
            None => None,
            Some(written) => {
                let value = HeaderValue::from_str(written.expose()).ok().filter(|value| !value.is_empty());
                let Some(mut value) = value else {
                    let message = "the session token is empty, or has control characters";
                    cx.problem(written.span, message, "take line breaks out");
                    return None;
                };
                value.set_sensitive(true);
                Some(value)
            }
        };
        Some(Self {
            access_key: keys.access_key.value.clone(),
            secret: keys.secret_key.value.clone(),
            token,
            scope: format!("{}/{}/aws4_request", **region, **service),
        })
    }

    /// Signs a request that is sent to this host as it is. `now` is in seconds since 1970.
    pub fn sign(&self, head: &mut request::Parts, body: &[u8], host: &str, now: u64) {
        let payload = hex(&sha256(body));
        let unsigned = Unsigned {
            method: &head.method,
            target: head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
            host,
            encoded: Encoded::Twice,
            payload: &payload,
            tells_payload: false,
            now,
        };
        self.sign_fields(&mut head.headers, &unsigned);
    }

    /// Puts date, session token and signature among these fields. Those that begin with `x-amz-` are signed as they are.
    pub(crate) fn sign_fields(&self, headers: &mut HeaderMap, unsigned: &Unsigned<'_>) {
        let now = compact(unsigned.now);
        for name in [&DATE, &PAYLOAD, &TOKEN] {
            headers.remove(name);
        }
        headers.extend(HeaderValue::from_str(&now).ok().map(|date| (DATE.clone(), date)));
        headers.extend(self.token.clone().map(|token| (TOKEN.clone(), token)));
        if unsigned.tells_payload {
            headers.extend(HeaderValue::from_str(unsigned.payload).ok().map(|payload| (PAYLOAD.clone(), payload)));
        }
        let mut names: Vec<&str> =
            headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-amz-")).collect();
        names.push(HOST.as_str());
        names.sort_unstable();
        let fields: Vec<_> = names
            .into_iter()
            .map(|name| match name {
                "host" => (name, unsigned.host.as_bytes().to_vec()),
                name => (name, value(headers.get_all(name).iter().map(HeaderValue::as_bytes))),
            })
            .collect();
        let (path, query) = unsigned.target.split_once('?').unwrap_or((unsigned.target, ""));
        let canonical = Canonical {
            method: unsigned.method.as_str(),
            path: if path.is_empty() { "/" } else { path },
            encoded: unsigned.encoded,
            query,
            fields: &fields,
            payload: unsigned.payload,
        };
        let scope = format!("{}/{}", now.get(..8).unwrap_or_default(), self.scope);
        let signature = canonical.signature(self.secret.expose().as_bytes(), &scope, &now);
        let shown = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.access_key,
            canonical.names()
        );
        if let Ok(mut shown) = HeaderValue::try_from(shown) {
            shown.set_sensitive(true);
            headers.insert(AUTHORIZATION, shown);
        }
    }
}

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
