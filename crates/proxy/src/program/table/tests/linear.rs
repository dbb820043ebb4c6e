//! The table equals a linear scan over all routes, written from the documented precedence.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use model::resource::StringMatch;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What stands at each place of a pattern, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Literal,
    Capture,
    End,
    Regex,
    Rest,
    Prefix,
}

/// How a route compares to others that match the same request.
type Key = (u8, Reverse<usize>, Vec<At>, Reverse<usize>, Reverse<usize>, Reverse<i32>, Reverse<bool>, usize);

/// What each segment of a pattern is.
type Shape = Vec<At>;
/// Names and values.
type Captured = Vec<(String, String)>;

/// Matches a pattern's segments; gives what stands where, captured values, and the rest of the path.
fn segments<'p>(pattern: &str, path: &'p str) -> Option<(Shape, Captured, &'p str)> {
    let mut at = Vec::new();
    let mut captured = Vec::new();
    let mut rest = path;
    for segment in pattern.split('/').skip(1) {
        let after = rest.strip_prefix('/')?;
        let end = after.find('/').unwrap_or(after.len());
        let (value, left) = after.split_at(end);
        if let Some(name) = segment.strip_prefix('{') {
            let name = name.trim_end_matches('}');
            if let Some(name) = name.strip_suffix('*') {
                captured.push((name.to_owned(), after.to_owned()));
                at.push(At::Rest);
                return (!after.is_empty()).then_some((at, captured, ""));
            }
            if value.is_empty() {
                return None;
            }
            captured.push((name.to_owned(), value.to_owned()));
            at.push(At::Capture);
        } else if segment == value {
            at.push(At::Literal);
        } else {
            return None;
        }
        rest = left;
    }
    Some((at, captured, rest))
}

/// Matches the whole path.
fn path(api: &str, route: &Route, path: &str) -> Option<(Shape, Captured)> {
    let (mut at, _, rest) = segments(api.trim_end_matches('/'), path)?;
    let written = &route.matches;
    let mut captured = Vec::new();
    if let Some(template) = &written.path {
        if template.as_str() == "/" {
            at.extend(if rest == "/" { vec![At::Literal, At::End] } else { vec![At::End] });
            return matches!(rest, "" | "/").then_some((at, captured));
        }
        let (more, values, left) = segments(template, rest)?;
        captured = values;
        at.extend(&more);
        if more.last() != Some(&At::Rest) {
            at.push(At::End);
        }
        return left.is_empty().then_some((at, captured));
    }
    if let Some(regex) = &written.regex {
        let whole = regex::Regex::new(&format!("^(?:{})$", **regex)).unwrap();
        let rest = if rest.is_empty() { "/" } else { rest };
        let groups = whole.captures(rest)?;
        for name in whole.capture_names().flatten() {
            captured.push((name.to_owned(), groups.name(name).map_or("", |value| value.as_str()).to_owned()));
        }
        at.push(At::Regex);
        return Some((at, captured));
    }
    let prefix = written.prefix.as_ref().map_or("", |prefix| prefix.trim_end_matches('/'));
    let (more, _, _) = segments(prefix, rest)?;
    at.extend(more);
    at.push(At::Prefix);
    Some((at, captured))
}

fn host(hosts: &[String], host: &str) -> Option<(u8, Reverse<usize>)> {
    if hosts.is_empty() {
        return Some((2, Reverse(0)));
    }
    let of = |pattern: &String| match pattern.strip_prefix("*.") {
        Some(suffix) if host.ends_with(&format!(".{suffix}")) => Some((1, Reverse(suffix.split('.').count()))),
        None if pattern == host => Some((0, Reverse(0))),
        _ => None,
    };
    hosts.iter().filter_map(of).min()
}

fn value(test: &StringMatch, value: Option<&str>) -> bool {
    match test {
        StringMatch::Exact(text) => value == Some(text),
        StringMatch::Prefix(text) => value.is_some_and(|value| value.starts_with(text.as_str())),
        StringMatch::Regex(text) => {
            value.is_some_and(|value| regex::Regex::new(&format!("^(?:{})$", **text)).unwrap().is_match(value))
        }
        StringMatch::Present => value.is_some(),
        StringMatch::Absent => value.is_none(),
        StringMatch::Not(inner) => !self::value(inner, value),
    }
}

/// A request of the test, with one value a name at most.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    host: &'static str,
    path: String,
    header: Option<&'static str>,
    query: Option<&'static str>,
    cookie: Option<&'static str>,
}

impl Asked {
    fn line(&self) -> String {
        let query = self.query.map_or(String::new(), |value| format!("?q={value}"));
        let mut line = format!("{} {}{query} | host: {}", self.method, self.path, self.host);
        line += &self.header.map_or(String::new(), |value| format!(" | x: {value}"));
        line + &self.cookie.map_or(String::new(), |value| format!(" | cookie: c={value}"))
    }
}

