//! What a template refers to, taken out of an exchange.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use minijinja::Value as Dynamic;
use minijinja::value::{Enumerator, Object};
use serde_json::Value as Json;

use super::place;
use crate::exchange::Exchange;
use crate::expr::fact::{Map, field};
use crate::expr::parse::Fault;
use crate::expr::schema::{self, Source, Variable};
use crate::expr::{Reads, Scope, Value, claims};

/// One name under a name, or at the top.
pub(super) struct Need {
    segment: &'static str,
    variable: Option<&'static Variable>,
    under: Vec<Need>,
}

/// Checks the names that a template refers to, and gives what has to be at hand.
pub(super) fn needs(text: &str, names: &[String], scope: Scope) -> Result<(Vec<Need>, Reads), Vec<Fault>> {
    let mut needs = Vec::new();
    let mut reads = Reads::default();
    let mut faults = Vec::new();
    for name in names {
        match known(name, scope) {
            Ok(variable) => {
                reads.add(variable.reads());
                add(&mut needs, variable);
            }
            Err((message, help)) => {
                let at = place::name(text, name).unwrap_or(0..text.len());
                faults.push(Fault::new(at, message, help));
            }
        }
    }
    if faults.is_empty() { Ok((needs, reads)) } else { Err(faults) }
}

/// The variable that a dotted name begins with, or why there is none.
fn known(name: &str, scope: Scope) -> Result<&'static Variable, (String, String)> {
    let mut above = String::new();
    let mut group = None;
    for segment in name.split('.') {
        let so_far = format!("{above}{segment}");
        match schema::variable(&so_far) {
            Some(variable) if matches!(variable.source, Source::Group(_)) => group = Some(variable),
            Some(variable) => return variable.refusal(scope).map_or(Ok(variable), Err),
            None if schema::children(&format!("{so_far}.")).next().is_none() => {
                return Err(schema::unknown(&above, segment));
            }
            None => group = None,
        }
        above = format!("{so_far}.");
    }
    let variable = group.ok_or_else(|| schema::is_group(name))?;
    variable.refusal(scope).map_or(Ok(variable), Err)
}

fn add(needs: &mut Vec<Need>, variable: &'static Variable) {
    let mut level = needs;
    let mut name = String::new();
    for segment in variable.name.split('.') {
        name.push_str(segment);
        let at = level.iter().position(|need| need.segment == segment).unwrap_or_else(|| {
            level.push(Need { segment, variable: schema::variable(&name), under: Vec::new() });
            level.len() - 1
        });
        let Some(need) = level.get_mut(at) else { return };
        level = &mut need.under;
        name.push('.');
    }
}

/// What the exchange has of it.
pub(super) fn of(needs: &[Need], x: &Exchange) -> Dynamic {
    names(needs, |need| of_one(need, x))
}

fn of_one(need: &Need, x: &Exchange) -> Dynamic {
    match need.variable.map(|variable| variable.source) {
        Some(Source::Fact(fact)) => plain(fact.get(x)),
        Some(Source::Map(map)) => entries(map, x),
        Some(Source::Group(group)) if !group.given(x) => Dynamic::UNDEFINED,
        Some(Source::Group(_)) | None => of(&need.under, x),
    }
}

/// The same with more names.
pub(super) fn with(needs: &[Need], x: &Exchange, own: Vec<(&'static str, Dynamic)>) -> Dynamic {
    if own.is_empty() {
        return of(needs, x);
    }
    let known = needs.iter().map(|need| (need.segment, of_one(need, x)));
    Dynamic::from_object(Names(known.chain(own).collect()))
}

/// The same of an exchange that has nothing.
pub(super) fn nothing(needs: &[Need]) -> Dynamic {
    names(needs, |need| match need.variable.map(|variable| variable.source) {
        Some(Source::Fact(_) | Source::Map(_)) => Dynamic::UNDEFINED,
        Some(Source::Group(_)) | None => nothing(&need.under),
    })
}

fn names(needs: &[Need], value: impl Fn(&Need) -> Dynamic) -> Dynamic {
    Dynamic::from_object(Names(needs.iter().map(|need| (need.segment, value(need))).collect()))
}

fn plain(value: Value<'_>) -> Dynamic {
    match value {
        Value::Absent => Dynamic::UNDEFINED,
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Double(value) => value.into(),
        Value::Text(text) => Dynamic::from(text.as_ref()),
        Value::List(items) => items.into_iter().map(plain).collect::<Vec<_>>().into(),
    }
}

fn entries(map: Map, x: &Exchange) -> Dynamic {
    if map == Map::Claims {
        return claims::all(x).map_or(Dynamic::UNDEFINED, |claims| Dynamic::from(object(claims)));
    }
    if let Some(headers) = map.headers(x) {
        return Dynamic::from_object(Fields(headers.clone()));
    }
    let keys = map.keys(x);
    let pairs = keys.into_iter().map(|key| (key.clone().into_owned(), plain(map.get(x, &key))));
    Dynamic::from(pairs.collect::<BTreeMap<_, _>>())
}

fn object(claims: &serde_json::Map<String, Json>) -> BTreeMap<String, Dynamic> {
    claims.iter().map(|(name, claim)| (name.clone(), claimed(claim))).collect()
}

fn claimed(claim: &Json) -> Dynamic {
    match claim {
        Json::Object(claims) => object(claims).into(),
        Json::Array(items) => items.iter().map(claimed).collect::<Vec<_>>().into(),
        plain_one => plain(claims::value(plain_one)),
    }
}

/// A group of names.
#[derive(Debug)]
struct Names(Vec<(&'static str, Dynamic)>);

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Dynamic) -> Option<Dynamic> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Dynamic> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
    }

    /// A group that is there counts, whatever is under it.
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// The fields of a head, found whatever their case.
#[derive(Debug)]
struct Fields(HeaderMap);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Dynamic) -> Option<Dynamic> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Dynamic> {
        let name = HeaderName::try_from(key).ok()?;
        let value = plain(field(&self.0, &name));
        (!value.is_undefined()).then_some(value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|name| Dynamic::from(name.as_str())).collect())
    }
}
