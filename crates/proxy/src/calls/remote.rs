//! One URL that the gateway asks.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, Uri};
use model::load::Spanned;
use model::problem::{Problem, Problems};
use model::resource::{Pool, Target, Timeouts, Upstream as Written, UpstreamProtocol, UpstreamTls};
use model::value::Name;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use crate::exchange::{Body, Error, Exchange};
use crate::program::{Compile, Environment, UpstreamId};
use crate::upstream::{Answer, Around, CallLimits, Upstream};

/// How the gateway asks others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Calls")]
pub struct RemoteSpec {
    /// How long one call may take, connecting included; from `10ms` to `60s`.
    pub timeout: Spanned<model::value::Duration>,
    /// TLS towards an `https` URL.
    pub tls: UpstreamTls,
}

impl Default for RemoteSpec {
    fn default() -> Self {
        Self { timeout: Spanned::from(model::value::Duration::from_secs(5)), tls: UpstreamTls::default() }
    }
}

/// One URL that is asked.
pub struct Remote {
    upstream: Arc<Upstream>,
    /// Its path and query.
    path: PathAndQuery,
    /// How it is asked, with paths of files as they are opened.
    spec: Box<RemoteSpec>,
    /// The most bytes of an answer.
    most: usize,
    /// The URL without its query, for the log.
    shown: Box<str>,
    encrypted: bool,
}

/// Where a URL stands in the configuration, and what it is spoken.
struct At<'a> {
    path: &'a str,
    env: &'a Environment,
    protocol: UpstreamProtocol,
}

impl Remote {
    /// Compiles a URL that is asked for answers of at most `most` bytes.
    pub fn compile(
        url: &Spanned<String>,
        spec: &RemoteSpec,
        protocol: UpstreamProtocol,
        most: usize,
        cx: &mut Compile<'_>,
    ) -> Option<Self> {
        let most_timeout = model::value::Duration::from_secs(60);
        if spec.timeout.as_millis() < 10 || *spec.timeout > most_timeout {
            cx.problem(spec.timeout.span, "a call takes from 10ms to 60s", "mend `timeout`");
            return None;
        }
        let spec = RemoteSpec { tls: cx.tls(&spec.tls), ..spec.clone() };
        let (path, env) = (cx.path().to_owned(), cx.env);
        let at = At { path: &path, env, protocol };
        Self::make(url, &spec, most, &at, cx.problems())
    }

    /// Another URL, which was learnt from this one while the gateway runs, to be asked in the same way. `path` is where it
    /// was learnt.
    pub(crate) fn learnt(&self, url: String, path: &str, env: &Environment) -> Option<Self> {
        let at = At { path, env, protocol: UpstreamProtocol::Auto };
        Self::make(&Spanned::from(url), &self.spec, self.most, &at, &mut Problems::new())
    }

