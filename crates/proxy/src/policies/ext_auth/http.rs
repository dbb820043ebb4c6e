//! Asking over HTTP.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};

use super::{Allowed, Ask, Decision, PARTIAL};
use crate::exchange::Exchange;
use crate::policies::FieldNames;
use crate::terminals::is_framing;

static METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
static PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static HOST_ASKED: HeaderName = HeaderName::from_static("x-forwarded-host");
static URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Ask {
    pub(super) async fn by_http(&self, x: &mut Exchange, body: Option<Bytes>) -> Result<Decision, String> {
        let mut fields = self.question(x);
        let mut request = Request::new(Bytes::new());
        if let Some(body) = body {
            for name in [CONTENT_TYPE, CONTENT_ENCODING] {
                fields.remove(&name);
                for value in x.request.headers.get_all(&name) {
                    fields.append(&name, value.clone());
                }
            }
            fields.insert(&PARTIAL, HeaderValue::from_static("false"));
            *request.method_mut() = Method::POST;
            *request.body_mut() = body;
        }
        *request.headers_mut() = fields;
        let answer = self.remote.ask(x.local.worker, request).await.map_err(|error| error.to_string())?;
        match answer.status.as_u16() {
            200..300 => {
                let set = chosen(&answer.headers, |name| self.upstream.has(name));
                Ok(Decision::Allow(Allowed { told: answer.headers, set, ..Allowed::default() }))
            }
            300..500 => {
                let headers = chosen(&answer.headers, |name| self.client.has(name)).into_iter().collect();
                // 304 would mean something else to the client.
                let status =
                    if answer.status == StatusCode::NOT_MODIFIED { StatusCode::FORBIDDEN } else { answer.status };
                Ok(Decision::Deny { status, headers, body: answer.body })
            }
            other => Err(format!("it answered {other}")),
        }
    }

    /// What is asked: chosen fields of the request, and its first line. The gateway's own fields come last, so that no
    /// client writes them.
    fn question(&self, x: &Exchange) -> HeaderMap {
        let mut fields = HeaderMap::new();
        let sent = x
            .request
            .headers
            .iter()
            .filter(|(name, _)| self.send.has(name) && !is_framing(name) && **name != HOST && **name != PARTIAL);
        for (name, value) in sent {
            fields.append(name, value.clone());
        }
        let text = |text: &str| HeaderValue::from_str(text).ok();
        let host = x.request.headers.get(HOST).cloned();
        let host = host.or_else(|| text(x.request.uri.authority()?.as_str()));
        // What is matched and goes on, not what was written: else `/public/%2e%2e/admin` is asked about, and `/admin` done.
        let uri = x.request.uri.path_and_query().and_then(|path| text(path.as_str()));
        let own = [
            (&METHOD, text(x.record.method.as_str())),
            (&PROTO, Some(HeaderValue::from_static(x.scheme.as_str()))),
            (&HOST_ASKED, host),
            (&URI, uri),
            (&FOR, text(&x.client.to_string())),
            (&REQUEST_ID, x.notes.request_id.clone()),
        ];
        own.iter().map(|(name, _)| (*name).clone()).collect::<FieldNames>().strip(&mut fields);
        for (name, value) in own {
            if let Some(value) = value {
                fields.insert(name, value);
            }
        }
        fields
    }
}

fn chosen(headers: &HeaderMap, wanted: impl Fn(&HeaderName) -> bool) -> Vec<(HeaderName, HeaderValue)> {
    headers.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
