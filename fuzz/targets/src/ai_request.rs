//! Calls of models: what is written for a provider is JSON, and where the scan lets a body pass, its fields are those of the
//! tree.

use ai::translate::{Ask, Format, Losses, Quirks, Told};
use ai::wire::scan::{Edit, Scan};
use serde_json::Value;

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([name, body]) = kit::parts(input) else { return };
    scan(body);
    let Some(format) = Format::named(name) else { return };
    let Ok(request) = format.read_request(body.as_bytes(), &Told::default()) else { return };
    for to in Format::ALL {
        let ask = Ask { model: "m", max_tokens: 4096, losses: Losses::ByRule, quirks: Quirks::default() };
        let Ok(written) = to.write_request(&request, &ask) else { continue };
        let text = String::from_utf8_lossy(&written.bytes).into_owned();
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{to:?} wrote {text}: {error}"));
    }
}

/// The scan skips what is inside values, so only where a tree can be built must both agree.
fn scan(body: &str) {
    let Ok(found) = Scan::of(body.to_owned().into()) else { return };
    let Ok(Value::Object(tree)) = serde_json::from_str::<Value>(body) else { return };
    for (key, value) in &tree {
        assert_eq!(found.value(key).as_ref(), Some(value), "{key}");
    }
    let mut changed = tree;
    changed.insert("model".to_owned(), Value::from("m"));
    let edited = found.edited(&[("model", Edit::Set("\"m\""))]);
    assert_eq!(serde_json::from_slice::<Value>(&edited).ok(), Some(Value::Object(changed)));
}
