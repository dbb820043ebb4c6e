//! What a route asks of a request beside host, path and method.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use http::header::{ACCEPT, HeaderName};
use ipnet::IpNet;
use model::load::Spanned;
use model::resource::{Match, Pairs, StringMatch};

use super::report::Report;
use super::value::Test;
use crate::exchange::{Exchange, cookies};
use crate::expr::{Expr, Scope};
use crate::policies::query::{decode, pairs};

/// One thing a route asks of a request.
#[derive(Clone, Debug)]
pub(super) enum Predicate {
    /// Of a header field; each of its lines is a value.
    Header(HeaderName, Test),
    /// A vendor media type with this version in `Accept`, such as `application/vnd.users.v1+json`.
    Accept(Box<str>),
    /// Of a query parameter.
    Query(Box<str>, Test),
    /// Of a cookie.
    Cookie(Box<str>, Test),
    /// Of the client's address: in one of these.
    Client(Box<[IpNet]>),
    /// An expression, and its text.
    When(Expr, Box<str>),
}

/// The kinds of predicates, as bits. How many a route has is part of its precedence.
pub(super) mod kind {
    pub(in super::super) const METHOD: u8 = 1;
    pub(in super::super) const HEADER: u8 = 1 << 1;
    pub(in super::super) const QUERY: u8 = 1 << 2;
    pub(in super::super) const COOKIE: u8 = 1 << 3;
    pub(in super::super) const CLIENT: u8 = 1 << 4;
    pub(in super::super) const WHEN: u8 = 1 << 5;
}

impl Predicate {
    /// Reads the conditions of a route, the cheap ones first; what is wrong is a problem.
    pub(super) fn compile(written: &Match, report: &mut Report<'_>) -> Vec<Predicate> {
        let mut all = Vec::new();
        each(&written.headers, report, |name, test, report| match HeaderName::try_from(name.as_str()) {
            Ok(parsed) => all.push(Predicate::Header(parsed, test)),
            Err(_) => {
                let message = format!("`{}` is not a header name", **name);
                report.error("config.header_name", name.span, message, "use letters, digits and `-`");
            }
        });
        each(&written.cookies, report, |name, test, report| {
            if name.is_empty() || name.contains(['=', ';', ' ']) {
                let message = format!("`{}` is not a cookie's name", **name);
                report.error("config.pattern", name.span, message, "take out `=`, `;` and spaces");
            }
            all.push(Predicate::Cookie(name.as_str().into(), test));
        });
        each(&written.query, report, |name, test, _| all.push(Predicate::Query(name.as_str().into(), test)));
        let nets: Vec<IpNet> = written.client.iter().filter_map(|text| network(text, report)).collect();
        if !nets.is_empty() {
            all.push(Predicate::Client(nets.into()));
        }
        if let Some(text) = &written.when {
            match Expr::condition(text, Scope::Match) {
                Ok(expr) => all.push(Predicate::When(expr, text.as_str().into())),
                Err(problems) => problems.into_iter().for_each(|problem| report.push(problem)),
            }
        }
        repeated(&written.headers, report);
        all
    }

    /// Whether it asks where the client is.
    pub(super) fn reads_geo(&self) -> bool {
        matches!(self, Predicate::When(expr, _) if expr.reads_geo())
    }

