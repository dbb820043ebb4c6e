//! Any text as a route's pattern, and any path against it: the table is built, and what it explains is what it does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::load::Spanned;
use model::problem::Problems;
use proxy::exchange::{Body, testing};
use proxy::program::RouteId;
use proxy::program::table::{Entry, Found, Table, Verdict};

const API: &str = "version: 1\nupstreams: [{ name: u, targets: [{ url: 'http://127.0.0.1:1' }] }]\n\
    apis: [{ name: a, path: /a, routes: [{ to: u }, { to: u }, { to: u }] }]";

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (template, prefix, regex, path) = input;
    let Ok(request) = http::Request::get(format!("/{path}")).body(Body::Empty) else { return };
    let mut loaded = model::load::read_text("fuzz.yaml", API, &model::load::Options::sealed());
    let root = loaded.root.expect("a document");
    let mut snapshot = model::resolve::resolve(&root, &mut loaded.problems).expect("a snapshot");
    let published = &mut snapshot.apis[0];
    published.routes[0].1.matches.path = Some(Spanned::from(template.to_owned()));
    published.routes[1].1.matches.prefix = Some(Spanned::from(prefix.to_owned()));
    published.routes[2].1.matches.regex = Some(Spanned::from(regex.to_owned()));
    let entries = published.routes.iter().enumerate().map(|(at, (name, route))| Entry {
        id: RouteId(at as u32),
        api: &published.api,
        name,
        route,
        path: format!("apis[0].routes[{at}].match"),
    });
    let table = Table::build(&entries.collect::<Vec<_>>(), &mut Problems::new());
    let x = testing::exchange(request);
    let taken = table.candidates(&x).into_iter().find(|candidate| candidate.verdict == Verdict::Taken);
    match table.find(&x) {
        Found::Route(id, captures) => {
            assert_eq!(taken.map(|taken| taken.id), Some(id));
            let path = x.request.uri.path();
            assert!(captures.iter().all(|(_, value)| path.contains(value)));
        }
        Found::Method(_) | Found::None => assert!(taken.is_none()),
    }
});
