//! What there is at the operations port.

use http::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use model::load::Spanned;
use model::value::Secret;
use percent_encoding::percent_decode_str;
use proxy::telemetry::Format;
use serde_json::json;

use super::answer::{Answer, json_of, problem, text, wrong_method};
use super::{Port, Reach, host};
use crate::desk::{self, Content, Question, Refusal};
use crate::explain::{Question as Explain, Reader};

/// The index at `/`.
const INDEX: &str = "\
Tollgate, operations port

  /healthz           the process works (?verbose says more)
  /readyz            it takes traffic
  /metrics           Prometheus text, or OpenMetrics when asked
  /config            the running configuration, secrets hidden
  /upstreams         targets, requests in flight, connections
  /consumers         who may call, credentials without their secrets, when each was last used; ?limit=100&after=NAME
  /keys              keys of callers that were made while it runs; POST makes one (docs/identity.md)
  /secrets           what the configuration refers to as ${store:NAME}; PUT and DELETE of one change it
  /ai/usage          ?by=consumer,model&since=7d&format=csv: what calls of models took and cost
  /explain           ?method=GET&url=http://host/path&header=x: y&format=text
  /log/level         the level of the gateway's own log; PUT over the socket changes it:
                     curl --unix-socket PATH -X PUT -d info,tollgate::upstream=debug http://gate/log/level
";

/// The paths that there are, but those that can be written to.
const PATHS: &[&str] = &["/", "/healthz", "/readyz", "/metrics", "/config", "/upstreams", "/consumers", "/explain"];

/// Answers a request.
pub(super) async fn answer(port: &Port, reach: Reach, request: Request<Incoming>) -> Answer {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let snapshot = port.reloader.gateway().program().snapshot.clone();
    let known = reach == Reach::Change || host::is_good(named, &snapshot.operations.hosts);
    let looking = matches!(*request.method(), Method::GET | Method::HEAD);
    // Load balancers probe with any `Host` or none, and one word tells nobody anything.
    let probe = looking && matches!(request.uri().path(), "/healthz" | "/readyz");
    if !known && !probe {
        let detail = "This Host is not served here; add it to `operations.hosts` if it should be.";
        return problem(StatusCode::FORBIDDEN, "operations.host", detail);
    }
    let reach = match shown(&request, snapshot.operations.token.as_ref()) {
        Shown::Token => Reach::Change,
        Shown::Wrong if reach != Reach::Change && desk::is_here(request.uri().path()) => return wrong_token(),
        _ => reach,
    };
    match request.uri().path() {
        path if desk::is_here(path) => ask_desk(port, reach, request).await,
        "/log/level" if request.method() == Method::PUT => set_level(port, reach, request).await,
        "/log/level" if !looking => wrong_method("GET, HEAD, PUT"),
        path if PATHS.contains(&path) && !looking => wrong_method("GET, HEAD"),
        "/" => text(StatusCode::OK, "text/plain; charset=utf-8", INDEX.to_owned()),
        "/healthz" => health(port, &request, known),
        "/readyz" => readiness(port),
        "/metrics" => metrics(port, &request),
        "/config" => configuration(port),
        "/upstreams" => upstreams(port),
        "/consumers" => consumers(port, request.uri().query().unwrap_or_default()),
        "/explain" => explain(port, request.uri().query().unwrap_or_default()),
        "/log/level" => text(StatusCode::OK, "text/plain; charset=utf-8", format!("{}\n", port.level.get())),
        _ => {
            let detail = format!(
                "There is nothing here. There are {}, /keys, /secrets, /ai/usage, /log/level.",
                PATHS.join(", ")
            );
            problem(StatusCode::NOT_FOUND, "operations.path", &detail)
        }
    }
}

/// What of a token a request shows.
enum Shown {
    Nothing,
    Token,
    Wrong,
}

fn shown(request: &Request<Incoming>, token: Option<&Spanned<Secret<String>>>) -> Shown {
    let shown = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let Some(shown) = shown.and_then(|value| value.strip_prefix(b"Bearer ")) else { return Shown::Nothing };
    let same = |token: &Spanned<Secret<String>>| {
        aws_lc_rs::constant_time::verify_slices_are_equal(token.expose().as_bytes(), shown).is_ok()
    };
    if token.is_some_and(same) { Shown::Token } else { Shown::Wrong }
}

