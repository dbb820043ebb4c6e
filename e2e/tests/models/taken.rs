//! What other calls than conversations take is written down and paid for: by tokens, images, seconds, characters, searches.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use e2e::client::{Answer, Client};
use e2e::provider::PROVIDER_KEY;
use e2e::{Gate, Upstream, binary, response, until};
use serde_json::{Value, json};

use super::CALLER_KEY;

/// A provider that tells what each call took.
fn provider() -> Upstream {
    Upstream::start(|seen| {
        let json = "content-type: application/json\r\n";
        let answer = match seen.line.split(' ').nth(1).unwrap_or_default() {
            "/v1/embeddings" => json!({ "data": [{ "index": 0, "embedding": [1] }],
                                        "usage": { "prompt_tokens": 500, "total_tokens": 500 } }),
            "/v1/images/generations" => json!({ "data": [{ "b64_json": "YQ==" }],
                "usage": { "input_tokens": 10, "output_tokens": 1000, "input_tokens_details": { "image_tokens": 0 } } }),
            "/v1/audio/transcriptions" => json!({ "text": "hello", "usage": { "type": "duration", "seconds": 30 } }),
            "/v1/moderations" => json!({ "results": [{ "flagged": false }] }),
            "/v2/rerank" => json!({ "results": [{ "index": 0, "relevance_score": 0.5 }],
                                    "meta": { "billed_units": { "search_units": 2 } } }),
            "/v1/completions" => {
                let events = "data: {\"choices\": [{\"text\": \"well\"}]}\n\n\
                              data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 100, \"completion_tokens\": 200}}\n\n\
                              data: [DONE]\n\n";
                return Some(response("200 OK", "content-type: text/event-stream\r\n", events));
            }
            "/v1/audio/speech" => return Some(response("200 OK", "content-type: audio/mpeg\r\n", "sound")),
            _ => return Some(response("404 Not Found", json, "{}")),
        };
        Some(response("200 OK", json, &answer.to_string()))
    })
}

fn gate(provider: SocketAddr, policies: &str) -> Gate {
    let model =
        |name: &str, by: &str| format!("    - {{ name: {name}, targets: [{{ provider: {by}, model: {name} }}] }}\n");
    let models: String = [
        ("text-embedding-3-small", "o"),
        ("gpt-image-1", "o"),
        ("whisper-1", "o"),
        ("tts-1", "o"),
        ("gpt-3.5-turbo-instruct", "o"),
        ("omni-moderation-latest", "o"),
        ("rerank-v3.5", "co"),
        ("gpt-realtime", "o"),
        ("nobody-knows", "o"),
    ]
    .map(|(name, by)| model(name, by))
    .concat();
    Gate::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
store: {{ directory: data }}
ai:
  providers:
    - {{ name: o, preset: openai, base_url: "http://{provider}/v1", keys: [{PROVIDER_KEY}] }}
    - {{ name: co, preset: cohere, base_url: "http://{provider}", keys: [{PROVIDER_KEY}] }}
  models:
{models}
apis:
  - name: models
    path: /v1
    access: identified
    policies: {{ key_auth: {{}}, {policies} }}
    to: {{ ai: {{}} }}
consumers: [{{ name: app, credentials: [{{ key: {CALLER_KEY} }}] }}]
"#
    ))
}

fn ask(gate: &Gate, path: &str, kind: &str, body: &str) -> Answer {
    let head = format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: gate.test\r\nauthorization: Bearer {CALLER_KEY}\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    Client::connect(gate.address("public")).call(format!("{head}{body}"))
}

const JSON: &str = "application/json";

