//! Changes header fields: of the request as the upstream gets it, of the response as it comes back.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{HOST, HeaderName};
use model::load::Spanned;
use model::resource::Pairs;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::Exchange;
use crate::expr::Scope;
use crate::policies::text::{FieldValue, TextSpec};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;
use crate::terminals::{is_framing, may_set};

#[cfg(test)]
mod tests;

/// Changes header fields.
pub(crate) struct Headers;

/// Changes header fields: of the request as the upstream gets it, and of the response to a request that came so far.
/// Where several levels say something, the outer level's changes come first on the request and last on the response.
/// On each side the order is `remove`, `rename`, `set`, `add`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Changes to the request.
    request: Changes,
    /// Changes to the response.
    response: Changes,
}

/// Changes to the header fields of a message. A value is a text, or `{ cel: "…" }`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "HeaderChanges")]
pub(crate) struct Changes {
    /// Fields to be taken out. A trailing `*` takes out every field whose name begins so: `x-internal-*`.
    remove: Vec<Spanned<String>>,
    /// Fields to get another name: `{ old: new }`. A field that has the new name already is replaced.
    rename: Pairs<Spanned<String>>,
    /// Fields to have exactly this value. Where an expression has no value the field is taken out, so that what a client
    /// sent never passes for it.
    set: Pairs<TextSpec>,
    /// Fields to be added beside those that are there. An expression without a value adds nothing.
    add: Pairs<TextSpec>,
}

impl Policy for Headers {
    type Spec = Spec;
    const KIND: &'static str = "headers";
    const ORDER: (Stage, u8) = (Stage::Shape, 10);
    const MERGE: Merge = Merge::Append;
    const SCOPES: Scopes = Scopes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let request = Edits::compile(&spec.request, Scope::Request, cx);
        let response = Edits::compile(&spec.response, Scope::Response, cx);
        let step = Edit { request: request?, response: response? };
        if step.request.is_empty() && step.response.is_empty() {
            let help = "give `request` or `response` one of `set`, `add`, `remove`, `rename`";
            cx.problem(cx.span, "the policy changes nothing", help);
            return None;
        }
        Some(Arc::new(step))
    }
}

/// Changes with everything parsed.
#[derive(Default)]
struct Edits {
    remove: Box<[HeaderName]>,
    remove_starting: Box<[Box<str>]>,
    rename: Box<[(HeaderName, HeaderName)]>,
    set: Box<[(HeaderName, FieldValue)]>,
    add: Box<[(HeaderName, FieldValue)]>,
}

impl Edits {
    fn compile(written: &Changes, scope: Scope, cx: &mut Compile<'_>) -> Option<Self> {
        let (mut remove, mut remove_starting) = (Vec::new(), Vec::new());
        for name in &written.remove {
            match name.strip_suffix('*') {
                Some(start) => {
                    let start = Spanned::new(start.to_owned(), name.span);
                    remove_starting.push(cx.header_name(&start)?.as_str().into());
                }
                None => remove.extend(field_name(name, scope, cx)),
            }
        }
        let rename = written.rename.iter().filter_map(|(old, new)| {
            let old = field_name(old, scope, cx);
            old.zip(field_name(new, scope, cx))
        });
        let rename: Vec<_> = rename.collect();
        let set = fields(&written.set, scope, cx);
        let add = fields(&written.add, scope, cx);
        let complete = remove.len() + remove_starting.len() == written.remove.len()
            && rename.len() == written.rename.len()
            && set.len() == written.set.len()
            && add.len() == written.add.len();
        complete.then(|| Self {
            remove: remove.into(),
            remove_starting: remove_starting.into(),
            rename: rename.into(),
            set: set.into(),
            add: add.into(),
        })
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.remove_starting.is_empty()
            && self.rename.is_empty()
            && self.set.is_empty()
            && self.add.is_empty()
    }

    /// Makes the changes to the headers that `side` picks.
    fn apply(&self, x: &mut Exchange, side: fn(&mut Exchange) -> Option<&mut HeaderMap>) {
        let Some(headers) = side(x) else { return };
        for name in &self.remove {
            headers.remove(name);
        }
        for start in &self.remove_starting {
            remove_starting(headers, start);
        }
        for (old, new) in &self.rename {
            rename(headers, old, new);
        }
        for (name, value) in &self.set {
            let value = value.get(x);
            let Some(headers) = side(x) else { return };
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        for (name, value) in &self.add {
            if let (Some(value), Some(headers)) = (value.get(x), side(x)) {
                headers.append(name, value);
            }
        }
    }
}

/// A field name that a user may change.
fn field_name(name: &Spanned<String>, scope: Scope, cx: &mut Compile<'_>) -> Option<HeaderName> {
    let parsed = cx.header_name(name)?;
    if scope == Scope::Request && parsed == HOST {
        cx.problem(name.span, "`host` decides where a request goes", "write `rewrite: { host: … }`");
        return None;
    }
    may_set(&parsed, name.span, cx).then_some(parsed)
}

fn fields(written: &Pairs<TextSpec>, scope: Scope, cx: &mut Compile<'_>) -> Vec<(HeaderName, FieldValue)> {
    let fields = written.iter().filter_map(|(name, value)| {
        let name = field_name(name, scope, cx);
        name.zip(FieldValue::compile(value, scope, cx))
    });
    fields.collect()
}

fn remove_starting(headers: &mut HeaderMap, start: &str) {
    let meant = |name: &&HeaderName| name.as_str().starts_with(start) && !is_framing(name) && *name != HOST;
    let gone: Vec<HeaderName> = headers.keys().filter(meant).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

fn rename(headers: &mut HeaderMap, old: &HeaderName, new: &HeaderName) {
    let http::header::Entry::Occupied(entry) = headers.entry(old) else { return };
    let (_, values) = entry.remove_entry_mult();
    let values: Vec<_> = values.collect();
    headers.remove(new);
    for value in values {
        headers.append(new, value);
    }
}

struct Edit {
    request: Edits,
    response: Edits,
}

impl Step for Edit {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.request.apply(x, |x| Some(&mut x.request.headers));
        Verdict::NEXT
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.response.apply(x, |x| x.response.as_mut().map(|response| &mut response.headers));
        Verdict::NEXT
    }
}
