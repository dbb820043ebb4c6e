//! Expressions over whole exchanges.

mod claims;
mod oracle;
mod problems;
mod reference;
mod templates;
mod values;

use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode};
use model::load::{Sources, Span, Spanned};
use model::problem::Problem;

use super::{Expr, Scope};
use crate::exchange::testing::{LOCAL, PEER, exchange_by, program};
use crate::exchange::{Body, Captures, ClientCertificate, Connection, Error, Exchange, Identity, Learnt, Tls, codes};
use crate::program::ListenerSlot;

const CONFIGURATION: &str = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
upstreams: [{ name: users, targets: [{ url: "http://127.0.0.1:9" }] }]
apis: [{ name: users, routes: [{ name: read, to: users }] }]
plans: [{ name: silver }, { name: gold }]
consumers:
  - { name: mobile, groups: [apps, beta], tags: [mine], metadata: { region: eu, tier: "2" }, credentials: [{ name: first, key: "k-0123456789abcdef" }] }
"#;

/// An expression without a file.
fn text(source: &str) -> Spanned<String> {
    Spanned::from(source.to_owned())
}

fn compile(source: &str) -> Expr {
    Expr::compile(&text(source), Scope::Response).unwrap_or_else(|problems| panic!("{source}: {problems:#?}"))
}

/// What is wrong with an expression, and the part of it that is pointed at.
fn faults(source: &str, scope: Scope) -> Vec<(String, String)> {
    let (text, sources) = in_a_file(source);
    let problems = Expr::compile(&text, scope).unwrap_err();
    problems.into_iter().map(|problem| (problem.message.clone(), pointed_at(&problem, &sources))).collect()
}

/// A text as the block of a file.
fn in_a_file(text: &str) -> (Spanned<String>, Sources) {
    let mut sources = Sources::default();
    let written = format!("|\n{text}");
    let span = Span::new(0, 0, u32::try_from(written.len()).unwrap());
    sources.add("test.yaml", written);
    (Spanned::new(text.to_owned(), span), sources)
}

/// The part of the file that a problem points at.
fn pointed_at(problem: &Problem, sources: &Sources) -> String {
    sources.slice(problem.place(sources).unwrap()).to_owned()
}

/// What a token would say.
fn learnt() -> Learnt {
    let claims = serde_json::json!({
        "sub": "ann", "email": "ann@example.com", "level": 3, "ratio": 0.5, "admin": true, "nothing": null,
        "roles": ["reader", "writer"], "mixed": ["a", 1], "realm_access": { "roles": ["ops"], "deep": { "x": "y" } },
        "https://example.com/tenant": "t1",
    });
    Learnt {
        subject: Some("ann".into()),
        scopes: ["users.read".into(), "users.write".into()].into(),
        groups: ["staff".into()].into(),
        claims: claims.as_object().cloned().unwrap(),
    }
}

/// A request in the clear by nobody.
fn plain(uri: &str, headers: &[(&'static str, &str)]) -> Box<Exchange> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let connection = Connection::new(ListenerSlot(0), PEER, LOCAL, None);
    exchange_by(&program(CONFIGURATION), connection, request.body(Body::Empty).unwrap())
}

/// A request that has everything: TLS with a certificate, an identity, captures, an error for an answer.
fn full() -> Box<Exchange> {
    let program = program(CONFIGURATION);
    let request = Request::post("https://API.example.com:8443/users/a%20b?page=2&q=x+y%2Bz&page=3&flag")
        .header("x-user", "ann")
        .header("x-roles", "admin")
        .header("x-roles", "ops")
        .header("content-length", "12")
        .header("cookie", "sid=abc; theme=\"dark\"")
        .header("cookie", "sid=second")
        .body(Body::Empty)
        .unwrap();
    let tls = Tls {
        version: "TLSv1.3",
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        server_name: Some("api.example.com".into()),
        client: Some(ClientCertificate {
            der: bytes::Bytes::new(),
            subject: "CN=robot".to_owned(),
            issuer: "CN=ca".to_owned(),
            serial: "0a".to_owned(),
            names: vec!["robot.example.com".to_owned()],
            fingerprint: "ff".to_owned(),
        }),
    };
    let connection = Connection::new(ListenerSlot(0), PEER, LOCAL, Some(Box::new(tls)));
    let mut x = exchange_by(&program, connection, request);
    let at = program.routes.iter().position(|plan| &*plan.name == "read").unwrap();
    x.route = crate::program::RouteId(u32::try_from(at).unwrap());
    x.captures = Captures {
        names: Some(Arc::from(vec!["id".into()])),
        path: http::uri::PathAndQuery::from_static("/users/a%20b"),
        ranges: [(7, 12)].into_iter().collect(),
    };
    let consumer = program.consumers.iter().next().unwrap();
    x.identity = Some(Identity {
        consumer: Some(consumer.slot),
        plan: Some(1),
        credential: Some("first".into()),
        method: "key_auth",
        learnt: Some(Arc::new(learnt())),
        key: None,
    });
    x.notes.request_id = Some(HeaderValue::from_static("r-1"));
    let mut answer = http::Response::new(()).into_parts().0;
    answer.status = StatusCode::NOT_FOUND;
    answer.headers.insert("server", HeaderValue::from_static("demo"));
    x.response = Some(answer);
    x.error = Some(Error::new(&codes::NO_ROUTE, "Nothing is here."));
    x
}
