//! The facts of an exchange that expressions read, each taken from where it is at the moment of asking.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use percent_encoding::percent_decode_str;

use super::{Value, claims};
use crate::exchange::{ClientCertificate, Exchange, Tls, cookies};
use crate::policies::query;
use crate::program::Consumer;
use crate::terminals::CallFact;

/// One fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Method,
    Path,
    RawPath,
    QueryString,
    Host,
    Scheme,
    Version,
    Size,
    RequestId,
    ClientAddress,
    ClientPort,
    Country,
    Asn,
    Bot,
    Listener,
    LocalAddress,
    LocalPort,
    TlsVersion,
    TlsCipher,
    ServerName,
    Subject,
    Issuer,
    Serial,
    Fingerprint,
    Names,
    Api,
    Route,
    Consumer,
    Groups,
    Tags,
    Plan,
    Credential,
    AuthMethod,
    AuthSubject,
    Scopes,
    AllGroups,
    Status,
    Reason,
    ErrorStatus,
    ErrorCode,
    ErrorTitle,
    ErrorDetail,
    Now,
    Call(CallFact),
}

/// Facts under keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    RequestHeaders,
    ResponseHeaders,
    Query,
    Cookies,
    Params,
    Metadata,
    Claims,
}

/// A group of names that an exchange may lack as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Tls,
    Certificate,
    Auth,
    Consumer,
    Error,
}

