//! Who asks, and what is given.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::answer::Refused;
use super::{OAuthServer, Server};
use crate::exchange::{Exchange, Learnt};
use crate::policies::query;
use crate::program::{Consumer, sha256};
use crate::terminals::TerminalKind;
use crate::tokens::issue::{Taken, token_id};
use crate::tokens::rules::Rules;
use crate::tokens::token::Token;
use crate::tokens::verify::verify;

/// What a token of the gateway's own is called in `typ`: for apis, and for getting another.
const ACCESS: &str = "at+jwt";
const REFRESH: &str = "refresh+jwt";

pub(super) type Form = HashMap<String, String>;

/// What is answered, and what must be known for good before that: tokens that are not good any more, and until when.
pub(super) struct Given {
    pub(super) answer: Value,
    pub(super) taken: Vec<(String, u64)>,
}

/// Who asks.
pub(super) struct Client {
    consumer: Arc<Consumer>,
    /// What the key that it shows says, where it says something.
    learnt: Option<Arc<Learnt>>,
}

impl Server {
    /// The client that asks, as the consumer that it is, and its form (RFC 6749 section 2.3).
    pub(super) fn client(&self, x: &mut Exchange, body: &[u8]) -> Result<(Client, Form), Refused> {
        let mut form = form(x, body)?;
        let (id, secret) = match (basic(x)?, form.remove("client_secret")) {
            (Some(_), Some(_)) => return Err(Refused::Request("The client shows its secret in two ways.")),
            (Some((id, secret)), None) => {
                if form.get("client_id").is_some_and(|other| *other != id) {
                    return Err(Refused::Client);
                }
                (id, secret)
            }
            (None, Some(secret)) => (form.get("client_id").cloned().ok_or(Refused::Client)?, secret),
            (None, None) => return Err(Refused::Client),
        };
        let local = x.local.clone();
        let consumers = &local.program.consumers;
        // Found by the secret, whose hash nobody chooses, so that time tells nothing of names.
        let credential = consumers.find_key(&sha256(secret.as_bytes())).ok_or(Refused::Client)?;
        let shown = consumers.credential(credential).ok_or(Refused::Client)?;
        let (slot, learnt) = (Some(shown.consumer), shown.learnt.clone());
        let consumer = slot.and_then(|slot| consumers.get(slot)).filter(|consumer| *consumer.name == *id);
        let consumer = consumer.cloned().ok_or(Refused::Client)?;
        // A caller that policies before know already must be the same one.
        x.identify_by(OAuthServer::KIND, credential).map_err(|_| Refused::Client)?;
        Ok((Client { consumer, learnt }, form))
    }

