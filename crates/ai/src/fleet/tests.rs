//! Every preset is asked for something at a server that checks where it is asked and how it is shown who asks.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use proxy::exchange::Body;
use proxy::exchange::testing::{answer, environment, program_in};
use proxy::program::Environment;
use proxy::registry::Registry;
use serde_json::{Value, json};

use super::speech::format;
use crate::providers::presets::{Preset, all};
use crate::providers::{Auth, Capability};
use crate::translate::canonical::{Choice, Part};
use crate::translate::{Answer, Finish, Reply};

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

const KEY: &str = "sk-of-the-provider";
const MODEL: &str = "model-1";

/// What is asked of a vendor: a conversation, or embeddings where it has none.
fn asked(preset: &Preset) -> Capability {
    if preset.serves.has(Capability::Chat) { Capability::Chat } else { Capability::Embeddings }
}

fn setting(name: &str) -> Option<&'static str> {
    Some(if name == "model" { MODEL } else { "value" })
}

/// Path and query of a call, at a base URL whose path is the preset's id. What has a URL of its own keeps its path.
fn expected(preset: &Preset) -> String {
    let path = preset.path(asked(preset)).unwrap();
    let base = format!("http://host/{}", preset.id);
    let url = preset.url(Some(&base), path, setting).unwrap();
    let (_, rest) = url.split_once("://").unwrap();
    format!("/{}", rest.split_once('/').unwrap().1)
}

/// Serves one request: each comes from a runtime of its own, and a connection would not outlive that.
fn serve(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut line, mut fields, mut length) = (String::new(), Vec::new(), 0);
    reader.read_line(&mut line).unwrap();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).unwrap();
        let Some((name, value)) = field.trim_end().split_once(": ") else { break };
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, text) = match checked(&line, &fields, &body) {
        Ok(text) => ("200 OK", text),
        Err(why) => ("400 Wrong", json!({ "error": { "message": why }, "message": why }).to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        text.len()
    );
    stream.write_all(format!("{head}{text}").as_bytes()).unwrap();
}

/// Checks a request as the vendor that its path is of, and answers in its words.
fn checked(line: &str, fields: &[(String, String)], body: &[u8]) -> Result<String, String> {
    let target = line.strip_prefix("POST ").and_then(|rest| rest.strip_suffix(" HTTP/1.1\r\n")).ok_or(line)?;
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let id = field("x-preset").ok_or("no field that is the provider's own")?;
    let preset = all().find(|preset| preset.id == id).ok_or("no such preset")?;
    let path = expected(preset);
    let (want, shown) = match preset.auth {
        Auth::Bearer => (format!("Bearer {KEY}"), field("authorization").unwrap_or_default().to_owned()),
        Auth::Header(name) => (KEY.to_owned(), field(name).unwrap_or_default().to_owned()),
        Auth::Query(name) => (format!("{path}?{name}={KEY}"), target.to_owned()),
        Auth::SigV4(service) => {
            let shown = field("authorization").unwrap_or_default();
            let scope = format!("/value/{service}/aws4_request, SignedHeaders=host;x-amz-date, Signature=");
            (scope.clone(), if shown.contains(&scope) { scope } else { shown.to_owned() })
        }
        Auth::ServiceAccount => (KEY.to_owned(), field("x-goog-api-key").unwrap_or_default().to_owned()),
    };
    if want != shown {
        return Err(format!("it is shown {shown:?}, not {want:?}"));
    }
    if !matches!(preset.auth, Auth::Query(_)) && target != path {
        return Err(format!("it is asked at {target}, not at {path}"));
    }
    for (name, value) in preset.headers {
        if field(name) != Some(value) {
            return Err(format!("`{name}` is {:?}", field(name)));
        }
    }
    let said: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let in_path = target.contains(MODEL);
    if !in_path && said["model"] != MODEL {
        return Err(format!("it is asked for {}", said["model"]));
    }
    if asked(preset) == Capability::Embeddings {
        return Ok(json!({ "data": [{ "embedding": [1] }] }).to_string());
    }
    let choice = Choice { parts: vec![Part::text("ok".to_owned())], finish: Some(Finish::Stop), ..Choice::default() };
    let answer = Answer { choices: vec![choice], ..Answer::default() };
    let written = format(preset.dialect).write_answer(&answer, &Reply { id: "id", ..Reply::default() });
    Ok(String::from_utf8(written.unwrap()).unwrap())
}

fn provider(preset: &Preset, address: SocketAddr) -> Value {
    let mut provider = json!({
        "name": preset.id, "preset": preset.id, "base_url": format!("http://{address}/{}", preset.id),
        "headers": { "x-preset": preset.id }
    });
    if matches!(preset.auth, Auth::SigV4(_)) {
        provider["aws"] = json!({ "access_key": "AKID", "secret_key": "secret" });
        provider["region"] = "value".into();
    } else {
        provider["keys"] = json!([KEY]);
    }
    for (name, _) in preset.settings() {
        provider[name] = "value".into();
    }
    provider
}

#[test]
fn every_preset_is_asked_where_it_is_and_shown_its_key() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(&stream));
        }
    });
    let providers: Vec<Value> = all().map(|preset| provider(preset, address)).collect();
    let models: Vec<Value> = all()
        .map(|preset| json!({ "name": preset.id, "targets": [{ "provider": preset.id, "model": MODEL }] }))
        .collect();
    let configuration = json!({
        "version": 1, "listeners": [{ "name": "public", "address": "127.0.0.1:0" }],
        "ai": { "providers": providers, "models": models },
        "apis": [{ "name": "models", "path": "/v1", "to": { "ai": {} } }]
    });
    let program = program_in(&configuration.to_string(), &Environment { registry: &REGISTRY, ..environment() });
    let mut wrong = Vec::new();
    for preset in all() {
        let (path, said) = match asked(preset) {
            Capability::Chat => {
                let messages = json!([{ "role": "user", "content": "hello" }]);
                ("/v1/chat/completions", json!({ "model": preset.id, "messages": messages }))
            }
            _ => ("/v1/embeddings", json!({ "model": preset.id, "input": "hello" })),
        };
        let request = http::Request::post(path).body(Body::from(said.to_string())).unwrap();
        let (head, text) = answer(&Arc::clone(&program), request).into_parts();
        let told: Value = serde_json::from_slice(&text).unwrap_or_default();
        let good = match asked(preset) {
            Capability::Chat => told["choices"][0]["message"]["content"] == "ok",
            _ => told["data"][0]["embedding"] == json!([1]),
        };
        if head.status != 200 || !good {
            wrong.push(format!("{}: {} {}", preset.id, head.status, String::from_utf8_lossy(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all().count() >= 100);
}
