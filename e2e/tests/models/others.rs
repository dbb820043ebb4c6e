//! Calls other than conversations: they reach a provider that serves them, under its own name of the model.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use e2e::client::{Answer, Client};
use e2e::provider::PROVIDER_KEY;
use e2e::{Gate, Seen, Upstream, response};
use serde_json::{Value, json};

use super::{CALLER_KEY, anthropic, configuration, gate, openai};

/// A provider that says what it was asked, in the words of each call.
fn provider() -> Upstream {
    Upstream::start(|seen| {
        let path = seen.line.split(' ').nth(1).unwrap_or_default().to_owned();
        let json = "content-type: application/json\r\nset-cookie: no\r\n";
        let shown = seen.header("authorization").or(seen.header("x-api-key")).unwrap_or_default();
        if !shown.ends_with(PROVIDER_KEY) {
            return Some(response("401 Unauthorized", json, r#"{"error": {"message": "no key"}}"#));
        }
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        if body.contains("fails-") {
            return Some(response("500 Failed", json, r#"{"error": {"message": "it failed"}}"#));
        }
        Some(match path.as_str() {
            "/v1/audio/speech" => response("200 OK", "content-type: audio/mpeg\r\n", "sound"),
            "/v1/files/file-1/content" => response("200 OK", "content-type: application/octet-stream\r\n", "lines"),
            "/v1/moderations" => response("200 OK", json, r#"{"results": [{"flagged": false}]}"#),
            "/v1/embeddings" => response(
                "200 OK",
                json,
                r#"{"object":"list","data":[{"embedding":[1]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
            ),
            _ => {
                let said = json!({ "path": path, "method": seen.line.split(' ').next(), "body": body,
                                   "type": seen.header("content-type"), "data": [{}] });
                response("200 OK", json, &said.to_string())
            }
        })
    })
}

fn world(address: SocketAddr) -> Gate {
    gate(&openai("o", address), MODELS)
}

const MODELS: &str = "    - { name: smart, targets: [{ provider: o, model: fails-1 }, { provider: o, model: own }] }\n    \
                      - { name: only, aliases: [omni-moderation-latest], targets: [{ provider: o, model: own }] }\n    \
                      - { name: bad, targets: [{ provider: o, model: fails-1 }] }\n";

fn call(gate: SocketAddr, line: &str, lines: &str, body: &[u8]) -> Answer {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: gate.test\r\nauthorization: Bearer {CALLER_KEY}\r\n{lines}content-length: {}\r\n\r\n",
        body.len()
    );
    Client::connect(gate).call([head.as_bytes(), body].concat())
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn calls_that_name_a_model_in_json_reach_it_under_its_own_name() {
    let provider = provider();
    let gate = gate(&openai("o", provider.address).replace("preset: openai", "dialect: openai_chat"), MODELS);
    for path in ["completions", "images/generations", "rerank"] {
        let body = br#"{ "prompt": "x",  "model": "only", "unknown": [1] }"#;
        let answer = call(gate.address("public"), &format!("POST /v1/{path}"), JSON, body);
        let told = answer.json();
        assert_eq!((answer.status, told["path"].as_str()), (200, Some(format!("/v1/{path}").as_str())), "{told}");
        // Every other byte as it came.
        assert_eq!(told["body"], r#"{ "prompt": "x",  "model": "own", "unknown": [1] }"#);
        assert_eq!(answer.header("x-tollgate-provider"), Some("o"));
        assert_eq!((answer.header("x-tollgate-model"), answer.header("set-cookie")), (Some("own"), None));
    }
    let answer = call(gate.address("public"), "POST /v1/audio/speech", JSON, br#"{"model": "only", "input": "hi"}"#);
    assert_eq!((answer.status, answer.text().as_str()), (200, "sound"));
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    // A moderation need not name its model.
    let answer = call(gate.address("public"), "POST /v1/moderations", JSON, br#"{"input": "hi"}"#);
    assert_eq!(answer.json()["results"][0]["flagged"], false);
}

#[test]
fn the_next_target_is_asked_where_one_fails() {
    let provider = provider();
    let gate = world(provider.address);
    let answer = call(gate.address("public"), "POST /v1/embeddings", JSON, br#"{"model": "smart", "input": "x"}"#);
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (200, Some("2")), "{}", answer.text());
    assert_eq!(answer.json()["usage"]["prompt_tokens"], 5);
    for (model, status, kind) in [("bad", 502, "server_error"), ("nobody", 404, "invalid_request_error")] {
        let body = json!({ "model": model, "input": "x" }).to_string();
        let answer = call(gate.address("public"), "POST /v1/embeddings", JSON, body.as_bytes());
        assert_eq!((answer.status, answer.json()["error"]["type"].as_str()), (status, Some(kind)), "{}", answer.text());
    }
}

#[test]
fn forms_pass_with_their_bytes_and_another_model() {
    let provider = provider();
    let gate = world(provider.address);
    let form = |model: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--bx\r\n\
             --b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n"
        )
    };
    let kind = "content-type: multipart/form-data; boundary=b\r\n";
    for path in ["audio/transcriptions", "audio/translations", "images/edits", "images/variations"] {
        let answer = call(gate.address("public"), &format!("POST /v1/{path}"), kind, form("only").as_bytes());
        let told = answer.json();
        assert_eq!((answer.status, told["path"].as_str()), (200, Some(format!("/v1/{path}").as_str())), "{told}");
        assert_eq!(told["body"].as_str(), Some(form("own").as_str()));
        assert_eq!(told["type"], "multipart/form-data; boundary=b");
    }
    // Some take JSON in the place of a form.
    let json = json!({ "model": "only", "images": [] }).to_string();
    let answer = call(gate.address("public"), "POST /v1/images/edits", JSON, json.as_bytes());
    assert_eq!(answer.json()["body"].as_str(), Some(json.replace("only", "own").as_str()), "{}", answer.text());
    for (kind, body) in
        [(kind, "--b\r\n"), (JSON, "{}"), ("", "{}"), (kind, &form("only").replace("\"model\"", "\"else\""))]
    {
        let answer = call(gate.address("public"), "POST /v1/audio/transcriptions", kind, body.as_bytes());
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
}

#[test]
fn what_is_kept_at_a_provider_is_reached() {
    let provider = provider();
    let gate = world(provider.address);
    for (line, path) in [
        ("GET /v1/files?purpose=batch&key=secret", "/v1/files?purpose=batch"),
        ("POST /v1/files", "/v1/files"),
        ("DELETE /v1/files/file-1", "/v1/files/file-1"),
        ("POST /v1/batches", "/v1/batches"),
        ("POST /v1/batches/b-1/cancel", "/v1/batches/b-1/cancel"),
        ("GET /v1/responses/r-1", "/v1/responses/r-1"),
        ("DELETE /v1/responses/r-1", "/v1/responses/r-1"),
        ("POST /v1/responses/r-1/cancel", "/v1/responses/r-1/cancel"),
    ] {
        let answer = call(gate.address("public"), line, "content-type: text/plain\r\n", b"what is sent");
        let told = answer.json();
        assert_eq!((answer.status, told["path"].as_str()), (200, Some(path)), "{line}: {told}");
        assert_eq!((told["method"].as_str(), told["body"].as_str()), (line.split(' ').next(), Some("what is sent")));
        assert_eq!((answer.header("x-tollgate-provider"), answer.header("set-cookie")), (Some("o"), None));
    }
    let answer = call(gate.address("public"), "GET /v1/files/file-1/content", "", b"");
    assert_eq!(answer.text(), "lines");
    // The caller's key and address go nowhere.
    for Seen { headers, .. } in provider.seen() {
        assert!(!headers.iter().any(|(name, value)| value.contains(CALLER_KEY) || name.starts_with("x-forwarded")));
    }
}

#[test]
fn of_several_providers_one_is_named() {
    let (one, other) = (provider(), provider());
    let providers =
        format!("{}{}{}", openai("o", one.address), openai("p", other.address), anthropic("a", one.address));
    let models = "    - { name: on-p, targets: [{ provider: p, model: own }] }\n";
    let gate = gate(&providers, models);
    let ask = |lines: &str| call(gate.address("public"), "GET /v1/files", lines, b"");
    let answer = ask("");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("x-tollgate-provider"), "{}", answer.text());
    for (lines, status, by) in [
        ("x-tollgate-provider: o\r\n", 200, Some("o")),
        ("x-tollgate-model: on-p\r\n", 200, Some("p")),
        ("anthropic-version: 2023-06-01\r\n", 200, Some("a")),
        ("x-tollgate-provider: a\r\n", 404, None),
        ("x-tollgate-provider: nobody\r\n", 404, None),
        ("x-tollgate-model: nobody\r\n", 404, None),
    ] {
        let answer = ask(lines);
        assert_eq!((answer.status, answer.header("x-tollgate-provider")), (status, by), "{lines}: {}", answer.text());
    }
}

/// Where policies act on calls, what they do not see passes only if the route says so.
#[test]
fn what_policies_do_not_see_is_refused() {
    let provider = provider();
    let plain = configuration(&openai("o", provider.address), MODELS);
    let guarded = plain.replace("key_auth: {}", "key_auth: {}, models: { allow: [\"*\"] }");
    assert_ne!(plain, guarded);
    let passing = guarded.replace("max_bytes: 64KiB", "max_bytes: 64KiB, unseen: pass");
    let refusing = plain.replace("max_bytes: 64KiB", "max_bytes: 64KiB, unseen: refuse");
    for (configuration, status) in [(plain, 200), (guarded, 403), (passing, 200), (refusing, 403)] {
        let gate = Gate::start(&configuration);
        let answer = call(gate.address("public"), "GET /v1/batches", "", b"");
        assert_eq!(answer.status, status, "{configuration}: {}", answer.text());
    }
}

#[test]
fn tokens_are_counted_by_the_provider_or_estimated() {
    let told =
        Upstream::start(|_| Some(response("200 OK", "content-type: application/json\r\n", r#"{"input_tokens": 7}"#)));
    let providers = format!("{}{}", openai("o", told.address), anthropic("a", told.address));
    let models = "    - { name: on-a, targets: [{ provider: a, model: own }] }\n    \
                  - { name: on-o, targets: [{ provider: o, model: own }] }\n";
    let gate = gate(&providers, models);
    let ask = |path: &str, body: Value| {
        let lines = format!("{JSON}anthropic-version: 2023-06-01\r\n");
        call(gate.address("public"), &format!("POST {path}"), &lines, body.to_string().as_bytes())
    };
    let body =
        |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "words ".repeat(100) }] });
    let answer = ask("/v1/messages/count_tokens", body("on-a"));
    assert_eq!((answer.json()["input_tokens"].as_u64(), answer.header("x-tollgate-estimated")), (Some(7), None));
    let answer = ask("/v1/messages/count_tokens", body("on-o"));
    let tokens = answer.json()["input_tokens"].as_u64().unwrap();
    assert!((150..180).contains(&tokens), "{tokens}");
    assert_eq!(answer.header("x-tollgate-estimated"), Some("tokens"));
    let contents = json!({ "contents": [{ "parts": [{ "text": "words ".repeat(100) }] }] });
    let answer = ask("/v1/models/on-o:countTokens", contents);
    assert!((150..180).contains(&answer.json()["totalTokens"].as_u64().unwrap()), "{}", answer.text());
}

/// Keys by turns, retries and fallbacks, as conversations have them.
#[test]
fn they_are_asked_as_conversations_are() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let provider = Upstream::start(move |seen| {
        let json = "content-type: application/json\r\n";
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let first = count.fetch_add(1, SeqCst) == 0;
        Some(match body {
            body if body.contains("limited") && seen.header("authorization") == Some("Bearer one") => {
                response("429 Slow", &format!("{json}retry-after: 7\r\n"), r#"{"error": {"message": "slow"}}"#)
            }
            body if body.contains("fails") || body.contains("once") && first => {
                response("500 Failed", json, r#"{"error": {"message": "it failed"}}"#)
            }
            _ => response("200 OK", json, r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":5}}"#),
        })
    });
    let providers = openai("o", provider.address).replace(&format!("[{PROVIDER_KEY}]"), "[one, two]");
    let models = "    - { name: limited, targets: [{ provider: o, model: limited }] }\n    \
                  - { name: once, retry: { attempts: 1, backoff: 1ms }, targets: [{ provider: o, model: once }] }\n    \
                  - { name: falls, fallbacks: [{ when: server, to: [good] }], targets: [{ provider: o, model: fails }] }\n    \
                  - { name: good, targets: [{ provider: o, model: own }] }\n";
    let gate = gate(&providers, models);
    for (model, attempts, by) in [("once", "2", "once"), ("limited", "2", "limited"), ("falls", "2", "own")] {
        let body = json!({ "model": model, "input": "x" }).to_string();
        let answer = call(gate.address("public"), "POST /v1/embeddings", JSON, body.as_bytes());
        let told = [answer.header("x-tollgate-attempts"), answer.header("x-tollgate-model")];
        assert_eq!((answer.status, told), (200, [Some(attempts), Some(by)]), "{model}: {}", answer.text());
    }
    let body = json!({ "model": "falls", "input": "x" }).to_string();
    let lines = format!("{JSON}x-tollgate-fallbacks: none\r\n");
    let answer = call(gate.address("public"), "POST /v1/embeddings", &lines, body.as_bytes());
    assert_eq!((answer.status, answer.header("x-tollgate-attempts")), (502, Some("1")), "{}", answer.text());
    // In Gemini's words, of one who knows OpenAI's.
    let content = json!({ "content": { "parts": [{ "text": "x" }] } }).to_string();
    let answer = call(gate.address("public"), "POST /v1/models/good:embedContent", JSON, content.as_bytes());
    assert_eq!(answer.json()["embedding"]["values"], json!([1]), "{}", answer.text());
}

/// Failures are told in the caller's own format, whatever is asked.
#[test]
fn failures_of_other_calls_are_the_callers() {
    let provider = provider();
    let providers = format!("{}{}", openai("o", provider.address), anthropic("a", provider.address));
    let models = format!("{MODELS}    - {{ name: talks, targets: [{{ provider: a, model: own }}] }}\n");
    let gate = gate(&providers, &models);
    let large = format!(r#"{{"model": "only", "input": "{}"}}"#, "x".repeat(70 << 10));
    for (line, lines, body, status, path) in [
        ("POST /v1/embeddings", JSON, r#"{"model": "talks", "input": "x"}"#, 400, "/error/type"),
        ("POST /v1/embeddings", JSON, large.as_str(), 413, "/error/type"),
        ("POST /v1/audio/speech", JSON, r#"{"model": "talks", "input": "x"}"#, 400, "/error/code"),
        ("POST /v1/models/nobody:embedContent", JSON, "{}", 404, "/error/status"),
        ("POST /v1/models/bad:embedContent", JSON, r#"{"content": {"parts": [{"text": "x"}]}}"#, 502, "/error/status"),
        ("GET /v1/models/nobody", "x-goog-api-key: x\r\n", "", 404, "/error/status"),
        ("POST /v1/messages/count_tokens", "anthropic-version: 1\r\n", r#"{"model": "nobody"}"#, 404, "/type"),
        ("GET /v1/nothing", "anthropic-version: 1\r\n", "", 404, "/type"),
    ] {
        let answer = call(gate.address("public"), line, lines, body.as_bytes());
        assert_eq!(answer.status, status, "{line}: {}", answer.text());
        assert!(answer.json().pointer(path).is_some_and(Value::is_string), "{line}: {}", answer.text());
    }
    let list = call(gate.address("public"), "GET /v1/models", "x-goog-api-key: x\r\n", b"").json();
    assert!(list["models"].as_array().unwrap().iter().any(|model| model["name"] == "models/talks"), "{list}");
}

/// What a guardrail looks for is found in other calls too, and in the text that they answer.
#[test]
fn guardrails_see_other_calls() {
    let json = "content-type: application/json\r\n";
    let provider = Upstream::start(move |seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        Some(response("200 OK", json, &json!({ "choices": [{ "text": body["prompt"] }], "asked": body }).to_string()))
    });
    let plain = configuration(&openai("o", provider.address).replace("preset: openai", "dialect: openai_chat"), MODELS);
    let guarded = plain.replace(
        "key_auth: {}",
        "key_auth: {}, guardrail: { request: [{ name: asked, words: [forbidden], action: block }], \
         response: [{ name: answer, words: [secret], action: block }] }",
    );
    let gate = Gate::start(&guarded);
    for (path, body, status) in [
        ("embeddings", json!({ "model": "only", "input": ["fine", "forbidden"] }), 400),
        ("embeddings", json!({ "model": "only", "input": ["fine"] }), 200),
        ("audio/speech", json!({ "model": "only", "input": "forbidden" }), 400),
        ("completions", json!({ "model": "only", "prompt": "a secret" }), 400),
        ("completions", json!({ "model": "only", "prompt": "a word" }), 200),
        ("completions", json!({ "model": "only", "prompt": "a word", "stream": true }), 403),
        ("images/generations", json!({ "model": "only", "prompt": "forbidden" }), 400),
        ("moderations", json!({ "model": "only", "input": "forbidden" }), 400),
        ("rerank", json!({ "model": "only", "query": "fine", "documents": [{ "text": "forbidden" }] }), 400),
    ] {
        let answer = call(gate.address("public"), &format!("POST /v1/{path}"), JSON, body.to_string().as_bytes());
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
}

/// A WebSocket goes through both ways, with the provider's key and model.
#[test]
fn realtime_passes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0);
        }
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                  sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            )
            .unwrap();
        let mut said = [0; 6];
        reader.read_exact(&mut said).unwrap();
        stream.write_all(&[b"heard ", &said[..]].concat()).unwrap();
        head
    });
    let models = "    - { name: voice, targets: [{ provider: o, model: own }] }\n    \
                  - { name: other, targets: [{ provider: o, model: own }] }\n";
    let granted = "key_auth: {}, models: { allow: [voice] }";
    let gate = Gate::start(&configuration(&openai("o", address), models).replace("key_auth: {}", granted));
    let mut client = Client::connect(gate.address("public"));
    client.send(format!(
        "GET /v1/realtime?model=voice HTTP/1.1\r\nhost: gate.test\r\nauthorization: Bearer {CALLER_KEY}\r\n\
         connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: realtime, openai-insecure-api-key.secret\r\nopenai-beta: realtime=v1\r\n\r\n"
    ));
    let answer = client.read_head().unwrap();
    assert_eq!(answer.status, 101, "{:?}", answer.headers);
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client.send("hello\n");
    assert_eq!(client.read_line().as_deref(), Some("heard hello"));
    let head = serving.join().unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /v1/realtime?model=own http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("authorization: bearer {PROVIDER_KEY}").to_ascii_lowercase()), "{head}");
    assert!(
        head.contains("sec-websocket-protocol: realtime\r\n") && head.contains("openai-beta: realtime=v1"),
        "{head}"
    );
    assert!(!head.contains(CALLER_KEY) && !head.contains("secret"), "{head}");
    for (model, status) in [("voice", 400), ("other", 403)] {
        let answer = call(gate.address("public"), &format!("GET /v1/realtime?model={model}"), "", b"");
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}