impl Fact {
    /// The fact, as it is now.
    pub(super) fn get(self, x: &Exchange) -> Value<'_> {
        match self {
            Fact::Method => Value::of(Some(x.request.method.as_str())),
            Fact::Path => Value::of(Some(x.request.uri.path())),
            Fact::RawPath => Value::of(Some(x.record.target.path())),
            Fact::QueryString => Value::of(Some(x.request.uri.query().unwrap_or_default())),
            Fact::Host => Value::of(Some(&x.host)),
            Fact::Scheme => Value::of(Some(x.scheme.as_str())),
            Fact::Version => Value::of(Some(version(x.record.version))),
            Fact::Size => number(x.request.headers.get(CONTENT_LENGTH)),
            Fact::RequestId => Value::of(x.notes.request_id.as_ref().and_then(|id| id.to_str().ok())),
            Fact::ClientAddress => client(x),
            Fact::ClientPort => Value::Int(x.connection.peer.port().into()),
            Fact::Bot => Value::of(x.record.bot.as_deref()),
            Fact::Country => Value::of(x.local.program.geo.as_ref().and_then(|geo| geo.country(x.client))),
            Fact::Asn => {
                let asn = x.local.program.geo.as_ref().and_then(|geo| geo.asn(x.client));
                asn.map_or(Value::Absent, |asn| Value::Int(asn.into()))
            }
            Fact::Listener => {
                Value::of(x.local.program.listener(x.connection.listener).map(|listener| &*listener.name))
            }
            Fact::LocalAddress => address(local(x)),
            Fact::LocalPort => Value::Int(x.connection.local.port().into()),
            Fact::Api => Value::of(Some(&*x.plan().api).filter(|name| !name.is_empty())),
            Fact::Route => Value::of(Some(&*x.plan().name).filter(|name| !name.is_empty())),
            Fact::Reason => Value::of(x.response.as_ref().and_then(|head| head.status.canonical_reason())),
            Fact::ErrorStatus => x.error.as_ref().map_or(Value::Absent, |error| Value::Int(error.code.status.into())),
            Fact::ErrorCode => Value::of(x.error.as_ref().map(|error| error.code.name)),
            Fact::ErrorTitle => Value::of(x.error.as_ref().map(|error| error.code.title)),
            Fact::ErrorDetail => Value::of(x.error.as_ref().map(|error| &*error.detail)),
            Fact::Status => x.response.as_ref().map_or(Value::Absent, |head| Value::Int(head.status.as_u16().into())),
            Fact::Now => Value::Int(i64::try_from(x.local.program.clock.wall().as_secs()).unwrap_or(i64::MAX)),
            Fact::Call(fact) => x.call.as_ref().map_or(Value::Absent, |call| call.fact(fact)),
            Fact::TlsVersion | Fact::TlsCipher | Fact::ServerName => Value::of(tls(x).and_then(|tls| self.of_tls(tls))),
            Fact::Subject | Fact::Issuer | Fact::Serial | Fact::Fingerprint => {
                Value::of(certificate(x).and_then(|certificate| self.of_certificate(certificate)))
            }
            Fact::Consumer | Fact::Plan | Fact::Credential | Fact::AuthMethod | Fact::AuthSubject => {
                Value::of(self.of_identity(x))
            }
            Fact::Names | Fact::Groups | Fact::Tags | Fact::Scopes | Fact::AllGroups => {
                if !self.listed(x) {
                    return Value::Absent;
                }
                let mut items = Vec::new();
                self.each(x, |item| items.push(Value::Text(Cow::Borrowed(item))));
                Value::List(items)
            }
        }
    }

    fn of_tls(self, tls: &Tls) -> Option<&str> {
        match self {
            Fact::TlsVersion => Some(tls.version),
            Fact::TlsCipher => Some(&tls.cipher),
            _ => tls.server_name.as_deref(),
        }
    }

    fn of_certificate(self, certificate: &ClientCertificate) -> Option<&str> {
        match self {
            Fact::Subject => Some(&certificate.subject),
            Fact::Issuer => Some(&certificate.issuer),
            Fact::Serial => Some(&certificate.serial),
            _ => Some(&certificate.fingerprint),
        }
    }

    fn of_identity(self, x: &Exchange) -> Option<&str> {
        let identity = x.identity.as_ref()?;
        match self {
            Fact::Consumer => consumer(x).map(|consumer| &*consumer.name),
            Fact::Plan => {
                let plan = x.local.program.snapshot.plans.get(usize::try_from(identity.plan?).ok()?)?;
                Some(plan.name.value.as_str())
            }
            Fact::AuthSubject => identity.learnt.as_ref()?.subject.as_deref(),
            Fact::Credential => identity.credential.as_deref(),
            _ => Some(identity.method),
        }
    }

    /// Whether the exchange has this list.
    fn listed(self, x: &Exchange) -> bool {
        match self {
            Fact::Names => certificate(x).is_some(),
            Fact::Scopes => claims::learnt(x).is_some(),
            Fact::AllGroups => x.identity.is_some(),
            _ => consumer(x).is_some(),
        }
    }

    /// Each item of a list, without making the list.
    pub(super) fn each<'x>(self, x: &'x Exchange, mut take: impl FnMut(&'x str)) {
        match self {
            Fact::Scopes => claims::learnt(x).into_iter().flat_map(|known| &known.scopes).for_each(|scope| take(scope)),
            Fact::AllGroups => {
                consumer(x).into_iter().flat_map(|known| &known.groups).for_each(|group| take(group));
                claims::learnt(x).into_iter().flat_map(|known| &known.groups).for_each(|group| take(group));
            }
            Fact::Names => certificate(x).into_iter().flat_map(|known| &known.names).for_each(|name| take(name)),
            Fact::Groups => consumer(x).into_iter().flat_map(|known| &known.groups).for_each(|group| take(group)),
            Fact::Tags => consumer(x).into_iter().flat_map(|known| &known.tags).for_each(|tag| take(tag)),
            _ => {}
        }
    }
}

