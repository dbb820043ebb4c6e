//! Sessions that were ended before their time: a cookie that somebody kept opens none of them again.
//!
//! What is known for sure (the user left here, or the provider said so with its signature) is never forgotten while such a
//! session could live: when there is no room, everybody who logged in before the oldest of these has to log in anew. What
//! anybody can claim (front-channel logout) has a list of its own, from which the oldest goes.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use super::session::Session;

/// Entries of each list.
pub(super) const MOST: usize = 100_000;
/// The longest name of a session or subject that is remembered.
pub(super) const MOST_NAME: usize = 512;

/// Sessions that were ended. It outlives programs.
#[derive(Default)]
pub(super) struct Ended {
    sure: Mutex<List>,
    claimed: Mutex<List>,
}

#[derive(Default)]
struct List {
    /// When each was ended, in milliseconds.
    at: HashMap<Box<str>, u64>,
    order: VecDeque<(Box<str>, u64)>,
    /// Every session from before this is over.
    floor: u64,
}

/// Whose sessions are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose<'n> {
    /// The one with this id of the gateway's own.
    Own(&'n str),
    /// Those of this session at the provider (`sid`).
    Sid(&'n str),
    /// Those of this user.
    Subject(&'n str),
}

/// How sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Proven.
    Sure,
    /// Anybody may have said it.
    Claimed,
}

impl Whose<'_> {
    fn key(self) -> String {
        match self {
            Whose::Own(id) => format!("i{id}"),
            Whose::Sid(sid) => format!("d{sid}"),
            Whose::Subject(subject) => format!("u{subject}"),
        }
    }
}

impl Ended {
    /// Ends sessions that began up to `now`. Entries are kept for `most`, the longest that a session lives.
    pub(super) fn end(&self, whose: Whose<'_>, word: Word, now: u64, most: u64) {
        let list = match word {
            Word::Sure => &self.sure,
            Word::Claimed => &self.claimed,
        };
        list.lock().add(whose.key().into(), now, most, word);
    }

    /// Whether this session was ended.
    pub(super) fn has(&self, session: &Session) -> bool {
        [&self.sure, &self.claimed].into_iter().any(|list| {
            let list = list.lock();
            if list.at.is_empty() {
                return session.started < list.floor;
            }
            let (sid, subject) = (session.claim("sid").map(Whose::Sid), session.claim("sub").map(Whose::Subject));
            let mut names = [Some(Whose::Own(&session.id)), sid, subject].into_iter().flatten();
            let ended = |whose: Whose<'_>| list.at.get(&*whose.key()).is_some_and(|at| session.started <= *at);
            session.started < list.floor || names.any(ended)
        })
    }
}

impl List {
    fn add(&mut self, key: Box<str>, now: u64, most: u64, word: Word) {
        while let Some((_, at)) = self.order.front() {
            let over = now.saturating_sub(*at) > most;
            if !over && self.order.len() < MOST {
                break;
            }
            let Some((oldest, at)) = self.order.pop_front() else { break };
            if self.at.get(&oldest) == Some(&at) {
                self.at.remove(&oldest);
                if !over && word == Word::Sure {
                    self.floor = self.floor.max(at + 1);
                }
            }
        }
        self.at.insert(key.clone(), now);
        self.order.push_back((key, now));
    }
}