    /// The token endpoint (RFC 6749 sections 4.4 and 6).
    pub(super) fn token(&self, client: &Client, form: &Form, now: u64) -> Result<Given, Refused> {
        let may_have = self.scopes_of(client);
        let asked = form.get("scope").map(String::as_str);
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {
                let answer = self.give(client, &within(asked, &may_have)?, now)?;
                Ok(Given { answer, taken: Vec::new() })
            }
            Some("refresh_token") if self.refresh_life.is_some() => {
                let token = form.get("refresh_token").ok_or(Refused::Request("`refresh_token` is missing."))?;
                let (token, until) = self.own_token(token, client, REFRESH, now).ok_or(Refused::Grant)?;
                let before: Vec<String> = words(token.text("scope").unwrap_or_default());
                // Scopes that were taken from the client since are gone.
                let before: Vec<String> = before.into_iter().filter(|scope| may_have.contains(scope)).collect();
                let scopes = within(asked, &before)?;
                let id = token.text("jti").ok_or(Refused::Grant)?;
                // It is good once: of two that come at the same time, one gets a token.
                match self.own.revoke(id, until, now) {
                    Taken::Now => {}
                    Taken::Before => return Err(Refused::Grant),
                    Taken::Full => return Err(Refused::Unable),
                }
                let answer = self.give(client, &scopes, now)?;
                Ok(Given { answer, taken: vec![(id.to_owned(), until)] })
            }
            Some(_) => Err(Refused::GrantType),
            None => Err(Refused::Request("`grant_type` is missing.")),
        }
    }

    /// The revocation endpoint (RFC 7009): what is no token of this client is no error.
    pub(super) fn revoke(&self, client: &Client, form: &Form, now: u64) -> Result<Given, Refused> {
        let mut taken = Vec::new();
        let token = form.get("token").ok_or(Refused::Request("`token` is missing."))?;
        for kind in [ACCESS, REFRESH] {
            if let Some((token, until)) = self.own_token(token, client, kind, now)
                && let Some(id) = token.text("jti")
            {
                if self.own.revoke(id, until, now) == Taken::Full {
                    return Err(Refused::Unable);
                }
                taken.push((id.to_owned(), until));
            }
        }
        Ok(Given { answer: json!({}), taken })
    }

    fn give(&self, client: &Client, scopes: &[String], now: u64) -> Result<Value, Refused> {
        let scope = scopes.join(" ");
        let claims = |audience: Value, life: u64| {
            let id = token_id().ok_or(Refused::Broken)?;
            Ok(json!({
                "iss": self.issuer, "sub": &*client.consumer.name, "client_id": &*client.consumer.name, "aud": audience, "scope": scope,
                "iat": now, "exp": now + life, "jti": id
            }))
        };
        let audience = match self.audience.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        let access =
            self.own.sign(ACCESS, claims(audience, self.life)?.to_string().as_bytes(), now).ok_or(Refused::Broken)?;
        let mut given =
            json!({ "access_token": access, "token_type": "Bearer", "expires_in": self.life, "scope": scope });
        if let (Some(life), Some(members)) = (self.refresh_life, given.as_object_mut()) {
            let refresh = self
                .own
                .sign(REFRESH, claims(json!(self.issuer), life)?.to_string().as_bytes(), now)
                .ok_or(Refused::Broken)?;
            members.insert("refresh_token".to_owned(), refresh.into());
        }
        Ok(given)
    }

    /// A good token of this kind that was given to this client, and when it ends.
    fn own_token<'t>(&self, token: &'t str, client: &Client, kind: &str, now: u64) -> Option<(Token<'t>, u64)> {
        let token = Token::parse(token.as_bytes()).ok()?;
        let rules = Rules { issuer: Some(self.issuer.as_str().into()), kinds: vec![kind.into()], ..Rules::default() };
        let until = verify(&token, &self.own.verifying().keys, &rules, now).ok()?;
        let its = token.text("client_id") == Some(&client.consumer.name);
        let good = token.text("jti").is_some_and(|id| !self.own.is_revoked(id));
        (its && good).then_some((token, until))
    }

    /// The scopes that a client may have: no token may do what the key that it was given for may not.
    fn scopes_of(&self, client: &Client) -> Vec<String> {
        let own = client.consumer.metadata.iter().find(|(key, _)| *key == self.scopes_metadata);
        let mut scopes = match own {
            None => self.scopes.clone(),
            Some((_, own)) => words(own).into_iter().filter(|scope| self.scopes.contains(scope)).collect(),
        };
        if let Some(learnt) = &client.learnt {
            scopes.retain(|scope| learnt.scopes.iter().any(|own| **own == **scope));
        }
        scopes
    }

    /// RFC 8414 section 2.
    pub(super) fn metadata(&self) -> Value {
        let at = |name: &str| format!("{}/{name}", self.issuer);
        let mut grants = vec!["client_credentials"];
        grants.extend(self.refresh_life.map(|_| "refresh_token"));
        let methods = ["client_secret_basic", "client_secret_post"];
        json!({
            "issuer": self.issuer, "token_endpoint": at("token"), "revocation_endpoint": at("revoke"),
            "jwks_uri": at("jwks"), "scopes_supported": self.scopes, "grant_types_supported": grants,
            "response_types_supported": [], "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// What is asked for, all of which may be had; everything that may be had where nothing is asked for.
fn within(asked: Option<&str>, may_have: &[String]) -> Result<Vec<String>, Refused> {
    let Some(asked) = asked else { return Ok(may_have.to_vec()) };
    let asked = words(asked);
    if asked.iter().all(|scope| may_have.contains(scope)) { Ok(asked) } else { Err(Refused::Scope) }
}

/// The fields of the form, each once (RFC 6749 section 3.2).
fn form(x: &Exchange, body: &[u8]) -> Result<Form, Refused> {
    let kind = x.request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refused::Request("The form is `application/x-www-form-urlencoded`."));
    }
    let text = std::str::from_utf8(body).map_err(|_| Refused::Request("The form is not text."))?;
    let mut form = Form::new();
    for (name, value) in query::pairs(text) {
        if form.insert(query::decode(name).into_owned(), query::decode(value).into_owned()).is_some() {
            return Err(Refused::Request("A field of the form stands twice."));
        }
    }
    Ok(form)
}

/// Id and secret of `Authorization: Basic`, each form-encoded (RFC 6749 section 2.3.1).
fn basic(x: &Exchange) -> Result<Option<(String, String)>, Refused> {
    let mut fields = x.request.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let (field, None) = (fields.next(), fields.next()) else { return Err(Refused::Client) };
    let Some(field) = field else { return Ok(None) };
    let (scheme, token) = field.split_at_checked(6).ok_or(Refused::Client)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Err(Refused::Client);
    }
    let shown = STANDARD.decode(token.trim_ascii()).ok().and_then(|shown| String::from_utf8(shown).ok());
    let shown = shown.ok_or(Refused::Client)?;
    let (id, secret) = shown.split_once(':').ok_or(Refused::Client)?;
    Ok(Some((query::decode(id).into_owned(), query::decode(secret).into_owned())))
}
