//! Checks that others make: a server of OpenAI's moderation API, or any that takes a webhook.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use proxy::calls::Remote;
use serde_json::{Value, json};

use crate::call::Voice;

/// The most bytes that are sent to be judged. What is longer cannot be, and is as if nobody answered.
const MOST: usize = 512 << 10;

/// Who is asked, and how.
pub(super) struct Outside {
    pub(super) remote: Remote,
    pub(super) fields: HeaderMap,
    pub(super) how: How,
    /// Whether a call passes of which nobody can say anything.
    pub(super) lenient: bool,
}

/// What is spoken.
pub(super) enum How {
    /// OpenAI's moderation API, with the model that judges, the categories that count (all) and from which score on.
    Moderation { model: Option<Box<str>>, categories: Box<[Box<str>]>, threshold: Option<f64> },
    /// A webhook.
    Webhook,
}

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing against it.
    Passes,
    /// It is what the check looks for.
    Against,
    /// Nobody said anything.
    Unknown,
}

impl Outside {
    /// Asks about what was said in a call of this model.
    pub(super) async fn ask(&self, worker: usize, check: &str, model: &str, said: &[(Voice, String)]) -> Said {
        if said.is_empty() {
            return Said::Passes;
        }
        let judged = match self.call(worker, self.question(check, model, said)).await {
            Ok(judged) => judged,
            Err(why) => {
                tracing::warn!(target: "tollgate::ai", url = self.remote.url(), check, error = why, "a guardrail has no answer");
                None
            }
        };
        match judged {
            Some(true) => Said::Against,
            Some(false) => Said::Passes,
            None if self.lenient => Said::Passes,
            None => Said::Unknown,
        }
    }

    fn question(&self, check: &str, model: &str, said: &[(Voice, String)]) -> Value {
        match &self.how {
            How::Moderation { model: judge, .. } => {
                let texts: Vec<&str> = said.iter().map(|(_, text)| text.as_str()).collect();
                let mut question = json!({ "input": texts });
                if let (Some(judge), Some(fields)) = (judge, question.as_object_mut()) {
                    fields.insert("model".to_owned(), Value::from(&**judge));
                }
                question
            }
            How::Webhook => {
                let role = |voice: &Voice| if *voice == Voice::Tool { "tool" } else { "user" };
                let texts: Vec<Value> =
                    said.iter().map(|(voice, text)| json!({ "role": role(voice), "text": text })).collect();
                json!({ "check": check, "side": "request", "model": model, "texts": texts })
            }
        }
    }

    /// Whether the answer is against it; none where it says nothing.
    async fn call(&self, worker: usize, question: Value) -> Result<Option<bool>, String> {
        let text = question.to_string();
        if text.len() > MOST {
            return Err(format!("there are more than {MOST} bytes to judge"));
        }
        let mut request = Request::new(Bytes::from(text));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = self.fields.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json.clone());
        request.headers_mut().insert(ACCEPT, json);
        let answer = self.remote.ask(worker, request).await.map_err(|error| error.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("it answered {}", answer.status.as_u16()));
        }
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|_| "its answer is not JSON".to_owned())?;
        self.how.read(&answer).map(Some).ok_or_else(|| "its answer says nothing".to_owned())
    }
}

impl How {
    /// Whether an answer is against what was said.
    fn read(&self, answer: &Value) -> Option<bool> {
        match self {
            Self::Webhook => match answer.get("verdict")?.as_str()? {
                "allow" => Some(false),
                "deny" => Some(true),
                _ => None,
            },
            Self::Moderation { categories, threshold, .. } => {
                let results = answer.get("results")?.as_array().filter(|results| !results.is_empty())?;
                let mut against = false;
                for result in results {
                    against |= judged(result, categories, *threshold)?;
                }
                Some(against)
            }
        }
    }
}

/// Whether a result of OpenAI's moderation API counts.
fn judged(result: &Value, categories: &[Box<str>], threshold: Option<f64>) -> Option<bool> {
    let counts = |name: &str| categories.is_empty() || categories.iter().any(|category| **category == *name);
    match threshold {
        Some(threshold) => {
            let scores = result.get("category_scores")?.as_object()?;
            Some(
                scores
                    .iter()
                    .any(|(name, score)| counts(name) && score.as_f64().is_some_and(|score| score >= threshold)),
            )
        }
        None if categories.is_empty() => result.get("flagged")?.as_bool(),
        None => {
            let flagged = result.get("categories")?.as_object()?;
            Some(flagged.iter().any(|(name, flagged)| counts(name) && flagged.as_bool() == Some(true)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_whether_they_are_against_it() {
        let moderation = |categories: &[&str], threshold| How::Moderation {
            model: None,
            categories: categories.iter().map(|name| Box::from(*name)).collect(),
            threshold,
        };
        let result = json!({ "results": [
            { "flagged": false, "categories": { "hate": false }, "category_scores": { "hate": 0.1 } },
            { "flagged": true, "categories": { "hate": false, "violence": true },
              "category_scores": { "hate": 0.2, "violence": 0.9 } }] });
        for (how, answer, expected) in [
            (moderation(&[], None), result.clone(), Some(true)),
            (moderation(&["violence"], None), result.clone(), Some(true)),
            (moderation(&["hate"], None), result.clone(), Some(false)),
            (moderation(&["hate"], Some(0.15)), result.clone(), Some(true)),
            (moderation(&[], Some(0.95)), result, Some(false)),
            (moderation(&[], None), json!({ "results": [] }), None),
            (moderation(&[], None), json!({ "results": [{ "flagged": "yes" }] }), None),
            (moderation(&[], None), json!({ "error": "no" }), None),
            (How::Webhook, json!({ "verdict": "allow" }), Some(false)),
            (How::Webhook, json!({ "verdict": "deny" }), Some(true)),
            (How::Webhook, json!({ "verdict": true }), None),
            (How::Webhook, json!({}), None),
        ] {
            assert_eq!(how.read(&answer), expected, "{answer}");
        }
    }
}
