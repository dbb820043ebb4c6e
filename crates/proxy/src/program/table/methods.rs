//! The methods a route takes: a set that is tested with one `and` for the methods of RFC 9110 and 5789.

use http::Method;
use model::load::Spanned;
use model::problem::did_you_mean;

use super::report::Report;

/// Registered methods that no bit stands for; known so that a misspelling can be told from them.
const OTHERS: &[&str] = &[
    "ACL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "ORDERPATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
];
const STANDARD: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];
const GET: u16 = 1;
const HEAD: u16 = 1 << 1;

/// The methods a route takes; empty takes all.
#[derive(Debug, Default)]
pub(super) struct Methods {
    /// Of [`STANDARD`], in its order, as they were written.
    named: u16,
    /// The others.
    others: Box<[Method]>,
}

/// The bit of a method; 0 for one that is not standard.
pub(super) fn bit(method: &Method) -> u16 {
    STANDARD.iter().position(|known| known == method).map_or(0, |at| 1 << at)
}

impl Methods {
    /// Reads what was written; what is no method is a problem.
    pub(super) fn compile(written: &[Spanned<String>], report: &mut Report<'_>) -> Self {
        let mut named = 0;
        let mut others: Vec<Method> = Vec::new();
        for text in written {
            let Some(method) = method(text, report) else { continue };
            match bit(&method) {
                0 if !others.contains(&method) => others.push(method),
                bit => named |= bit,
            }
        }
        Self { named, others: others.into() }
    }

    /// Whether every method is taken.
    pub(super) fn is_all(&self) -> bool {
        self.named == 0 && self.others.is_empty()
    }

    /// Whether this method is taken; `bit` is its [`bit`]. `GET` takes `HEAD` (RFC 9110 section 9.3.2).
    pub(super) fn take(&self, method: &Method, bit: u16) -> bool {
        self.is_all() || self.bits() & bit != 0 || (bit == 0 && self.others.contains(method))
    }

    /// Whether `HEAD` itself was written, which goes before a `HEAD` that comes with `GET`.
    pub(super) fn names_head(&self) -> bool {
        self.named & HEAD != 0
    }

    /// Whether some request could be taken by both, a `HEAD` that only one of them names left aside.
    pub(super) fn meet(&self, other: &Methods) -> bool {
        self.is_all()
            || other.is_all()
            || self.named & other.named != 0
            || self.others.iter().any(|method| other.others.contains(method))
    }

    /// The methods that are taken, `HEAD` with `GET`.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Method> {
        let bits = self.bits();
        let standard = STANDARD.iter().enumerate().filter(move |(at, _)| bits & (1 << at) != 0).map(|(_, known)| known);
        standard.chain(self.others.iter())
    }

    fn bits(&self) -> u16 {
        if self.named & GET != 0 { self.named | HEAD } else { self.named }
    }
}

fn method(text: &Spanned<String>, report: &mut Report<'_>) -> Option<Method> {
    let upper = text.to_ascii_uppercase();
    let known = || STANDARD.iter().map(Method::as_str).chain(OTHERS.iter().copied());
    if known().any(|known| known == text.as_str()) {
        return Method::from_bytes(text.as_bytes()).ok();
    }
    let near = if known().any(|known| known == upper) { Some(upper.as_str()) } else { did_you_mean(&upper, known()) };
    match (Method::from_bytes(text.as_bytes()), near) {
        (Ok(method), None) => Some(method),
        (Ok(method), Some(near)) if *text.value == upper => {
            let message = format!("`{}` is not a common method; did you mean `{near}`?", **text);
            report.warn("config.method", text.span, message, "leave it if it is a method of your own");
            Some(method)
        }
        (Ok(_), Some(near)) => {
            let message = format!("unknown method `{}`; did you mean `{near}`?", **text);
            report.error("config.method", text.span, message, "methods are case-sensitive");
            None
        }
        (Err(_), _) => {
            let message = format!("`{}` is not a method", **text);
            report.error("config.method", text.span, message, "write one such as `GET`");
            None
        }
    }
}
