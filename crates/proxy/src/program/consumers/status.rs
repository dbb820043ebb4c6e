//! What can be seen of consumers from outside, without anything that a request could show.

use serde::Serialize;

use super::Consumers;
use super::credential::CredentialKind;
use crate::program::Program;
use model::value::Timestamp;

/// A consumer as it stands.
#[derive(Debug, Serialize)]
pub struct ConsumerStatus<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether its credentials are good.
    pub enabled: bool,
    /// When they end to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Its default plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'a str>,
    /// Groups it belongs to.
    pub groups: Vec<&'a str>,
    /// What it shows to be known.
    pub credentials: Vec<CredentialStatus<'a>>,
    /// The apis it is subscribed to.
    pub subscriptions: Vec<SubscriptionStatus<'a>>,
}

/// A credential as it stands.
#[derive(Debug, Serialize)]
pub struct CredentialStatus<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: CredentialKind,
    /// Whether it is good, or revoked.
    pub enabled: bool,
    /// What it may be used for.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub scopes: &'a [Box<str>],
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it ends to be good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was last shown to this gateway: since it started, or ever where it has a data directory.
    pub last_used: Option<Timestamp>,
}

/// A subscription as it stands.
#[derive(Debug, Serialize)]
pub struct SubscriptionStatus<'a> {
    /// The api's name.
    pub api: &'a str,
    /// The plan that applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'a str>,
    /// Whether it is good, or suspended.
    pub enabled: bool,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Program {
    /// Consumers as they stand, by name, at most so many of those whose name comes after `after`.
    pub fn consumer_status(&self, after: &str, most: usize) -> Vec<ConsumerStatus<'_>> {
        let mut named: Vec<_> = self.consumers.iter().filter(|consumer| *consumer.name > *after).collect();
        named.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        named.truncate(most);
        let plan = |plan: Option<u32>| {
            let plan = self.snapshot.plans.get(usize::try_from(plan?).ok()?)?;
            Some(plan.name.value.as_str())
        };
        let told = named.into_iter().map(|consumer| ConsumerStatus {
            name: &consumer.name,
            enabled: consumer.enabled,
            expires: consumer.expires,
            plan: plan(consumer.plan),
            groups: consumer.groups.iter().map(|group| &**group).collect(),
            credentials: credentials(&self.consumers, consumer),
            subscriptions: consumer
                .subscriptions
                .iter()
                .filter_map(|subscription| {
                    let api = self.snapshot.apis.get(usize::try_from(subscription.api).ok()?)?;
                    Some(SubscriptionStatus {
                        api: api.api.name.value.as_str(),
                        plan: plan(subscription.plan),
                        enabled: subscription.enabled,
                        expires: subscription.expires,
                    })
                })
                .collect(),
        });
        told.collect()
    }
}

fn credentials<'a>(consumers: &'a Consumers, consumer: &super::Consumer) -> Vec<CredentialStatus<'a>> {
    let told = consumers.credentials_of(consumer).iter().map(|credential| CredentialStatus {
        name: &credential.name,
        kind: credential.kind,
        enabled: credential.enabled,
        scopes: credential.learnt.as_ref().map_or(&[], |learnt| &learnt.scopes),
        created: credential.created,
        expires: credential.expires,
        last_used: credential.last_used(),
    });
    told.collect()
}