fn wrong_token() -> Answer {
    let mut answer =
        problem(StatusCode::UNAUTHORIZED, "operations.token", "The token is not that of `operations.token`.");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    answer
}

/// Hands a question to the desk: over the socket and with the token any, from this machine one that changes nothing where
/// there is no token.
async fn ask_desk(port: &Port, reach: Reach, request: Request<Incoming>) -> Answer {
    let has_token = port.reloader.gateway().program().snapshot.operations.token.is_some();
    let may = match reach {
        Reach::Change => true,
        Reach::Here => !has_token && !desk::is_guarded(request.method(), request.uri().path()),
        Reach::Look => false,
    };
    if !may {
        let detail = "This goes over the Unix socket (`operations.socket`), or with `operations.token` as bearer.";
        let mut answer = problem(StatusCode::UNAUTHORIZED, "operations.token", detail);
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return answer;
    }
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, desk::MOST_BODY).collect().await else {
        let detail = format!("A question has at most {} bytes, and they have to come.", desk::MOST_BODY);
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "operations.body", &detail);
    };
    let question = Question {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body: body.to_bytes().to_vec(),
    };
    let reloader = port.reloader.clone();
    let answering = move || {
        let mut told = reloader.desk().answer(&question)?;
        if desk::is_of_configuration(&question.method, &question.path)
            && let Content::Json(said) = &mut told.content
            && let Some(said) = said.as_object_mut()
        {
            reloader.reload("secrets");
            let reloaded = if reloader.state().refused.is_some() { "refused" } else { "ok" };
            said.insert("reload".to_owned(), reloaded.into());
        }
        Ok(told)
    };
    match tokio::task::spawn_blocking(answering).await {
        Ok(Ok(told)) => match told.content {
            Content::Json(value) => json_of(told.status, &value),
            Content::Csv(text) => super::answer::text(told.status, "text/csv; charset=utf-8", text),
        },
        Ok(Err::<_, Refusal>(refusal)) => problem(refusal.status, refusal.code, &refusal.detail),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "operations.broke", "The answer could not be made."),
    }
}

/// A worker that has not turned its event loop for so long is stuck.
const STUCK: std::time::Duration = std::time::Duration::from_secs(10);

/// One word, or all of it for those who ask and may know.
fn health(port: &Port, request: &Request<Incoming>, known: bool) -> Answer {
    let gateway = port.reloader.gateway();
    let stuck: Vec<usize> = port
        .reloader
        .telemetry()
        .beats()
        .iter()
        .enumerate()
        .filter(|(_, beat)| beat.is_some_and(|ago| ago > STUCK))
        .map(|(worker, _)| worker)
        .collect();
    let status = if stuck.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let verbose = request.uri().query().is_some_and(|query| query.split(['&', '=']).next() == Some("verbose"));
    if !known || !verbose && !accept.contains("json") {
        let word = if stuck.is_empty() { "ok\n" } else { "stuck\n" };
        return text(status, "text/plain; charset=utf-8", word.to_owned());
    }
    let program = gateway.program();
    let state = port.reloader.state();
    let detail = json!({
        "status": if stuck.is_empty() { "ok" } else { "stuck" },
        "version": env!("CARGO_PKG_VERSION"),
        "revision": program.revision,
        "hash": program.hash,
        "ready": !port.reloader.is_leaving(),
        "stuck_workers": stuck,
        "requests_in_flight": gateway.in_flight(),
        "connections": gateway.connections().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "reload": match state.refused {
            Some(problems) => json!({ "status": "refused", "problems": problems }),
            None => json!({ "status": "ok" }),
        },
        "needs_restart": port.reloader.needs_restart(),
        "store": program.stores.disk().map(|disk| {
            let status = disk.status();
            let trouble = status.trouble.as_ref().map(|(why, since)| json!({ "why": why, "seconds": since.as_secs() }));
            json!({ "directory": disk.path(), "meters": status.meters, "unsaved": status.unsaved, "trouble": trouble })
        }),
        "redis": program.shared.as_ref().map(|shared| {
            let status = shared.status();
            json!({ "up": status.up, "gateways": status.gateways, "answered": status.answered, "unanswered": status.unanswered })
        }),
    });
    json_of(status, &detail)
}

