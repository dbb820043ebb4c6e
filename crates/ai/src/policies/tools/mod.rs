//! Which tools the models of a call may call.

mod answer;
mod offer;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use model::load::Spanned;
use proxy::exchange::{Blame, Code, Error, Exchange};
use proxy::policies::{Merge, Needs, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::answer::Offered;
use self::offer::Offer;
use crate::call::{AiCall, Names};
use crate::terminal::codes;

#[cfg(test)]
mod tests;

/// Which tools the models of a call may call.
pub(crate) struct Tools;

/// Which tools callers may give to models, by name, where `*` at the end stands for whatever follows. A provider's own tools
/// go by their type (`web_search`, `code_interpreter`; Gemini's as `google_search`), the servers of the Model Context Protocol
/// as `mcp:` and their name. Where several levels say it, each must let a tool through: a plan or a consumer can only narrow
/// what its api grants.
///
/// A model that calls a tool which it was not given is held to it too: such a call never reaches the caller.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "ToolsPolicy")]
pub(crate) struct Spec {
    /// Those that may be given; none means all but those denied.
    allow: Vec<Spanned<String>>,
    /// Those that may not, even if allowed too.
    deny: Vec<Spanned<String>>,
    /// What becomes of a request with others.
    others: Others,
}

/// What becomes of tools that are not granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OtherTools")]
enum Others {
    /// The request is refused with 403, and an answer that calls one is a failure.
    #[default]
    Refuse,
    /// They are taken out, of requests and of answers. `x-tollgate-tools-taken-out` names those of the request. A request that
    /// insists on one is refused all the same.
    Strip,
}

static NOT_GRANTED: Code = Code {
    name: "tools.not_granted",
    status: 403,
    title: "Tool not granted",
    blame: Blame::Client,
    proxy_status: None,
};
static NOT_OFFERED: Code = Code {
    name: "tools.not_offered",
    status: 502,
    title: "The model called a tool that it was not given",
    blame: Blame::Upstream,
    proxy_status: None,
};
static TAKEN_OUT: HeaderName = HeaderName::from_static("x-tollgate-tools-taken-out");

const MOST: usize = 10_000;
/// The most names that are told of.
const MOST_TOLD: usize = 20;

impl Policy for Tools {
    type Spec = Spec;
    const KIND: &'static str = "tools";
    const ORDER: (Stage, u8) = (Stage::Authorize, 92);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&NOT_GRANTED, &NOT_OFFERED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let grants = Grants { allow: names(&spec.allow, cx)?, deny: names(&spec.deny, cx)? };
        if grants.allow.is_empty() && grants.deny.is_empty() {
            cx.problem(cx.span, "the policy grants every tool", "write `allow: [a-tool]`, or `deny`");
            return None;
        }
        Some(Arc::new(Gate { grants, others: spec.others }))
    }
}

fn names(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Names> {
    let mut names = Names::default();
    if written.len() > MOST {
        cx.problem(cx.span, format!("more than {MOST} names"), "use patterns such as `search_*`");
        return None;
    }
    let mut good = true;
    for pattern in written {
        if !names.add(pattern) {
            let message = format!("`{}` is not a tool's name", **pattern);
            cx.problem(pattern.span, message, "write a name, or the beginning of one with `*` after it");
            good = false;
        }
    }
    good.then_some(names)
}

struct Grants {
    allow: Names,
    deny: Names,
}

impl Grants {
    fn has(&self, name: &str) -> bool {
        (self.allow.is_empty() || self.allow.has(name)) && !self.deny.has(name)
    }
}

struct Gate {
    grants: Grants,
    others: Others,
}

impl Step for Gate {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        let (format, strips) = (call.turn.format, self.others == Others::Strip);
        let mut offer = Offer::default();
        let edited = call.edit(|request| {
            offer = Offer::only(format, request, &|name| self.grants.has(name));
            strips && offer.insists.is_none() && !offer.out.is_empty()
        });
        if let Err(refused) = edited {
            return Verdict::fail(Error::new(&codes::BAD_REQUEST, refused.to_string()));
        }
        let refused = offer.insists.as_ref().or(if strips { None } else { offer.out.first() });
        if let Some(name) = refused {
            let named: String = name.chars().take(200).collect();
            return Verdict::fail(Error::new(&NOT_GRANTED, format!("The tool `{named}` is not granted.")));
        }
        // A model that was given none calls none that anybody would know.
        if !offer.left.is_empty() || !offer.out.is_empty() {
            call.watch(Box::new(Offered::new(offer.left, strips)));
        }
        let told = offer.out.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
        if let Some(told) = HeaderValue::try_from(told).ok().filter(|told| !told.is_empty()) {
            x.reply_headers.push((TAKEN_OUT.clone(), told));
        }
        Verdict::NEXT
    }
}
