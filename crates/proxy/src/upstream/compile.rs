//! An upstream from what was written: URLs taken apart, TLS built, pools found again. Everything that can fail does here.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use model::load::{Span, Spanned};
use model::problem::{Problem, Problems};
use model::resource::{HostPolicy, UpstreamProtocol, UpstreamTls, VerifyServer};
use rustls_pki_types::ServerName;

use super::connect::Dial;
use super::dns::{Name, Resolve};
use super::endpoint::Endpoint;
use super::pool::{Pool, Terms};
use super::target::{Place, Speaks, Target, TargetScheme, Url};
use super::tls::{self, TlsOut};
use super::view::{self, Changes, Seats};
use super::{HostOut, Upstream};
use crate::program::{Environment, UpstreamId};

impl Upstream {
    /// Compiles an upstream. Its pools and counters are those of its predecessor where addresses stay.
    pub fn compile(
        id: UpstreamId,
        (written, around): (&model::resource::Upstream, Around<'_>),
        path: &str,
        env: &Environment,
        problems: &mut Problems,
    ) -> Option<Arc<Self>> {
        let mut compiling = Compiling { written, path, env, problems };
        let tls = compiling.tls();
        let host = compiling.host();
        let balance = compiling.balance();
        let health = compiling.health();
        compiling.spill();
        let (retry, hedge, breaker) = (compiling.retry(), compiling.hedge(), compiling.breaker());
        let (fallback, extras) = (compiling.fallback(around.names), compiling.extras());
        compiling.bounds();
        let targets = compiling.targets(tls.as_ref().and_then(Option::as_ref));
        let (_, host, targets, balance, health) = (tls?, host?, targets?, balance?, health?);
        let changes = changes(written, env);
        let (retry, hedge, breaker, fallback) = (retry?, hedge?, breaker?, fallback?);
        Some(Arc::new(Self {
            id,
            name: written.name.to_string().into(),
            balance,
            spill: view::Terms {
                below: written.spill.below.fraction(),
                panic: written.spill.panic.fraction(),
                slow_start: written.spill.slow_start.get(),
            },
            zone: around.zone.map(str::to_owned),
            seats: Seats::new(env.workers),
            changes,
            health,
            retry,
            hedge,
            breaker,
            fallback,
            extras,
            targets,
            host,
            timeouts: written.timeouts.clone(),
            terms: Terms::of(&written.pool),
            clock: env.clock.clone(),
        }))
    }
}

/// What stands around an upstream.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Where the gateway is.
    pub zone: Option<&'a str>,
    /// The places of upstreams, by name.
    pub names: &'a dyn Fn(&str) -> Option<usize>,
}

/// Says that something about its targets changed, the same over reloads.
fn changes(written: &model::resource::Upstream, env: &Environment) -> Arc<Changes> {
    env.keep.get(&format!("changes|{}", *written.name), Changes::default)
}

pub(super) struct Compiling<'a> {
    pub(super) written: &'a model::resource::Upstream,
    pub(super) path: &'a str,
    pub(super) env: &'a Environment,
    pub(super) problems: &'a mut Problems,
}

