//! Asks the issuer what a token means.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use crate::calls::{Collapse, Remote};
use crate::policies::query;
use crate::program::{KeyHash, sha256};
use crate::tokens::json;

/// What an issuer says of a token.
#[derive(Clone)]
pub(super) enum Answer {
    /// It is good, and says this.
    Active(Arc<Map<String, Value>>),
    /// It is not.
    Inactive,
}

/// Asks the issuer. How it is asked is the program's; what is under way outlives it.
pub(super) struct Asks {
    pub(super) remote: Remote,
    /// Who asks, as fields or as part of the form.
    pub(super) fields: HeaderMap,
    pub(super) form: String,
    pub(super) under_way: Collapse<KeyHash, Option<Answer>>,
}

impl Asks {
    /// What the issuer says of the token; none where it cannot be asked. Equal questions at the same time are one.
    pub(super) async fn ask(self: &Arc<Self>, worker: usize, token: &Arc<[u8]>) -> Option<Answer> {
        let key = sha256(token);
        let (asks, token) = (self.clone(), token.clone());
        self.under_way.run(key, || async move { asks.call(worker, &token).await }).await.flatten()
    }

    async fn call(&self, worker: usize, token: &[u8]) -> Option<Answer> {
        // A token that is not text is nobody's.
        let Ok(token) = std::str::from_utf8(token) else { return Some(Answer::Inactive) };
        let mut form = String::new();
        query::push(&mut form, "token", token);
        query::push(&mut form, "token_type_hint", "access_token");
        if !self.form.is_empty() {
            form.push('&');
            form.push_str(&self.form);
        }
        let failed = |why: &dyn std::fmt::Display| {
            tracing::warn!(
                target: "tollgate::tokens", url = self.remote.url(), error = %why, "a token was not explained"
            );
            None
        };
        match self.remote.post_form(worker, form, self.fields.clone()).await {
            Err(error) => failed(&error),
            Ok(answer) if answer.status != StatusCode::OK => {
                failed(&format_args!("it answered {}", answer.status.as_u16()))
            }
            Ok(answer) => match json::object(&answer.body) {
                None => failed(&"the answer is not a JSON object"),
                Some(claims) => match claims.get("active") {
                    Some(Value::Bool(true)) => Some(Answer::Active(Arc::new(claims))),
                    Some(Value::Bool(false)) => Some(Answer::Inactive),
                    _ => failed(&"the answer has no `active`"),
                },
            },
        }
    }
}
