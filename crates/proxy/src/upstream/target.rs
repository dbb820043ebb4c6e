//! A target as it was written: scheme, host, port, weight, and the fields that are the same for all its requests.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use http::uri::{Authority, Scheme};
use model::load::Spanned;
use model::problem::{Problem, Problems};

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
        let Ok(parsed) = authority.parse::<Authority>() else {
            return refuse(format!("`{authority}` is not a host and port"), FORM);
        };
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let own = if scheme == TargetScheme::Https { 443 } else { 80 };
        let port = match (parsed.port(), parsed.port_u16()) {
            (None, _) => own,
            (Some(_), Some(port)) if port != 0 => port,
            _ => return refuse(format!("`{authority}` has no usable port"), "ports are 1 to 65535"),
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