impl Compiling<'_> {
    pub(super) fn refuse<T>(&mut self, at: Span, field: &str, message: impl Into<String>, help: &str) -> Option<T> {
        let at = if at.is_none() { self.written.name.span } else { at };
        let problem = Problem::error("config.upstream", at, message);
        self.problems.push(problem.path(format!("{}.{field}", self.path)).help(help));
        None
    }

    fn has_https(&self) -> bool {
        self.written.targets.iter().any(|target| target.url.starts_with("https://"))
    }

    /// TLS where a target asks for it; `Some(None)` where none does.
    fn tls(&mut self) -> Option<Option<TlsOut>> {
        let written = &self.written.tls;
        if self.has_https() {
            let path = format!("{}.tls", self.path);
            return tls::compile(written, self.written.protocol, &path, self.env, self.problems).map(Some);
        }
        if let Some(at) = first_of(written) {
            let problem = Problem::warning("config.unused", at, "`tls` has no effect: no target is `https`");
            let help = "write `https://` targets, or take `tls` out";
            self.problems.push(problem.path(format!("{}.tls", self.path)).help(help));
        }
        Some(None)
    }

    fn host(&mut self) -> Option<HostOut> {
        match &self.written.host {
            HostPolicy::Target => Some(HostOut::Target),
            HostPolicy::Preserve => Some(HostOut::Preserve),
            HostPolicy::Literal(text) => {
                let value = HeaderValue::from_str(text).ok().zip(text.parse::<Authority>().ok());
                match value.filter(|_| !text.contains(['@', '/'])) {
                    Some((value, authority)) => Some(HostOut::Literal(value, authority)),
                    None => {
                        let help = "write `target`, `preserve`, or a host with an optional port";
                        self.refuse(self.written.name.span, "host", format!("`{text}` is not a host"), help)
                    }
                }
            }
        }
    }

    /// Bounds that would let nothing through.
    fn bounds(&mut self) {
        let (timeouts, pool) = (&self.written.timeouts, &self.written.pool);
        let zeros = [
            (timeouts.connect.is_zero(), "timeouts.connect"),
            (timeouts.first_byte.is_zero(), "timeouts.first_byte"),
            (timeouts.idle.is_zero(), "timeouts.idle"),
            (pool.connections == 0, "pool.connections"),
            (pool.streams == 0, "pool.streams"),
            (pool.header_bytes.get() == 0, "pool.header_bytes"),
        ];
        for (_, field) in zeros.into_iter().filter(|(is_zero, _)| *is_zero) {
            let message = format!("`{field}` of 0 lets no request through");
            self.refuse::<()>(Span::default(), field, message, "write a value above 0, or leave it out");
        }
    }

    fn targets(&mut self, tls: Option<&TlsOut>) -> Option<Box<[Arc<Target>]>> {
        let written = &self.written.targets;
        if written.is_empty() {
            let help = "write `targets: [{ url: \"http://HOST:PORT\" }]`";
            return self.refuse(Span::default(), "targets", "an upstream has at least one target", help);
        }
        if written.iter().all(|target| *target.weight == 0) {
            let at = written.first().map(|target| target.weight.span).unwrap_or_default();
            let help = "give a target a weight above 0";
            self.refuse::<()>(at, "targets", "the weights are all 0, so no request goes anywhere", help);
        }
        let mut targets = Vec::with_capacity(written.len());
        for (at, target) in written.iter().enumerate() {
            targets.extend(self.target(at, target, tls).map(Arc::new));
        }
        (targets.len() == written.len()).then(|| targets.into())
    }

    fn target(&mut self, at: usize, written: &model::resource::Target, tls: Option<&TlsOut>) -> Option<Target> {
        let path = format!("{}.targets[{at}].url", self.path);
        let url = Url::parse(&written.url, &path, self.problems)?;
        let speaks = self.speaks(at, &written.url, url.scheme)?;
        let tls = if url.scheme == TargetScheme::Https { tls } else { None };
        let dial = Dial {
            timeout: self.written.timeouts.connect.get(),
            keepalive: some(self.written.pool.tcp_keepalive.get()),
            tls: match tls {
                Some(tls) => Some((tls.clone(), self.server_name(at, written, &url, tls)?)),
                None => None,
            },
        };
        Some(Target {
            url: written.url.value.clone(),
            weight: *written.weight,
            host: url.host_value(),
            authority: url.authority.clone(),
            scheme: url.scheme.as_uri(),
            place: self.place(written, &url, speaks, tls),
            priority: written.priority,
            zone: written.zone.clone(),
            most: written.max_concurrent.map(u64::from),
            dial,
        })
    }

    fn speaks(&mut self, at: usize, url: &Spanned<String>, scheme: TargetScheme) -> Option<Speaks> {
        match (scheme, self.written.protocol) {
            (TargetScheme::H2c, UpstreamProtocol::H1) => {
                let help = "write `http://`, or take `protocol` out";
                self.refuse(url.span, &format!("targets[{at}].url"), "`h2c` targets do not speak `protocol: h1`", help)
            }
            (TargetScheme::H2c, _) | (_, UpstreamProtocol::H2) => Some(Speaks::H2),
            (TargetScheme::Https, UpstreamProtocol::Auto) => Some(Speaks::Alpn),
            (_, UpstreamProtocol::H1) | (TargetScheme::Http, UpstreamProtocol::Auto) => Some(Speaks::H1),
        }
    }

    fn server_name(
        &mut self,
        at: usize,
        written: &model::resource::Target,
        url: &Url,
        tls: &TlsOut,
    ) -> Option<ServerName<'static>> {
        if let Some(name) = &tls.server_name {
            return Some(name.clone());
        }
        match ServerName::try_from(url.host.clone()) {
            Ok(name) => Some(name),
            Err(_) => {
                let message = format!("`{}` cannot be the name in a certificate", url.host);
                let help = "set `tls.server_name`, or write a DNS name or an IP address";
                self.refuse(written.url.span, &format!("targets[{at}].url"), message, help)
            }
        }
    }

    /// Where a target is. Pools are shared by all that reach an address the same way; counters are this upstream's.
    fn place(&self, written: &model::resource::Target, url: &Url, speaks: Speaks, tls: Option<&TlsOut>) -> Place {
        let hash = tls.map_or_else(|| "-".to_owned(), |tls| format!("{}/{}", tls.hash, url.host));
        let way = format!("{speaks:?}|{hash}");
        let owner = format!("{}|{}", *self.written.name, *written.url);
        let env = self.env.clone();
        let endpoint = {
            let (way, owner) = (way.clone(), owner.clone());
            move |address| {
                let pool = || Pool::new(speaks, env.workers, &env.clock);
                let pool = env.keep.get(&format!("pool|{address}|{way}"), pool);
                env.keep.get(&format!("endpoint|{owner}|{address}|{way}"), || Endpoint::new(address, pool))
            }
        };
        let changes = changes(self.written, self.env);
        match url.address() {
            Some(address) => Place::Address(endpoint(address)),
            None => Place::Name(self.env.keep.get(&format!("name|{owner}|{way}"), || {
                Name::new(&url.host, url.port, Resolve::System, Box::new(endpoint), changes)
            })),
        }
    }
}

fn some(duration: Duration) -> Option<Duration> {
    (!duration.is_zero()).then_some(duration)
}

/// The place of the first thing that was written in `tls`.
fn first_of(tls: &UpstreamTls) -> Option<Span> {
    let files = [&tls.ca, &tls.certificate, &tls.key, &tls.server_name];
    let written = files.into_iter().flatten().next().map(|file| file.span);
    written.or((tls.verify == VerifyServer::Off).then(Span::default))
}
