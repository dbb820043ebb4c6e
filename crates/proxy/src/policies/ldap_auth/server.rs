//! Where a directory is, and how it is reached.

use std::sync::Arc;

use http::Uri;
use model::load::Spanned;
use model::problem::Problem;
use model::resource::UpstreamTls;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use super::spec::StartTls;
use crate::program::Compile;

/// One address of a directory.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    /// Its URL, for the log.
    pub(super) shown: String,
}

/// How it is spoken to.
pub(super) enum Security {
    Plain,
    Tls(Tls),
    StartTls(Tls),
}

/// TLS towards it.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

impl Server {
    /// Compiles one URL.
    pub(super) fn compile(
        url: &Spanned<String>,
        start: StartTls,
        tls: &UpstreamTls,
        cx: &mut Compile<'_>,
    ) -> Option<Self> {
        let parsed = url.parse::<Uri>().ok();
        let authority = parsed.as_ref().and_then(Uri::authority).filter(|authority| !authority.as_str().contains('@'));
        let scheme = parsed.as_ref().and_then(Uri::scheme_str).filter(|scheme| matches!(*scheme, "ldap" | "ldaps"));
        let bare = parsed.as_ref().is_some_and(|url| matches!(url.path(), "" | "/") && url.query().is_none());
        let (Some(authority), Some(scheme), true) = (authority, scheme, bare) else {
            let message = format!("`{}` is not the URL of a directory", **url);
            cx.problem(url.span, message, "write `ldaps://HOST` or `ldap://HOST:PORT`, without a path");
            return None;
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if scheme == "ldaps" { 636 } else { 389 });
        let encrypted = scheme == "ldaps" || start == StartTls::Required;
        let near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let path = cx.path().to_owned();
        if !encrypted && !near {
            let message = "passwords go to the directory in the clear";
            let problem = Problem::warning("config.insecure", url.span, message).path(path.clone());
            cx.problems().push(problem.help("write `ldaps://`, or `start_tls: required`"));
        }
        let security = match encrypted {
            false => Security::Plain,
            true => {
                let (env, tls) = (cx.env, cx.tls(tls));
                let (config, named) = crate::upstream::client_tls(&tls, &path, env, cx.problems())?;
                let Some(name) = named.or_else(|| ServerName::try_from(host.clone()).ok()) else {
                    cx.problem(url.span, format!("`{host}` is not a host name"), "write a DNS name or an IP address");
                    return None;
                };
                let tls = Tls { config, name };
                if scheme == "ldaps" { Security::Tls(tls) } else { Security::StartTls(tls) }
            }
        };
        Some(Self { host, port, security, shown: format!("{scheme}://{authority}") })
    }
}
