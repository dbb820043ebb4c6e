//! The ends of sessions: by the user here, and by the provider (OpenID Connect RP-Initiated, Front-Channel and Back-Channel
//! Logout 1.0).

use http::{Method, StatusCode};

use super::ended::{MOST_NAME, Whose, Word};
use super::login::parameter;
use super::provider::{form, with_query};
use super::refusal::{Trouble, codes};
use super::token::LOGOUT_AGE;
use super::{Asked, Login, elsewhere, now, outcome, request, set, told};
use crate::exchange::{Error, Exchange};
use crate::policies::hmac_auth::replay::Nonce;
use crate::policies::{Outcome, query};
use crate::terminals::oauth_server;

impl Login {
    /// The user leaves: the session ends here, whatever the provider does, and then there.
    pub(super) async fn log_out(&self, x: &mut Exchange, asked: Asked<'_>) -> Outcome {
        let ended = self.end(&asked);
        set(x, asked.names.end_session(&asked.shown));
        let metadata = self.provider.metadata(x.local.worker).await.ok();
        let there = metadata.as_ref().and_then(|metadata| metadata.end_session.as_deref());
        let after = self.after.as_deref();
        let (Some(live), Some(there)) = (ended, there) else {
            return outcome(elsewhere(StatusCode::SEE_OTHER, after.unwrap_or("/")));
        };
        let mut query = form(&[("client_id", &self.provider.client_id)]);
        if let Some(token) = &live.session.tokens.id {
            query::push(&mut query, "id_token_hint", token);
        }
        if let Some(after) = after {
            let origin = if after.starts_with('/') { request::origin(x) } else { Some(String::new()) };
            if let Some(origin) = origin {
                query::push(&mut query, "post_logout_redirect_uri", &format!("{origin}{after}"));
            }
        }
        outcome(elsewhere(StatusCode::SEE_OTHER, &with_query(there, &query)))
    }

    /// A page of the provider says that a session ended. Anybody can make a browser say so.
    pub(super) fn front_channel(&self, x: &mut Exchange, asked: &Asked<'_>) -> Outcome {
        outcome(self.left_elsewhere(x, asked))
    }

    fn left_elsewhere(&self, x: &mut Exchange, asked: &Asked<'_>) -> Result<Outcome, Error> {
        if x.request.method != Method::GET {
            return Err(refused("This is asked for by GET."));
        }
        let (issuer, sid) = (parameter(x, "iss")?, parameter(x, "sid")?);
        if issuer.is_some_and(|issuer| *issuer != *self.provider.issuer) {
            return Err(refused("That issuer is not known here."));
        }
        let shown = self.session(asked).ok().flatten();
        match sid.filter(|sid| sid.len() <= MOST_NAME) {
            Some(sid) => {
                let word = match &shown {
                    Some(live) if live.session.claim("sid") == Some(&sid) => Word::Sure,
                    _ => Word::Claimed,
                };
                self.ended.end(Whose::Sid(&sid), word, asked.now, self.life.most);
                if word == Word::Sure {
                    set(x, asked.names.end_session(&asked.shown));
                }
            }
            None => {
                self.end(asked);
                set(x, asked.names.end_session(&asked.shown));
            }
        }
        told(StatusCode::OK, None)
    }

    /// The provider says that sessions ended, with its signature.
    pub(super) async fn back_channel(&self, x: &mut Exchange) -> Outcome {
        match self.ended_there(x).await {
            Ok(()) => outcome(told(StatusCode::OK, None)),
            Err(error) => {
                x.reply_header(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
                Outcome::Fail(error)
            }
        }
    }

    async fn ended_there(&self, x: &mut Exchange) -> Result<(), Box<Error>> {
        if x.request.method != Method::POST {
            return Err(refused("This is asked for by POST.").into());
        }
        let body = oauth_server::read(x).await?.ok_or_else(|| refused("The form is too large."))?;
        let form = std::str::from_utf8(&body).map_err(|_| refused("The form is not text."))?;
        let mut tokens = query::pairs(form).filter(|(name, _)| query::decode(name) == "logout_token");
        let (Some((_, token)), None) = (tokens.next(), tokens.next()) else {
            return Err(refused("The form has not one `logout_token`.").into());
        };
        let (worker, now) = (x.local.worker, now(x));
        let token = query::decode(token);
        let logout = self.provider.logout_token(worker, self.leeway, &token, now / 1000).await;
        let logout = logout.map_err(|trouble| match trouble {
            Trouble::Token => refused("The logout token is not good."),
            other => other.into_error(),
        })?;
        let seconds = i64::try_from(now / 1000).unwrap_or(i64::MAX);
        let validity = i64::try_from(LOGOUT_AGE + 2 * self.leeway).unwrap_or(i64::MAX);
        match self.replay.use_up(&self.provider.issuer, &logout.id, seconds, validity) {
            Nonce::New => {}
            Nonce::Used => return Err(refused("The logout token was used before.").into()),
            Nonce::Full => return Err(Trouble::Unreachable.into_error().into()),
        }
        let whose = match (&logout.sid, &logout.subject) {
            (Some(sid), _) => Whose::Sid(sid),
            (None, Some(subject)) => Whose::Subject(subject),
            (None, None) => return Ok(()),
        };
        self.ended.end(whose, Word::Sure, now, self.life.most);
        Ok(())
    }
}

fn refused(detail: &'static str) -> Error {
    Error::new(&codes::LOGOUT, detail)
}
