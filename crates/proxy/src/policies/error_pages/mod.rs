//! Shows errors as pages to those who like pages.

mod status;

use std::cmp::Ordering;
use std::sync::Arc;

use http::header::{
    ACCEPT, ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED,
};
use http::{Method, StatusCode};
use model::load::Spanned;
use model::value::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::status::Statuses;
use crate::exchange::{Body, Exchange, Transforms, Upgraded};
use crate::expr::{Scope, Template};
use crate::policies::quality::items;
use crate::policies::{Merge, Need, Needs, Policy, Scopes, Stage, Step, Verdict, vary};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Shows errors as pages.
pub(crate) struct ErrorPages;

/// Shows errors as pages. Who would rather have a page than the answer as it is (a browser rather HTML than the problem
/// document of RFC 9457) gets it, with the same status and header fields. `error_pages: {}` is one plain page of HTML for
/// every error of the gateway, those of requests that match no route included where it stands on the listener.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// The pages, at most 64. Of those for a status the client gets the one that its `Accept` likes best, the first among
    /// equals.
    #[schemars(length(min = 1, max = 64), extend("default" = [{}]))]
    pages: Vec<PageSpec>,
    /// Whose errors.
    answers: Answers,
    /// Who gets a page.
    choose: Choose,
}

impl Default for Spec {
    fn default() -> Self {
        Self { pages: vec![PageSpec::default()], answers: Answers::default(), choose: Choose::default() }
    }
}

/// A page.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ErrorPage")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PageSpec {
    /// For which statuses: `404`, or all of a class, `4xx` or `5xx`.
    #[schemars(extend("default" = ["4xx", "5xx"]))]
    status: OneOrMany<Statuses>,
    /// Its content type.
    content_type: Spanned<String>,
    /// The page, a template (Jinja) over the variables of expressions: `response.status` and `response.reason`, and of the
    /// gateway's own errors `error.title`, `error.detail` and `error.code`; `request.id` where the request has one. Values
    /// are escaped as the content type asks. `${file:error.html}` takes it from a file. A plain page of HTML when not given.
    body: Option<Spanned<String>>,
}

impl Default for PageSpec {
    fn default() -> Self {
        Self {
            status: [Statuses::Class(4), Statuses::Class(5)].into_iter().collect(),
            content_type: Spanned::from("text/html; charset=utf-8".to_owned()),
            body: None,
        }
    }
}

/// Whose errors become pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "ErrorPagesOf")]
#[serde(rename_all = "snake_case")]
enum Answers {
    /// The gateway's own.
    #[default]
    Gateway,
    /// And those that the route's upstream or terminal answers with.
    All,
}

/// Who gets a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "ErrorPagesFor")]
#[serde(rename_all = "snake_case")]
enum Choose {
    /// Who likes its content type more than that of the answer as it is, or equally where both are of one kind: JSON
    /// takes the place of JSON.
    #[default]
    Accepted,
    /// Everyone.
    Always,
}

const MOST_PAGES: usize = 64;

/// What is shown where no page is written.
const PLAIN_PAGE: &str = include_str!("page.html");

impl Policy for ErrorPages {
    type Spec = Spec;
    const KIND: &'static str = "error_pages";
    const ORDER: (Stage, u8) = (Stage::Deliver, 20);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.pages.is_empty() || spec.pages.len() > MOST_PAGES {
            let message = format!("`pages` has {}, not from 1 to {MOST_PAGES}", spec.pages.len());
            cx.problem(cx.span, message, "leave it out for one plain page");
            return None;
        }
        let pages: Vec<Page> = spec.pages.iter().filter_map(|page| Page::compile(page, cx)).collect();
        (pages.len() == spec.pages.len()).then(|| {
            Arc::new(Pages { pages: pages.into(), answers: spec.answers, choose: spec.choose }) as Arc<dyn Step>
        })
    }
}

/// A page at run time.
struct Page {
    statuses: OneOrMany<Statuses>,
    /// Without parameters, in lower case.
    kind: Box<str>,
    content_type: HeaderValue,
    body: Template,
}

impl Page {
    fn compile(written: &PageSpec, cx: &mut Compile<'_>) -> Option<Self> {
        let kind = essence(&written.content_type);
        if kind.split('/').filter(|part| !part.is_empty()).count() != 2 {
            let message = format!("`{}` is not a content type", *written.content_type);
            cx.problem(written.content_type.span, message, "write one such as `text/html; charset=utf-8`");
            return None;
        }
        let plain = Spanned::from(PLAIN_PAGE.to_owned());
        if written.body.is_none() && kind != "text/html" {
            cx.problem(written.content_type.span, format!("there is no plain page of {kind}"), "write its `body`");
            return None;
        }
        let body = cx.template(written.body.as_ref().unwrap_or(&plain), &kind, Scope::Response);
        let content_type = cx.header_value(&written.content_type);
        Some(Self { statuses: written.status.clone(), kind: kind.into(), content_type: content_type?, body: body? })
    }
}

