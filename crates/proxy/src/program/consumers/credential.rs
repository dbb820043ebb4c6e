//! A credential at run time: whose it is, how long it is good, when it was last used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::value::Timestamp;
use serde::Serialize;

use crate::exchange::Learnt;
use crate::program::ConsumerSlot;

/// A credential in its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CredentialId(pub u32);

/// What a consumer shows to be known.
#[derive(Debug)]
pub struct Credential {
    /// Its name within the consumer.
    pub name: Arc<str>,
    /// Whose it is.
    pub consumer: ConsumerSlot,
    /// What it is.
    pub kind: CredentialKind,
    /// `false`: it is revoked, and nothing finds it.
    pub enabled: bool,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it ends to be good.
    pub expires: Option<Timestamp>,
    /// Its scopes, where it has some, as what is learnt by it.
    pub learnt: Option<Arc<Learnt>>,
    /// Seconds since 1970; 0 for never. The same over reloads.
    pub(super) used: Arc<AtomicU64>,
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// An API key.
    Key,
    /// A user name with its password.
    Basic,
    /// A secret that requests are signed with.
    Hmac,
    /// A public key whose private half signs requests.
    PublicKey,
    /// A client certificate.
    Certificate,
}

impl CredentialKind {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Basic => "basic",
            Self::Hmac => "hmac",
            Self::PublicKey => "public_key",
            Self::Certificate => "certificate",
        }
    }
}

impl Credential {
    /// Remembers that it was shown. To the second, so that workers seldom write to the same place.
    pub(crate) fn mark_used(&self, now: Duration) {
        let now = now.as_secs();
        if self.used.load(Relaxed) != now {
            self.used.store(now, Relaxed);
        }
    }

    /// When it was last shown, to the second; none when it is not known to have been.
    pub fn last_used(&self) -> Option<Timestamp> {
        let used = self.used.load(Relaxed);
        (used > 0).then(|| Timestamp::from_millis(used * 1000))
    }
}
