//! Clouds as providers: signatures of AWS, tokens of Google, deployments of Azure.

use e2e::Gate;
use e2e::provider::{ACCESS_KEY, PROVIDER_KEY, Provider, REGION, SECRET_KEY, Wire};
use serde_json::Value;

use super::gate;
use super::speech::{ask, says, stream, streamed, whole};

/// A gateway before one provider as Gemini, Vertex, Bedrock by signature and by key, and Azure.
pub fn before(provider: &Provider) -> Gate {
    let address = provider.address;
    let account = serde_json::to_string(&provider.service_account()).unwrap();
    let providers = format!(
        r#"
    - {{ name: gemini, preset: gemini, base_url: "http://{address}/v1beta", keys: [{PROVIDER_KEY}] }}
    - name: vertex
      preset: vertex
      base_url: "http://{address}/v1/projects/{{project}}/locations/{{region}}"
      region: {REGION}
      service_account: {account}
    - name: bedrock
      preset: bedrock
      base_url: "http://{address}"
      region: {REGION}
      aws: {{ access_key: {ACCESS_KEY}, secret_key: {SECRET_KEY} }}
    - {{ name: bedrock_key, dialect: bedrock_converse, base_url: "http://{address}", keys: [{PROVIDER_KEY}] }}
    - {{ name: azure, preset: azure, base_url: "http://{address}/openai", keys: [{PROVIDER_KEY}] }}
"#
    );
    let model = |by: &str, name: &str, model: &str| {
        format!("    - {{ name: {by}-{name}, targets: [{{ provider: {by}, model: \"{model}\" }}] }}\n")
    };
    let models: String = CLOUDS
        .iter()
        .flat_map(|by| {
            let plain = if by.starts_with("bedrock") { "eu.anthropic.plain-v1:0" } else { "plain" };
            [model(by, "plain", plain), model(by, "fails-429", "fails-429"), model(by, "breaks", "breaks")]
        })
        .collect();
    gate(&providers, &models)
}

const CLOUDS: [&str; 5] = ["gemini", "vertex", "bedrock", "bedrock_key", "azure"];

#[test]
fn each_cloud_answers_whole_and_streamed() {
    let provider = Provider::start();
    let gate = before(&provider);
    for wire in [Wire::OpenAi, Wire::Anthropic] {
        for cloud in CLOUDS {
            let model = format!("{cloud}-plain");
            let body = says(wire, &model, "hello there");
            let answer = ask(gate.address("public"), wire, &body);
            assert_eq!(answer.status, 200, "{cloud}: {}", answer.text());
            let came = whole(wire, &serde_json::from_str::<Value>(&answer.text()).unwrap());
            assert_eq!((came.text.as_str(), came.usage.1), ("I heard: hello there", 9), "{cloud}");
            let answer = ask(gate.address("public"), wire, &streamed(wire, body));
            assert_eq!(answer.status, 200, "{cloud}: {}", answer.text());
            let came = stream(wire, &answer.text());
            assert_eq!((came.text.as_str(), came.usage.1), ("I heard: hello there", 9), "{cloud}");
        }
    }
    // One token was enough for all of them.
    let tokens = provider.asked().iter().filter(|seen| seen.line.starts_with("POST /token")).count();
    assert_eq!(tokens, 1);
    let deployment = "POST /openai/deployments/plain/chat/completions?api-version=2024-10-21 HTTP/1.1";
    assert!(provider.asked().iter().any(|seen| seen.line == deployment && seen.header("authorization").is_none()));
}

#[test]
fn failures_of_clouds_are_told_in_the_callers_words() {
    let provider = Provider::start();
    let gate = before(&provider);
    for cloud in CLOUDS {
        let answer = ask(gate.address("public"), Wire::OpenAi, &says(Wire::OpenAi, &format!("{cloud}-fails-429"), "x"));
        assert_eq!(answer.status, 429, "{cloud}: {}", answer.text());
        let told: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(told["error"]["type"], "rate_limit_error", "{cloud}: {told}");
    }
}

#[test]
fn a_stream_of_a_cloud_that_breaks_ends_in_an_error() {
    let provider = Provider::start();
    let gate = before(&provider);
    for cloud in CLOUDS {
        let body = streamed(Wire::OpenAi, says(Wire::OpenAi, &format!("{cloud}-breaks"), "some words to break within"));
        let answer = ask(gate.address("public"), Wire::OpenAi, &body);
        assert!(answer.text().contains("\"error\""), "{cloud}: {}", answer.text());
    }
}
