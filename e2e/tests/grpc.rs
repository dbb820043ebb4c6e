//! gRPC through the gate: a real tonic client and server, unary, server streams, both-way streams, trailers.

use std::net::SocketAddr;

use e2e::Gate;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Shown;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::HealthReporter;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

/// tonic's own health and reflection services: unary, server-streaming and both-way streaming calls without a compiler
/// for protocol buffers.
async fn server() -> (SocketAddr, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .unwrap();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    tokio::spawn(Server::builder().add_service(health).add_service(reflection).serve_with_incoming(incoming));
    (address, reporter)
}

async fn through_the_gate() -> (Gate, Channel, HealthReporter) {
    let (upstream, reporter) = server().await;
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "h2c://{upstream}" }}] }}]
apis:
  - {{ name: health, path: /grpc.health.v1.Health, to: u }}
  - {{ name: reflection, path: /grpc.reflection.v1.ServerReflection, to: u }}
"#
    ));
    let channel = Channel::from_shared(format!("http://{}", gate.address("public"))).unwrap().connect().await.unwrap();
    (gate, channel, reporter)
}

fn asks(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn unary_calls_and_their_trailers() {
    let (_gate, channel, reporter) = through_the_gate().await;
    reporter.set_service_status("shop", ServingStatus::Serving).await;
    let mut client = HealthClient::new(channel);
    let answer = client.check(asks("shop")).await.unwrap();
    assert_eq!(answer.get_ref().status(), Shown::Serving);
    let refused = client.check(asks("nobody")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "the status of a trailers-only answer comes through");
}

#[tokio::test]
async fn a_server_stream_comes_as_it_is_sent() {
    let (_gate, channel, reporter) = through_the_gate().await;
    reporter.set_service_status("shop", ServingStatus::Serving).await;
    let mut client = HealthClient::new(channel);
    let mut stream = client.watch(asks("shop")).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status(), Shown::Serving);
    for (set, shown) in [(ServingStatus::NotServing, Shown::NotServing), (ServingStatus::Serving, Shown::Serving)] {
        reporter.set_service_status("shop", set).await;
        assert_eq!(stream.message().await.unwrap().unwrap().status(), shown);
    }
}

#[tokio::test]
async fn both_sides_stream_at_once() {
    let (_gate, channel, _reporter) = through_the_gate().await;
    let mut client = ServerReflectionClient::new(channel);
    let (questions, asked) = tokio::sync::mpsc::channel(1);
    let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
    let ask = |host: &str| ServerReflectionRequest {
        host: host.to_owned(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    questions.send(ask("0")).await.unwrap();
    let mut answers = client.server_reflection_info(Request::new(asked)).await.unwrap().into_inner();
    for at in 0..5 {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.valid_host, at.to_string());
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("{answer:?}") };
        assert!(list.service.iter().any(|service| service.name == "grpc.health.v1.Health"));
        // The next question goes out after the last answer came: neither side is buffered.
        questions.send(ask(&(at + 1).to_string())).await.unwrap();
    }
    drop(questions);
    while let Some(_last) = answers.message().await.unwrap() {}
}

#[tokio::test]
async fn the_gates_own_errors_are_a_grpc_status() {
    let gate = Gate::start("version: 1\nlisteners: [{ name: public, address: \"127.0.0.1:0\" }]\n");
    let channel = Channel::from_shared(format!("http://{}", gate.address("public"))).unwrap().connect().await.unwrap();
    let refused = HealthClient::new(channel).check(asks("shop")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
}

#[tokio::test]
async fn a_call_needs_a_key_and_is_counted() {
    let (upstream, reporter) = server().await;
    reporter.set_service_status("shop", ServingStatus::Serving).await;
    let gate = Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "h2c://{upstream}" }}] }}]
apis:
  - name: health
    access: identified
    policies: {{ key_auth: {{}}, rate_limit: {{ limits: [{{ limit: 2/hour, by: consumer }}] }} }}
    to: u
consumers: [{{ name: ann, credentials: [{{ key: key-of-ann-0123456789 }}] }}]
"#
    ));
    let channel = Channel::from_shared(format!("http://{}", gate.address("public"))).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    for (key, code) in [
        (None, Some(Code::Unauthenticated)),
        (Some("wrong"), Some(Code::Unauthenticated)),
        (Some("key-of-ann-0123456789"), None),
        (Some("key-of-ann-0123456789"), None),
        (Some("key-of-ann-0123456789"), Some(Code::ResourceExhausted)),
    ] {
        let mut request = Request::new(asks("shop"));
        if let Some(key) = key {
            request.metadata_mut().insert("x-api-key", key.parse().unwrap());
        }
        assert_eq!(client.check(request).await.err().map(|status| status.code()), code, "{key:?}");
    }
}
