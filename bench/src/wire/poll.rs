//! Epoll, edge-triggered: a socket is registered once for reading and writing and never touched again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use super::slots::Slot;

/// Whom an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Another thread has something to say.
    Wake,
    /// The upstream's listening socket.
    Listener,
    /// A connection that the upstream accepted.
    Upstream(Slot),
    /// A connection that the load opened.
    Load(Slot),
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// There may be bytes, or the end of them.
    pub(crate) readable: bool,
    /// There is room to send, and a connect has ended.
    pub(crate) writable: bool,
    /// The other side has ended: what is left must be read to its end now, no further event will say so.
    pub(crate) ending: bool,
}

/// One epoll instance.
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// A new instance.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches `source` for everything until it is closed.
    pub(crate) fn add(&self, source: impl AsFd, token: Token) -> io::Result<()> {
        let interest = match token {
            Token::Wake | Token::Listener => EventFlags::IN,
            Token::Upstream(_) | Token::Load(_) => {
                EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET
            }
        };
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(encode(token)), interest)?)
    }

    /// Waits for events; `None` waits for ever, zero only looks.
    pub(crate) fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        match epoll::wait(&self.epoll, spare_capacity(events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whom the event is for and what it says.
pub(crate) fn read(event: &Event) -> (Token, Ready) {
    let flags = event.flags;
    let gone = flags.intersects(EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP);
    let ready = Ready {
        readable: gone || flags.contains(EventFlags::IN),
        writable: gone || flags.contains(EventFlags::OUT),
        ending: gone,
    };
    (decode(event.data.u64()), ready)
}

fn encode(token: Token) -> u64 {
    let pack = |role: u64, slot: Slot| role << 56 | u64::from(slot.generation) << 32 | u64::from(slot.index);
    match token {
        Token::Wake => 0,
        Token::Listener => 1 << 56,
        Token::Upstream(slot) => pack(2, slot),
        Token::Load(slot) => pack(3, slot),
    }
}

fn decode(data: u64) -> Token {
    let slot = Slot { index: (data & 0xffff_ffff) as u32, generation: (data >> 32 & 0xff_ffff) as u32 };
    match data >> 56 {
        0 => Token::Wake,
        1 => Token::Listener,
        2 => Token::Upstream(slot),
        _ => Token::Load(slot),
    }
}
