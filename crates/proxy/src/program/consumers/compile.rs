//! Consumers of a snapshot to those of a program.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::load::{STAND_IN, Span, Spanned};
use model::problem::{Problem, Problems};
use model::resource::{
    BasicCredential, CertificateCredential, Credential as Written, HmacCredential, PublicKeyCredential, SecretEncoding,
};
use model::snapshot::{KnownConsumer, Snapshot};
use model::value::{Secret, Timestamp};

use super::certificates::Sign;
use super::credential::{Credential, CredentialId, CredentialKind};
use super::password::{Hashed, Password};
use super::signing::SigningKey;
use super::{Consumer, Consumers, KeyHash, Subscription};
use crate::exchange::Learnt;
use crate::gate_key;
use crate::policies::is_scope;
use crate::program::{ConsumerSlot, Environment, sha256};

/// The most scopes of a credential.
const MOST_SCOPES: usize = 100;
/// The shortest secret that signs.
const LEAST_SECRET: usize = 16;

/// The consumers of a snapshot, and those of the file that it names.
pub(in crate::program) fn compile(snapshot: &Snapshot, env: &Environment, problems: &mut Problems) -> Consumers {
    let keep = &env.keep;
    let mut subscriptions: HashMap<usize, Vec<Subscription>> = HashMap::new();
    for known in &snapshot.subscriptions {
        let Ok(api) = u32::try_from(known.api) else { continue };
        let plan = known.plan.and_then(|plan| u32::try_from(plan).ok());
        let subscription = Subscription { api, plan, enabled: known.enabled, expires: known.expires };
        subscriptions.entry(known.consumer).or_default().push(subscription);
    }
    let before = keep.consumers();
    let mut builder = Builder {
        made: Consumers::default(),
        before: before.as_deref(),
        names: HashSet::new(),
        now: env.clock.wall(),
        problems,
    };
    for (at, known) in snapshot.consumers.iter().enumerate() {
        let place = keep.consumer(&known.consumer.name);
        builder.consumer(at, known, place, subscriptions.remove(&at).unwrap_or_default());
    }
    if let Some(path) = &snapshot.consumers_file {
        builder.file(path, snapshot, keep, env.offline);
    }
    builder.made
}

/// Makes the consumers of a program.
pub(super) struct Builder<'a> {
    pub(super) made: Consumers,
    /// The consumers of the program before: when a credential was last used outlives it.
    before: Option<&'a Consumers>,
    /// Names of credentials, which many have the same.
    names: HashSet<Arc<str>>,
    now: Duration,
    pub(super) problems: &'a mut Problems,
}

