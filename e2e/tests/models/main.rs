//! Models behind one door: whichever format a caller speaks, whoever serves.

mod across;
mod cache;
mod chaos;
mod clouds;
mod down;
mod errors;
mod fallback;
mod guard;
mod hints;
mod keys;
mod money;
mod prompts;
mod routing;
mod same;
mod sdks;
mod speech;
mod streams;
mod terms;
mod tools;

use std::net::SocketAddr;

use e2e::Gate;
use e2e::provider::PROVIDER_KEY;

/// The key of the one who calls.
const CALLER_KEY: &str = "callers-key-of-32-characters-or-so";

/// What the providers' models are named; their names say what they do.
const MODELS: [&str; 11] = [
    "plain",
    "breaks",
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

/// A gateway before one provider, which it asks as OpenAI for models named `o-…`, as Anthropic for `a-…`, and as a host
/// that knows Chat Completions alone for `c-…`.
fn before(provider: SocketAddr) -> Gate {
    let model = |name: &str, by: &str| {
        format!("    - {{ name: {by}-{name}, targets: [{{ provider: {by}, model: {name} }}] }}\n")
    };
    let models: String =
        MODELS.iter().flat_map(|name| [model(name, "o"), model(name, "a"), model(name, "c")]).collect();
    let compatible = openai("c", provider).replace("preset: openai", "dialect: openai_chat");
    gate(&format!("{}{}{compatible}", openai("o", provider), anthropic("a", provider)), &models)
}

/// A provider in a configuration that is asked in OpenAI's format.
fn openai(name: &str, address: SocketAddr) -> String {
    format!("    - {{ name: {name}, preset: openai, base_url: \"http://{address}/v1\", keys: [{PROVIDER_KEY}] }}\n")
}

/// A provider in a configuration that is asked in Anthropic's format.
fn anthropic(name: &str, address: SocketAddr) -> String {
    format!("    - {{ name: {name}, preset: anthropic, base_url: \"http://{address}\", keys: [{PROVIDER_KEY}] }}\n")
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
