//! Models behind one door: whichever format a caller speaks, whoever serves.

mod across;
mod alike;
mod cache;
mod caller_keys;
mod chaos;
mod clouds;
mod down;
mod errors;
mod fallback;
mod guard;
mod hints;
mod keys;
mod money;
mod others;
mod payloads;
mod prompts;
mod routing;
mod same;
mod sdks;
mod speech;
mod streams;
mod taken;
mod terms;
mod tools;

use std::net::SocketAddr;

use e2e::Gate;
use e2e::provider::{ACCESS_KEY, PROVIDER_KEY, REGION, SECRET_KEY};

/// The key of the one who calls.
const CALLER_KEY: &str = "callers-key-of-32-characters-or-so";

/// What the providers' models are named; their names say what they do.
const MODELS: [&str; 14] = [
    "plain",
    "breaks",
    "embed",
    "draw",
    "once",
    "fails-400",
    "fails-401",
    "fails-403",
    "fails-404",
    "fails-429",
    "fails-500",
    "fails-503",
    "fails-529",
    "fails-413",
];

/// A gateway before one provider, which it asks as OpenAI for models named `o-…`, as Anthropic for `a-…`, as a host that
/// knows Chat Completions alone for `c-…`, as Gemini for `g-…` and as Bedrock for `b-…`.
fn before(provider: SocketAddr) -> Gate {
    let model = |name: &str, by: &str| {
        format!("    - {{ name: {by}-{name}, targets: [{{ provider: {by}, model: {name} }}] }}\n")
    };
    let models: String = MODELS.iter().flat_map(|name| ["o", "a", "c", "g", "b"].map(|by| model(name, by))).collect();
    let compatible = openai("c", provider).replace("preset: openai", "dialect: openai_chat");
    let providers = [openai("o", provider), anthropic("a", provider), compatible, gemini("g", provider)];
    gate(&format!("{}{}", providers.concat(), bedrock("b", provider)), &models)
}

/// A provider in a configuration that is asked in OpenAI's format.
fn openai(name: &str, address: SocketAddr) -> String {
    format!("    - {{ name: {name}, preset: openai, base_url: \"http://{address}/v1\", keys: [{PROVIDER_KEY}] }}\n")
}

/// A provider in a configuration that is asked in Anthropic's format.
fn anthropic(name: &str, address: SocketAddr) -> String {
    format!("    - {{ name: {name}, preset: anthropic, base_url: \"http://{address}\", keys: [{PROVIDER_KEY}] }}\n")
}

/// A provider in a configuration that is asked in Gemini's format.
fn gemini(name: &str, address: SocketAddr) -> String {
    format!("    - {{ name: {name}, preset: gemini, base_url: \"http://{address}/v1beta\", keys: [{PROVIDER_KEY}] }}\n")
}

/// A provider in a configuration that is asked in Bedrock's format, by signed calls.
fn bedrock(name: &str, address: SocketAddr) -> String {
    format!(
        "    - {{ name: {name}, preset: bedrock, base_url: \"http://{address}\", region: {REGION}, \
         aws: {{ access_key: {ACCESS_KEY}, secret_key: {SECRET_KEY} }} }}\n"
    )
}

/// A gateway with these providers and models: lines of lists.
fn gate(providers: &str, models: &str) -> Gate {
    Gate::start(&configuration(providers, models))
}

fn configuration(providers: &str, models: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
ai:
  providers:
{providers}
  models:
{models}
apis:
  - name: models
    path: /v1
    access: identified
    policies: {{ key_auth: {{}} }}
    routes: [{{ to: {{ ai: {{ max_bytes: 64KiB }} }} }}]
consumers: [{{ name: app, credentials: [{{ key: {CALLER_KEY} }}] }}]
"#
    )
}
