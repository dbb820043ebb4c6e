//! Tells the upstream who calls, in header fields that no client can write.
//!
//! The fields are taken out of every request, whoever sent it, and put in as soon as the caller is known: before anything
//! else of the gateway could read what a client wrote there.

mod jwt;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use model::load::Spanned;
use model::resource::Pairs;
use schemars::JsonSchema;
use serde::Deserialize;

use self::jwt::Signer;
use crate::exchange::{Error, Exchange, codes};
use crate::expr::{Expr, Scope};
use crate::policies::text::TextSpec;
use crate::policies::{FieldNames, Merge, Policy, Scopes, Stage, Step, Verdict, When};
use crate::program::Compile;
use crate::terminals::may_set;

#[cfg(test)]
mod tests;

/// Tells the upstream who calls.
pub(crate) struct IdentityHeaders;

/// Tells the upstream who calls, in header fields that are taken out of what clients send, also where nobody is identified.
/// `identity_headers: {}` sets `x-consumer-name`, `x-consumer-groups`, `x-credential-name` and `x-auth-subject`;
/// `jwt` adds a token that the gateway signs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Fields with what they tell: one of `consumer`, `groups` (comma-separated, without those that have a comma in their
    /// name), `plan`, `credential`, `method`, `subject`, `scopes` (space-separated), or an expression such as
    /// `{ cel: auth.claims.email }`. At most 64; one without a value is not sent.
    #[schemars(extend("default" = {
        "x-consumer-name": "consumer", "x-consumer-groups": "groups", "x-credential-name": "credential",
        "x-auth-subject": "subject"
    }))]
    headers: Pairs<TextSpec>,
    /// A token (JWT) that tells it, signed by the gateway: for an upstream that others can reach too. Beside `headers`,
    /// which may then be empty.
    jwt: Option<jwt::Spec>,
}

impl Default for Spec {
    fn default() -> Self {
        let fields = [
            ("x-consumer-name", "consumer"),
            ("x-consumer-groups", "groups"),
            ("x-credential-name", "credential"),
            ("x-auth-subject", "subject"),
        ];
        let text = |text: &str| Spanned::from(text.to_owned());
        Self {
            headers: Pairs(fields.map(|(name, word)| (text(name), TextSpec::Literal(text(word)))).into()),
            jwt: None,
        }
    }
}

/// What a word stands for. One group must not read as two, whoever named it.
const WORDS: &[(&str, &str)] = &[
    ("consumer", "auth.consumer.name"),
    ("groups", "auth.groups.filter(group, !group.contains(',')).join(',')"),
    ("plan", "auth.plan"),
    ("credential", "auth.credential"),
    ("method", "auth.method"),
    ("subject", "auth.subject"),
    ("scopes", "auth.scopes.filter(scope, !scope.contains(' ')).join(' ')"),
];

const MOST: usize = 64;

impl Policy for IdentityHeaders {
    type Spec = Spec;
    const KIND: &'static str = "identity_headers";
    const ORDER: (Stage, u8) = (Stage::Authorize, 1);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    // Under a condition, what a client wrote would pass for the gateway's word.
    const WHEN: When = When::Refused;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if (spec.headers.is_empty() && spec.jwt.is_none()) || spec.headers.len() > MOST {
            cx.problem(
                cx.span,
                format!("`headers` has not from 1 to {MOST} fields"),
                "leave it out for the usual ones",
            );
            return None;
        }
        let compiled: Vec<_> = spec.headers.iter().map(|(name, value)| field(name, value, cx)).collect();
        let fields: Box<[_]> = compiled.into_iter().collect::<Option<_>>()?;
        let token = match spec.jwt {
            None => None,
            Some(written) => Some(written.compile(cx)?),
        };
        if let Some(token) = token.as_ref().filter(|token| fields.iter().any(|(name, _)| *name == token.header)) {
            cx.problem(cx.span, format!("`{}` is told twice", token.header), "give the token a field of its own");
        }
        Some(Arc::new(Tell { fields, token }))
    }
}

fn field(name: &Spanned<String>, value: &TextSpec, cx: &mut Compile<'_>) -> Option<(HeaderName, Expr)> {
    let parsed = cx.header_name(name).filter(|parsed| may_set(parsed, name.span, cx));
    let source = match value {
        TextSpec::Cel(text) => text.clone(),
        TextSpec::Literal(word) => match WORDS.iter().find(|(known, _)| *known == word.as_str()) {
            Some((_, source)) => Spanned::new((*source).to_owned(), word.span),
            None => {
                let words: Vec<_> = WORDS.iter().map(|(word, _)| format!("`{word}`")).collect();
                let help = format!("write one of {}, or `{{ cel: … }}`", words.join(", "));
                cx.problem(word.span, format!("`{}` is nothing of an identity", **word), help);
                return None;
            }
        },
    };
    parsed.zip(cx.expr(&source, Scope::Request))
}

struct Tell {
    fields: Box<[(HeaderName, Expr)]>,
    token: Option<Signer>,
}

impl Step for Tell {
    fn owns(&self) -> FieldNames {
        let token = self.token.iter().map(|token| token.header.clone());
        self.fields.iter().map(|(name, _)| name.clone()).chain(token).collect()
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let Some(identity) = &x.identity else { return Verdict::NEXT };
        if let Some(signer) = &self.token {
            // An upstream that believes the token alone must not mistake a caller for nobody.
            let Some(token) = signer.token(x, identity) else {
                return Verdict::fail(Error::new(&codes::INTERNAL, "Nobody can say at this time who calls."));
            };
            x.request.headers.insert(signer.header.clone(), token);
        }
        for (name, value) in &self.fields {
            let value = value.text(x).filter(|text| !text.is_empty());
            if let Some(value) = value.and_then(|text| HeaderValue::try_from(text.as_ref()).ok()) {
                x.request.headers.insert(name, value);
            }
        }
        Verdict::NEXT
    }
}
