//! A target: its URL taken apart, and at run time where its requests go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use model::load::Spanned;
use model::problem::{Problem, Problems};

use super::connect::Dial;
use super::dns::Name;
use super::endpoint::{Endpoint, Lane};
use crate::clock::Time;
use crate::exchange::host::{self, HostRefused};

/// A target's URL, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Url {
    /// How it is spoken to.
    pub(super) scheme: TargetScheme,
    /// The host without brackets.
    pub(super) host: String,
    /// The port, the scheme's own when none was written.
    pub(super) port: u16,
    /// Host and port as `:authority` and `Host` have it; the scheme's own port is left out.
    pub(super) authority: Authority,
}

/// The scheme of a target's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum TargetScheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
    /// HTTP/2 in the clear, by prior knowledge.
    H2c,
}

impl TargetScheme {
    /// The scheme of `:scheme`.
    pub(super) fn as_uri(self) -> Scheme {
        match self {
            TargetScheme::Http | TargetScheme::H2c => Scheme::HTTP,
            TargetScheme::Https => Scheme::HTTPS,
        }
    }
}

impl Url {
    /// Takes a target's URL apart; what is wrong with it is a problem.
    pub(super) fn parse(written: &Spanned<String>, path: &str, problems: &mut Problems) -> Option<Self> {
        let mut refuse = |message: String, help: &str| {
            problems.push(Problem::error("config.target", written.span, message).path(path).help(help));
            None
        };
        const FORM: &str = "write `http://HOST:PORT`, `https://HOST:PORT` or `h2c://HOST:PORT`";
        let Some((scheme, rest)) = written.split_once("://") else {
            return refuse(format!("`{}` is not a URL", **written), FORM);
        };
        let scheme = match scheme {
            "http" => TargetScheme::Http,
            "https" => TargetScheme::Https,
            "h2c" => TargetScheme::H2c,
            _ => return refuse(format!("targets do not speak `{scheme}`"), FORM),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '@']) {
            let help = "write scheme, host and port only; a path is set with the `rewrite` policy";
            return refuse(format!("`{}` has more than a host and a port", **written), help);
        }
        let (Ok(parsed), Ok(_) | Err(HostRefused::Port)) = (authority.parse::<Authority>(), host::parse(authority))
        else {
            return refuse(format!("`{authority}` is not a host and port"), FORM);
        };
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let own = if scheme == TargetScheme::Https { 443 } else { 80 };
        let port = match authority.strip_prefix(parsed.host()).and_then(|rest| rest.strip_prefix(':')) {
            None => own,
            Some(port) => match port.parse() {
                Ok(port @ 1..) => port,
                _ => return refuse(format!("`{authority}` has no usable port"), "ports are 1 to 65535"),
            },
        };
        if host.is_empty() {
            return refuse(format!("`{}` has no host", **written), FORM);
        }
        let bare = authority.strip_suffix(&format!(":{own}")).unwrap_or(authority);
        let authority = bare.parse().unwrap_or(parsed);
        Some(Self { scheme, host, port, authority })
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// The authority as a field value.
    pub(super) fn host_value(&self) -> HeaderValue {
        HeaderValue::from_str(self.authority.as_str()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    }
}

/// The HTTP version that a target is spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Speaks {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
    /// What TLS agrees on.
    Alpn,
}

/// A target at run time.
pub(super) struct Target {
    /// What was written.
    pub(super) url: String,
    /// Its share beside its siblings.
    pub(super) weight: u16,
    /// Its own `Host`.
    pub(super) host: HeaderValue,
    /// Its own `:authority`.
    pub(super) authority: Authority,
    /// Its `:scheme`.
    pub(super) scheme: Scheme,
    /// How connections to it are opened.
    pub(super) dial: Dial,
    /// Where it is.
    pub(super) place: Place,
    /// Its tier.
    pub(super) priority: u8,
    pub(super) zone: Option<String>,
    /// The most requests in flight at each of its addresses.
    pub(super) most: Option<u64>,
}

/// Where a target is.
pub(super) enum Place {
    /// At one address.
    Address(Arc<Endpoint>),
    /// At the addresses of a name.
    Name(Arc<Name>),
}

impl Target {
    /// Calls `each` with every endpoint that is known now.
    pub(super) fn each_endpoint(&self, mut each: impl FnMut(&Endpoint)) {
        match &self.place {
            Place::Address(endpoint) => each(endpoint),
            Place::Name(name) => name.endpoints().iter().for_each(|endpoint| each(endpoint)),
        }
    }

    /// The lane of the address that takes a request which chose none; `None` while its name has none.
    pub(super) fn lane(&self, worker: usize, now: Time) -> Option<Arc<Lane>> {
        match &self.place {
            Place::Address(endpoint) => endpoint.lane(worker).cloned(),
            Place::Name(name) => {
                let endpoints = name.endpoints();
                let turn = name.turn.fetch_add(1, Relaxed) % endpoints.len().max(1);
                let (before, from) = endpoints.split_at_checked(turn)?;
                let good = from.iter().chain(before).find(|endpoint| !endpoint.is_avoided(now));
                good.or_else(|| endpoints.first())?.lane(worker).cloned()
            }
        }
    }

    /// The addresses to connect to: this one first, those that are passed over last.
    pub(super) fn addresses(&self, first: SocketAddr, now: Time) -> Vec<SocketAddr> {
        let mut addresses = vec![first];
        let mut avoided = Vec::new();
        self.each_endpoint(|endpoint| {
            if endpoint.address != first {
                if endpoint.is_avoided(now) { avoided.push(endpoint.address) } else { addresses.push(endpoint.address) }
            }
        });
        addresses.extend(avoided);
        addresses
    }

    /// Passes these addresses over for a while.
    pub(super) fn avoid(&self, lost: &[SocketAddr], now: Time) {
        self.each_endpoint(|endpoint| {
            if lost.contains(&endpoint.address) {
                endpoint.avoid(now);
            }
        });
    }

    /// The endpoint of this address.
    pub(super) fn endpoint_at(&self, address: SocketAddr) -> Option<Arc<Endpoint>> {
        match &self.place {
            Place::Address(endpoint) => Some(endpoint.clone()).filter(|endpoint| endpoint.address == address),
            Place::Name(name) => name.endpoints().iter().find(|endpoint| endpoint.address == address).cloned(),
        }
    }

    /// Whether this address is passed over.
    pub(super) fn is_avoided(&self, address: SocketAddr, now: Time) -> bool {
        let mut found = false;
        self.each_endpoint(|endpoint| found |= endpoint.address == address && endpoint.is_avoided(now));
        found && matches!(self.place, Place::Name(_))
    }

    /// The lane of this address.
    pub(super) fn lane_of(&self, address: SocketAddr, worker: usize) -> Option<Arc<Lane>> {
        let mut found = None;
        self.each_endpoint(|endpoint| {
            if endpoint.address == address {
                found = endpoint.lane(worker).cloned();
            }
        });
        found
    }
}
