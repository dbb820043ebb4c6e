//! The table equals a linear scan over all routes, written from the documented precedence.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use model::resource::{StringMatch, VersionIn};
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
        let whole = whole(regex);
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

/// A regular expression over a whole text. Few are ever asked for, and often.
fn whole(text: &str) -> regex::Regex {
    static KNOWN: Mutex<BTreeMap<String, regex::Regex>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let made = known.entry(text.to_owned()).or_insert_with(|| regex::Regex::new(&format!("^(?:{text})$")).unwrap());
    made.clone()
}

/// Whether a condition holds for the values under a name: one of them satisfies it.
fn holds(test: &StringMatch, values: &[&str]) -> bool {
    match test {
        StringMatch::Exact(text) => values.contains(&text.as_str()),
        StringMatch::Prefix(text) => values.iter().any(|value| value.starts_with(text.as_str())),
        StringMatch::Regex(text) => {
            let whole = whole(text);
            values.iter().any(|value| whole.is_match(value))
        }
        StringMatch::Present => !values.is_empty(),
        StringMatch::Absent => values.is_empty(),
        StringMatch::Not(inner) => !holds(inner, values),
    }
}

/// Whether a client is in one of the networks, by the text of its address.
fn near(networks: &[String], client: &str) -> bool {
    networks.is_empty()
        || networks.iter().any(|network| match network.as_str() {
            "10.0.0.0/8" => client.starts_with("10."),
            "10.1.0.0/16" => client.starts_with("10.1."),
            "10.1.0.1" => client == "10.1.0.1",
            "2001:db8::/32" => client.starts_with("2001:db8:"),
            other => panic!("{other}"),
        })
}

/// What expressions say, by the expression.
const WHEN: [&str; 5] = [
    "request.query.q == 'a'",
    "'x' in request.headers && request.method != 'POST'",
    "request.path.endsWith('/b')",
    "client.address.startsWith('10.') || has(request.cookies.c)",
    "request.headers.x.orValue('a') == 'a'",
];

fn says(when: &str, asked: &Asked) -> bool {
    let first = |values: &[&'static str]| values.first().copied();
    match WHEN.iter().position(|known| *known == when).unwrap() {
        0 => first(&asked.query) == Some("a"),
        1 => !asked.header.is_empty() && asked.method != "POST",
        2 => asked.path.ends_with("/b"),
        3 => asked.client.starts_with("10.") || !asked.cookie.is_empty(),
        // Several lines of a header are one list.
        _ => asked.header.is_empty() || asked.header == ["a"],
    }
}

/// A request of the test.
#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    host: &'static str,
    path: String,
    client: &'static str,
    header: Vec<&'static str>,
    other: Vec<&'static str>,
    query: Vec<&'static str>,
    cookie: Vec<&'static str>,
    version: Option<&'static str>,
}

impl Asked {
    fn line(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|value| format!("q={value}")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let mut line = format!("{} {}{query} | host: {} | client: {}", self.method, self.path, self.host, self.client);
        self.header.iter().for_each(|value| line += &format!(" | x: {value}"));
        self.other.iter().for_each(|value| line += &format!(" | y: {value}"));
        self.version.iter().for_each(|value| line += &format!(" | accept-version: {value}"));
        let cookies: Vec<String> = self.cookie.iter().map(|value| format!("c={value}")).collect();
        if cookies.is_empty() { line } else { format!("{line} | cookie: {}", cookies.join("; ")) }
    }

    fn of_header(&self, name: &str) -> &[&'static str] {
        if name == "x" { &self.header } else { &self.other }
    }
}

