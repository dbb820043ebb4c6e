//! Which origins may call.

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use model::load::Spanned;
use regex::Regex;
use schemars::JsonSchema;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::program::Compile;
use crate::program::table::anchored;

/// Origins as a user writes them.
#[derive(Clone, Debug)]
pub(crate) enum OriginSpec {
    /// An origin, or with `*`.
    Plain(Spanned<String>),
    /// A regular expression over the whole origin.
    Regex(Spanned<String>),
}

impl<'de> Deserialize<'de> for OriginSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, span } = Spanned::<Written>::deserialize(deserializer)?;
        Ok(match value {
            Written::Plain(origin) => OriginSpec::Plain(Spanned::new(origin, span)),
            Written::Regex(regex) => OriginSpec::Regex(regex),
        })
    }
}

enum Written {
    Plain(String),
    Regex(Spanned<String>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Written;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an origin such as `https://app.example.com`, or `{ regex: … }`")
    }
    fn visit_str<E: de::Error>(self, origin: &str) -> Result<Written, E> {
        Ok(Written::Plain(origin.to_owned()))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        match map.next_key::<String>()?.as_deref() {
            Some("regex") => {}
            Some(other) => return Err(de::Error::unknown_field(other, &["regex"])),
            None => return Err(de::Error::missing_field("regex")),
        }
        let regex = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(Written::Regex(regex)),
            Some(more) => Err(de::Error::unknown_field(&more, &["regex"])),
        }
    }
}

impl JsonSchema for OriginSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Origin".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An origin, an origin with `*` for the first labels of its host, `*`, or a regular expression.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": { "regex": { "type": "string", "description": "Over the whole origin." } },
                    "required": ["regex"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

/// Origins that may call.
#[derive(Default)]
pub(crate) struct Origins {
    any: bool,
    exact: Vec<Box<str>>,
    /// What comes before and after the wildcard: `https://` and `.example.com`.
    wildcards: Vec<(Box<str>, Box<str>)>,
    regexes: Vec<Regex>,
}

const MOST: usize = 1_000;

impl Origins {
    pub(crate) fn compile(written: &[OriginSpec], credentials: bool, cx: &mut Compile<'_>) -> Option<Self> {
        if written.is_empty() || written.len() > MOST {
            cx.problem(cx.span, format!("`origins` has {}, not from 1 to {MOST}", written.len()), "name who may call");
            return None;
        }
        let mut origins = Self::default();
        let mut wrong = false;
        for spec in written {
            let (span, result) = match spec {
                OriginSpec::Plain(text) => (text.span, origins.plain(text, credentials)),
                OriginSpec::Regex(text) => (text.span, origins.regex(text)),
            };
            if let Err((message, help)) = result {
                cx.problem(span, message, help);
                wrong = true;
            }
        }
        (!wrong).then_some(origins)
    }

    fn plain(&mut self, text: &str, credentials: bool) -> Result<(), (String, &'static str)> {
        match text {
            "*" | "null" if credentials => {
                let message = format!("with credentials, `{text}` would let any page act as its visitor");
                return Err((message, "name the origins, or write `credentials: deny`"));
            }
            "*" => self.any = true,
            "null" => self.exact.push(text.into()),
            _ => {
                let lower = text.to_ascii_lowercase();
                let sample = lower.replacen("://*.", "://any.", 1);
                check(&sample).map_err(|help| (format!("`{text}` is not an origin"), help))?;
                match lower.split_once("://*.") {
                    Some((scheme, host)) => {
                        self.wildcards.push((format!("{scheme}://").into(), format!(".{host}").into()));
                    }
                    None => self.exact.push(lower.into()),
                }
            }
        }
        Ok(())
    }

    fn regex(&mut self, text: &str) -> Result<(), (String, &'static str)> {
        let regex = anchored(text).map_err(|message| (message, "mend the expression"))?;
        self.regexes.push(regex);
        Ok(())
    }

    /// Whether every origin may call.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// Whether this origin may call. Browsers send origins in lower case (RFC 6454 section 6.2).
    pub(crate) fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.any
            || self.exact.iter().any(|known| **known == *origin)
            || self.wildcards.iter().any(|(start, end)| is_within(origin, start, end))
            || self.regexes.iter().any(|regex| regex.is_match(origin))
    }
}

/// Whether an origin is of a host under a wildcard: at least one label more, and nothing that is no host.
fn is_within(origin: &str, start: &str, end: &str) -> bool {
    let labels = origin.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
    labels.is_some_and(|labels| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        !labels.is_empty() && labels.bytes().all(plain)
    })
}

/// Checks that a text is an origin as a browser would send it, or says how to mend it.
fn check(origin: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "write scheme and host, such as `https://app.example.com`";
    let (scheme, host) = origin.split_once("://").ok_or(SHAPE)?;
    if host.contains('/') {
        return Err("an origin has no path: leave out what follows the host");
    }
    if host.contains('*') {
        return Err("`*` stands for the first labels of the host: `https://*.example.com`");
    }
    let authority = host.parse::<Authority>().map_err(|_| SHAPE)?;
    if host.contains('@') || scheme.parse::<Scheme>().is_err() {
        return Err(SHAPE);
    }
    match (scheme, authority.port_u16()) {
        ("https", Some(443)) | ("http", Some(80)) => Err("browsers leave the scheme's own port out: so do here"),
        _ => Ok(()),
    }
}
