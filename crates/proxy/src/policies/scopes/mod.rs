//! Asks for scopes of the credential.

use std::sync::Arc;

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use model::load::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::{Blame, Code, Exchange};
use crate::policies::denial::{Tell, denied, unidentified};
use crate::policies::{Merge, Policy, Scopes as Levels, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Asks for scopes of the credential.
pub(crate) struct Scopes;

/// Asks for scopes of the credential: those of a token, or those that stand at a consumer's credential (`scopes`). Where several levels have such a policy, each must be
/// content.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Scopes that it must have, each of them.
    all: Vec<Spanned<String>>,
    /// Scopes of which it must have one.
    any: Vec<Spanned<String>>,
    /// Who is told why a request is denied; the scopes themselves stand in the challenge for everyone.
    tell: Tell,
}

static INSUFFICIENT: Code = Code {
    name: "scopes.insufficient",
    status: 403,
    title: "Insufficient scope",
    blame: Blame::Client,
    proxy_status: None,
};

const MOST: usize = 100;

impl Policy for Scopes {
    type Spec = Spec;
    const KIND: &'static str = "scopes";
    const ORDER: (Stage, u8) = (Stage::Authorize, 30);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Levels = Levels::PATH;
    const CODES: &'static [&'static Code] = &[&INSUFFICIENT];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let written = || spec.all.iter().chain(&spec.any);
        if !(1..=MOST).contains(&written().count()) {
            cx.problem(
                cx.span,
                format!("from 1 to {MOST} scopes are asked for"),
                "write `all: [users.read]`, or `any`",
            );
            return None;
        }
        let mut good = true;
        for scope in written().filter(|scope| !is_scope(scope)) {
            let message = format!("`{}` is not a scope", **scope);
            cx.problem(scope.span, message, "a scope has no spaces, quotes or backslashes; list several");
            good = false;
        }
        let asked: Vec<&str> = written().map(|scope| scope.as_str()).collect();
        let more = format!(", error=\"insufficient_scope\", scope=\"{}\"", asked.join(" "));
        let challenge = cx.challenge("Bearer", None, &more)?;
        let names = |scopes: &[Spanned<String>]| scopes.iter().map(|scope| scope.as_str().into()).collect();
        let (all, any) = (names(&spec.all), names(&spec.any));
        good.then(|| Arc::new(Ask { all, any, challenge, tell: spec.tell }) as Arc<dyn Step>)
    }
}

/// Whether it is a scope (RFC 6749 section 3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

struct Ask {
    all: Box<[Box<str>]>,
    any: Box<[Box<str>]>,
    challenge: HeaderValue,
    tell: Tell,
}

impl Step for Ask {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(identity) = &x.identity else { return Verdict::fail(unidentified(x)) };
        let held: &[Box<str>] = identity.learnt.as_ref().map_or(&[], |learnt| &learnt.scopes);
        let lacking = self.all.iter().find(|scope| !held.contains(scope));
        if lacking.is_none() && (self.any.is_empty() || self.any.iter().any(|scope| held.contains(scope))) {
            return Verdict::NEXT;
        }
        let why = match lacking {
            Some(scope) => format!("the credential lacks the scope `{scope}`"),
            None => format!("the credential has none of the scopes `{}`", self.any.join("`, `")),
        };
        let error = denied(&INSUFFICIENT, why, self.tell);
        Verdict::fail(error.header(WWW_AUTHENTICATE, self.challenge.clone()))
    }
}
