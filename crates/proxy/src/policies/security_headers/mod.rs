//! Tells browsers what a page may do and who may hold it: the fields of every answer that make an attack on its visitors
//! harder. All of them are made when the configuration is read.

mod spec;

use std::sync::Arc;

use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_REPORT_ONLY, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use model::load::Spanned;

use self::spec::{Existing, Hsts, Preload, Send, Spec, Subdomains};
use crate::exchange::{Exchange, Scheme, Upgraded};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;
use crate::terminals::may_set;

#[cfg(test)]
mod tests;

/// Tells browsers what a page may do.
pub(crate) struct SecurityHeaders;

static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
static CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
static CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What lists of domains that preload HSTS ask for at least (hstspreload.org).
const PRELOAD_AGE: u64 = 31_536_000;

impl Policy for SecurityHeaders {
    type Spec = Spec;
    const KIND: &'static str = "security_headers";
    // Before the others of its stage, so that its response side is the last: pages of errors have the fields too.
    const ORDER: (Stage, u8) = (Stage::Deliver, 5);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let hsts = hsts(&spec.hsts, cx);
        let fields = fields(&spec, cx);
        let remove: Vec<_> =
            spec.remove.iter().filter_map(|name| cx.header_name(name).map(|n| (n, name.span))).collect();
        let remove: Vec<_> =
            remove.into_iter().filter(|(name, at)| may_set(name, *at, cx)).map(|(name, _)| name).collect();
        if remove.len() != spec.remove.len() {
            return None;
        }
        Some(Arc::new(Fields { hsts: hsts?, fields: fields?, existing: spec.existing, remove: remove.into() }))
    }
}

/// `Strict-Transport-Security` (RFC 6797 section 6.1). The outer `None` is a problem, the inner one that it is not sent.
#[expect(clippy::option_option, reason = "the one is a problem, the other a choice")]
fn hsts(written: &Hsts, cx: &mut Compile<'_>) -> Option<Option<HeaderValue>> {
    if written.send == Send::Never {
        return Some(None);
    }
    let seconds = written.max_age.as_millis() / 1000;
    let mut value = format!("max-age={seconds}");
    if written.subdomains == Subdomains::Include {
        value.push_str("; includeSubDomains");
    }
    if written.preload == Preload::Ask {
        if seconds < PRELOAD_AGE || written.subdomains != Subdomains::Include {
            let help = "write `max_age: 365d` and `subdomains: include`, or leave `preload` out";
            cx.problem(written.max_age.span, "browsers preload a year at least, with all subdomains", help);
            return None;
        }
        value.push_str("; preload");
    }
    Some(HeaderValue::try_from(value).ok())
}

/// The fields that are sent over any connection.
fn fields(spec: &Spec, cx: &mut Compile<'_>) -> Option<Box<[(HeaderName, HeaderValue)]>> {
    let texts = [
        (CONTENT_SECURITY_POLICY, &spec.content_security_policy),
        (CONTENT_SECURITY_POLICY_REPORT_ONLY, &spec.content_security_policy_report_only),
        (PERMISSIONS_POLICY.clone(), &spec.permissions_policy),
    ];
    let mut fields = Vec::new();
    let mut wrong = false;
    for (name, text) in texts {
        match text_value(text, cx) {
            Some(Some(value)) => fields.push((name, value)),
            Some(None) => {}
            None => wrong = true,
        }
    }
    let words = [
        (X_CONTENT_TYPE_OPTIONS, spec.content_type_options.value()),
        (X_FRAME_OPTIONS, spec.frame_options.value()),
        (REFERRER_POLICY, spec.referrer_policy.value()),
        (CROSS_ORIGIN_OPENER_POLICY.clone(), spec.cross_origin_opener_policy.value()),
        (CROSS_ORIGIN_EMBEDDER_POLICY.clone(), spec.cross_origin_embedder_policy.value()),
        (CROSS_ORIGIN_RESOURCE_POLICY.clone(), spec.cross_origin_resource_policy.value()),
    ];
    for (name, word) in words {
        fields.extend(word.map(|word| (name, HeaderValue::from_static(word))));
    }
    (!wrong).then(|| fields.into())
}

/// A text as it is sent; the inner `None` where it is `off`.
#[expect(clippy::option_option, reason = "the one is a problem, the other a choice")]
fn text_value(text: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Option<HeaderValue>> {
    match text.trim() {
        "off" => Some(None),
        "" => {
            cx.problem(text.span, "the field is empty", "write `off` to send none");
            None
        }
        _ => {
            // Long policies are written on several lines.
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            cx.header_value(&Spanned::new(line, text.span)).map(Some)
        }
    }
}

struct Fields {
    /// Sent over TLS alone: in the clear anyone could have written it (RFC 6797 section 7.2).
    hsts: Option<HeaderValue>,
    fields: Box<[(HeaderName, HeaderValue)]>,
    existing: Existing,
    remove: Box<[HeaderName]>,
}

impl Step for Fields {
    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let over_tls = x.scheme == Scheme::Https;
        let Some(response) = x.response.as_mut().filter(|_| x.notes.upgraded == Upgraded::No) else {
            return Verdict::NEXT;
        };
        let headers = &mut response.headers;
        for name in &self.remove {
            headers.remove(name);
        }
        let hsts = self.hsts.as_ref().filter(|_| over_tls).map(|value| (&STRICT_TRANSPORT_SECURITY, value));
        for (name, value) in self.fields.iter().map(|(name, value)| (name, value)).chain(hsts) {
            if self.existing == Existing::Replace || !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
        Verdict::NEXT
    }
}
