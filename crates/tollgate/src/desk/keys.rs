//! Keys that callers are given while the gateway runs.

use http::{Method, StatusCode};
use model::resource::{KeyChange, NewKey};
use model::value::{Duration, Secret};
use proxy::caller_keys::{CallerKeys, KeyStatus, Refused};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Answered, Desk, Question, Refusal, Told, no_method, pairs};

/// Keys on a page where nobody says how many, and at most.
const KEYS: usize = 100;
const MOST_KEYS: usize = 1_000;
const CODE: &str = "operations.keys";

/// How a key is to be replaced.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotation {
    /// How long the old one stays good.
    grace: Option<Duration>,
}

impl Desk {
    /// `path` is what follows `/keys/`: an id, or `CONSUMER/NAME`.
    pub(super) fn keys(&self, question: &Question, path: &str) -> Answered {
        let method = &question.method;
        if path.is_empty() {
            return match *method {
                Method::GET | Method::HEAD => self.list(&question.query),
                Method::POST => self.create(read(&question.body)?),
                _ => Err(no_method("GET, POST")),
            };
        }
        if let (Some(id), &Method::POST) = (path.strip_suffix("/rotate"), method) {
            let rotation: Rotation = if question.body.is_empty() { Rotation::default() } else { read(&question.body)? };
            let grace = rotation.grace.map(Duration::get).unwrap_or_default();
            let (status, secret) = self.book().rotate(id, grace, self.now()).map_err(refusal)?;
            return Ok(Told::json(StatusCode::OK, self.shown(&status, Some(&secret))));
        }
        match *method {
            Method::GET | Method::HEAD => {
                let status = self.book().get(path).ok_or_else(|| refusal(Refused::Unknown))?;
                Ok(Told::json(StatusCode::OK, self.shown(&status, None)))
            }
            Method::PATCH => {
                let change: KeyChange = read(&question.body)?;
                let status = self.book().change(path, change).map_err(refusal)?;
                Ok(Told::json(StatusCode::OK, self.shown(&status, None)))
            }
            Method::DELETE => {
                let status = self.book().revoke(path).map_err(refusal)?;
                tracing::info!(target: "tollgate::operations", key = status.id, consumer = status.consumer,
                    name = status.name, "a key was revoked");
                Ok(Told::json(StatusCode::OK, self.shown(&status, None)))
            }
            _ => Err(no_method("GET, PATCH, DELETE, and POST …/rotate")),
        }
    }

    fn list(&self, query: &str) -> Answered {
        let (mut after, mut limit, mut consumer, mut tag) = (None, KEYS, None, None);
        for (name, value) in pairs(query) {
            match name.as_str() {
                "after" => after = Some(value),
                "consumer" => consumer = Some(value),
                "tag" => tag = Some(value),
                "limit" => {
                    let asked = value.parse().ok().filter(|asked| (1..=MOST_KEYS).contains(asked));
                    limit = asked
                        .ok_or_else(|| Refusal::wrong(CODE, format!("`limit` is a number from 1 to {MOST_KEYS}.")))?;
                }
                _ => return Err(Refusal::wrong(CODE, "There are `consumer`, `tag`, `after` and `limit`.")),
            }
        }
        let wanted = |key: &KeyStatus| {
            consumer.as_ref().is_none_or(|consumer| key.consumer == *consumer)
                && tag.as_ref().is_none_or(|tag| key.tags.contains(tag))
        };
        let found = self.book().list(after.as_deref(), limit, wanted);
        let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.clone());
        let keys: Vec<Value> = found.iter().map(|status| self.shown(status, None)).collect();
        Ok(Told::json(StatusCode::OK, json!({ "keys": keys, "next": next })))
    }

    fn create(&self, asked: NewKey) -> Answered {
        if self.program.consumers.by_name(&asked.consumer).is_none() {
            let detail = format!("There is no consumer `{}` in the configuration.", asked.consumer);
            return Err(Refusal::wrong(CODE, detail));
        }
        let (status, secret) = self.book().create(asked, self.now()).map_err(refusal)?;
        tracing::info!(target: "tollgate::operations", key = status.id, consumer = status.consumer, name = status.name,
            "a key was made");
        Ok(Told::json(StatusCode::CREATED, self.shown(&status, Some(&secret))))
    }

    fn book(&self) -> &CallerKeys {
        self.env.stores.caller_keys()
    }

    fn now(&self) -> std::time::Duration {
        self.env.clock.wall()
    }

    /// A key as it stands, what is spent of its budgets, and the key itself where it was just made.
    fn shown(&self, status: &KeyStatus, secret: Option<&Secret<String>>) -> Value {
        let mut shown = json!(status);
        let spent = status.budgets.iter().filter_map(|budget| {
            let spent = ai::key_spent(&self.env, &status.id, *budget, self.now())?;
            Some(json!({ "budget": budget, "usd": ai::catalog::Money::from_picos(i128::from(spent) * 1000).to_string() }))
        });
        let spent: Vec<Value> = spent.collect();
        if let Some(shown) = shown.as_object_mut() {
            if !spent.is_empty() {
                shown.insert("spent".to_owned(), spent.into());
            }
            if let Some(secret) = secret {
                shown.insert("key".to_owned(), secret.expose().as_str().into());
            }
        }
        shown
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::wrong(CODE, format!("The body is not what is asked for: {error}.")))
}

fn refusal(refused: Refused) -> Refusal {
    let status = match refused {
        Refused::Wrong(_) => StatusCode::BAD_REQUEST,
        Refused::Unknown => StatusCode::NOT_FOUND,
        Refused::Taken(_) | Refused::NoStore => StatusCode::CONFLICT,
        Refused::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut detail = refused.to_string();
    if let Some(first) = detail.get(..1).map(str::to_uppercase) {
        detail.replace_range(..1, &first);
    }
    detail.push('.');
    Refusal { status, code: CODE, detail }
}