    /// Its kind's bit.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Predicate::Header(..) | Predicate::Accept(_) => kind::HEADER,
            Predicate::Query(..) => kind::QUERY,
            Predicate::Cookie(..) => kind::COOKIE,
            Predicate::Client(_) => kind::CLIENT,
            Predicate::When(..) => kind::WHEN,
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, x: &Exchange) -> bool {
        match self {
            Predicate::Header(name, test) => test.holds(x.request.headers.get_all(name).iter()),
            Predicate::Accept(version) => accepts(&x.request.headers, version),
            Predicate::Query(name, test) => test.holds(query(x.request.uri.query().unwrap_or_default(), name)),
            Predicate::Cookie(name, test) => test.holds(cookies(&x.request.headers, name)),
            Predicate::Client(nets) => nets.iter().any(|net| net.contains(&x.client)),
            Predicate::When(expr, _) => expr.test(x),
        }
    }

    /// Whether it is sure that no request satisfies both, as far as each name is given once.
    pub(super) fn excludes(&self, other: &Predicate) -> bool {
        match (self, other) {
            (Predicate::Header(a, test), Predicate::Header(b, other)) => a == b && test.excludes(other),
            (Predicate::Query(a, test), Predicate::Query(b, other))
            | (Predicate::Cookie(a, test), Predicate::Cookie(b, other)) => a == b && test.excludes(other),
            (Predicate::Accept(a), Predicate::Accept(b)) => !a.eq_ignore_ascii_case(b),
            (Predicate::Client(a), Predicate::Client(b)) => {
                let meet = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
                !a.iter().any(|a| b.iter().any(|b| meet(a, b)))
            }
            _ => false,
        }
    }

    /// The one value that it asks for under a name, if it asks for one.
    pub(super) fn exact(&self) -> Option<(u8, &str, &[u8])> {
        match self {
            Predicate::Header(name, Test::Exact(value)) => Some((kind::HEADER, name.as_str(), value)),
            Predicate::Query(name, Test::Exact(value)) => Some((kind::QUERY, name, value)),
            Predicate::Cookie(name, Test::Exact(value)) => Some((kind::COOKIE, name, value)),
            _ => None,
        }
    }
}

fn each(
    pairs: &Pairs<StringMatch>,
    report: &mut Report<'_>,
    mut take: impl FnMut(&Spanned<String>, Test, &mut Report<'_>),
) {
    for (name, written) in pairs.iter() {
        if let Some(test) = Test::compile(written, report) {
            take(name, test, report);
        }
    }
}

/// Header names differ in more than case.
fn repeated(headers: &Pairs<StringMatch>, report: &mut Report<'_>) {
    for (at, (name, _)) in headers.iter().enumerate() {
        if headers.iter().take(at).any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            let message = format!("there are two conditions on the header `{}`", **name);
            report.error("config.impossible", name.span, message, "case does not tell headers apart: keep one");
        }
    }
}

fn network(text: &Spanned<String>, report: &mut Report<'_>) -> Option<IpNet> {
    let parsed = model::resolve::parse_network(text);
    if parsed.is_none() {
        let message = format!("`{}` is not an address or a network", **text);
        report.error("config.address", text.span, message, "write an address or CIDR such as `10.0.0.0/8`");
    }
    parsed
}

/// Whether `Accept` names a vendor media type of this version: `vnd.…`, then `.` and the version before any suffix.
fn accepts(headers: &HeaderMap, version: &str) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    ranges.filter_map(|range| std::str::from_utf8(range).ok()).any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        let subtype = kind.split_once('/').map_or("", |(_, subtype)| subtype);
        let name = subtype.rsplit_once('+').map_or(subtype, |(name, _)| name);
        let vendor = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("vnd."));
        let said = name.len().checked_sub(version.len()).and_then(|at| name.split_at_checked(at));
        vendor && said.is_some_and(|(before, said)| before.ends_with('.') && said.eq_ignore_ascii_case(version))
    })
}

/// The values of a query parameter, decoded.
fn query<'q>(query: &'q str, name: &str) -> impl Iterator<Item = Cow<'q, [u8]>> {
    pairs(query).filter(move |(key, _)| decode(key) == name).map(|(_, value)| match decode(value) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// The values of a cookie.
fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    cookies::cookies(headers).filter(move |(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Predicate::Header(name, test) => write!(f, "header `{name}` {test}"),
            Predicate::Accept(version) => write!(f, "`accept` names a vendor media type of version `{version}`"),
            Predicate::Query(name, test) => write!(f, "query parameter `{name}` {test}"),
            Predicate::Cookie(name, test) => write!(f, "cookie `{name}` {test}"),
            Predicate::Client(nets) => {
                let nets: Vec<String> = nets.iter().map(ToString::to_string).collect();
                write!(f, "client address in {}", nets.join(", "))
            }
            Predicate::When(_, text) => write!(f, "when `{text}`"),
        }
    }
}

#[cfg(test)]
mod tests;
