//! Changes where a request goes within its upstream: path, query, host.

mod path;

use std::sync::Arc;

use http::uri::Authority;
use model::load::Spanned;
use model::resource::Pairs;
use schemars::JsonSchema;
use serde::Deserialize;

use self::path::{PathRewrite, RegexSpec};
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::expr::Scope;
use crate::policies::template::UrlTemplate;
use crate::policies::text::{TextSpec, TextValue};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict, query};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Changes path, query and host.
pub(crate) struct Rewrite;

/// Changes path, query and host of the request as the upstream gets it. The path that is changed is what the upstream
/// would see: without the api's `path` where that is stripped. In texts `{name}` is a capture of the route,
/// `{request.path}`, `{request.host}` and `{request.scheme}` are parts of the request, `{{` and `}}` are braces.
/// `{ cel: "…" }` takes the value of an expression.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// The new path, such as `/v2/users/{id}`; not beside the other ways to change the path.
    path: Option<TextSpec>,
    /// Takes a prefix of whole segments off a path that has it. Comes first.
    strip_prefix: Option<Spanned<String>>,
    /// Replaces what a regular expression finds first. Comes second.
    regex: Option<RegexSpec>,
    /// Puts a prefix in front. Comes last.
    add_prefix: Option<Spanned<String>>,
    /// The host that the upstream is asked for, with the port if there is one.
    host: Option<TextSpec>,
    /// Changes to the query.
    query: QuerySpec,
}

/// Changes to the query: `remove`, then `set`, then `add`. Names and values are plain text; they are encoded as needed.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "QueryChanges")]
struct QuerySpec {
    /// Parameters to be taken out; `*` takes all out.
    remove: Vec<Spanned<String>>,
    /// Parameters to have exactly this value. Where an expression has no value the parameter is taken out.
    set: Pairs<TextSpec>,
    /// Parameters to be added beside those that are there. An expression without a value adds nothing.
    add: Pairs<TextSpec>,
}

static FAILED: Code =
    Code { name: "rewrite.failed", status: 500, title: "Rewrite failed", blame: Blame::Gateway, proxy_status: None };

impl Policy for Rewrite {
    type Spec = Spec;
    const KIND: &'static str = "rewrite";
    const ORDER: (Stage, u8) = (Stage::Shape, 20);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&FAILED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let path = PathRewrite::compile(&spec, cx);
        let host = spec.host.as_ref().map(|host| Text::compile(host, cx));
        let query = QueryEdits::compile(&spec.query, cx);
        if let (Some(TextSpec::Literal(host)), Some(Some(Text::Plain(_)))) = (&spec.host, &host)
            && authority(host).is_none()
        {
            cx.problem(
                host.span,
                format!("`{}` is not a host", **host),
                "write a name or address, with `:port` if need be",
            );
        }
        let host = match host {
            Some(host) => Some(host?),
            None => None,
        };
        let step = Rewriter { path: path?, host, query: query? };
        if matches!(step.path, PathRewrite::Keep) && step.host.is_none() && step.query.is_empty() {
            cx.problem(cx.span, "the policy changes nothing", "give `path`, `host` or `query`, or a prefix");
            return None;
        }
        Some(Arc::new(step))
    }
}

/// A text with holes, or an expression.
enum Text {
    Plain(Box<str>),
    Template(UrlTemplate),
    Value(TextValue),
}

impl Text {
    fn compile(written: &TextSpec, cx: &mut Compile<'_>) -> Option<Self> {
        Some(match written {
            TextSpec::Literal(text) if text.contains(['{', '}']) => Text::Template(UrlTemplate::compile(text, cx)?),
            TextSpec::Literal(text) => Text::Plain(text.value.as_str().into()),
            TextSpec::Cel(_) => Text::Value(TextValue::compile(written, Scope::Request, cx)?),
        })
    }

    /// The text, with captures as they stood in the path (`Raw`) or as what they mean.
    fn get(&self, x: &Exchange, form: Form) -> Option<String> {
        match (self, form) {
            (Text::Plain(text), _) => Some((**text).to_owned()),
            (Text::Template(template), Form::Raw) => template.render(x),
            (Text::Template(template), Form::Decoded) => template.render_decoded(x),
            (Text::Value(value), _) => value.get(x).map(std::borrow::Cow::into_owned),
        }
    }
}

/// How captures are put in.
#[derive(Clone, Copy)]
enum Form {
    Raw,
    Decoded,
}

/// A host with or without port, and nothing else.
fn authority(text: &str) -> Option<Authority> {
    text.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
}

struct Rewriter {
    path: PathRewrite,
    host: Option<Text>,
    query: QueryEdits,
}

impl Step for Rewriter {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        match self.rewrite(x) {
            Some(()) => Verdict::NEXT,
            None => Verdict::fail(Error::new(&FAILED, "The request could not be rewritten.")),
        }
    }
}

impl Rewriter {
    /// Rewrites, or leaves the request as it is where the result is no request.
    fn rewrite(&self, x: &mut Exchange) -> Option<()> {
        let own = path::towards_upstream(x);
        let path = match &self.path {
            PathRewrite::Keep => None,
            changes => Some(changes.apply(own, x).filter(|path| path::is_sound(path))?),
        };
        let host = match &self.host {
            Some(host) => Some(authority(&host.get(x, Form::Raw)?)?),
            None => None,
        };
        if path.is_some() || !self.query.is_empty() {
            let query = self.query.apply(x);
            let kept = path.as_deref().unwrap_or_else(|| x.request.uri.path());
            x.request.uri = query::with_path_and_query(&x.request.uri, kept, query.as_deref())?;
        }
        if path.is_some() {
            x.strip = 0;
        }
        x.upstream_host = host.or(x.upstream_host.take());
        Some(())
    }
}

struct QueryEdits {
    all: bool,
    remove: Box<[Box<str>]>,
    set: Box<[(Box<str>, Text)]>,
    add: Box<[(Box<str>, Text)]>,
}

impl QueryEdits {
    fn compile(written: &QuerySpec, cx: &mut Compile<'_>) -> Option<Self> {
        let pairs = |pairs: &Pairs<TextSpec>, cx: &mut Compile<'_>| {
            let compiled = pairs
                .iter()
                .filter_map(|(name, value)| Some((Box::<str>::from(name.as_str()), Text::compile(value, cx)?)));
            let compiled: Vec<_> = compiled.collect();
            (compiled.len() == pairs.len()).then(|| compiled.into_boxed_slice())
        };
        let (set, add) = (pairs(&written.set, cx), pairs(&written.add, cx));
        Some(Self {
            all: written.remove.iter().any(|name| *name.value == *"*"),
            remove: written.remove.iter().map(|name| name.as_str().into()).collect(),
            set: set?,
            add: add?,
        })
    }

    fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// The query after the changes.
    fn apply(&self, x: &Exchange) -> Option<String> {
        let written = x.request.uri.query();
        if self.is_empty() {
            return written.map(str::to_owned);
        }
        let gone = |name: &str| {
            self.all || self.remove.iter().any(|gone| **gone == *name) || self.set.iter().any(|(set, _)| **set == *name)
        };
        let mut query = query::without(written.unwrap_or_default(), gone);
        for (name, value) in self.set.iter().chain(&self.add) {
            if let Some(value) = value.get(x, Form::Decoded) {
                query::push(&mut query, name, &value);
            }
        }
        Some(query)
    }
}