/// Each kind of call: where, of which model, what more it says, what it costs in dollars.
fn calls() -> [(&'static str, &'static str, Value, &'static str); 6] {
    [
        // 500 tokens at 0.02 dollars a million.
        ("embeddings", "text-embedding-3-small", json!({ "input": "x" }), "0.00001"),
        // 10 tokens at 5 dollars a million, 1000 of an image at 40.
        ("images/generations", "gpt-image-1", json!({ "prompt": "x" }), "0.04005"),
        // 20 characters at 15 dollars a million.
        ("audio/speech", "tts-1", json!({ "input": "twenty characters xx" }), "0.0003"),
        // 100 tokens at 1.50 dollars a million, 200 at 2.
        ("completions", "gpt-3.5-turbo-instruct", json!({ "prompt": "x", "stream": true }), "0.00055"),
        // Nothing.
        ("moderations", "omni-moderation-latest", json!({ "input": "x" }), "0"),
        // Two searches at 0.002 dollars.
        ("rerank", "rerank-v3.5", json!({ "query": "x", "documents": ["y"] }), "0.004"),
    ]
}

#[test]
fn what_other_calls_take_is_written_down() {
    let provider = provider();
    let gate = gate(provider.address, "token_limit: { limits: [{ limit: 1000000/hour, by: consumer }] }");
    for (path, model, mut body, cost) in calls() {
        body["model"] = model.into();
        let answer = ask(&gate, path, JSON, &body.to_string());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        // What comes as it is made has its cost when it is over.
        let told = !["audio/speech", "completions"].contains(&path);
        assert_eq!(answer.header("x-tollgate-cost"), told.then_some(cost), "{path}");
    }
    let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b\r\n\
                content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n";
    let answer = ask(&gate, "audio/transcriptions", "multipart/form-data; boundary=b", form);
    // 30 seconds at 0.0001 dollars.
    assert_eq!((answer.status, answer.header("x-tollgate-cost")), (200, Some("0.003")), "{}", answer.text());
    until("it is written down", || usage(&gate)["total"]["calls"] == 7);
    let said = usage(&gate);
    for (_, model, _, cost) in calls() {
        let lines = said["usage"].as_array().unwrap();
        let line = lines.iter().find(|line| line["model"] == model).unwrap_or_else(|| panic!("no {model}: {said}"));
        assert_eq!((line["cost_usd"].as_str(), line["unpriced"].as_u64()), (Some(cost), Some(0)), "{model}: {line}");
    }
    assert_eq!(said["total"]["cost_usd"], "0.04791", "{said}");
}

#[test]
fn budgets_hold_what_other_calls_may_cost() {
    let provider = provider();
    let gate = gate(provider.address, "budget: { store: memory, limits: [{ limit: 0.10 USD/month, by: consumer }] }");
    let body = |model: &str| json!({ "model": model, "prompt": "x", "input": "x", "documents": ["x"] }).to_string();
    // An image may have 6,240 tokens at 40 dollars a million.
    let answer = ask(&gate, "images/generations", JSON, &body("gpt-image-1"));
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (402, Some("budget.exceeded")));
    let answer = ask(&gate, "embeddings", JSON, &body("nobody-knows"));
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("budget.unpriced")));
    // To count is free, whatever else has a price.
    let answer = ask(&gate, "messages/count_tokens", JSON, r#"{"model": "nobody-knows", "messages": []}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // 48 searches of 0.002 dollars fit, in calls that each take two of them and hold one.
    let spent = (0..30).map(|_| ask(&gate, "rerank", JSON, &body("rerank-v3.5")).status);
    assert_eq!(spent.filter(|status| *status == 200).count(), 25);
}

/// What is said over a WebSocket is paid for by what the provider tells on it, and a session begins where there is money for it.
#[test]
fn sessions_are_metered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0);
        }
        // No extension is agreed on, so what follows is as it reads.
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(switch.as_bytes()).unwrap();
        let usage = json!({ "input_tokens": 1500, "output_tokens": 1000,
            "input_token_details": { "text_tokens": 500, "audio_tokens": 1000 },
            "output_token_details": { "text_tokens": 0, "audio_tokens": 1000 } });
        let done = json!({ "type": "response.done", "response": { "usage": usage } }).to_string();
        let length = u16::try_from(done.len()).unwrap().to_be_bytes();
        let frames = [&[0x81, 126, length[0], length[1]], done.as_bytes(), &[0x88, 0]].concat();
        stream.write_all(&frames).unwrap();
        frames
    });
    let gate = gate(address, "budget: { store: memory, limits: [{ limit: 0.20 USD/month, by: consumer }] }");
    let request = format!(
        "GET /v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: gate.test\r\nauthorization: Bearer {CALLER_KEY}\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-extensions: permessage-deflate\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut client = TcpStream::connect(gate.address("public")).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    let sent = serving.join().unwrap();
    assert!(heard.starts_with(b"HTTP/1.1 101 ") && heard.ends_with(&sent), "{}", String::from_utf8_lossy(&heard));
    drop(client);
    until("it is written down", || usage(&gate)["total"]["calls"] == 1);
    let said = usage(&gate);
    let line = &said["usage"][0];
    // 500 tokens at 4 dollars a million, 1000 of sound at 32, and 1000 at 64.
    assert_eq!((line["cost_usd"].as_str(), line["input"].as_u64()), (Some("0.098"), Some(1500)), "{said}");
    // A minute each way may cost more than what is left.
    assert_eq!(Client::connect(gate.address("public")).call(&request).status, 402);
}

/// What the command says of a gateway's data directory.
fn usage(gate: &Gate) -> Value {
    let words = ["ai", "usage", "--json", "--by", "model"];
    let output = Command::new(binary()).args(words).current_dir(gate.folder()).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
