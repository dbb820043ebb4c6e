//! What a user writes.

use model::load::Spanned;
use model::value::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Exempt;
use crate::policies::cors::origin::{OriginSpec, Origins};
use crate::policies::denial::{Mode, Tell};
use crate::program::Compile;

/// Keeps pages of other sites from acting as their visitor (cross-site request forgery). A request that may change
/// something, or opens a WebSocket, must come from the same host or a listed origin, as `Sec-Fetch-Site`, `Origin` or
/// `Referer` say; otherwise it is refused with 403. `csrf: {}` is enough for most; no tokens are needed.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Csrf")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Other origins whose pages may act: as browsers send them (`https://app.example.com`), with `*` in place of the first
    /// labels of a host, or `{ regex: … }` over the whole origin.
    #[schemars(extend("default" = []))]
    origins: OneOrMany<OriginSpec>,
    /// Paths that are not checked, such as those of webhooks: `/hooks`, or `/hooks/*` with all below.
    #[schemars(extend("default" = []))]
    exempt: Vec<Spanned<String>>,
    /// Which requests are checked.
    pub(super) check: Check,
    /// Header fields with credentials that no page of another site can send unasked. `Basic`, `Digest` and `Negotiate` are
    /// none of them, as browsers repeat these by themselves.
    #[schemars(extend("default" = ["authorization", "x-api-key"]))]
    pub(super) credentials: Vec<Spanned<String>>,
    /// What becomes of requests that come with a cookie or the like and do not say where from.
    pub(super) undeclared: Undeclared,
    /// Who is told why.
    pub(super) tell: Tell,
    /// Whether it denies.
    pub(super) mode: Mode,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            origins: OneOrMany::default(),
            exempt: Vec::new(),
            check: Check::default(),
            credentials: ["authorization", "x-api-key"].map(|name| Spanned::from(name.to_owned())).into(),
            undeclared: Undeclared::default(),
            tell: Tell::default(),
            mode: Mode::default(),
        }
    }
}

/// Which requests are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "CsrfCheck")]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    /// All but those that have one of `credentials` and nothing that a browser adds by itself: no cookie, password or
    /// client certificate.
    #[default]
    Ambient,
    /// All.
    All,
}

/// What becomes of requests that do not say where they come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "CsrfUndeclared")]
#[serde(rename_all = "snake_case")]
pub(super) enum Undeclared {
    /// They are refused.
    #[default]
    Deny,
    /// They pass: for programs that keep cookies. Browsers have said where from since 2020.
    Allow,
}

const MOST: usize = 1_000;

impl Spec {
    /// The other origins; `None` with a problem.
    pub(super) fn origins(&self, cx: &mut Compile<'_>) -> Option<Origins> {
        let mut wrong = false;
        for spec in self.origins.iter() {
            if let OriginSpec::Plain(text) = spec
                && matches!(text.as_str(), "*" | "null")
            {
                let message = format!("`{}` would let any page act as its visitor", **text);
                cx.problem(text.span, message, "name the origins, or take the policy out");
                wrong = true;
            }
        }
        match () {
            () if wrong => None,
            () if self.origins.is_empty() => Some(Origins::default()),
            () => Origins::compile(&self.origins, true, cx),
        }
    }

    /// Paths that are not checked; `None` with a problem.
    pub(super) fn exempt(&self, cx: &mut Compile<'_>) -> Option<Box<[Exempt]>> {
        if self.exempt.len() > MOST {
            cx.problem(cx.span, format!("`exempt` has more than {MOST} paths"), "leave some out");
            return None;
        }
        let paths: Vec<Exempt> = self
            .exempt
            .iter()
            .filter_map(|text| {
                let plain = |path: &str| path.starts_with('/') && !path.contains(['*', '?', '#']);
                let made = match text.strip_suffix("/*") {
                    Some("") => None,
                    Some(start) => plain(start).then(|| Exempt::Below(start.into())),
                    None => plain(text).then(|| Exempt::Path(text.as_str().into())),
                };
                if made.is_none() {
                    cx.problem(text.span, format!("`{}` is no such path", **text), "write `/hooks` or `/hooks/*`");
                }
                made
            })
            .collect();
        (paths.len() == self.exempt.len()).then(|| paths.into())
    }
}
