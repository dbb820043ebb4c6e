//! Where keys are made, changed and revoked: on the disk first, then in memory, and good or not from that moment on.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use model::resource::{KeyChange, KeyModels, KeyTerms, KeyTokens, NewKey, check_key_name};
use model::value::{Secret, Spending, Timestamp};
use serde::Serialize;
use store::keys::{Keys, StoredKey};

use super::{CallerKey, CallerKeys};
use crate::gate_key;
use crate::program::sha256;

/// Letters of a key that people may see: enough to tell which it is, and too few to guess it.
const BEGINS: usize = 8;
/// The longest that a key that was replaced stays good.
const LONGEST_GRACE: Duration = Duration::from_secs(30 * 86_400);

/// Why a key was not made, changed or revoked: a sentence for whoever asked.
#[derive(Debug)]
pub enum Refused {
    /// What was asked for is wrong.
    Wrong(String),
    /// There is no such key.
    Unknown,
    /// It would be a second one of its name.
    Taken(String),
    /// There is no data directory to keep it in.
    NoStore,
    /// The disk refuses.
    Store(store::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(why) | Self::Taken(why) => f.write_str(why),
            Self::Unknown => f.write_str("there is no such key"),
            Self::NoStore => {
                f.write_str("keys are kept in a data directory, and there is none; add `store: { directory: data }`")
            }
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl From<store::Error> for Refused {
    fn from(error: store::Error) -> Self {
        match error.kind() {
            store::Kind::Exists => Self::Taken(error.to_string()),
            _ => Self::Store(error),
        }
    }
}

/// A key as it stands, without anything that a request could show.
#[derive(Clone, Debug, Serialize)]
pub struct KeyStatus {
    /// What it is known by.
    pub id: String,
    /// Whose it is.
    pub consumer: String,
    /// Its name.
    pub name: String,
    /// How it begins.
    pub begins: String,
    /// Whether it is good.
    pub enabled: bool,
    /// What it may be used for.
    pub models: KeyModels,
    /// What calls by it may cost.
    pub budgets: Vec<Spending>,
    /// How many tokens calls by it may take.
    pub tokens: Vec<KeyTokens>,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// When it ends to be good.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last replaced another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated: Option<Timestamp>,
    /// Up to when the one that it replaced is good too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_until: Option<Timestamp>,
    /// When it was last shown.
    pub last_used: Option<Timestamp>,
}

impl KeyStatus {
    fn of(key: &CallerKey) -> Self {
        let KeyTerms { models, budgets, tokens, tags } = key.terms.clone();
        let moment = |seconds: u64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Self {
            id: key.id.to_string(),
            consumer: key.consumer.to_string(),
            name: key.name.to_string(),
            begins: key.begins.to_string(),
            enabled: key.enabled,
            models,
            budgets,
            tokens,
            tags,
            expires: key.expires,
            created: key.created,
            rotated: key.rotated,
            replaced_until: key.before.map(|(_, until)| moment(until)),
            last_used: Some(key.used()).filter(|used| *used > 0).map(moment),
        }
    }
}

impl CallerKeys {
    /// Keys by consumer and name, at most so many of those after `after` (an id) that `wanted` wants.
    pub fn list(&self, after: Option<&str>, most: usize, wanted: impl Fn(&KeyStatus) -> bool) -> Vec<KeyStatus> {
        let all = self.all.lock();
        let from = after.and_then(|id| all.get(id)).map(|key| (key.consumer.clone(), key.name.clone()));
        if after.is_some() && from.is_none() {
            return Vec::new();
        }
        let mut keys: Vec<&Arc<CallerKey>> = all.values().collect();
        keys.sort_unstable_by(|a, b| (&a.consumer, &a.name).cmp(&(&b.consumer, &b.name)));
        let later = |key: &&Arc<CallerKey>| {
            from.as_ref().is_none_or(|(consumer, name)| (&key.consumer, &key.name) > (consumer, name))
        };
        keys.into_iter().filter(later).map(|key| KeyStatus::of(key)).filter(wanted).take(most).collect()
    }

    /// The key of this id, or of `CONSUMER/NAME`.
    pub fn get(&self, id: &str) -> Option<KeyStatus> {
        let all = self.all.lock();
        named(&all, id).map(|key| KeyStatus::of(key))
    }

    /// Makes a key: what there is to see of it, and the key itself, which nobody can see again. Waits for the disk.
    pub fn create(&self, asked: NewKey, now: Duration) -> Result<(KeyStatus, Secret<String>), Refused> {
        let disk = self.disk()?;
        let terms = KeyTerms { models: asked.models, budgets: asked.budgets, tokens: asked.tokens, tags: asked.tags };
        check_key_name(&asked.name).and_then(|()| terms.check()).map_err(Refused::Wrong)?;
        let secret = gate_key::make().ok_or_else(no_randomness)?;
        let key = CallerKey {
            id: new_id()?,
            consumer: asked.consumer.into(),
            name: asked.name.into(),
            terms,
            enabled: asked.enabled,
            expires: asked.expires,
            created: whole(now),
            rotated: None,
            begins: secret.expose().chars().take(BEGINS).collect(),
            hash: sha256(secret.expose().as_bytes()),
            before: None,
            used: Arc::default(),
            made: std::sync::OnceLock::new(),
        };
        let mut all = self.all.lock();
        disk.add(stored(&key)?)?;
        let key = Arc::new(key);
        self.publish(None, Some(&key));
        all.insert(key.id.clone(), key.clone());
        Ok((KeyStatus::of(&key), secret))
    }

    /// Changes a key, by its id or `CONSUMER/NAME`. Waits for the disk.
    pub fn change(&self, id: &str, change: KeyChange) -> Result<KeyStatus, Refused> {
        self.replace(id, |key| {
            let terms = &mut key.terms;
            let KeyChange { name, models, budgets, tokens, tags, expires, enabled } = change;
            terms.models = models.unwrap_or(std::mem::take(&mut terms.models));
            terms.budgets = budgets.unwrap_or(std::mem::take(&mut terms.budgets));
            terms.tokens = tokens.unwrap_or(std::mem::take(&mut terms.tokens));
            terms.tags = tags.unwrap_or(std::mem::take(&mut terms.tags));
            terms.check().map_err(Refused::Wrong)?;
            if let Some(name) = name {
                check_key_name(&name).map_err(Refused::Wrong)?;
                key.name = name.into();
            }
            key.expires = expires.unwrap_or(key.expires);
            key.enabled = enabled.unwrap_or(key.enabled);
            Ok(())
        })
    }

    /// Puts another secret in the place of a key's, which stays good for this long. Waits for the disk.
    pub fn rotate(&self, id: &str, grace: Duration, now: Duration) -> Result<(KeyStatus, Secret<String>), Refused> {
        if grace > LONGEST_GRACE {
            return Err(Refused::Wrong("a key that was replaced is good for at most 30 days more".to_owned()));
        }
        let secret = gate_key::make().ok_or_else(no_randomness)?;
        let status = self.replace(id, |key| {
            key.before = (!grace.is_zero()).then(|| (key.hash, (now + grace).as_secs()));
            key.hash = sha256(secret.expose().as_bytes());
            key.begins = secret.expose().chars().take(BEGINS).collect();
            key.rotated = Some(whole(now));
            Ok(())
        })?;
        Ok((status, secret))
    }

    /// Takes a key away for good. Waits for the disk.
    pub fn revoke(&self, id: &str) -> Result<KeyStatus, Refused> {
        let disk = self.disk()?;
        let mut all = self.all.lock();
        let key = named(&all, id).ok_or(Refused::Unknown)?.clone();
        // Not good from now on, whatever the disk says.
        self.publish(Some(&key), None);
        disk.remove(&key.id)?;
        all.remove(&key.id);
        Ok(KeyStatus::of(&key))
    }

    fn replace(&self, id: &str, act: impl FnOnce(&mut CallerKey) -> Result<(), Refused>) -> Result<KeyStatus, Refused> {
        let disk = self.disk()?;
        let mut all = self.all.lock();
        let before = named(&all, id).ok_or(Refused::Unknown)?.clone();
        let mut key = before.copy();
        act(&mut key)?;
        if !disk.replace(stored(&key)?)? {
            return Err(Refused::Unknown);
        }
        let key = Arc::new(key);
        self.publish(Some(&before), Some(&key));
        all.insert(key.id.clone(), key.clone());
        Ok(KeyStatus::of(&key))
    }

    fn disk(&self) -> Result<&Keys, Refused> {
        self.disk.get().ok_or(Refused::NoStore)
    }
}

type All = std::collections::BTreeMap<Box<str>, Arc<CallerKey>>;

fn named<'a>(all: &'a All, id: &str) -> Option<&'a Arc<CallerKey>> {
    if let Some(key) = all.get(id) {
        return Some(key);
    }
    let (consumer, name) = id.split_once('/')?;
    all.values().find(|key| *key.consumer == *consumer && *key.name == *name)
}

