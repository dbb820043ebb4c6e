//! The `ext_auth` policy by Envoy's contract, before a real tonic server whose messages are written here anew from the
//! contract, so that both sides were read from it independently.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use e2e::client::{Client, call, get};
use e2e::{Gate, Upstream};
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "2")]
    destination: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<HttpAttributes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
    #[prost(string, tag = "4")]
    principal: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<SocketAddress>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SocketAddress {
    #[prost(int32, tag = "1")]
    protocol: i32,
    #[prost(string, tag = "2")]
    address: String,
    #[prost(uint32, tag = "3")]
    port_value: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpAttributes {
    #[prost(message, optional, tag = "1")]
    time: Option<Timestamp>,
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpRequest {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
    #[prost(string, tag = "6")]
    scheme: String,
    #[prost(int64, tag = "9")]
    size: i64,
    #[prost(string, tag = "10")]
    protocol: String,
    #[prost(string, tag = "11")]
    body: String,
    #[prost(bytes = "vec", tag = "12")]
    raw_body: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(message, optional, tag = "2")]
    denied: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    ok: Option<Allowed>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    body: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Allowed {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    response_headers_to_add: Vec<HeaderOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    header: Option<Header>,
    #[prost(message, optional, tag = "2")]
    append: Option<BoolValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Header {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BoolValue {
    #[prost(bool, tag = "1")]
    value: bool,
}

type Asked = Arc<Mutex<Vec<HttpRequest>>>;
type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// The contract's service: it decides by the field `x-token`.
#[derive(Clone)]
struct Authorization(Asked);

impl NamedService for Authorization {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl Service<http::Request<tonic::body::Body>> for Authorization {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Boxed<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        assert_eq!(request.uri().path(), "/envoy.service.auth.v3.Authorization/Check");
        let check = Check(self.0.clone());
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(check, request).await) })
    }
}

struct Check(Asked);

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Boxed<Response<CheckResponse>, Status>;

    fn call(&mut self, request: Request<CheckRequest>) -> Self::Future {
        let asked = self.0.clone();
        Box::pin(async move {
            let attributes = request.into_inner().attributes.unwrap();
            let socket = |peer: &Option<Peer>| peer.clone().unwrap().address.unwrap().socket_address.unwrap();
            let (source, to) = (socket(&attributes.source), socket(&attributes.destination));
            assert_eq!((source.address.as_str(), to.address.as_str()), ("127.0.0.1", "127.0.0.1"));
            assert!(source.port_value > 0 && to.port_value > 0);
            let request = attributes.request.unwrap();
            assert!(request.time.unwrap().seconds > 1_600_000_000);
            let http = request.http.unwrap();
            asked.lock().unwrap().push(http.clone());
            decide(http.headers.get("x-token").map(String::as_str)).map(Response::new)
        })
    }
}

fn header(key: &str, value: &str, append: bool) -> HeaderOption {
    let header = Some(Header { key: key.to_owned(), value: value.to_owned() });
    HeaderOption { header, append: append.then_some(BoolValue { value: true }) }
}

fn decide(token: Option<&str>) -> Result<CheckResponse, Status> {
    let status = |code: i32| Some(RpcStatus { code, message: String::new() });
    Ok(match token {
        Some("good") => CheckResponse {
            status: status(0),
            denied: None,
            ok: Some(Allowed {
                headers: vec![
                    header("x-user", "ann", false),
                    header("x-tag", "two", true),
                    header("host", "evil.test", false),
                ],
                headers_to_remove: vec!["x-token".to_owned(), "host".to_owned()],
                response_headers_to_add: vec![header("x-served-for", "ann", false)],
            }),
        },
        Some("broken") => return Err(Status::internal("broken")),
        Some("old") => CheckResponse {
            status: status(16),
            denied: Some(Denied {
                status: Some(HttpStatus { code: 401 }),
                headers: vec![header("www-authenticate", "Token", false), header("content-length", "9999", false)],
                body: "log in".to_owned(),
            }),
            ok: None,
        },
        _ => CheckResponse { status: status(7), ..CheckResponse::default() },
    })
}