    fn make(
        url: &Spanned<String>,
        spec: &RemoteSpec,
        most: usize,
        at: &At<'_>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut say = |problem: Problem, help: &str| problems.push(problem.path(at.path.to_owned()).help(help));
        let error = |message: String| Problem::error("config.url", url.span, message);
        let parsed = url.parse::<Uri>().ok().filter(|parsed| parsed.authority().is_some());
        let scheme =
            parsed.as_ref().and_then(Uri::scheme_str).filter(|scheme| matches!(*scheme, "https" | "http" | "h2c"));
        let (Some(parsed), Some(scheme)) = (&parsed, scheme) else {
            say(error(format!("`{}` is not an HTTP URL", **url)), "write `https://HOST/PATH`");
            return None;
        };
        let authority = parsed.authority()?;
        if authority.as_str().contains('@') {
            say(error("a URL must not hold a password".to_owned()), "give credentials in fields of their own");
            return None;
        }
        if url.contains('#') {
            say(error(format!("`{}` has a fragment, which is never sent", **url)), "take `#…` out");
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if scheme != "https" && !near {
            let message = "the URL is not encrypted: whoever is on the way can change the answer";
            say(Problem::warning("config.insecure", url.span, message), "write `https://`");
        }
        let target = Spanned::new(format!("{scheme}://{authority}"), url.span);
        let shown = format!("{}{}", *target, parsed.path()).into();
        let encrypted = scheme == "https";
        let upstream = upstream(target, spec, at, problems)?;
        let path = parsed.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Some(Self { upstream, path, spec: Box::new(spec.clone()), most, shown, encrypted })
    }

    /// A URL whose answers are read as they come, its connections made within `connect`.
    pub fn streaming(
        url: &Spanned<String>,
        connect: model::value::Duration,
        tls: &UpstreamTls,
        cx: &mut Compile<'_>,
    ) -> Option<Self> {
        let spec = RemoteSpec { timeout: Spanned::from(connect), tls: tls.clone() };
        let (path, env) = (cx.path().to_owned(), cx.env);
        let at = At { path: &path, env, protocol: UpstreamProtocol::Auto };
        Self::make(url, &spec, 0, &at, cx.problems())
    }

    /// Asks by the connections of this worker, and gives the answer as it comes.
    pub async fn open(
        &self,
        worker: usize,
        request: Request<Bytes>,
        limits: &CallLimits,
    ) -> Result<Response<Body>, Error> {
        self.upstream.open(worker, request, limits).await
    }

    /// The `Host` that it is asked for.
    pub fn host(&self) -> &str {
        self.upstream.first_authority()
    }

    /// Hands the exchange's own request on as it is now, its body as it comes, and fills in the answer; a change of
    /// protocol goes through. Nothing is told of who asked.
    pub async fn forward(&self, x: &mut Exchange) -> Result<(), Error> {
        let local = x.local.clone();
        self.upstream.pass(x, local.program.plan(x.route)).await
    }

    /// Its path and query.
    pub fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// Whether it is asked over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The URL, without its query.
    pub fn url(&self) -> &str {
        &self.shown
    }

    /// Asks by the connections of this worker.
    pub async fn ask(&self, worker: usize, mut request: Request<Bytes>) -> Result<Answer, Error> {
        if request.uri().path() == "" || request.uri() == "/" {
            *request.uri_mut() = Uri::from(self.path.clone());
        }
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static("tollgate"));
        self.upstream.call(worker, request, Instant::now() + self.spec.timeout.get(), self.most).await
    }

    /// Gets the URL, as JSON.
    pub(crate) async fn get(&self, worker: usize) -> Result<Answer, Error> {
        let mut request = Request::new(Bytes::new());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(worker, request).await
    }

    /// Posts a form, with these fields beside it.
    pub(crate) async fn post_form(&self, worker: usize, form: String, fields: HeaderMap) -> Result<Answer, Error> {
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = fields;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(worker, request).await
    }
}

/// The upstream of one target that such calls go to. Its pools are those of any other that is reached the same way.
fn upstream(target: Spanned<String>, spec: &RemoteSpec, at: &At<'_>, problems: &mut Problems) -> Option<Arc<Upstream>> {
    let name: Name = "calls".parse().ok()?;
    let timeouts = Timeouts { connect: *spec.timeout, ..Timeouts::default() };
    let written = Written {
        name: Spanned::new(name, target.span),
        enabled: true,
        tags: Vec::new(),
        targets: vec![Target::at(target, Spanned::from(1))],
        balance: model::resource::Balance::default(),
        spill: model::resource::Spill::default(),
        health: model::resource::Health::default(),
        retry: None,
        hedge: None,
        breaker: None,
        fallback: None,
        protocol: at.protocol,
        host: model::resource::HostPolicy::Target,
        timeouts,
        pool: Pool::default(),
        tls: spec.tls.clone(),
    };
    let around = Around { zone: None, names: &|_| None };
    Upstream::compile(UpstreamId(u32::MAX), (&written, around), at.path, at.env, problems)
}