/// What the scan finds, as [`Sample::ask`] and [`Sample::taking`] write it.
fn scan(snapshot: &Snapshot, asked: &Asked) -> (String, Vec<String>) {
    let mut taking: Vec<(Key, String, String)> = Vec::new();
    let mut allow = BTreeSet::new();
    let mut number = 0;
    for published in &snapshot.apis {
        let api = &published.api;
        let hosts: Vec<String> = api.hosts.iter().map(|host| host.to_string()).collect();
        let version = api.version.as_ref().map(|version| (version.place, version.name.value.to_string()));
        let (base, said) = match &version {
            Some((VersionIn::Path, name)) => (format!("{}/{name}", api.path.trim_end_matches('/')), None),
            Some((_, name)) => (api.path.value.clone(), Some(name.as_str())),
            None => (api.path.value.clone(), None),
        };
        for (name, route) in &published.routes {
            number += 1;
            let written = &route.matches;
            let Some((class, labels)) = host(&hosts, asked.host) else { continue };
            let Some((at, captured)) = path(&base, route, &asked.path) else { continue };
            let nets: Vec<String> = written.client.iter().map(|net| net.value.clone()).collect();
            let conditions = written.headers.iter().all(|(name, test)| holds(test, asked.of_header(name)))
                && written.query.iter().all(|(_, test)| holds(test, &asked.query))
                && written.cookies.iter().all(|(_, test)| holds(test, &asked.cookie))
                && near(&nets, asked.client)
                && written.when.as_ref().is_none_or(|when| says(when, asked))
                && said.is_none_or(|said| asked.version == Some(said));
            if !conditions {
                continue;
            }
            let methods: Vec<&str> = written.methods.iter().map(|method| method.as_str()).collect();
            let head = asked.method == "HEAD" && methods.contains(&"GET");
            if !methods.is_empty() && !methods.contains(&asked.method) && !head {
                allow.extend(methods.iter().map(|method| (*method).to_owned()));
                allow.extend(methods.contains(&"GET").then(|| "HEAD".to_owned()));
                continue;
            }
            let conditions = [
                written.headers.len() + usize::from(said.is_some()),
                written.query.len(),
                written.cookies.len(),
                usize::from(!written.client.is_empty()),
                usize::from(written.when.is_some()),
                usize::from(!methods.is_empty()),
            ];
            let key = (
                class,
                labels,
                at,
                Reverse(conditions.iter().filter(|count| **count > 0).count()),
                Reverse(conditions.iter().sum()),
                Reverse(route.priority),
                Reverse(methods.contains(&"HEAD")),
                number,
            );
            let captured: String = captured.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            taking.push((key, format!("{}/{name}", *api.name), captured));
        }
    }
    taking.sort();
    let found = match taking.first() {
        Some((_, name, captured)) => format!("{name}{captured}"),
        None if allow.is_empty() => "404".to_owned(),
        None => format!("405 {}", allow.into_iter().collect::<Vec<_>>().join(", ")),
    };
    (found, taking.into_iter().map(|(_, name, _)| name).collect())
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
    let headers =
        (prop::option::weighted(0.3, condition()), prop::option::weighted(0.2, condition())).prop_map(|tests| {
            let named = [("x", tests.0), ("Y", tests.1)]
                .into_iter()
                .filter_map(|(name, test)| Some(format!("{name}: {}", test?)));
            format!("headers: {{ {} }}", named.collect::<Vec<_>>().join(", "))
        });
    let client = prop::option::weighted(
        0.2,
        select(vec!["[10.0.0.0/8]", "[10.1.0.0/16, '2001:db8::/32']", "[10.1.0.1]"])
            .prop_map(|nets| format!("client: {nets}")),
    );
    let when = prop::option::weighted(0.2, select(&WHEN[..]).prop_map(|when| format!("when: \"{when}\"")));
    let rest = (on("query: { q"), on("cookies: { c"), client, when, -1..2i32);
    (path, methods, headers, rest).prop_map(|(path, methods, headers, (query, cookie, client, when, priority))| {
        let parts = [Some(path), Some(methods.to_owned()), Some(headers), query, cookie, client, when];
        let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        format!("    - {{ match: {{ {} }}, priority: {priority}, to: u }}\n", parts.join(", "))
    })
}

fn apis() -> impl Strategy<Value = String> {
    let hosts = select(vec!["", "", "a.x", "'*.x'", "'*.a.x', b.x", "'*.x', a.x"]);
    let path = select(vec!["/", "/", "/a", "/a/", "/a/b"]);
    let version = select(vec!["", "", "", "version: { name: a }", "version: { name: v1, in: header }"]);
    let api = (hosts, path, version, prop::collection::vec(route(), 1..8));
    prop::collection::vec(api, 1..6).prop_map(|apis| {
        let mut text = String::new();
        for (at, (hosts, path, version, routes)) in apis.iter().enumerate() {
            let version = if version.is_empty() { String::new() } else { format!("  {version}\n") };
            text += &format!(
                "- name: api{at}\n  hosts: [{hosts}]\n  path: {path}\n{version}  routes:\n{}",
                routes.concat()
            );
        }
        text
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let path =
        prop::collection::vec(select(vec!["a", "b", "c", ""]), 1..6).prop_map(|parts| format!("/{}", parts.join("/")));
    let values = || prop::collection::vec(select(vec!["a", "b", "ab", "c"]), 0..3);
    let whence = (select(vec!["GET", "HEAD", "POST", "DELETE"]), select(vec!["a.x", "b.x", "c.a.x", "x", "y"]), path);
    let client = select(vec!["10.1.0.1", "10.1.2.3", "10.2.0.1", "192.0.2.7", "2001:db8:1::1"]);
    let version = select(vec![None, Some("v1"), Some("v2")]);
    (whence, client, values(), values(), values(), values(), version).prop_map(
        |((method, host, path), client, header, other, query, cookie, version)| Asked {
            method,
            host,
            path,
            client,
            header,
            other,
            query,
            cookie,
            version,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_table_equals_a_linear_scan(apis in apis(), asked in prop::collection::vec(asked(), 24)) {
        let (snapshot, _) = snapshot(&apis);
        // Ambiguous pairs are problems; which of them goes first is definite all the same.
        let (table, names) = build(&snapshot, &mut Problems::new());
        let program = testing::exchange(Request::new(Body::Empty)).local.program.clone();
        let sample = Sample { table, names, program };
        for asked in &asked {
            let (found, taking) = scan(&snapshot, asked);
            prop_assert_eq!(sample.ask(&asked.line()), found, "{:?}", asked);
            // What is explained is what is done, and what would be done without it.
            prop_assert_eq!(sample.taking(&asked.line()), taking, "{:?}", asked);
        }
    }
}
