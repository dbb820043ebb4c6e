//! Routes and a request: the table is built, what it explains is what it does, and the order in which routes are written
//! does not matter unless a problem says so.
//!
//! A line is one thing of a route: `path`, `prefix`, `regex`, `method`, `client`, `when`, `priority`, or `header`,
//! `query`, `cookie` with a name and a condition (`=text`, `^text`, `~regex`, `+`, `-`, `!` before any). An empty line
//! begins the next route, `api` and a path the next api.

use std::collections::BTreeSet;

use model::load::{Spanned, read_text};
use model::problem::Problems;
use model::resource::{Pairs, StringMatch};
use model::snapshot::PublishedApi;
use proxy::exchange::{Exchange, receive};
use proxy::program::RouteId;
use proxy::program::table::{Entry, Found, Table, Verdict};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([routes, request]) = kit::parts(input) else { return };
    let Some(request) = kit::request(request) else { return };
    let mut x = kit::exchange(request);
    let local = x.local.clone();
    if !matches!(receive::head(&mut x, &local), proxy::policies::Outcome::Next) {
        return;
    }
    let mut apis = apis(routes);
    let mut problems = Problems::new();
    let table = table(&apis, &mut problems);
    let found = find(&table, &x);
    let taken = table.candidates(&x).into_iter().find(|candidate| candidate.verdict == Verdict::Taken);
    assert_eq!(taken.map(|taken| taken.route), found.as_ref().ok().cloned(), "what is explained is what is done");
    if !problems.has_errors() && is_plain(routes, &x) {
        // Names stay with the routes, so that what is found can be compared.
        apis.reverse();
        apis.iter_mut().for_each(|api| api.routes.reverse());
        let turned = self::table(&apis, &mut Problems::new());
        assert_eq!(find(&turned, &x), found, "the order of routes says nothing");
    }
}

/// The route that takes a request, or the methods that would.
fn find(table: &Table, x: &Exchange) -> Result<String, String> {
    let path = x.request.uri.path();
    match table.find(x) {
        Found::Route(_, captures) => {
            assert!(captures.iter().all(|(_, value)| path.contains(value)), "{path}: {captures:?}");
            let names: BTreeSet<&str> = captures.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), captures.names.as_ref().map_or(0, |names| names.len()), "each name once");
            let taken = table.candidates(x).into_iter().find(|candidate| candidate.verdict == Verdict::Taken);
            Ok(taken.expect("what takes it").route)
        }
        Found::Method(allow) => {
            assert!(!allow.is_empty());
            Err(allow.to_str().expect("methods are text").to_owned())
        }
        Found::None => Err(String::new()),
    }
}

/// Whether ambiguous pairs are always told of: regular expressions and expressions cannot be compared, and several
/// values under one name may satisfy what excludes each other.
fn is_plain(routes: &str, x: &Exchange) -> bool {
    let plain = |line: &str| !line.starts_with("regex") && !line.starts_with("when") && !line.contains('~');
    let headers = &x.request.headers;
    let query: Vec<_> = proxy::fuzzing::query::pairs(x.request.uri.query().unwrap_or_default()).collect();
    let names: BTreeSet<_> = query.iter().map(|(name, _)| proxy::fuzzing::query::decode(name)).collect();
    let cookies = proxy::fuzzing::cookies(headers);
    let known: BTreeSet<_> = cookies.iter().map(|(name, _)| name).collect();
    routes.lines().all(plain)
        && headers.keys_len() == headers.len()
        && names.len() == query.len()
        && known.len() == cookies.len()
}

fn table(apis: &[PublishedApi], problems: &mut Problems) -> Table {
    let mut entries = Vec::new();
    for published in apis {
        for (name, route) in &published.routes {
            let id = RouteId(entries.len() as u32);
            entries.push(Entry { id, api: &published.api, name, route, path: name.clone(), knows_places: true });
        }
    }
    Table::build(&entries, problems)
}

/// The apis of a text, at most four of eight routes.
fn apis(text: &str) -> Vec<PublishedApi> {
    let written: Vec<(&str, Vec<Vec<&str>>)> = lines(text);
    let route = "{ to: u }";
    let mut document =
        "version: 1\nupstreams: [{ name: u, targets: [{ url: 'http://127.0.0.1:1' }] }]\napis:\n".to_owned();
    for (at, (_, routes)) in written.iter().enumerate() {
        document += &format!("- {{ name: a{at}, routes: [{}] }}\n", vec![route; routes.len()].join(", "));
    }
    let mut loaded = read_text("fuzz.yaml", &document, &model::load::Options::sealed());
    let root = loaded.root.expect("a document");
    let mut snapshot = model::resolve::resolve(&root, &mut loaded.problems).expect("a snapshot");
    for (published, (path, routes)) in snapshot.apis.iter_mut().zip(written) {
        published.api.path = Spanned::from(path.to_owned());
        for ((_, route), lines) in published.routes.iter_mut().zip(routes) {
            lines.into_iter().for_each(|line| say(route, line));
        }
    }
    snapshot.apis
}

/// Path and routes of each api.
fn lines(text: &str) -> Vec<(&str, Vec<Vec<&str>>)> {
    let mut apis: Vec<(&str, Vec<Vec<&str>>)> = vec![("/", vec![Vec::new()])];
    for line in text.lines() {
        let room = apis.len() < 4;
        let (_, routes) = apis.last_mut().expect("an api");
        match line.strip_prefix("api ") {
            Some(path) if room => apis.push((path, vec![Vec::new()])),
            None if line.is_empty() && routes.len() < 8 => routes.push(Vec::new()),
            _ => routes.last_mut().expect("a route").push(line),
        }
    }
    apis
}

fn say(route: &mut model::resource::Route, line: &str) {
    let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
    let text = Spanned::from(rest.to_owned());
    let matches = &mut route.matches;
    let pairs = |pairs: &mut Pairs<StringMatch>| {
        let (name, test) = rest.split_once(' ').unwrap_or((rest, "+"));
        // A second condition of one name is a problem of the document, which the table does not see.
        if let Some(test) = condition(test)
            && !pairs.iter().any(|(known, _)| **known == *name)
        {
            pairs.0.push((Spanned::from(name.to_owned()), test));
        }
    };
    match key {
        "path" => matches.path = Some(text),
        "prefix" => matches.prefix = Some(text),
        "regex" => matches.regex = Some(text),
        "when" => matches.when = Some(text),
        "method" => matches.methods.push(text),
        "client" => matches.client.push(text),
        "header" => pairs(&mut matches.headers),
        "query" => pairs(&mut matches.query),
        "cookie" => pairs(&mut matches.cookies),
        "priority" => route.priority = rest.parse().unwrap_or_default(),
        _ => {}
    }
}

fn condition(text: &str) -> Option<StringMatch> {
    let mut chars = text.chars();
    let sign = chars.next()?;
    let rest = Spanned::from(chars.as_str().to_owned());
    Some(match sign {
        '=' => StringMatch::Exact(rest),
        '^' => StringMatch::Prefix(rest),
        '~' => StringMatch::Regex(rest),
        '+' => StringMatch::Present,
        '-' => StringMatch::Absent,
        '!' if text.len() < 8 => StringMatch::Not(Box::new(condition(chars.as_str())?)),
        _ => return None,
    })
}
