//! Tree to types: values, and every problem at once with its place, path and words.
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::{Loaded, Node, Options, STAND_IN, Spanned, read_text};
use super::from_node;
use crate::problem::Problems;
use crate::value::{ByteSize, Duration, Name, OneOrMany, Percent, Rate, Secret};

mod many;
mod sum;
mod wrong;

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
struct Config {
    version: u8,
    #[serde(default)]
    listeners: Vec<Listener>,
    #[serde(default)]
    apis: Vec<Api>,
    #[serde(default)]
    policies: BTreeMap<String, Node>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
struct Listener {
    name: Spanned<Name>,
    address: String,
    #[serde(default)]
    tls: Option<Tls>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
struct Tls {
    #[serde(default)]
    enabled: bool,
    certificate: Secret,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Api {
    name: Name,
    #[serde(default)]
    hosts: OneOrMany<Spanned<String>>,
    #[serde(default)]
    balance: Balance,
    #[serde(default)]
    timeout: Option<Duration>,
    #[serde(default)]
    body: Option<ByteSize>,
    #[serde(default)]
    limit: Option<Rate>,
    #[serde(default)]
    share: Option<Percent>,
    #[serde(default)]
    weight: f64,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    range: Option<(u8, u8)>,
    #[serde(default)]
    ips: Vec<IpAddr>,
    #[serde(default)]
    headers: HashMap<Name, String>,
    #[serde(default)]
    pages: BTreeMap<u16, Spanned<String>>,
    #[serde(default)]
    to: Option<To>,
}

#[derive(Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Balance {
    #[default]
    RoundRobin,
    LeastRequest,
    Hash(HashBy),
    Sticky {
        cookie: String,
    },
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HashBy {
    Header(String),
    Client,
}

/// A union as the model writes them: a name, a list of weighted ones, or a map.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
enum To {
    Upstream(String),
    Split(Vec<Weighted>),
    Respond(Respond),
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Weighted {
    upstream: Spanned<String>,
    #[serde(default)]
    weight: u32,
}

#[derive(Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Respond {
    status: u16,
    #[serde(default)]
    body: String,
}

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ToVisitor;
        impl<'de> Visitor<'de> for ToVisitor {
            type Value = To;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an upstream's name, a list of them with weights, or what to respond")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<To, E> {
                Ok(To::Upstream(name.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<To, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(To::Split)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<To, A::Error> {
                Respond::deserialize(MapAccessDeserializer::new(map)).map(To::Respond)
            }
        }
        deserializer.deserialize_any(ToVisitor)
    }
}

/// Reads and types a text, in an environment with a few variables.
fn typed<T: DeserializeOwned>(text: &str) -> (Option<T>, Loaded) {
    let env = |name: &str| match name {
        "PORT" => Ok("8080".to_owned()),
        "YES" => Ok("true".to_owned()),
        "HALF" => Ok("0.5".to_owned()),
        "KEY" => Ok("hunter2".to_owned()),
        _ => Err(std::env::VarError::NotPresent),
    };
    let options = Options { env: std::sync::Arc::new(env), offline: text.contains("# offline"), ..Options::sealed() };
    let mut loaded = read_text("t.yaml", text, &options);
    let root = loaded.root.as_ref().expect("a root");
    let mut problems = Problems::new();
    let value = from_node(root, "", &mut problems);
    loaded.problems.append(problems);
    (value, loaded)
}

/// `line:column path: message` of each problem.
fn problems_of(loaded: &Loaded) -> Vec<String> {
    let place = |p: &crate::problem::Problem| {
        let at = p.at.and_then(|span| loaded.sources.line_column(span)).expect("a place");
        format!("{}:{}", at.line, at.column)
    };
    loaded.problems.iter().map(|p| format!("{} {p}", place(p))).collect()
}

#[test]
fn everything_that_is_right() {
    let (config, loaded) = typed::<Config>(
        r#"
version: 1
listeners:
  - { name: public, address: "0.0.0.0:8080", tls: { enabled: true, certificate: "${env:KEY}" } }
apis:
  - name: users
    hosts: a.example.com
    balance: { hash: { header: x-user } }
    timeout: 1h30m
    body: 10MiB
    limit: 100/minute
    share: 0.5%
    weight: 1
    port: "${env:PORT}"
    range: [1, 2]
    ips: [10.0.0.1, "::1"]
    headers: { x-a: b }
    pages: { "404": gone }
    to: users
  - { name: b, hosts: [c, d], balance: { hash: client }, port: null, weight: "${env:HALF}", to: [{ upstream: u }] }
  - { name: c, balance: least_request, to: { status: 404 } }
  - { name: d, balance: { sticky: { cookie: s } } }
  - { name: e, balance: { round_robin: {} } }
policies:
  key_auth:
  any: { a: [1, { b: c }] }
"#,
    );
    assert_eq!(problems_of(&loaded), [""; 0]);
    let config = config.expect("a value");
    let listener = &config.listeners[0];
    let span = listener.name.span;
    assert_eq!(loaded.sources.slice(span), "public");
    assert_eq!(listener.tls.as_ref().expect("tls").certificate.expose(), "hunter2");
    assert_eq!(
        serde_json::to_value(&config).expect("json"),
        json!({
            "version": 1,
            "listeners": [
                { "name": "public", "address": "0.0.0.0:8080", "tls": { "enabled": true, "certificate": "***" } },
            ],
            "apis": [
                api(json!({
                    "name": "users", "hosts": "a.example.com", "balance": { "hash": { "header": "x-user" } },
                    "timeout": "1h30m", "body": "10MiB", "limit": "100/minute", "share": "0.5%", "weight": 1.0,
                    "port": 8080, "range": [1, 2], "ips": ["10.0.0.1", "::1"], "headers": { "x-a": "b" },
                    "pages": { "404": "gone" }, "to": { "Upstream": "users" },
                })),
                api(json!({
                    "name": "b", "hosts": ["c", "d"], "balance": { "hash": "client" }, "weight": 0.5,
                    "to": { "Split": [{ "upstream": "u", "weight": 0 }] },
                })),
                api(json!({ "name": "c", "balance": "least_request", "to": { "Respond": { "status": 404, "body": "" } } })),
                api(json!({ "name": "d", "balance": { "sticky": { "cookie": "s" } } })),
                api(json!({ "name": "e" })),
            ],
            "policies": { "key_auth": null, "any": { "a": [1, { "b": "c" }] } },
        })
    );
    let any = config.policies["any"].at(&["a", "1", "b"]).expect("the node").span;
    assert_eq!(loaded.sources.slice(any), "c");
}

fn api(said: serde_json::Value) -> serde_json::Value {
    let mut api = json!({
        "name": "", "hosts": [], "balance": "round_robin", "timeout": null, "body": null, "limit": null, "share": null,
        "weight": 0.0, "port": null, "range": null, "ips": [], "headers": {}, "pages": {}, "to": null,
    });
    let fields = api.as_object_mut().expect("an object");
    fields.extend(said.as_object().cloned().expect("an object"));
    api
}

/// The same types read from any other deserializer, without places.
#[test]
fn other_deserializers() {
    let api: Api = serde_json::from_value(json!({
        "name": "a", "hosts": "x", "balance": { "hash": { "header": "h" } }, "pages": { "404": "gone" },
        "timeout": "5s", "to": [{ "upstream": "u", "weight": 2 }],
    }))
    .expect("a value");
    assert_eq!(api.hosts[0].value, "x");
    assert!(api.hosts[0].span.is_none());
    let many: OneOrMany<Spanned<u8>> = serde_json::from_value(json!([1, 2])).expect("a value");
    assert_eq!(many.iter().map(|one| one.value).collect::<Vec<_>>(), [1, 2]);
    let one: OneOrMany<Weighted> = serde_json::from_value(json!({ "upstream": "u" })).expect("a value");
    assert_eq!(one.len(), 1);
    let node: Node = serde_json::from_value(json!({ "a": [1, null, 1.5, "x"] })).expect("a value");
    assert_eq!(node.to_json(), json!({ "a": [1, null, 1.5, "x"] }));
    let tls: Tls = serde_json::from_value(json!({ "certificate": "c" })).expect("a value");
    assert_eq!(format!("{tls:?}"), "Tls { enabled: false, certificate: *** }");
}

#[test]
fn schemas_see_through_the_wrappers() {
    let schema = schemars::schema_for!(Listener).to_value();
    assert_eq!(schema["properties"]["name"], json!({ "$ref": "#/$defs/Name" }));
    let schema = schemars::schema_for!(Config).to_value();
    assert_eq!(schema["properties"]["policies"]["additionalProperties"], json!(true));
    assert_eq!(schema["$defs"]["Tls"]["properties"]["certificate"]["writeOnly"], json!(true));
    let hosts = &schema["$defs"]["Api"]["properties"]["hosts"]["anyOf"];
    assert_eq!(hosts, &json!([{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]));
}
