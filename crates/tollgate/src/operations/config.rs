//! The running configuration as people may see it: what came from outside the text, and whatever is a secret, is hidden.

use std::collections::HashSet;

use model::load::{Node, Span, Value};
use proxy::telemetry::access_log::{HIDDEN, Redact};
use serde_json::{Map, Value as Json};

use crate::configuration::Configuration;

/// The configuration as JSON, secrets hidden. Text, as a tree would take several times the memory.
pub(crate) fn shown(configuration: &Configuration) -> String {
    let hidden = configuration.problems.hidden().iter().copied().collect();
    let redactor = Redactor { hidden, names: Redact::new(["keys", "passphrase", "private_key"]) };
    configuration.root.as_deref().map(|root| redactor.document(root).to_string()).unwrap_or_default()
}

struct Redactor {
    /// Places of what was read as a secret.
    hidden: HashSet<Span>,
    /// Names of what is one wherever it stands, such as a header that is set.
    names: Redact,
}

impl Redactor {
    fn document(&self, root: &Node) -> Json {
        let entries = root.entries().iter().filter(|entry| !entry.key.starts_with("x-"));
        Json::Object(entries.map(|entry| (entry.key.clone(), self.value(&entry.value))).collect())
    }

    fn value(&self, node: &Node) -> Json {
        if node.secret || self.hidden.contains(&node.span) {
            return HIDDEN.into();
        }
        match &node.value {
            Value::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Map(entries) => {
                // Beside a certificate `key` names a file.
                let file = node.get("certificate").is_some();
                let fields = entries.iter().map(|entry| {
                    let named = self.names.hides(&entry.key) && !(file && entry.key == "key");
                    (entry.key.clone(), if named { self.named(&entry.value) } else { self.value(&entry.value) })
                });
                Json::Object(fields.collect::<Map<_, _>>())
            }
            Value::String(text) => without_credentials(text).into(),
            _ => node.to_json(),
        }
    }

    /// A value whose name says that it is a secret: texts are, settings of a thing with that name are not.
    fn named(&self, node: &Node) -> Json {
        match &node.value {
            Value::String(_) => HIDDEN.into(),
            Value::List(items) => items.iter().map(|item| self.named(item)).collect(),
            _ => self.value(node),
        }
    }
}

/// A URL without user and password.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Outside, environment, read};

    #[test]
    fn whatever_is_a_secret_is_hidden_and_the_rest_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tollgate.yaml");
        std::fs::write(folder.path().join("name"), "from-a-file").unwrap();
        let text = "
version: 1
x-anchor: &key top-secret-1
upstreams:
  - { name: up, targets: [{ url: 'http://127.0.0.1:1' }], tags: ['${file:name}', 'https://me:top-secret-2@x.test/a@b'] }
apis:
  - name: api
    to: up
    policies: { headers: { request: { set: { authorization: top-secret-3, x-gate: tollgate } } } }
consumers: [{ name: mobile, credentials: [{ key: *key }, { key_sha256: PLACE }] }]
access_log: 'off'
"
        .replace("PLACE", &"ab".repeat(32));
        std::fs::write(&path, text).unwrap();
        let mut configuration = read(&path, Outside::Required);
        assert!(configuration.compile(&environment(1, Outside::Required)).is_some(), "{:?}", configuration.problems);
        let shown = shown(&configuration);
        assert!(!shown.contains("top-secret") && !shown.contains("from-a-file"), "{shown}");
        let shown: Json = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["upstreams"][0]["tags"], serde_json::json!(["***", "https://***@x.test/a@b"]));
        let set = &shown["apis"][0]["policies"]["headers"]["request"]["set"];
        assert_eq!(*set, serde_json::json!({ "authorization": "***", "x-gate": "tollgate" }));
        assert_eq!(shown["consumers"][0]["credentials"][0]["key"], "***");
        assert_eq!(shown["consumers"][0]["name"], "mobile");
        assert!(shown.get("x-anchor").is_none() && shown["version"] == 1);
    }

    #[test]
    fn a_key_beside_a_certificate_is_a_file() {
        let loaded = model::load::read_text(
            "t.yaml",
            "a: { certificate: c.pem, key: c.key }\nb: { key: k, password: [p] }\n",
            &model::load::Options::sealed(),
        );
        let redactor = Redactor { hidden: HashSet::new(), names: Redact::new([]) };
        let wanted = serde_json::json!({
            "a": { "certificate": "c.pem", "key": "c.key" }, "b": { "key": "***", "password": ["***"] },
        });
        assert_eq!(redactor.document(&loaded.root.unwrap()), wanted);
    }
}