async fn server() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    tokio::spawn(Server::builder().add_service(Authorization(asked.clone())).serve_with_incoming(incoming));
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_envoys_contract_decides() {
    let (server, asked) = server().await;
    let upstream = Upstream::text("in");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", policies: {{ request_id: {{}} }} }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    policies:
      ext_auth: {{ url: "h2c://{server}", protocol: grpc, upstream: [x-user] }}
    to: u
"#,
        upstream.address
    ));
    let address = gate.address("public");
    let passed = get(address, "/users/1?q=2", &["x-token: good", "x-tag: one", "x-user: forged", "cookie: a=1"]);
    assert_eq!((passed.status, passed.header("x-served-for")), (200, Some("ann")));
    let http = asked.lock().unwrap()[0].clone();
    let told =
        (http.method.as_str(), http.path.as_str(), http.host.as_str(), http.scheme.as_str(), http.protocol.as_str());
    assert_eq!(told, ("GET", "/users/1?q=2", "gate.test", "http", "HTTP/1.1"));
    assert_eq!((http.size, passed.header("x-request-id")), (0, Some(http.id.as_str())));
    for (name, value) in
        [("x-token", Some("good")), ("cookie", Some("a=1")), (":path", Some("/users/1?q=2")), ("x-user", None)]
    {
        assert_eq!(http.headers.get(name).map(String::as_str), value, "{name}");
    }
    let seen = upstream.seen().remove(0);
    let tags: Vec<_> =
        seen.headers.iter().filter(|(name, _)| name == "x-tag").map(|(_, value)| value.as_str()).collect();
    assert_eq!((seen.header("x-user"), seen.header("x-token"), tags), (Some("ann"), None, vec!["one", "two"]));
    assert_eq!(seen.header("host"), Some(upstream.address.to_string().as_str()), "the host is the gate's own");
    let old = get(address, "/", &["x-token: old"]);
    assert_eq!((old.status, old.text().as_str()), (401, "log in"));
    assert_eq!(old.header("www-authenticate"), Some("Token"));
    assert_eq!(get(address, "/", &[]).status, 403);
    let broken = get(address, "/", &["x-token: broken"]);
    assert_eq!((broken.status, broken.json()["code"].as_str()), (503, Some("ext_auth.unavailable")));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_envoys_contract_sees_the_body() {
    let (server, asked) = server().await;
    let upstream = Upstream::text("in");
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: users
    policies:
      ext_auth: {{ url: "h2c://{server}", protocol: grpc, body: {{ max: 1KiB }} }}
    to: u
"#,
        upstream.address
    ));
    let address = gate.address("public");
    let fields = ["x-token: good", "x-envoy-auth-partial-body: true"];
    for sent in ["", "text é"] {
        assert_eq!(call(address, "POST", "/", &fields, sent).status, 200);
        let http = asked.lock().unwrap().pop().unwrap();
        assert_eq!((http.body.as_str(), http.raw_body.as_slice(), http.size), (sent, &b""[..], sent.len() as i64));
        assert_eq!(http.headers.get("x-envoy-auth-partial-body").map(String::as_str), Some("false"));
        assert_eq!(upstream.seen().last().unwrap().body, sent.as_bytes());
    }
    let mut bytes = b"POST / HTTP/1.1\r\nhost: gate.test\r\nx-token: good\r\ncontent-length: 2\r\n\r\n".to_vec();
    bytes.extend([0xff, 0x00]);
    assert_eq!(Client::connect(address).call(&bytes).status, 200);
    let http = asked.lock().unwrap().pop().unwrap();
    assert_eq!((http.body.as_str(), http.raw_body.as_slice(), http.size), ("", &[0xff, 0x00][..], 2));
    assert_eq!(upstream.seen().last().unwrap().body, [0xff, 0x00]);
    let passed = upstream.seen().len();
    assert_eq!(call(address, "POST", "/", &fields, &"x".repeat(1025)).status, 413);
    // What cannot be read to its end does not pass unseen.
    let stream = call(address, "POST", "/", &["x-token: good", "content-type: text/event-stream"], "x");
    assert_eq!((stream.status, stream.json()["code"].as_str()), (415, Some("ext_auth.unreadable")));
    assert_eq!((asked.lock().unwrap().len(), upstream.seen().len()), (0, passed), "nobody was asked");
}
