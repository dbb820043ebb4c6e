//! The tokens that a provider signs: ID tokens (OpenID Connect Core section 3.1.3.7) and logout tokens (Back-Channel Logout
//! section 2.6).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use serde_json::{Map, Value};

use super::provider::Provider;
use super::refusal::Trouble;
use crate::tokens::algorithm::Algorithm;
use crate::tokens::base64;
use crate::tokens::rules::Rules;
use crate::tokens::token::Token;
use crate::tokens::verify::{Refusal, verify};

/// The most bytes of such a token.
const MOST: usize = 64 << 10;
/// How old a logout token becomes, in seconds.
pub(super) const LOGOUT_AGE: u64 = 120;
/// What makes a token one of logout.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What an ID token has to agree with.
pub(super) struct Expected<'e> {
    /// The login's nonce; none in answer to a refresh token.
    pub(super) nonce: Option<&'e str>,
    /// The access token that came along.
    pub(super) access: Option<&'e str>,
}

/// What is signed, once it is believed.
struct Believed {
    claims: Map<String, Value>,
    algorithm: Algorithm,
    kind: Option<String>,
}

impl Provider {
    /// What an ID token says, if it is good and of this login.
    pub(super) async fn id_token(
        &self,
        worker: usize,
        leeway: u64,
        token: &str,
        expected: &Expected<'_>,
        now: u64,
    ) -> Result<Map<String, Value>, Trouble> {
        let rules = self.rules(leeway, &["sub", "exp", "iat"]);
        let believed = self.believe(worker, token, &rules, now).await?;
        match self.check(&believed, expected) {
            Ok(()) => Ok(believed.claims),
            Err(why) => {
                self.warn("an ID token is not good", why);
                Err(Trouble::Token)
            }
        }
    }

    fn rules(&self, leeway: u64, required: &[&str]) -> Rules {
        Rules {
            issuer: Some(self.issuer.clone()),
            audiences: vec![self.client_id.clone()],
            required: required.iter().map(|name| (*name).into()).collect(),
            leeway,
            ..Rules::default()
        }
    }

    /// The claims of a token with a good signature that keeps the rules. Keys are asked for where they are not known.
    async fn believe(&self, worker: usize, token: &str, rules: &Rules, now: u64) -> Result<Believed, Trouble> {
        let refused = |why: String| {
            self.warn("a token is not good", &why);
            Trouble::Token
        };
        if token.len() > MOST {
            return Err(refused("it is too large".to_owned()));
        }
        let token = Token::parse(token.as_bytes()).map_err(|why| refused(format!("{why:?}")))?;
        let mut asked = false;
        loop {
            // Keeps old keys fresh beside the traffic.
            let _ = self.keys.generation(worker);
            let outcome = match self.keys.keys() {
                None if asked => return Err(Trouble::Unreachable),
                None => None,
                Some(loaded) => match verify(&token, &loaded.keys, rules, now) {
                    Err(Refusal::UnknownKey) if !asked && self.keys.may_have_more() => None,
                    outcome => Some(outcome),
                },
            };
            match outcome {
                Some(Ok(_)) => break,
                Some(Err(why)) => return Err(refused(format!("{why:?}"))),
                None => {
                    self.keys.ask(worker).await;
                    asked = true;
                }
            }
        }
        Ok(Believed { algorithm: token.header.algorithm, kind: token.header.kind, claims: token.claims })
    }

    /// What an ID token must have beside what every token must.
    fn check(&self, token: &Believed, expected: &Expected<'_>) -> Result<(), &'static str> {
        let claims = &token.claims;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if token.kind.as_deref().is_some_and(|kind| kind != "jwt") {
            return Err("it is of another kind");
        }
        if text("sub").is_none_or(|subject| subject.is_empty() || subject.len() > super::ended::MOST_NAME) {
            return Err("`sub` is not a name");
        }
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
        match claims.get("azp") {
            None if several => return Err("it is for several, and `azp` does not say for whom"),
            None => {}
            Some(party) if *party == *self.client_id => {}
            Some(_) => return Err("`azp` is another client"),
        }
        if expected.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
            return Err("`nonce` is not that of this login");
        }
        if let (Some(hash), Some(access)) = (text("at_hash"), expected.access)
            && half_hash(token.algorithm, access) != hash
        {
            return Err("`at_hash` is of another access token");
        }
        Ok(())
    }

    /// What a logout token ends: the id of it, `sid` and `sub`.
    pub(super) async fn logout_token(
        self: &Arc<Self>,
        worker: usize,
        leeway: u64,
        token: &str,
        now: u64,
    ) -> Result<Logout, Trouble> {
        let mut rules = self.rules(leeway, &["iat", "jti", "events"]);
        rules.max_age = Some(LOGOUT_AGE);
        // It should say what it is; one that says something else is something else.
        if Token::parse(token.as_bytes()).is_ok_and(|token| token.header.kind.as_deref() == Some("logout+jwt")) {
            rules.kinds = vec!["logout+jwt".into()];
        }
        let claims = self.believe(worker, token, &rules, now).await?.claims;
        let refused = |why| {
            self.warn("a logout token is not good", why);
            Trouble::Token
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let good = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= super::ended::MOST_NAME);
        let (sid, subject, id) = (text("sid"), text("sub"), text("jti").filter(|id| !id.is_empty()));
        if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
            return Err(refused("`events` does not say that it is one"));
        }
        if claims.contains_key("nonce") {
            return Err(refused("it has a `nonce`, as ID tokens do"));
        }
        if (sid.is_none() && subject.is_none()) || !good(&sid) || !good(&subject) || !good(&id) {
            return Err(refused("it does not say whose sessions end"));
        }
        id.map(|id| Logout { id, sid, subject }).ok_or_else(|| refused("`jti` is not a name"))
    }
}

/// What a logout token says.
pub(super) struct Logout {
    pub(super) id: String,
    pub(super) sid: Option<String>,
    pub(super) subject: Option<String>,
}

/// The left half of a token's hash by the hash of an algorithm (OpenID Connect Core section 3.1.3.6).
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm.as_str() {
        "EdDSA" => &SHA512,
        name if name.ends_with("512") => &SHA512,
        name if name.ends_with("384") => &SHA384,
        _ => &SHA256,
    };
    let whole = digest(hash, token.as_bytes());
    base64(whole.as_ref().split_at_checked(hash.output_len() / 2).unwrap_or_default().0)
}
