//! Secrets that configurations refer to as `${store:NAME}`.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use store::secrets::{Vault, name_in_vault, name_of};

use super::{Answered, Desk, Question, Refusal, Told, no_method};
use model::value::Timestamp;

const CODE: &str = "operations.secrets";

impl Desk {
    /// `name` is what follows `/secrets/`.
    pub(super) fn secrets(&self, question: &Question, name: &str) -> Answered {
        let vault = self.vault()?;
        match (&question.method, name) {
            (&Method::GET | &Method::HEAD, "") => {
                let moment = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0) * 1000);
                let listed = vault.list().map_err(|error| broken(&error))?;
                let listed = listed.iter().filter_map(|stored| {
                    let name = name_of(&stored.name)?;
                    let (created, replaced) = (moment(stored.created), moment(stored.replaced));
                    Some(json!({ "name": name, "created": created, "replaced": replaced, "sealed_with": stored.key }))
                });
                Ok(Told::json(StatusCode::OK, json!({ "secrets": listed.collect::<Vec<Value>>() })))
            }
            (&Method::PUT, name) if !name.is_empty() => {
                let secret = question.body.strip_suffix(b"\n").unwrap_or(&question.body);
                let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
                if secret.is_empty() || std::str::from_utf8(secret).is_err() {
                    return Err(Refusal::wrong(CODE, "A secret is text, and not empty."));
                }
                let sealed = called(name)?;
                vault.put(&sealed, secret).map_err(|error| broken(&error))?;
                tracing::info!(target: "tollgate::operations", name, "a secret was put into the store");
                Ok(Told::json(StatusCode::OK, json!({ "name": name })))
            }
            (&Method::DELETE, name) if !name.is_empty() => {
                if !vault.remove(&called(name)?).map_err(|error| broken(&error))? {
                    let detail = format!("There is no secret `{name}`.");
                    return Err(Refusal { status: StatusCode::NOT_FOUND, code: CODE, detail });
                }
                tracing::info!(target: "tollgate::operations", name, "a secret was taken out of the store");
                Ok(Told::json(StatusCode::OK, json!({ "name": name })))
            }
            (_, "") => Err(no_method("GET")),
            _ => Err(no_method("PUT, DELETE")),
        }
    }

    fn vault(&self) -> Result<std::sync::Arc<Vault>, Refusal> {
        let status = StatusCode::CONFLICT;
        match self.env.stores.vault(&self.program.snapshot) {
            Ok(Some(vault)) => Ok(vault),
            Ok(None) => {
                let detail =
                    "Secrets are kept in a data directory, and there is none; add `store: { directory: data }`.";
                Err(Refusal { status, code: CODE, detail: detail.to_owned() })
            }
            Err(detail) => Err(Refusal { status, code: CODE, detail }),
        }
    }
}

fn called(name: &str) -> Result<String, Refusal> {
    name_in_vault(name).map_err(|error| Refusal::wrong(CODE, error.to_string()))
}

fn broken(error: &store::Error) -> Refusal {
    Refusal { status: StatusCode::SERVICE_UNAVAILABLE, code: CODE, detail: error.to_string() }
}
