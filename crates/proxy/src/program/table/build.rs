//! From what is written to the table.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use model::problem::Problems;
use model::resource::VersionIn;

use super::ambiguous::Ambiguous;
use super::host::{Host, Hosts};
use super::methods::Methods;
use super::pattern::{Pattern, Segment, Tail, api_path};
use super::predicate::Predicate;
use super::report::Report;
use super::rule::{Rule, Told, place};
use super::trie::{Builder, Leaf, NodeId, RuleId};
use super::value::Test;
use super::{Entry, Table};
use crate::geo;

/// An api as its routes need it.
struct Base<'a> {
    hosts: Vec<Host>,
    /// Its path, with the version where it stands there.
    segments: Vec<Segment<'a>>,
    /// The version where it stands elsewhere.
    version: Option<Predicate>,
    /// Its routes: the rule and what the route says of the path.
    routes: Vec<(RuleId, Pattern<'a>)>,
}

/// Builds a table. Problems are told of in the order of the file, ambiguous pairs last.
pub(super) fn build(entries: &[Entry<'_>], problems: &mut Problems) -> Table {
    let mut rules: Vec<Rule> = Vec::with_capacity(entries.len());
    // The entry that each rule is of.
    let mut origins: Vec<&Entry<'_>> = Vec::with_capacity(entries.len());
    let mut bases: Vec<Base<'_>> = Vec::new();
    for of_api in entries.chunk_by(|a, b| std::ptr::eq(a.api, b.api)) {
        let Some(first) = of_api.first() else { continue };
        let Some(mut base) = base(first, problems) else { continue };
        for entry in of_api {
            let Some((mut rule, mut pattern)) = rule(entry, &base, problems) else { continue };
            let Ok(number) = RuleId::try_from(rules.len()) else { continue };
            rule.names = pattern.names.take();
            pattern.tail = match pattern.tail {
                Tail::Regex(regex) => {
                    rule.regex = Some(Box::new(regex));
                    Tail::End
                }
                other => other,
            };
            base.routes.push((number, pattern));
            rules.push(rule);
            origins.push(entry);
        }
        bases.push(base);
    }
    let (builder, hosts) = plant(&bases, &rules);
    let mut ambiguous = Ambiguous::default();
    let rank = |number: RuleId| rules.get(number as usize).map(|rule| rule.rank(number));
    let trie = builder.finish(rank, |leaf, group| ambiguous.leaf(leaf, group, &rules));
    for (a, b) in ambiguous.into_pairs() {
        if let (Some(a), Some(b)) = (origins.get(a as usize), origins.get(b as usize)) {
            tell(a, b, problems);
        }
    }
    Table { hosts, trie, rules: rules.into() }
}

/// What all routes of an api share. Without a path there is nothing to go on with.
fn base<'a>(entry: &Entry<'a>, problems: &mut Problems) -> Option<Base<'a>> {
    let api = entry.api;
    let path = entry.path.split(".routes[").next().unwrap_or_default();
    let mut report = Report::new(problems, path, api.name.span);
    let hosts = Host::compile(&api.hosts, &mut report);
    let mut segments = match api_path(&api.path) {
        Ok(segments) => segments,
        Err(wrong) => {
            report.error("config.pattern", api.path.span, wrong.message, wrong.help);
            return None;
        }
    };
    let mut version = None;
    if let Some(said) = &api.version {
        let name = said.name.as_str();
        let exact = Test::Exact(name.as_bytes().into());
        match said.place {
            VersionIn::Path => segments.push(Segment::Literal(name.into())),
            VersionIn::Header => {
                let header = http::HeaderName::from_static("accept-version");
                version = Some(Predicate::Header(header, exact));
            }
            VersionIn::MediaType => version = Some(Predicate::Accept(name.into())),
            VersionIn::Query => version = Some(Predicate::Query("version".into(), exact)),
        }
    }
    Some(Base { hosts, segments, version, routes: Vec::new() })
}

