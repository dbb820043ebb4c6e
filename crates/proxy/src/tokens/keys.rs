//! The keys of one issuer.

use serde_json::Value;

use super::algorithm::Algorithm;
use super::json;
use super::key::{Key, Refused};

/// Keys of one set; a set above it is refused whole.
const MOST_KEYS: usize = 100;
/// Keys that are tried for a token without `kid`, as each try costs what a signature costs.
const MOST_TRIES: usize = 8;

/// The keys of one issuer.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
}

/// Which keys a token may be signed with.
pub enum Candidates<'k> {
    /// These.
    Some(Vec<&'k Key>),
    /// The set has none of this name.
    UnknownId,
    /// The named key (or every key) is for other algorithms.
    OtherAlgorithm,
}

impl Keys {
    /// These keys.
    pub fn new(keys: Vec<Key>) -> Result<Self, Refused> {
        if keys.len() > MOST_KEYS {
            return Err(format!("there are {} keys, more than {MOST_KEYS}", keys.len()));
        }
        Ok(Self { keys })
    }

    /// A set of JWKs (RFC 7517 section 5), narrowed to these algorithms unless there are none. Keys that cannot be used are
    /// passed over, as a set may hold keys for other ends; a set without any that can is refused. Secrets are refused: a
    /// set is public.
    pub fn jwks(body: &[u8], algorithms: &[Algorithm]) -> Result<Self, Refused> {
        let set = json::object(body).ok_or("it is not a JSON object")?;
        let listed = set.get("keys").and_then(Value::as_array).ok_or("it has no `keys`")?;
        if listed.len() > MOST_KEYS {
            return Err(format!("it has {} keys, more than {MOST_KEYS}", listed.len()));
        }
        let mut keys = Vec::new();
        let mut reason = None;
        for jwk in listed.iter().filter_map(Value::as_object) {
            if jwk.get("kty").is_some_and(|kind| kind == "oct") {
                reason = Some("a public set holds no secrets".to_owned());
                continue;
            }
            match Key::jwk(jwk) {
                Ok(mut key) => {
                    if !algorithms.is_empty() {
                        key.narrow(algorithms);
                    }
                    if key.algorithms().next().is_some() {
                        keys.push(key);
                    }
                }
                Err(why) => reason = Some(why),
            }
        }
        if keys.is_empty() {
            return Err(
                reason.map_or_else(|| "it has no key to use".to_owned(), |why| format!("it has no key to use: {why}"))
            );
        }
        Ok(Self { keys })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys that a token with this header may be signed with. Keys without a name are tried for any.
    pub fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Candidates<'_> {
        let named = |key: &&Key| match (&key.id, id) {
            (Some(own), Some(id)) => **own == *id,
            _ => true,
        };
        let mut known = self.keys.iter().filter(named).peekable();
        if known.peek().is_none() {
            return Candidates::UnknownId;
        }
        let fitting: Vec<&Key> =
            known.filter(|key| key.algorithms().any(|own| own == algorithm)).take(MOST_TRIES).collect();
        if fitting.is_empty() { Candidates::OtherAlgorithm } else { Candidates::Some(fitting) }
    }
}