/// A content type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

struct Pages {
    pages: Box<[Page]>,
    answers: Answers,
    choose: Choose,
}

impl Step for Pages {
    fn needs(&self) -> Needs {
        Needs { response: Need::Stream, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        x.notes.accept = x.request.headers.get(ACCEPT).cloned();
        Verdict::NEXT
    }

    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let concerned = x.error.is_some() || self.answers == Answers::All && x.notes.upgraded == Upgraded::No;
        let Some(status) = x.response.as_ref().map(|response| response.status).filter(|_| concerned) else {
            return Verdict::NEXT;
        };
        let any = self.pages.iter().any(|page| page.is_for(status));
        if let (true, Choose::Accepted, Some(response)) = (any, self.choose, &mut x.response) {
            vary::add(&mut response.headers, "accept");
        }
        let Some(page) = self.page(x, status) else { return Verdict::NEXT };
        match page.body.render(x) {
            Ok(text) => show(x, page, text),
            // The answer as it is says more than none.
            Err(error) => tracing::debug!(target: "tollgate::exchange", error = %error, "no error page"),
        }
        Verdict::NEXT
    }
}

impl Page {
    fn is_for(&self, status: StatusCode) -> bool {
        self.statuses.iter().any(|statuses| statuses.has(status))
    }
}

impl Pages {
    /// The page that this client gets, if any.
    fn page(&self, x: &Exchange, status: StatusCode) -> Option<&Page> {
        // Where a refusal came first the request side did not run, but the request is still here.
        let accept = x.notes.accept.as_ref().or_else(|| x.request.headers.get(ACCEPT));
        let likes = |kind: &str| accept.map_or(0, |accept| weight(accept, kind));
        let as_it_is = kind_of_answer(x);
        let mut best: Option<(&Page, u16)> = None;
        for page in self.pages.iter().filter(|page| page.is_for(status)) {
            let weight = likes(&page.kind);
            let may = match (self.choose, weight.cmp(&likes(&as_it_is))) {
                (Choose::Always, _) | (_, Ordering::Greater) => true,
                (Choose::Accepted, Ordering::Equal) => is_alike(&page.kind, &as_it_is),
                (Choose::Accepted, Ordering::Less) => false,
            };
            if may && best.is_none_or(|(_, other)| weight > other) {
                best = Some((page, weight));
            }
        }
        best.map(|(page, _)| page)
    }
}

/// Whether a page of this kind may stand for an answer of that, as far as kinds go. An answer without one has no say.
fn is_alike(page: &str, answer: &str) -> bool {
    let is_json = |kind: &str| kind.ends_with("/json") || kind.ends_with("+json");
    answer.is_empty() || page == answer || is_json(page) && is_json(answer)
}

fn kind_of_answer(x: &Exchange) -> String {
    let content_type = x.response.as_ref().and_then(|response| response.headers.get(CONTENT_TYPE)?.to_str().ok());
    content_type.map(essence).unwrap_or_default()
}

/// How much a client likes a content type: what it says of the type itself, else of its kind, else of all. Who accepts
/// `application/json` accepts a problem document.
fn weight(accept: &HeaderValue, kind: &str) -> u16 {
    let accept = accept.to_str().unwrap_or_default();
    let of = |wanted: &str| items(accept).find(|(item, _)| item.eq_ignore_ascii_case(wanted)).map(|(_, weight)| weight);
    let (family, _) = kind.split_once('/').unwrap_or((kind, ""));
    let json = || if kind.ends_with("+json") { of("application/json") } else { None };
    of(kind).or_else(json).or_else(|| of(&format!("{family}/*"))).or_else(|| of("*/*")).unwrap_or(0)
}

/// Fields that tell of the body that the page replaces. All others stay: `WWW-Authenticate`, `Retry-After`, `Allow`.
static OF_THE_BODY: [HeaderName; 12] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_DISPOSITION,
    ACCEPT_RANGES,
    ETAG,
    LAST_MODIFIED,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Puts the page in the place of the answer's body.
fn show(x: &mut Exchange, page: &Page, text: String) {
    let Some(response) = &mut x.response else { return };
    for name in &OF_THE_BODY {
        response.headers.remove(name);
    }
    response.headers.insert(CONTENT_TYPE, page.content_type.clone());
    response.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    x.response_transforms = Transforms::default();
    x.response_body = if x.request.method == Method::HEAD { Body::Empty } else { Body::from(text) };
}
