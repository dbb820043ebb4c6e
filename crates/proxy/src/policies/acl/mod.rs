//! Lets callers in by consumer and group.

use std::collections::HashSet;
use std::sync::Arc;

use model::load::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::{Blame, Code, Error, Exchange, Identity};
use crate::policies::denial::{Tell, denied, unidentified};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::{Compile, ConsumerSlot};

#[cfg(test)]
mod tests;

/// Lets callers in by consumer and group.
pub(crate) struct Acl;

/// Lets callers in by consumer and group. Groups are the consumer's and those that its credential tells (a token's). Who is
/// not known is asked for a credential where something is allowed to some only. Where several levels have such a policy,
/// each must let the caller in.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Who is let in; nothing means all but those denied.
    allow: Callers,
    /// Who is not let in, even if allowed too.
    deny: Callers,
    /// Who is told why a request is denied.
    tell: Tell,
}

/// Callers by name or group.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AclCallers")]
pub(crate) struct Callers {
    /// Names of consumers.
    consumers: Vec<Spanned<String>>,
    /// Names of groups.
    groups: Vec<Spanned<String>>,
}

static DENIED: Code =
    Code { name: "acl.denied", status: 403, title: "Caller denied", blame: Blame::Client, proxy_status: None };

const MOST: usize = 100_000;

impl Policy for Acl {
    type Spec = Spec;
    const KIND: &'static str = "acl";
    const ORDER: (Stage, u8) = (Stage::Authorize, 20);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let allow = Listed::compile(&spec.allow, cx);
        let deny = Listed::compile(&spec.deny, cx);
        let (allow, deny) = (allow?, deny?);
        if allow.is_empty() && deny.is_empty() {
            cx.problem(cx.span, "the policy lets everyone in", "write `allow: { groups: [staff] }`, or `deny`");
            return None;
        }
        Some(Arc::new(Doorkeeper { allow, deny, tell: spec.tell }))
    }
}

/// Who is on a list. Consumers are, by their slots, whether named themselves or by a group of theirs.
struct Listed {
    consumers: Box<[u64]>,
    groups: HashSet<Box<str>, foldhash::fast::RandomState>,
    names: usize,
}

impl Listed {
    fn compile(written: &Callers, cx: &mut Compile<'_>) -> Option<Self> {
        let names = written.consumers.len() + written.groups.len();
        if names > MOST {
            cx.problem(cx.span, format!("more than {MOST} consumers and groups"), "put consumers into groups");
            return None;
        }
        let mut listed = Self {
            consumers: vec![0; cx.consumers.slots().div_ceil(64)].into(),
            groups: written.groups.iter().map(|group| group.as_str().into()).collect(),
            names,
        };
        let found: Vec<_> = written.consumers.iter().map(|name| cx.consumer(name)).collect();
        found.into_iter().collect::<Option<Vec<_>>>()?.into_iter().for_each(|slot| listed.add(slot));
        if !listed.groups.is_empty() {
            let grouped = |groups: &[Arc<str>]| groups.iter().any(|group| listed.groups.contains(&**group));
            let members = cx.consumers.iter().filter(|consumer| grouped(&consumer.groups));
            let members: Vec<_> = members.map(|consumer| consumer.slot).collect();
            members.into_iter().for_each(|slot| listed.add(slot));
        }
        Some(listed)
    }

    fn is_empty(&self) -> bool {
        self.names == 0
    }

    fn add(&mut self, slot: ConsumerSlot) {
        if let Some(word) = self.consumers.get_mut(slot.0 as usize / 64) {
            *word |= 1 << (slot.0 % 64);
        }
    }

    fn has(&self, identity: &Identity) -> bool {
        let consumer = identity.consumer.is_some_and(|slot| {
            self.consumers.get(slot.0 as usize / 64).is_some_and(|word| word & (1 << (slot.0 % 64)) != 0)
        });
        let learnt = identity.learnt.as_ref();
        consumer || learnt.is_some_and(|learnt| learnt.groups.iter().any(|group| self.groups.contains(group)))
    }
}

struct Doorkeeper {
    allow: Listed,
    deny: Listed,
    tell: Tell,
}

impl Step for Doorkeeper {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let why = match &x.identity {
            None if self.allow.is_empty() => return Verdict::NEXT,
            None => return Verdict::fail(unidentified(x)),
            Some(identity) if self.deny.has(identity) => "is denied",
            Some(identity) if !self.allow.is_empty() && !self.allow.has(identity) => "is not among those allowed",
            Some(_) => return Verdict::NEXT,
        };
        Verdict::fail(self.refusal(x, why))
    }
}

impl Doorkeeper {
    #[cold]
    fn refusal(&self, x: &Exchange, why: &str) -> Error {
        let identity = x.identity.as_ref();
        let consumer = identity.and_then(|identity| x.local.program.consumers.get(identity.consumer?));
        let who = consumer.map_or_else(|| "the caller".to_owned(), |consumer| format!("consumer `{}`", consumer.name));
        denied(&DENIED, format!("{who} {why}, by name or group"), self.tell)
    }
}