/// What the scan finds, as [`Sample::ask`] writes it.
fn scan(snapshot: &Snapshot, asked: &Asked) -> String {
    let mut best: Option<(Key, String)> = None;
    let mut allow = BTreeSet::new();
    let mut number = 0;
    for published in &snapshot.apis {
        let hosts: Vec<String> = published.api.hosts.iter().map(|host| host.to_string()).collect();
        for (name, route) in &published.routes {
            number += 1;
            let written = &route.matches;
            let Some((class, labels)) = host(&hosts, asked.host) else { continue };
            let Some((at, captured)) = path(&published.api.path, route, &asked.path) else { continue };
            let holds = written.headers.iter().all(|(_, test)| value(test, asked.header))
                && written.query.iter().all(|(_, test)| value(test, asked.query))
                && written.cookies.iter().all(|(_, test)| value(test, asked.cookie));
            if !holds {
                continue;
            }
            let methods: Vec<&str> = written.methods.iter().map(|method| method.as_str()).collect();
            let head = asked.method == "HEAD" && methods.contains(&"GET");
            if !methods.is_empty() && !methods.contains(&asked.method) && !head {
                allow.extend(methods.iter().map(|method| (*method).to_owned()));
                allow.extend(methods.contains(&"GET").then(|| "HEAD".to_owned()));
                continue;
            }
            let conditions = [written.headers.len(), written.query.len(), written.cookies.len()];
            let kinds = conditions.iter().filter(|count| **count > 0).count() + usize::from(!methods.is_empty());
            let key = (
                class,
                labels,
                at,
                Reverse(kinds),
                Reverse(conditions.iter().sum::<usize>() + usize::from(!methods.is_empty())),
                Reverse(route.priority),
                Reverse(methods.contains(&"HEAD")),
                number,
            );
            let captured: String = captured.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            if best.as_ref().is_none_or(|(known, _)| key < *known) {
                best = Some((key, format!("{}/{name}{captured}", *published.api.name)));
            }
        }
    }
    match best {
        Some((_, found)) => found,
        None if allow.is_empty() => "404".to_owned(),
        None => format!("405 {}", allow.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

fn condition() -> impl Strategy<Value = &'static str> {
    select(vec![
        "a",
        "b",
        "{ prefix: a }",
        "{ regex: '[ab]+' }",
        "{ is: present }",
        "{ is: absent }",
        "{ not: a }",
        "{ not: { prefix: b } }",
    ])
}

fn route() -> impl Strategy<Value = String> {
    let segment = select(vec!["/a", "/b", "/{}", "/{}"]);
    let template =
        (prop::collection::vec(segment, 1..4), select(vec!["", "", "/{rest*}", "/"])).prop_map(|(parts, end)| {
            let named = parts.iter().enumerate().map(|(at, part)| part.replace("{}", &format!("{{p{at}}}")));
            format!("path: '{}{end}'", named.collect::<String>())
        });
    let path = prop_oneof![
        4 => template,
        1 => Just("path: /".to_owned()),
        1 => Just("path: '/{all*}'".to_owned()),
        2 => select(vec!["/", "/a", "/a/b", "/b/"]).prop_map(|prefix| format!("prefix: {prefix}")),
        2 => select(vec!["/a.*", "/(?<x>[ab])/(?<y>.*)", "/", "/.*b(?<tail>/)?"]).prop_map(|text| format!("regex: '{text}'")),
        1 => Just(String::new()),
    ];
    let methods =
        select(vec!["", "", "methods: [GET]", "methods: [POST, PUT]", "methods: [GET, POST]", "methods: [HEAD]"]);
    let on =
        |key: &'static str| prop::option::weighted(0.3, condition().prop_map(move |test| format!("{key}: {test} }}")));
    (path, methods, on("headers: { x"), on("query: { q"), on("cookies: { c"), -1..2i32).prop_map(
        |(path, methods, header, query, cookie, priority)| {
            let parts = [Some(path), Some(methods.to_owned()), header, query, cookie];
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            format!("    - {{ match: {{ {} }}, priority: {priority}, to: u }}\n", parts.join(", "))
        },
    )
}

fn apis() -> impl Strategy<Value = String> {
    let hosts = select(vec!["", "", "a.x", "'*.x'", "'*.a.x', b.x", "'*.x', a.x"]);
    let path = select(vec!["/", "/", "/a", "/a/", "/a/b"]);
    let api = (hosts, path, prop::collection::vec(route(), 1..8));
    prop::collection::vec(api, 1..6).prop_map(|apis| {
        let mut text = String::new();
        for (at, (hosts, path, routes)) in apis.iter().enumerate() {
            text += &format!("- name: api{at}\n  hosts: [{hosts}]\n  path: {path}\n  routes:\n{}", routes.concat());
        }
        text
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let path =
        prop::collection::vec(select(vec!["a", "b", "c", ""]), 1..6).prop_map(|parts| format!("/{}", parts.join("/")));
    let value = || select(vec![None, Some("a"), Some("b"), Some("ab"), Some("c")]);
    (
        select(vec!["GET", "HEAD", "POST", "DELETE"]),
        select(vec!["a.x", "b.x", "c.a.x", "x", "y"]),
        path,
        value(),
        value(),
        value(),
    )
        .prop_map(|(method, host, path, header, query, cookie)| Asked {
            method,
            host,
            path,
            header,
            query,
            cookie,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_table_equals_a_linear_scan(apis in apis(), asked in prop::collection::vec(asked(), 24)) {
        let (snapshot, _) = snapshot(&apis);
        // Ambiguous pairs are problems; which of them goes first is definite all the same.
        let (table, names) = build(&snapshot, &mut Problems::new());
        let program = testing::exchange(Request::new(Body::Empty)).local.program.clone();
        let sample = Sample { table, names, program };
        for asked in &asked {
            let found = sample.ask(&asked.line());
            prop_assert_eq!(&found, &scan(&snapshot, asked), "{:?}", asked);
            // What is explained is what is done.
            let explained = sample.taken(&asked.line());
            prop_assert_eq!(explained.as_deref(), found.split(' ').next().filter(|name| name.contains('/')));
        }
    }
}
