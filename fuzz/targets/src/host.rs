//! Hosts of requests and host patterns of apis: one form, and the pattern that is most specific.

use std::cmp::Reverse;

use model::load::Spanned;
use model::problem::Problems;
use model::snapshot::PublishedApi;
use proxy::exchange::host::parse;
use proxy::program::RouteId;
use proxy::program::table::{Entry, Found, Table};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([asked, patterns]) = kit::parts(input) else { return };
    let Ok((host, port)) = parse(asked) else { return };
    assert_eq!(parse(&host), Ok((host.clone(), None)), "the plain form is plain");
    assert_eq!(parse(&host.to_ascii_uppercase()), Ok((host.clone(), None)), "case does not matter");
    if let Some(port) = port {
        assert_eq!(parse(&format!("{host}:{port}")), Ok((host.clone(), Some(port))));
    }
    let apis: Vec<PublishedApi> = patterns.lines().take(8).map(api).collect();
    let table = table(&apis, &mut Problems::new());
    let mut x = kit::exchange(http::Request::new(proxy::exchange::Body::Empty));
    x.host = host.clone();
    let found = match table.find(&x) {
        Found::Route(id, _) => Some(id.0 as usize),
        Found::Method(_) | Found::None => None,
    };
    let known = patterns.lines().take(8).enumerate().filter(|(at, _)| is_pattern(&apis[*at]));
    let best = known.filter_map(|(at, pattern)| Some((specific(pattern, &host)?, at))).min();
    assert_eq!(found, best.map(|(_, at)| at), "{host} among {patterns:?}");
}

/// An api of one host and one route.
fn api(pattern: &str) -> PublishedApi {
    let text =
        "version: 1\nupstreams: [{ name: u, targets: [{ url: 'http://127.0.0.1:1' }] }]\napis: [{ name: a, to: u }]";
    let text = text.replace("to: u", "routes: [{ to: u }]");
    let mut loaded = model::load::read_text("fuzz.yaml", &text, &model::load::Options::sealed());
    let root = loaded.root.expect("a document");
    let mut snapshot = model::resolve::resolve(&root, &mut loaded.problems).expect("a snapshot");
    let mut published = snapshot.apis.remove(0);
    published.api.hosts = vec![Spanned::from(pattern.to_owned())];
    published
}

fn table(apis: &[PublishedApi], problems: &mut Problems) -> Table {
    let entries = apis.iter().enumerate().map(|(at, published)| Entry {
        id: RouteId(at as u32),
        api: &published.api,
        name: &published.routes[0].0,
        route: &published.routes[0].1,
        path: format!("apis[{at}]"),
        knows_places: true,
    });
    Table::build(&entries.collect::<Vec<_>>(), problems)
}

fn is_pattern(api: &PublishedApi) -> bool {
    let mut problems = Problems::new();
    table(std::slice::from_ref(api), &mut problems);
    !problems.has_errors()
}

/// How specific a good pattern is where it takes a host: the least first.
fn specific(pattern: &str, host: &str) -> Option<(u8, Reverse<usize>)> {
    if pattern == "*" {
        return Some((2, Reverse(0)));
    }
    if let Some(suffix) = pattern.strip_prefix("*.") {
        let suffix = suffix.to_ascii_lowercase();
        let suffix = suffix.strip_suffix('.').unwrap_or(&suffix);
        let below = host.len() > suffix.len() + 1 && host.ends_with(&format!(".{suffix}"));
        return below.then(|| (1, Reverse(suffix.split('.').count())));
    }
    let bare = pattern.parse::<std::net::Ipv6Addr>().map(|address| format!("[{address}]"));
    let (name, _) = parse(bare.as_deref().unwrap_or(pattern)).ok()?;
    (*name == *host).then_some((0, Reverse(0)))
}
