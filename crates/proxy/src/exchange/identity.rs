//! Who calls, as the identifying steps learn it, and the one way in which a step makes its finding the caller.

use std::sync::Arc;

use http::HeaderValue;

use super::{Error, Exchange, codes};
use crate::caller_keys::CallerKey;
use crate::program::{ConsumerSlot, CredentialId, is_over};

/// Who calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The consumer's slot, which stays the same over reloads.
    pub consumer: Option<ConsumerSlot>,
    /// The plan that applies, as an index of the program's plans.
    pub plan: Option<u32>,
    /// The credential's name.
    pub credential: Option<Arc<str>>,
    /// The policy that found it, such as `key_auth`.
    pub method: &'static str,
    /// What a credential said of the caller. One count, so that a cached verified token costs no copy.
    pub learnt: Option<Arc<Learnt>>,
    /// The key, where it is one that was given while the gateway runs: it has terms of its own, whatever else was shown.
    pub key: Option<Arc<CallerKey>>,
}

/// What a credential says of the caller beside the consumer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learnt {
    /// Whom it stands for, such as the `sub` of a token.
    pub subject: Option<Box<str>>,
    /// What it may be used for (RFC 6749 section 3.3).
    pub scopes: Box<[Box<str>]>,
    /// Groups beside those of the consumer.
    pub groups: Box<[Box<str>]>,
    /// Everything it says, by name.
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// What an identifying step found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The policy that found it.
    pub method: &'static str,
    /// The consumer, where one is meant.
    pub consumer: Option<ConsumerSlot>,
    /// The credential's name.
    pub credential: Option<Arc<str>>,
    /// What the credential says.
    pub learnt: Option<Arc<Learnt>>,
}

impl Exchange {
    /// Makes what an identifying step found the caller. Refused where the consumer may not call at all, or where another
    /// step found a different one; what several steps learn of the same caller is joined.
    pub fn identify(&mut self, found: Finding) -> Result<(), Error> {
        let plan = self.may_call(found.consumer)?;
        let identity = match self.identity.take() {
            None => Identity {
                consumer: found.consumer,
                plan,
                credential: found.credential,
                method: found.method,
                learnt: found.learnt,
                key: None,
            },
            Some(known) => {
                let (joined, conflict) = join(known, found, plan);
                if conflict {
                    return Err(Error::new(
                        &codes::CREDENTIALS_CONFLICT,
                        "The request carries credentials of different consumers.",
                    ));
                }
                joined
            }
        };
        self.identity = Some(identity);
        self.identified = self.identified.saturating_add(1);
        Ok(())
    }

    /// The same by a credential of the configuration, unless that has expired. Remembers that it was shown.
    pub fn identify_by(&mut self, method: &'static str, id: CredentialId) -> Result<(), Error> {
        let local = self.local.clone();
        let program = &local.program;
        let Some(credential) = program.consumers.credential(id) else {
            return Err(Error::new(&codes::INTERNAL, "The credential is not one of the configuration."));
        };
        if is_over(credential.expires, || program.clock.wall()) {
            return Err(Error::new(&codes::CREDENTIAL_EXPIRED, "The credential has expired."));
        }
        let (consumer, name) = (Some(credential.consumer), Some(credential.name.clone()));
        self.identify(Finding { method, consumer, credential: name, learnt: credential.learnt.clone() })?;
        credential.mark_used(program.clock.wall_at(self.record.started));
        Ok(())
    }

    /// The same by a key that was given while the gateway runs. Its consumer is to be one of the configuration.
    pub(crate) fn identify_by_key(&mut self, method: &'static str, key: Arc<CallerKey>) -> Result<(), Error> {
        let local = self.local.clone();
        let program = &local.program;
        if is_over(key.expires, || program.clock.wall()) {
            return Err(Error::new(&codes::CREDENTIAL_EXPIRED, "The credential has expired."));
        }
        let Some(consumer) = program.consumers.by_name(&key.consumer) else {
            return Err(Error::new(&codes::CONSUMER_DISABLED, "The consumer is disabled."));
        };
        let (consumer, name) = (Some(consumer.slot), Some(key.name.clone()));
        self.identify(Finding { method, consumer, credential: name, learnt: None })?;
        key.mark_used(program.clock.wall_at(self.record.started));
        if let Some(identity) = &mut self.identity {
            identity.key.get_or_insert(key);
        }
        Ok(())
    }

    /// An identifying step found no credential: whether that matters is decided at the end of the stage, with these
    /// challenges (RFC 9110 section 11.6.1).
    pub fn not_identified<'c>(&mut self, challenges: impl IntoIterator<Item = &'c HeaderValue>) {
        self.unidentified = self.unidentified.saturating_add(1);
        self.challenges.extend(challenges.into_iter().cloned());
    }

    /// The consumer's own plan, unless it is switched off or over.
    fn may_call(&self, consumer: Option<ConsumerSlot>) -> Result<Option<u32>, Error> {
        let Some(consumer) = consumer.and_then(|slot| self.local.program.consumers.get(slot)) else { return Ok(None) };
        if !consumer.enabled {
            return Err(Error::new(&codes::CONSUMER_DISABLED, "The consumer is disabled."));
        }
        if is_over(consumer.expires, || self.local.program.clock.wall()) {
            return Err(Error::new(&codes::CONSUMER_EXPIRED, "The consumer has expired."));
        }
        Ok(consumer.plan)
    }
}

/// What was known and what was found as one, and whether they contradict each other. Who found the consumer gives the
/// method and the credential.
fn join(known: Identity, found: Finding, plan: Option<u32>) -> (Identity, bool) {
    let conflict = matches!((known.consumer, found.consumer), (Some(a), Some(b)) if a != b);
    let learnt = match (known.learnt, found.learnt) {
        (Some(first), Some(second)) => Some(Arc::new(first.with(&second))),
        (first, second) => first.or(second),
    };
    let joined = if known.consumer.is_none() && found.consumer.is_some() {
        let Finding { consumer, credential, method, .. } = found;
        Identity { consumer, plan, credential, method, learnt, key: known.key }
    } else {
        Identity { learnt, ..known }
    };
    (joined, conflict)
}

impl Learnt {
    /// Both together. Where they differ, what was learnt first stands.
    fn with(&self, more: &Learnt) -> Learnt {
        let mut claims = more.claims.clone();
        claims.extend(self.claims.iter().map(|(name, value)| (name.clone(), value.clone())));
        Learnt {
            subject: self.subject.clone().or_else(|| more.subject.clone()),
            scopes: union(&self.scopes, &more.scopes),
            groups: union(&self.groups, &more.groups),
            claims,
        }
    }
}

fn union(a: &[Box<str>], b: &[Box<str>]) -> Box<[Box<str>]> {
    a.iter().chain(b.iter().filter(|item| !a.contains(item))).cloned().collect()
}

#[cfg(test)]
mod tests;
