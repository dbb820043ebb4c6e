//! HTTP Message Signatures (RFC 9421): what of a request is signed, and by what.

use http::header::{HOST, HeaderName};
use http::{HeaderMap, Uri};

use super::Fault;
use super::structured::{Bare, Item, Member, Parameters, dictionary, parameter, write_item, write_list};
use crate::exchange::{Exchange, Scheme};
use crate::policies::query;

/// Signatures of one request that are looked at.
const MOST_LABELS: usize = 8;
/// Components of one signature.
const MOST_COMPONENTS: usize = 64;

/// A signature of a request.
pub(super) struct Signature {
    pub(super) key: String,
    pub(super) algorithm: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) nonce: Option<String>,
    pub(super) value: Vec<u8>,
    components: Vec<Item>,
    parameters: Parameters,
}

/// The signature of a request whose key is known; nothing where there is none at all.
pub(super) fn find(headers: &HeaderMap, known: impl Fn(&str) -> bool) -> Result<Option<Signature>, Fault> {
    let (inputs, values) = (joined(headers, "signature-input"), joined(headers, "signature"));
    let (Some(inputs), Some(values)) = (&inputs, &values) else {
        return if inputs.is_none() && values.is_none() { Ok(None) } else { Err(Fault::Malformed) };
    };
    let (inputs, values) = (dictionary(inputs).ok_or(Fault::Malformed)?, dictionary(values).ok_or(Fault::Malformed)?);
    if inputs.is_empty() || inputs.len() > MOST_LABELS {
        return Err(Fault::Malformed);
    }
    for (label, input) in inputs {
        let Member::List(components, parameters) = input else { return Err(Fault::Malformed) };
        let Some(Bare::Text(key)) = parameter(&parameters, "keyid") else { continue };
        if !known(key) {
            continue;
        }
        let value = values.iter().find(|(other, _)| *other == label);
        let Some((_, Member::Bare(Bare::Bytes(value)))) = value else { return Err(Fault::Malformed) };
        let text = |name| match parameter(&parameters, name) {
            None => Ok(None),
            Some(Bare::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Fault::Malformed),
        };
        let moment = |name| match parameter(&parameters, name) {
            None => Ok(None),
            Some(Bare::Integer(moment)) => Ok(Some(*moment)),
            Some(_) => Err(Fault::Malformed),
        };
        return Ok(Some(Signature {
            key: key.clone(),
            algorithm: text("alg")?,
            created: moment("created")?,
            expires: moment("expires")?,
            nonce: text("nonce")?,
            value: value.clone(),
            components,
            parameters,
        }));
    }
    Err(Fault::UnknownKey)
}

/// All lines of a field as one (RFC 9421 section 2.1).
fn joined(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
    (!lines.is_empty()).then(|| lines.join(&b", "[..]))
}

impl Signature {
    /// Whether it covers a component, by itself or as a part of a larger one.
    pub(super) fn covers(&self, component: &str) -> bool {
        let wider: &[&str] = match component {
            "@path" | "@query" => &["@target-uri", "@request-target"],
            "@authority" | "@scheme" => &["@target-uri"],
            _ => &[],
        };
        self.components
            .iter()
            .any(|item| item.parameters.is_empty() && (item.text == component || wider.contains(&item.text.as_str())))
    }

    /// What was signed (RFC 9421 section 2.5).
    pub(super) fn base(&self, x: &Exchange) -> Result<Vec<u8>, Fault> {
        if self.components.len() > MOST_COMPONENTS {
            return Err(Fault::Malformed);
        }
        let mut base = Vec::new();
        for (at, item) in self.components.iter().enumerate() {
            if self.components.iter().take(at).any(|other| other == item) {
                return Err(Fault::Malformed);
            }
            let mut name = String::new();
            write_item(item, &mut name);
            base.extend_from_slice(name.as_bytes());
            base.extend_from_slice(b": ");
            base.extend(component(item, x)?);
            base.push(b'\n');
        }
        base.extend_from_slice(b"\"@signature-params\": ");
        base.extend(write_list(&self.components, &self.parameters).into_bytes());
        Ok(base)
    }
}

/// The value of a component (RFC 9421 sections 2.1 and 2.2). The target is that which the client sent.
fn component(item: &Item, x: &Exchange) -> Result<Vec<u8>, Fault> {
    let target = &x.record.target;
    if item.text == "@query-param" {
        let [(key, Bare::Text(name))] = item.parameters.as_slice() else { return Err(Fault::Malformed) };
        return if key == "name" { query_parameter(target, name) } else { Err(Fault::Malformed) };
    }
    if !item.parameters.is_empty() {
        // `sf`, `key`, `bs`, `tr`, `req`: nothing here is signed by parts.
        return Err(Fault::Malformed);
    }
    let text = match item.text.as_str() {
        "@method" => x.record.method.as_str().to_owned(),
        "@authority" => authority(x),
        "@scheme" => x.scheme.as_str().to_owned(),
        "@path" => path(target).to_owned(),
        "@query" => format!("?{}", target.query().unwrap_or_default()),
        "@request-target" => target.path_and_query().map_or("/", |both| both.as_str()).to_owned(),
        "@target-uri" => {
            let both = target.path_and_query().map_or("/", |both| both.as_str());
            format!("{}://{}{both}", x.scheme.as_str(), authority(x))
        }
        name if name.starts_with('@') || name.bytes().any(|b| b.is_ascii_uppercase()) => return Err(Fault::Malformed),
        name => {
            let name = HeaderName::try_from(name).map_err(|_| Fault::Malformed)?;
            return joined(&x.request.headers, name.as_str()).ok_or(Fault::Absent);
        }
    };
    Ok(text.into_bytes())
}

fn path(target: &Uri) -> &str {
    Some(target.path()).filter(|path| !path.is_empty()).unwrap_or("/")
}

/// Host and port in lower case, without the scheme's own port (RFC 9421 section 2.2.3).
pub(super) fn authority(x: &Exchange) -> String {
    let field = x.request.headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = x.request.uri.authority().map(|authority| authority.as_str()).or(field).unwrap_or(&x.host);
    let named = named.to_ascii_lowercase();
    let usual = match x.scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
    };
    named.strip_suffix(usual).map(str::to_owned).unwrap_or(named)
}

/// One parameter of the query, encoded anew (RFC 9421 section 2.2.8).
fn query_parameter(target: &Uri, name: &str) -> Result<Vec<u8>, Fault> {
    let pairs = query::pairs(target.query().unwrap_or_default());
    let mut named = pairs.filter(|(key, _)| query::encoded(&query::decode(key)) == name);
    match (named.next(), named.next()) {
        (Some((_, value)), None) => Ok(query::encoded(&query::decode(value)).into_bytes()),
        _ => Err(Fault::Absent),
    }
}