fn readiness(port: &Port) -> Answer {
    if port.reloader.is_leaving() {
        problem(StatusCode::SERVICE_UNAVAILABLE, "operations.draining", "The gateway is leaving.")
    } else {
        text(StatusCode::OK, "text/plain; charset=utf-8", "ready\n".to_owned())
    }
}

fn metrics(port: &Port, request: &Request<Incoming>) -> Answer {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::negotiate(accept);
    let program = port.reloader.gateway().program();
    text(StatusCode::OK, format.content_type(), port.reloader.telemetry().metrics(&program, format))
}

fn configuration(port: &Port) -> Answer {
    let program = port.reloader.gateway().program();
    let state = port.reloader.state();
    let written: serde_json::Value = serde_json::from_str(&state.shown).unwrap_or_default();
    json_of(StatusCode::OK, &json!({ "revision": program.revision, "hash": program.hash, "configuration": written }))
}

fn upstreams(port: &Port) -> Answer {
    let program = port.reloader.gateway().program();
    let status: Vec<_> = program.upstreams.iter().map(|upstream| upstream.status()).collect();
    json_of(StatusCode::OK, &json!({ "upstreams": status }))
}

/// Consumers on a page where nobody says how many, and at most.
const CONSUMERS: usize = 100;
const MOST_CONSUMERS: usize = 1_000;

fn consumers(port: &Port, query: &str) -> Answer {
    let (mut after, mut limit) = (String::new(), CONSUMERS);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy();
        match name {
            "after" => after = value.into_owned(),
            "limit" => match value.parse() {
                Ok(asked @ 1..=MOST_CONSUMERS) => limit = asked,
                _ => {
                    let detail = format!("`limit` is a number from 1 to {MOST_CONSUMERS}.");
                    return problem(StatusCode::BAD_REQUEST, "operations.consumers", &detail);
                }
            },
            _ => return problem(StatusCode::BAD_REQUEST, "operations.consumers", "There are `after` and `limit`."),
        }
    }
    let program = port.reloader.gateway().program();
    let found = program.consumer_status(&after, limit);
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.name);
    json_of(StatusCode::OK, &json!({ "consumers": found, "next": next, "total": program.consumers.len() }))
}

fn explain(port: &Port, query: &str) -> Answer {
    let program = port.reloader.gateway().program();
    let explained = Explain::read(query).and_then(|(question, reader)| {
        let explained = question.ask(&program)?;
        Ok(match reader {
            Reader::People => text(StatusCode::OK, "text/plain; charset=utf-8", explained.to_string()),
            Reader::Machines => {
                text(StatusCode::OK, "application/json", format!("{}\n", serde_json::to_string_pretty(&explained)?))
            }
        })
    });
    match explained {
        Ok(answer) => answer,
        Err(error) => problem(StatusCode::BAD_REQUEST, "operations.explain", &format!("{error:#}")),
    }
}

/// Bytes of a level.
const MOST_LEVEL: usize = 4096;

async fn set_level(port: &Port, reach: Reach, request: Request<Incoming>) -> Answer {
    if reach != Reach::Change {
        let detail =
            "What changes state goes over the Unix socket (`operations.socket`), or with `operations.token` as bearer.";
        return problem(StatusCode::FORBIDDEN, "operations.read_only", detail);
    }
    let Ok(body) = Limited::new(request.into_body(), MOST_LEVEL).collect().await else {
        let detail = format!("A level has at most {MOST_LEVEL} bytes, and they have to come.");
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "operations.level", &detail);
    };
    let level = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    match port.level.set(level.trim()) {
        Ok(()) => text(StatusCode::OK, "text/plain; charset=utf-8", format!("{}\n", port.level.get())),
        Err(error) => problem(StatusCode::BAD_REQUEST, "operations.level", &error.to_string()),
    }
}