fn rule<'a>(entry: &Entry<'a>, base: &Base<'a>, problems: &mut Problems) -> Option<(Rule, Pattern<'a>)> {
    let written = &entry.route.matches;
    let mut report = Report::new(problems, entry.path.as_str(), place(entry.route));
    let methods = Methods::compile(&written.methods, &mut report);
    let mut predicates = Predicate::compile(written, &mut report);
    if let (Some(when), false) = (&written.when, entry.knows_places)
        && predicates.iter().any(Predicate::reads_geo)
    {
        report.error("config.geo", when.span, geo::MISSING, geo::MISSING_HELP);
    }
    let pattern = Pattern::compile(written, &mut report)?;
    predicates.splice(0..0, base.version.iter().cloned());
    let told = Told { name: name(entry).into(), path: show(base, &pattern).into() };
    Some((Rule::new(entry.id, methods, predicates, entry.route, told), pattern))
}

fn name(entry: &Entry<'_>) -> String {
    format!("{}/{}", *entry.api.name, entry.name)
}

/// The whole path pattern as a user would write it.
fn show(base: &Base<'_>, pattern: &Pattern<'_>) -> String {
    let mut shown = String::new();
    for segment in &base.segments {
        if let Segment::Literal(text) = segment {
            shown.push('/');
            shown.push_str(text);
        }
    }
    match &pattern.tail {
        Tail::Regex(path) => {
            let under = if shown.is_empty() { "/" } else { &shown };
            return format!("regex `{}` under {under}", path.written);
        }
        Tail::Root if shown.is_empty() => shown.push('/'),
        Tail::Root => {}
        Tail::End | Tail::Rest => shown.push_str(&pattern.to_string()),
        Tail::Prefix => {
            shown.push_str(&pattern.to_string());
            shown.push_str("/…");
        }
    }
    shown
}

/// Puts the rules into the trie. Hosts that have the same apis share a root.
fn plant(bases: &[Base<'_>], rules: &[Rule]) -> (Builder, Hosts) {
    let mut builder = Builder::default();
    let mut hosts = Hosts::default();
    let mut apis: HashMap<&Host, Vec<usize>> = HashMap::new();
    let mut order: Vec<&Host> = Vec::new();
    for (at, base) in bases.iter().enumerate() {
        for host in &base.hosts {
            let of_host = apis.entry(host).or_default();
            if of_host.is_empty() {
                order.push(host);
            }
            of_host.push(at);
        }
    }
    let mut roots: HashMap<Vec<usize>, NodeId> = HashMap::new();
    for host in order {
        let root = match roots.entry(apis.remove(host).unwrap_or_default()) {
            Place::Occupied(known) => *known.get(),
            Place::Vacant(place) => {
                let root = builder.root();
                for base in place.key().iter().filter_map(|&at| bases.get(at)) {
                    plant_api(&mut builder, root, base, rules);
                }
                *place.insert(root)
            }
        };
        hosts.insert(host, root);
    }
    (builder, hosts)
}

fn plant_api(builder: &mut Builder, root: NodeId, base: &Base<'_>, rules: &[Rule]) {
    let top = base.segments.iter().fold(root, |node, segment| step(builder, node, segment));
    for (number, pattern) in &base.routes {
        let node = pattern.segments.iter().fold(top, |node, segment| step(builder, node, segment));
        let is_regex = rules.get(*number as usize).is_some_and(|rule| rule.regex.is_some());
        let leaf = match &pattern.tail {
            Tail::Root => {
                let slash = builder.literal(node, "");
                builder.place(slash, Leaf::End, *number);
                Leaf::End
            }
            _ if is_regex => Leaf::Regex,
            Tail::End | Tail::Regex(_) => Leaf::End,
            Tail::Rest => Leaf::Rest,
            Tail::Prefix => Leaf::Prefix,
        };
        builder.place(node, leaf, *number);
    }
}

fn step(builder: &mut Builder, node: NodeId, segment: &Segment<'_>) -> NodeId {
    match segment {
        Segment::Literal(text) => builder.literal(node, text),
        Segment::Param => builder.param(node),
    }
}

/// Tells of an ambiguous pair at the later of the two.
fn tell(a: &Entry<'_>, b: &Entry<'_>, problems: &mut Problems) {
    let message = format!(
        "routes `{}` and `{}` are ambiguous: they are equally specific and a request can match both",
        name(a),
        name(b)
    );
    let help = "give one of them a higher `priority`, or conditions that keep them apart";
    Report::new(problems, b.path.as_str(), b.api.name.span).error("config.ambiguous", place(b.route), message, help);
}