impl Map {
    /// The value under a key. Fields are found whatever their case, and joined by a comma where there are several; of
    /// parameters and cookies with the same name the first counts.
    pub(super) fn get<'x>(self, x: &'x Exchange, key: &str) -> Value<'x> {
        match self {
            Map::RequestHeaders | Map::ResponseHeaders => match (HeaderName::try_from(key), self.headers(x)) {
                (Ok(name), Some(headers)) => field(headers, &name),
                _ => Value::Absent,
            },
            Map::Query => match query(x).find(|(name, _)| query::decode(name) == key) {
                Some((_, value)) => Value::Text(query::decode(value)),
                None => Value::Absent,
            },
            Map::Cookies => cookies(x).find(|(name, _)| *name == key).map_or(Value::Absent, |(_, value)| value),
            Map::Params => match x.captures.get(key) {
                Some(raw) => Value::Text(percent_decode_str(raw).decode_utf8_lossy()),
                None => Value::Absent,
            },
            Map::Metadata => {
                let known = consumer(x).and_then(|consumer| consumer.metadata.iter().find(|(name, _)| name == key));
                Value::of(known.map(|(_, value)| value.as_str()))
            }
            Map::Claims => claims::all(x).and_then(|claims| claims.get(key)).map_or(Value::Absent, claims::value),
        }
    }

    /// The fields, where this map is a head's.
    pub(super) fn headers(self, x: &Exchange) -> Option<&HeaderMap> {
        match self {
            Map::RequestHeaders => Some(&x.request.headers),
            Map::ResponseHeaders => x.response.as_ref().map(|head| &head.headers),
            _ => None,
        }
    }

    /// The keys, each once, in order of appearance.
    pub(super) fn keys<'x>(self, x: &'x Exchange) -> Vec<Cow<'x, str>> {
        let mut keys: Vec<Cow<'x, str>> = Vec::new();
        let mut add = |key: Cow<'x, str>| {
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        match self {
            Map::RequestHeaders | Map::ResponseHeaders => {
                let headers = self.headers(x);
                return headers.into_iter().flat_map(|headers| headers.keys()).map(|key| key.as_str().into()).collect();
            }
            Map::Query => query(x).for_each(|(name, _)| add(query::decode(name))),
            Map::Cookies => cookies(x).for_each(|(name, _)| add(name)),
            Map::Params => x.captures.iter().for_each(|(name, _)| add(name.into())),
            Map::Metadata => {
                let pairs = consumer(x).into_iter().flat_map(|consumer| &consumer.metadata);
                pairs.for_each(|(name, _)| add(name.into()));
            }
            Map::Claims => claims::all(x).into_iter().flatten().for_each(|(name, _)| add(name.into())),
        }
        keys
    }
}

impl Group {
    /// Whether the exchange has it.
    pub(super) fn given(self, x: &Exchange) -> bool {
        match self {
            Group::Tls => tls(x).is_some(),
            Group::Certificate => certificate(x).is_some(),
            Group::Auth => x.identity.is_some(),
            Group::Consumer => consumer(x).is_some(),
            Group::Error => x.error.is_some(),
        }
    }
}

fn tls(x: &Exchange) -> Option<&Tls> {
    x.connection.tls.as_deref()
}

fn certificate(x: &Exchange) -> Option<&ClientCertificate> {
    tls(x)?.client.as_ref()
}

fn consumer(x: &Exchange) -> Option<&Consumer> {
    x.local.program.consumers.get(x.identity.as_ref()?.consumer?).map(|known| &**known)
}

/// The address it came to.
pub(super) fn local(x: &Exchange) -> IpAddr {
    x.connection.local.ip().to_canonical()
}

/// The client's address as text; the connection has it ready where no proxy stands in between.
fn client(x: &Exchange) -> Value<'_> {
    if x.client == x.connection.peer.ip().to_canonical()
        && let Ok(text) = x.connection.peer_text.to_str()
    {
        return Value::Text(Cow::Borrowed(text));
    }
    address(x.client)
}

fn address<'a>(address: IpAddr) -> Value<'a> {
    Value::Text(Cow::Owned(address.to_string()))
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn number(value: Option<&HeaderValue>) -> Value<'_> {
    let parsed = value.and_then(|value| value.to_str().ok()?.parse().ok());
    parsed.map_or(Value::Absent, Value::Int)
}

/// A field's value; several lines of one field are one list (RFC 9110 section 5.3).
pub(super) fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Value<'h> {
    let mut lines = headers.get_all(name).iter();
    let Some(first) = lines.next() else { return Value::Absent };
    let mut text = String::from_utf8_lossy(first.as_bytes());
    for line in lines {
        let joined = text.to_mut();
        joined.push_str(if *name == COOKIE { "; " } else { ", " });
        joined.push_str(&String::from_utf8_lossy(line.as_bytes()));
    }
    Value::Text(text)
}

/// The parameters of the query, as they stand.
fn query(x: &Exchange) -> impl Iterator<Item = (&str, &str)> {
    query::pairs(x.request.uri.query().unwrap_or_default())
}

/// The cookies with their names.
fn cookies(x: &Exchange) -> impl Iterator<Item = (Cow<'_, str>, Value<'_>)> {
    let cookies = cookies::cookies(&x.request.headers);
    cookies.map(|(name, value)| (String::from_utf8_lossy(name), Value::Text(String::from_utf8_lossy(value))))
}
