//! What targets share: inputs taken apart, requests and exchanges made of them.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Request};
use proxy::exchange::{Body, Exchange, testing};
use proxy::program::Program;

/// The input as so many texts, divided by lines of `----`; those that are missing are empty.
pub(crate) fn parts<const N: usize>(input: &[u8]) -> Option<[&str; N]> {
    let text = std::str::from_utf8(input).ok()?;
    let mut parts = [""; N];
    for (place, part) in parts.iter_mut().zip(text.splitn(N, "\n----\n")) {
        *place = part;
    }
    Some(parts)
}

/// A request as text: `METHOD TARGET`, then a line for each field. Lines that are no fields are passed over.
pub(crate) fn request(text: &str) -> Option<Request<Body>> {
    let mut lines = text.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(target).body(Body::Empty).ok()?;
    for line in lines {
        if let Some((name, value)) = line.split_once(": ")
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes()))
        {
            request.headers_mut().append(name, value);
        }
    }
    Some(request)
}

/// A GET with one field of these lines, as far as they can be sent.
pub(crate) fn with_field(name: &'static str, lines: &str) -> Request<Body> {
    let mut request = Request::new(Body::Empty);
    for line in lines.lines() {
        if let Ok(value) = HeaderValue::from_bytes(line.as_bytes()) {
            request.headers_mut().append(name, value);
        }
    }
    request
}

/// An exchange of this request against a program that has nothing.
pub(crate) fn exchange(request: Request<Body>) -> Box<Exchange> {
    testing::exchange_of(&bare(), request)
}

/// A program that has nothing, made once.
pub(crate) fn bare() -> Arc<Program> {
    thread_local! {
        static BARE: Arc<Program> = testing::exchange(Request::new(Body::Empty)).local.program.clone();
    }
    BARE.with(Arc::clone)
}

/// The program of a configuration; none where it has problems.
pub(crate) fn program(configuration: &serde_json::Value) -> Option<Arc<Program>> {
    testing::try_program(&configuration.to_string(), &testing::environment()).ok()
}

/// A text as a CEL literal, every character by its number.
pub(crate) fn literal(text: &str) -> String {
    let chars = text.chars().map(|char| format!("\\U{:08x}", u32::from(char)));
    format!("\"{}\"", chars.collect::<String>())
}

/// An expression over the request that is known to be good.
pub(crate) fn expression(source: &str) -> Option<proxy::expr::Expr> {
    let text = model::load::Spanned::from(source.to_owned());
    match proxy::expr::Expr::compile(&text, proxy::expr::Scope::Request) {
        Ok(expression) => Some(expression),
        // The one thing that is wrong with a literal is that it is too long.
        Err(_) if source.len() > 1_000 => None,
        Err(problems) => panic!("{source}: {problems:?}"),
    }
}
