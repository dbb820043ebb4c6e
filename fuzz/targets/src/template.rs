//! Templates: bounded, the same each time, and what is filled in stays a value: a JSON document stays the document that
//! it is, a page has no more tags than were written.

use http::{HeaderValue, Request};
use model::load::Spanned;
use proxy::exchange::Body;
use proxy::expr::{Scope, Template};

use crate::kit;

/// Values that would break out if they could.
const HOSTILE: &str = "\"',}]<script>&\\ {{ 1 }}";

pub(crate) fn run(input: &[u8]) {
    let Some([source, request]) = kit::parts(input) else { return };
    let Some(request) = kit::request(request) else { return };
    let x = kit::exchange(request);
    for content_type in ["text/plain", "text/html", "application/json"] {
        let text = Spanned::from(source.to_owned());
        let Ok(template) = Template::compile(&text, content_type, Scope::Request) else { continue };
        let rendered = template.render(&x).ok();
        assert_eq!(template.render(&x).ok(), rendered, "{source}");
        if is_plain(source) {
            stays(&template, content_type);
        }
    }
}

/// Whether a template fills in values and does nothing else with them: no statements, and nothing that says that a
/// value is safe, or makes another of it.
fn is_plain(source: &str) -> bool {
    !source.contains("{%") && !source.contains(['|', '(', '[', '~', '*', '+', '"', '\'']) || is_json(source)
}

/// The same, in a JSON document: brackets and quotes are its own as long as they stand outside of holes.
fn is_json(source: &str) -> bool {
    let mut holes = source.split("{{").skip(1).map(|hole| hole.split_once("}}"));
    let name = |char: char| char.is_ascii_alphanumeric() || "._ -".contains(char);
    !source.contains("{%")
        && !source.contains("{#")
        && holes.all(|hole| hole.is_some_and(|(hole, _)| hole.chars().all(name)))
}

fn stays(template: &Template, content_type: &str) {
    let [plain, hostile] = ["plain", HOSTILE].map(|value| {
        let mut request = Request::get("/").body(Body::Empty).expect("a request");
        for name in ["a", "host", "accept", "x"] {
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a field"));
        }
        *request.uri_mut() = {
            let mut query = String::new();
            ["a", "q", "x"].iter().for_each(|name| proxy::fuzzing::query::push(&mut query, name, value));
            format!("/?{query}").parse().expect("a target")
        };
        template.render(&kit::exchange(request)).ok()
    });
    let (Some(plain), Some(hostile)) = (plain, hostile) else { return };
    match content_type {
        "text/html" => {
            let tags = |text: &str| text.matches(['<', '>', '"', '\'']).count();
            assert_eq!(tags(&plain), tags(&hostile), "{}: {hostile}", template.source());
        }
        "application/json" => {
            let Ok(plain) = serde_json::from_str::<serde_json::Value>(&plain) else { return };
            let read = serde_json::from_str::<serde_json::Value>(&hostile);
            let read = read.unwrap_or_else(|error| panic!("{}: {hostile}: {error}", template.source()));
            assert_eq!(shape(&plain), shape(&read), "{}: {hostile}", template.source());
        }
        _ => {}
    }
}

/// What a document is, whatever its texts are.
fn shape(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::String(_) => "text".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => format!("{{{}}}", fields.values().map(shape).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
