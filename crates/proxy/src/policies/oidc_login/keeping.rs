//! How a session comes back with a request, and goes out with an answer.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, HeaderValue};

use super::ended::{Whose, Word};
use super::refusal::codes;
use super::seal;
use super::session::{Live, Session};
use super::spec::Store;
use super::{Asked, Login, set};
use crate::exchange::{Error, Exchange, codes as own};

impl Login {
    /// The session of a request, if it is good. An error is one of a user whom nobody knows here any more.
    pub(super) fn session(&self, asked: &Asked<'_>) -> Result<Option<Arc<Live>>, Error> {
        let Some(shown) = &asked.shown.session else { return Ok(None) };
        let opened = match self.store {
            Store::Cookie => self.sealed(asked, shown)?,
            Store::Server => self.remembered(shown)?,
        };
        Ok(opened.filter(|live| !live.session.is_over(self.life, asked.now) && !self.ended.has(&live.session)))
    }

    /// A session from its cookie.
    fn sealed(&self, asked: &Asked<'_>, shown: &[u8]) -> Result<Option<Arc<Live>>, Error> {
        // The same bytes under another name are another thing, and there are two names.
        let known = |live: &Arc<Live>| *live.cookie == *asked.names.session;
        if let Some(live) = self.cache.get(shown).filter(known) {
            return Ok(Some(live));
        }
        let plain = self.seal.open(&asked.names.session, shown);
        let Some(session) = plain.and_then(|plain| serde_json::from_slice::<Session>(&plain).ok()) else {
            return Ok(None);
        };
        let live = Arc::new(Live { cookie: asked.names.session.clone(), ..self.live(Arc::new(session))? });
        self.cache.put(shown, live.clone());
        Ok(Some(live))
    }

    /// A session from memory.
    fn remembered(&self, shown: &[u8]) -> Result<Option<Arc<Live>>, Error> {
        let Some(session) = self.memory.get(shown) else { return Ok(None) };
        if let Some(live) = self.cache.get(shown).filter(|live| Arc::ptr_eq(&live.session, &session)) {
            return Ok(Some(live));
        }
        let live = Arc::new(self.live(session)?);
        self.cache.put(shown, live.clone());
        Ok(Some(live))
    }

    /// A session with what it means here.
    pub(super) fn live(&self, session: Arc<Session>) -> Result<Live, Error> {
        let meaning = self.mapping.read(session.claims.clone(), &self.consumers);
        let meaning = meaning.map_err(|_| Error::new(&codes::NO_CONSUMER, "The user stands for no consumer."))?;
        Ok(Live { session, meaning, cookie: Box::default() })
    }

    /// Keeps a session that goes on, as it is now.
    pub(super) fn keep(&self, x: &mut Exchange, asked: &Asked<'_>, session: Session) -> Result<(), Error> {
        match (self.store, &asked.shown.session) {
            (Store::Server, Some(id)) => self.memory.put(id, Arc::new(session), self.room),
            (Store::Server, None) => {}
            (Store::Cookie, _) => {
                self.hand_out(x, asked, &session)?;
                // Whoever may keep the answer must not keep the cookie for others.
                x.reply_header(CACHE_CONTROL, HeaderValue::from_static("private"));
            }
        }
        Ok(())
    }

    /// Begins a session. Whatever the browser showed before is no session any more, so that nobody can have put it there.
    pub(super) fn begin(&self, x: &mut Exchange, asked: &Asked<'_>, session: Session) -> Result<(), Error> {
        self.end(asked);
        match self.store {
            Store::Cookie => self.hand_out(x, asked, &session),
            Store::Server => {
                let id = seal::random::<32>().ok_or_else(internal)?;
                self.memory.put(id.as_bytes(), Arc::new(session), self.room);
                self.set_session(x, asked, &id)
            }
        }
    }

    /// Ends the session that a request shows, wherever else its cookie may be. Gives it.
    pub(super) fn end(&self, asked: &Asked<'_>) -> Option<Arc<Live>> {
        let shown = asked.shown.session.as_ref()?;
        let live = self.session(asked).ok().flatten();
        if let Some(live) = &live {
            self.ended.end(Whose::Own(&live.session.id), Word::Sure, asked.now, self.life.most);
        }
        self.memory.forget(shown);
        live
    }

    fn hand_out(&self, x: &mut Exchange, asked: &Asked<'_>, session: &Session) -> Result<(), Error> {
        let plain = serde_json::to_vec(session).map_err(|_| internal())?;
        let sealed = self.seal.seal(&asked.names.session, &plain).ok_or_else(internal)?;
        self.set_session(x, asked, &sealed)
    }

    fn set_session(&self, x: &mut Exchange, asked: &Asked<'_>, value: &str) -> Result<(), Error> {
        let fields = asked.names.set_session(value, &asked.shown).map_err(|_| {
            let why = "the session does not fit into cookies; `session: { store: server }` keeps it in memory";
            Error::new(&codes::TOO_LARGE, "The session is too large to be kept.").because(why)
        })?;
        set(x, fields);
        Ok(())
    }
}

/// There is no randomness, or what cannot fail did.
pub(super) fn internal() -> Error {
    Error::new(&own::INTERNAL, "The login could not be prepared.")
}