impl Builder<'_> {
    fn consumer(
        &mut self,
        at: usize,
        known: &KnownConsumer,
        (name, slot): (Arc<str>, u32),
        subscriptions: Vec<Subscription>,
    ) {
        let slot = ConsumerSlot(slot);
        let written = &known.consumer;
        let path = format!("consumers[{at}]");
        self.over(written.expires.as_ref(), &path, &format!("consumer `{}`", *written.name));
        let start = u32::try_from(self.made.credentials.len()).unwrap_or(u32::MAX);
        for (place, credential) in written.credentials.iter().enumerate() {
            let path = format!("{path}.credentials[{place}]");
            let name = credential.name.as_ref().map_or_else(|| place.to_string(), |name| name.to_string());
            self.credential(credential, &name, written.name.span, slot, &path);
        }
        let count = self.made.credentials.len() as u32 - start.min(self.made.credentials.len() as u32);
        self.made.add(Consumer {
            name,
            slot,
            enabled: written.enabled,
            expires: written.expires.as_ref().map(|expires| **expires),
            plan: known.plan.and_then(|plan| u32::try_from(plan).ok()),
            groups: written.groups.iter().map(|group| group.as_str().into()).collect(),
            tags: written.tags.clone().into(),
            metadata: written.metadata.iter().map(|(key, value)| (key.value.clone(), value.clone())).collect(),
            subscriptions: subscriptions.into(),
            credentials: (start, count),
        });
    }

    /// One credential. It is there for those who look, whether it is good or not.
    fn credential(&mut self, written: &Written, name: &str, owner: Span, slot: ConsumerSlot, path: &str) {
        let Written { key, key_sha256, basic, hmac, public_key, certificate, .. } = written;
        let id = CredentialId(u32::try_from(self.made.credentials.len()).unwrap_or(u32::MAX));
        if self.earlier(slot).any(|other| *other.name == *name) {
            let span = written.name.as_ref().map_or(owner, |name| name.span);
            let message = format!("two credentials of this consumer are named `{name}`");
            self.wrong("config.duplicate_name", span, path, message, "rename one of them");
        }
        self.over(written.expires.as_ref(), path, &format!("credential `{name}`"));
        let enabled = written.enabled;
        let kind = match (key, key_sha256, basic, hmac, public_key, certificate) {
            (Some(key), None, None, None, None, None) => {
                self.key(key, enabled, id, path);
                CredentialKind::Key
            }
            (None, Some(hash), None, None, None, None) => {
                self.key_sha256(hash, enabled, id, path);
                CredentialKind::Key
            }
            (None, None, Some(basic), None, None, None) => {
                self.basic(basic, enabled, id, path);
                CredentialKind::Basic
            }
            (None, None, None, Some(hmac), None, None) => {
                self.hmac(hmac, enabled, id, path);
                CredentialKind::Hmac
            }
            (None, None, None, None, Some(public), None) => {
                self.public_key(public, enabled, id, path);
                CredentialKind::PublicKey
            }
            (None, None, None, None, None, Some(certificate)) => {
                self.certificate(certificate, owner, enabled, id, path);
                CredentialKind::Certificate
            }
            _ => {
                let message =
                    "a credential is one of `key`, `key_sha256`, `basic`, `hmac`, `public_key`, `certificate`";
                return self.wrong("config.credential", owner, path, message, "give one of them");
            }
        };
        let used = self.earlier_use(slot, name, kind);
        let learnt = self.scopes(written, path);
        let name = self.name(name);
        let (created, expires) = (&written.created, &written.expires);
        self.made.credentials.push(Credential {
            name,
            consumer: slot,
            kind,
            enabled,
            created: created.as_ref().map(|created| **created),
            expires: expires.as_ref().map(|expires| **expires),
            learnt,
            used,
        });
    }

    /// The scopes of a credential.
    fn scopes(&mut self, written: &Written, path: &str) -> Option<Arc<Learnt>> {
        for scope in written.scopes.iter().filter(|scope| !is_scope(scope)) {
            let message = format!("`{}` is not a scope", **scope);
            let help = "a scope has no spaces, quotes or backslashes; list several";
            self.wrong("config.credential", scope.span, path, message, help);
        }
        if written.scopes.len() > MOST_SCOPES {
            let message = format!("more than {MOST_SCOPES} scopes");
            self.wrong("config.credential", Span::default(), path, message, "ask for groups by `acl` instead");
        }
        let scopes: Box<[Box<str>]> = written.scopes.iter().map(|scope| scope.as_str().into()).collect();
        (!scopes.is_empty()).then(|| Arc::new(Learnt { scopes, ..Learnt::default() }))
    }

    fn key(&mut self, key: &Spanned<Secret<String>>, enabled: bool, id: CredentialId, path: &str) {
        if key.expose().is_empty() {
            return self.wrong("config.empty_key", key.span, path, "the key is empty", "`tollgate key` makes one");
        }
        if gate_key::is_forged(key.expose().as_bytes()) {
            let message = "the key begins with `tg_` and its checksum is wrong, so that nobody could use it";
            self.wrong("config.key", key.span, path, message, "take a key whole, as `tollgate key` printed it");
        }
        if enabled && !stands_in(key.expose()) {
            let added = self.made.add_key(sha256(key.expose().as_bytes()), id);
            self.unique(added, "key", key.span, path);
        }
    }

    fn key_sha256(&mut self, hash: &Spanned<String>, enabled: bool, id: CredentialId, path: &str) {
        let Some(parsed) = parse_hash(hash) else {
            return self.wrong("config.key_hash", hash.span, path, "not a SHA-256", "write 64 hexadecimal digits");
        };
        if enabled {
            let added = self.made.add_key(parsed, id);
            self.unique(added, "key", hash.span, path);
        }
    }

    fn basic(&mut self, basic: &BasicCredential, enabled: bool, id: CredentialId, path: &str) {
        let name = &basic.username;
        if name.is_empty() || name.len() > 256 || name.contains([':', '\0']) {
            let message = "a user name has 1 to 256 bytes and no colon";
            self.wrong("config.credential", name.span, path, message, "mend the name");
        }
        let password = match (&basic.password, &basic.password_hash) {
            (Some(plain), None) if plain.expose().is_empty() => {
                return self.wrong("config.empty_key", plain.span, path, "the password is empty", "give one");
            }
            (Some(plain), None) if stands_in(plain.expose()) => return,
            (Some(plain), None) => Password::Plain(secret(plain)),
            (None, Some(hash)) if stands_in(hash.expose()) => return,
            (None, Some(hash)) => match Hashed::read(hash.expose()) {
                Err(why) => {
                    let help = "write what `argon2 SALT -id -e` prints: `$argon2id$v=19$m=19456,t=2,p=1$…$…`";
                    return self.wrong("config.password_hash", hash.span, path, why, help);
                }
                Ok(hashed) => Password::Hashed(Arc::new(hashed)),
            },
            _ => {
                let message = "a user has either a `password` or a `password_hash`";
                return self.wrong("config.credential", name.span, path, message, "give one of them");
            }
        };
        if enabled {
            let added = match self.made.passwords.get(name.as_str()) {
                Some((_, owner)) => Err(*owner),
                None => {
                    self.made.passwords.insert(name.as_str().into(), (password, id));
                    Ok(())
                }
            };
            self.unique(added, "user name", name.span, path);
        }
    }

    fn hmac(&mut self, hmac: &HmacCredential, enabled: bool, id: CredentialId, path: &str) {
        let span = hmac.secret.span;
        if stands_in(hmac.secret.expose()) {
            return;
        }
        let known: Option<Secret<Box<[u8]>>> = match hmac.encoding {
            SecretEncoding::Text => Some(secret(&hmac.secret)),
            SecretEncoding::Base64 => STANDARD.decode(hmac.secret.expose()).ok().map(|bytes| Secret::new(bytes.into())),
        };
        match known {
            None => self.wrong("config.credential", span, path, "the secret is not base64", "write `encoding: text`"),
            Some(known) if known.expose().len() < LEAST_SECRET => {
                let message = format!("the secret has fewer than {LEAST_SECRET} bytes");
                self.wrong("config.credential", span, path, message, "take a random one");
            }
            Some(known) if enabled => self.signer(&hmac.id, SigningKey::Secret(known), id, path),
            Some(_) => {}
        }
    }

    fn public_key(&mut self, public: &PublicKeyCredential, enabled: bool, id: CredentialId, path: &str) {
        let Some(key) = SigningKey::from_pem(&public.pem) else {
            let message = "not a public key for Ed25519 or ECDSA on P-256";
            let help = "write the PEM that `openssl pkey -pubout` prints, `-----BEGIN PUBLIC KEY-----`";
            return self.wrong("config.credential", public.pem.span, path, message, help);
        };
        if enabled {
            self.signer(&public.id, key, id, path);
        }
    }

    fn signer(&mut self, name: &Spanned<String>, key: SigningKey, id: CredentialId, path: &str) {
        if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
            self.wrong("config.credential", name.span, path, "an id has 1 to 256 characters", "mend the id");
        }
        let added = match self.made.signers.get(name.as_str()) {
            Some((_, owner)) => Err(*owner),
            None => {
                self.made.signers.insert(name.as_str().into(), (key, id));
                Ok(())
            }
        };
        self.unique(added, "id", name.span, path);
    }

    fn certificate(&mut self, told: &CertificateCredential, owner: Span, enabled: bool, id: CredentialId, path: &str) {
        let CertificateCredential { subject, san, spiffe, fingerprint } = told;
        let (sign, span) = match (subject, san, spiffe, fingerprint) {
            (Some(subject), None, None, None) => (Sign::Subject(subject.as_str().into()), subject.span),
            (None, Some(san), None, None) => (Sign::Name(san.as_str().into()), san.span),
            (None, None, Some(spiffe), None) => {
                let rest = spiffe.strip_prefix("spiffe://").unwrap_or_default();
                if rest.split('/').next().is_none_or(str::is_empty) {
                    let message = "not a SPIFFE id";
                    self.wrong("config.credential", spiffe.span, path, message, "write `spiffe://DOMAIN/PATH`");
                }
                (Sign::Name(spiffe.as_str().into()), spiffe.span)
            }
            (None, None, None, Some(fingerprint)) => {
                let hex = fingerprint.replace(':', "").to_ascii_lowercase();
                if parse_hash(&hex).is_none() {
                    let message = "not a SHA-256";
                    return self.wrong(
                        "config.key_hash",
                        fingerprint.span,
                        path,
                        message,
                        "write 64 hexadecimal digits",
                    );
                }
                (Sign::Fingerprint(hex.into()), fingerprint.span)
            }
            _ => {
                let message = "a certificate is told by one of `subject`, `san`, `spiffe`, `fingerprint`";
                return self.wrong("config.credential", owner, path, message, "give one of them");
            }
        };
        if enabled {
            let added = self.made.certificates.add(sign, id);
            self.unique(added, "certificate", span, path);
        }
    }

    /// Reports where another credential is shown by the same.
    fn unique(&mut self, added: Result<(), CredentialId>, what: &str, span: Span, path: &str) {
        let Err(owner) = added else { return };
        // A consumer is added after its credentials, so an owner that is not there is this very one.
        let consumer = self.made.credential(owner).and_then(|owner| self.made.get(owner.consumer));
        let message = match consumer {
            Some(consumer) => format!("consumer `{}` has this {what} already", consumer.name),
            None => format!("this consumer has this {what} already"),
        };
        self.wrong("config.duplicate_key", span, path, message, "give each credential one of its own");
    }

    /// Warns of what has ended already.
    fn over(&mut self, expires: Option<&Spanned<Timestamp>>, path: &str, what: &str) {
        let Some(expires) = expires.filter(|expires| expires.since_epoch() <= self.now) else { return };
        let problem = Problem::warning("config.expired", expires.span, format!("{what} has expired"));
        self.problems.push(problem.path(format!("{path}.expires")).help("give it a later moment, or take it out"));
    }

    /// The credentials of the consumer that is being added.
    fn earlier(&self, slot: ConsumerSlot) -> impl Iterator<Item = &Credential> {
        self.made.credentials.iter().rev().take_while(move |other| other.consumer == slot)
    }

    /// Where the use of this credential is remembered.
    pub(super) fn earlier_use(
        &self,
        slot: ConsumerSlot,
        name: &str,
        kind: CredentialKind,
    ) -> Arc<std::sync::atomic::AtomicU64> {
        let before = self.before.and_then(|before| {
            let known = before.credentials_of(before.get(slot)?).iter();
            let mut same = known.filter(|known| *known.name == *name && known.kind == kind);
            same.next().map(|known| known.used.clone())
        });
        before.unwrap_or_default()
    }

    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        name
    }

    fn wrong(&mut self, code: &'static str, span: Span, path: &str, message: impl Into<String>, help: &str) {
        self.problems.push(Problem::error(code, span, message).path(path).help(help));
    }
}

/// Checked without its environment: what stands in for absent secrets is the same for all of them.
fn stands_in(text: &str) -> bool {
    text.contains(STAND_IN)
}

fn secret(text: &Secret<String>) -> Secret<Box<[u8]>> {
    Secret::new(text.expose().as_bytes().into())
}

/// 64 hexadecimal digits.
pub(super) fn parse_hash(text: &str) -> Option<KeyHash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (to, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
