//! The running configuration as people may see it: what came from outside the text, and every key, is hidden.

use model::load::{Node, Value};
use serde_json::{Map, Value as Json};

const HIDDEN: &str = "***";

/// Keys whose values are secrets wherever they stand.
const SECRETS: &[&str] = &["key", "keys", "password", "secret", "token", "client_secret"];

/// The tree as JSON, secrets hidden.
pub(super) fn redacted(node: &Node) -> Json {
    if node.secret {
        return HIDDEN.into();
    }
    match &node.value {
        Value::List(items) => items.iter().map(redacted).collect(),
        Value::Map(entries) => {
            let certificate = entries.iter().any(|entry| entry.key == "certificate");
            let fields = entries.iter().map(|entry| {
                // Beside a certificate `key` names a file.
                let secret = SECRETS.contains(&entry.key.as_str()) && !certificate;
                (entry.key.clone(), if secret { HIDDEN.into() } else { redacted(&entry.value) })
            });
            Json::Object(fields.collect::<Map<_, _>>())
        }
        _ => node.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::load::{Options, read_text};

    use super::*;

    #[test]
    fn keys_and_what_came_from_outside_are_hidden() {
        let text = "a: { key: k1 }\nb: \"${env:B}\"\nc: { certificate: c.pem, key: c.key }\nd: [1, plain]\ne: { password: [p] }\n";
        let options = Options { env: Arc::new(|_| Ok("from outside".to_owned())), ..Options::sealed() };
        let loaded = read_text("t.yaml", text, &options);
        let shown = redacted(&loaded.root.unwrap());
        let wanted = serde_json::json!({
            "a": { "key": "***" }, "b": "***", "c": { "certificate": "c.pem", "key": "c.key" }, "d": [1, "plain"],
            "e": { "password": "***" },
        });
        assert_eq!(shown, wanted);
    }
}
