//! New tokens for old ones (RFC 6749 section 6, OpenID Connect Core section 12.2), before those are over.
//!
//! Requests of one session that come at the same time wait for one call. What it gave is remembered for a while: a browser
//! sends many requests with the old cookie before it has the new one, and a refresh token is often good for once alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use serde_json::{Map, Value};

use super::ended::{Whose, Word};
use super::provider::{Granted, Provider, form};
use super::refusal::Trouble;
use super::session::{Live, Session};
use super::token::Expected;
use super::{Asked, Login, set};
use crate::calls::Collapse;
use crate::exchange::Exchange;
use crate::policies::{Outcome, Verdict};
use crate::program::{KeyHash, sha256};
use crate::tokens::cache::Cache;

/// How long the outcome is remembered, in milliseconds.
const REMEMBERED: u64 = 60_000;
/// The pause after a provider could not be asked, in milliseconds.
const PAUSE: u64 = 2_000;

/// Renewals under way and just done. They outlive programs.
pub(super) struct Renewals {
    calls: Collapse<KeyHash, Result<Arc<Renewed>, Trouble>>,
    done: Arc<Cache<Renewed>>,
    /// When the last one failed for the provider's sake, in milliseconds; 0 for never.
    failed: Arc<AtomicU64>,
}

/// What the provider gave, and when.
struct Renewed {
    granted: Granted,
    /// The claims of a new ID token, if one came.
    claims: Option<Map<String, Value>>,
    at: u64,
}

impl Default for Renewals {
    fn default() -> Self {
        Self { calls: Collapse::new(4096), done: Arc::new(Cache::new(20_000, 8 << 20)), failed: Arc::default() }
    }
}

impl Renewals {
    /// New tokens for a session.
    async fn get(
        &self,
        provider: &Arc<Provider>,
        worker: usize,
        leeway: u64,
        session: &Arc<Session>,
        now: u64,
    ) -> Result<Arc<Renewed>, Trouble> {
        let refresh = session.tokens.refresh.as_deref().unwrap_or_default();
        let key = sha256(refresh.as_bytes());
        if let Some(done) = self.done.get(&key).filter(|done| now.saturating_sub(done.at) < REMEMBERED) {
            return Ok(done);
        }
        let failed = self.failed.load(SeqCst);
        if failed != 0 && now.saturating_sub(failed) < PAUSE {
            return Err(Trouble::Unreachable);
        }
        let (provider, session) = (provider.clone(), session.clone());
        let (done, failed) = (self.done.clone(), self.failed.clone());
        let call = || async move {
            let outcome = ask(&provider, worker, leeway, &session, now).await.map(Arc::new);
            match &outcome {
                Ok(renewed) => {
                    failed.store(0, SeqCst);
                    done.put(&key, renewed.clone());
                }
                Err(Trouble::Late | Trouble::Unreachable) => failed.store(now, SeqCst),
                Err(_) => {}
            }
            outcome
        };
        self.calls.run(key, call).await.unwrap_or(Err(Trouble::Unreachable))
    }
}

async fn ask(
    provider: &Arc<Provider>,
    worker: usize,
    leeway: u64,
    session: &Session,
    now: u64,
) -> Result<Renewed, Trouble> {
    let metadata = provider.metadata(worker).await?;
    let refresh = session.tokens.refresh.as_deref().unwrap_or_default();
    let form = form(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    let granted = provider.token(&metadata, worker, form).await?;
    let claims = match &granted.id {
        None => None,
        Some(token) => {
            let expected = Expected { nonce: None, access: granted.access.as_deref() };
            let claims = provider.id_token(worker, leeway, token, &expected, now / 1000).await?;
            // A refresh never makes somebody somebody else.
            if claims.get("sub") != session.claims.get("sub") {
                provider.warn("no new tokens", "the ID token is of another user");
                return Err(Trouble::Token);
            }
            Some(claims)
        }
    };
    Ok(Renewed { granted, claims, at: now })
}

impl Login {
    /// A request of a session whose tokens are nearly over.
    pub(super) async fn renew(&self, x: &mut Exchange, asked: Asked<'_>, live: Arc<Live>) -> Outcome {
        let worker = x.local.worker;
        let renewed = self.renewals.get(&self.provider, worker, self.leeway, &live.session, asked.now).await;
        let live = match renewed {
            Ok(renewed) => match self.renewed(x, &asked, &live, &renewed) {
                Ok(live) => live,
                Err(error) => return Outcome::Fail(Box::new(error)),
            },
            Err(Trouble::Grant | Trouble::Token) => {
                // The provider ended the session, or is no longer to be believed.
                self.ended.end(Whose::Own(&live.session.id), Word::Sure, asked.now, self.life.most);
                set(x, asked.names.end_session(&asked.shown));
                return settle(self.without_session(x, asked)).await;
            }
            // What is still good serves on.
            Err(_) if !live.session.is_spent(asked.now) => live,
            Err(trouble) => return Outcome::Fail(Box::new(trouble.into_error())),
        };
        match self.accept(x, &asked, &live) {
            Ok(()) => Outcome::Next,
            Err(error) => Outcome::Fail(Box::new(error)),
        }
    }

    /// The session with its new tokens.
    fn renewed(
        &self,
        x: &mut Exchange,
        asked: &Asked<'_>,
        live: &Live,
        renewed: &Renewed,
    ) -> Result<Arc<Live>, crate::exchange::Error> {
        let old = &live.session;
        let mut claims = old.claims.clone();
        for (name, value) in renewed.claims.iter().flatten() {
            claims.insert(name.clone(), value.clone());
        }
        if let Some(scope) = &renewed.granted.scope {
            claims.insert("scope".to_owned(), scope.as_str().into());
        }
        let tokens = self.tokens(&renewed.granted, Some(&old.tokens), &claims, renewed.at);
        let session = Session { id: old.id.clone(), started: old.started, used: asked.now, claims, tokens };
        let live = self.live(Arc::new(session.clone()))?;
        self.keep(x, asked, session)?;
        Ok(Arc::new(live))
    }
}

/// What a step decided, waited for.
async fn settle(verdict: Verdict<'_>) -> Outcome {
    match verdict {
        Verdict::Done(outcome) => outcome,
        Verdict::Await(later) => later.await,
    }
}
