//! `tollgate explain`: a question survives the way to a running gateway, and what is explained is what a request gets.

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request};
use proxy::exchange::{Body, testing};
use proxy::program::Program;
use proxy::program::explain::Told;
use tollgate::explain::{Question, Reader};

use crate::kit;

const CONFIGURATION: &str = r#"
version: 1
trusted_proxies: [192.0.2.0/24]
listeners: [{ name: public, address: "127.0.0.1:0" }]
apis:
  - name: users
    hosts: [api.example.com, "*.example.org"]
    path: /users
    routes:
      - { name: one, match: { path: "/{id}", methods: [GET] }, to: { respond: { status: 200 } } }
      - { name: tenant, match: { prefix: /t, headers: { x-tenant: a } }, to: { respond: { status: 200 } } }
      - { name: near, match: { client: [198.51.100.0/24] }, to: { respond: { status: 200 } } }
  - name: rest
    policies: { ip: { deny: [203.0.113.0/24] } }
    routes:
      - { name: all, match: { regex: "/(?<first>[a-z]+)/.*", query: { q: { is: present } } }, to: { echo: {} } }
"#;

pub(crate) fn run(input: &[u8]) {
    static PROGRAM: LazyLock<Arc<Program>> = LazyLock::new(|| testing::program(CONFIGURATION));
    let Some([request, query]) = kit::parts(input) else { return };
    let _ = Question::read(query);
    let mut lines = request.lines();
    let Some((method, url)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let headers: Vec<String> = lines.map(str::to_owned).collect();
    let client = headers.iter().find_map(|line| line.strip_prefix("client ")?.parse().ok());
    let listener = headers.iter().find_map(|line| line.strip_prefix("listener ").map(str::to_owned));
    let question = Question { method: method.to_owned(), url: url.to_owned(), headers, listener, client };
    if url.is_empty() {
        return;
    }
    for reader in [Reader::People, Reader::Machines] {
        let (read, of) = Question::read(&question.query(reader)).expect("what was written reads back");
        let whole = |asked: &Question| {
            (asked.method.clone(), asked.url.clone(), asked.headers.clone(), asked.listener.clone(), asked.client)
        };
        assert_eq!((whole(&read), of), (whole(&question), reader));
    }
    let Ok(explained) = question.ask(&PROGRAM) else { return };
    assert!(explained.to_string().ends_with('\n') && serde_json::to_value(&explained).is_ok());
    served(&PROGRAM, &question, &explained.outcome);
}

/// The same request, served.
fn served(program: &Arc<Program>, question: &Question, told: &Told) {
    let Some(request) = sent(question) else { return };
    let mut x = testing::exchange_of(program, request);
    x.client = question.client.unwrap_or(Ipv4Addr::LOCALHOST.into());
    let status = testing::answer_to(x).status().as_u16();
    match told {
        Told::Route { route } => assert!(status == 200 || (status == 403 && route == "rest/all"), "{route}: {status}"),
        Told::Refused { status: told, code, .. } => assert_eq!(status, *told, "{code}"),
        Told::Answered { status: told, .. } => assert_eq!(status, *told),
    }
}

/// As a client would send it; none where the request is not one that a path and fields say.
fn sent(question: &Question) -> Option<Request<Body>> {
    let target = question.url.split('#').next().filter(|url| url.starts_with('/') && !url.contains("://"))?;
    let mut request = Request::builder().method(question.method.as_str()).uri(target);
    for line in &question.headers {
        let (name, value) = line.split_once(':')?;
        if [CONTENT_LENGTH.as_str(), TRANSFER_ENCODING.as_str()].contains(&name) {
            return None;
        }
        request = request.header(name.trim(), value.trim());
    }
    request.headers_mut()?.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
    request.body(Body::Empty).ok()
}
