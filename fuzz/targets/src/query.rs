//! Queries: what is written reads back, and what is taken out is gone for every reader.

use proxy::fuzzing::query::{decode, pairs, push, without};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([query, name]) = kit::parts(input) else { return };
    let read = |query: &str| -> Vec<(String, String)> {
        pairs(query).map(|(name, value)| (decode(name).into_owned(), decode(value).into_owned())).collect()
    };
    let all = read(query);
    let mut written = String::new();
    all.iter().for_each(|(name, value)| push(&mut written, name, value));
    assert_eq!(read(&written), all, "{query} is written {written}");
    assert!(format!("/?{written}").parse::<http::Uri>().is_ok(), "{written}");

    let kept = without(query, |known| known == name);
    let expected: Vec<_> = all.iter().filter(|(known, _)| known != name).cloned().collect();
    assert_eq!(read(&kept), expected, "{query} without {name}");
    readers_agree(query, name);
}

/// Expressions and the route table read the same first value.
fn readers_agree(query: &str, name: &str) {
    let Ok(uri) = format!("/?{query}").parse::<http::Uri>() else { return };
    let query = uri.query().unwrap_or_default();
    let first = pairs(query).find(|(known, _)| decode(known) == name).map(|(_, value)| decode(value).into_owned());
    let x = kit::exchange(http::Request::get(uri.clone()).body(proxy::exchange::Body::Empty).expect("a request"));
    let source = format!("request.query[{}]", kit::literal(name));
    let Some(expression) = kit::expression(&source) else { return };
    assert_eq!(expression.text(&x).as_deref(), first.as_deref(), "{source} of {query}");
}