impl CallerKey {
    /// The same, of which nothing is made yet.
    fn copy(&self) -> Self {
        Self {
            id: self.id.clone(),
            consumer: self.consumer.clone(),
            name: self.name.clone(),
            terms: self.terms.clone(),
            begins: self.begins.clone(),
            used: self.used.clone(),
            made: std::sync::OnceLock::new(),
            ..*self
        }
    }
}

fn stored(key: &CallerKey) -> Result<StoredKey, Refused> {
    let seconds = |moment: Timestamp| i64::try_from(moment.since_epoch().as_secs()).unwrap_or(i64::MAX);
    let terms = serde_json::to_string(&key.terms).map_err(|error| Refused::Wrong(error.to_string()))?;
    Ok(StoredKey {
        id: key.id.to_string(),
        consumer: key.consumer.to_string(),
        name: key.name.to_string(),
        hash: key.hash,
        begins: key.begins.to_string(),
        before: key.before.map(|(hash, until)| (hash, i64::try_from(until).unwrap_or(i64::MAX))),
        terms,
        enabled: key.enabled,
        expires: key.expires.map(seconds),
        created: seconds(key.created),
        rotated: key.rotated.map(seconds),
    })
}

/// To the second, as it is kept.
fn whole(now: Duration) -> Timestamp {
    Timestamp::from_millis(now.as_secs().saturating_mul(1000))
}

fn new_id() -> Result<Box<str>, Refused> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 16];
    rand::fill(&mut random).map_err(|_| no_randomness())?;
    let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    let id: String = letters.map(|letter| char::from(*letter)).collect();
    Ok(format!("key_{id}").into())
}

fn no_randomness() -> Refused {
    Refused::Wrong("the system has no randomness".to_owned())
}
