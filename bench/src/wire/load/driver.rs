//! Runs one load: keeps its connections up, sends by its pace, counts by its window.
//!
//! The phases are connecting, warming up, measuring and draining. A closed loop counts the answers that arrive in the
//! window; an open loop those that should have been sent in it, however late they are.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use std::sync::atomic::Ordering::Relaxed;

use super::conn::Conn;
use super::tally::{Outcome, Progress, Tally};
use super::{Expect, Fault, Got, Lifetime, Load, Pace, Until, Wait};
use crate::wire::clock::{self, Nanos};
use crate::wire::poll::{Poller, Ready, Token};
use crate::wire::slots::{Slot, Slots};

/// Connections that are being opened at once.
const MAX_OPENING: usize = 64;
/// Requests of an open loop that wait for a connection; what comes on top is counted as unsent.
const MAX_BACKLOG: usize = 1 << 20;
/// So many refused connections end the run.
const MAX_REFUSED: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Warming,
    Measuring,
    Draining,
    Done,
}

pub(crate) struct Driver {
    load: Load,
    expect: Expect,
    progress: Arc<Progress>,
    phase: Phase,
    /// When the phase must be over.
    until: Nanos,
    conns: Slots<Conn>,
    opening: usize,
    up: usize,
    /// Connections with room, longest waiting first.
    idle: VecDeque<Slot>,
    /// Intended times that wait for a connection.
    backlog: VecDeque<Nanos>,
    /// The next intended time of an open loop.
    next: f64,
    flying: u64,
    random: u64,
    tally: Tally,
    scratch: Vec<u8>,
    got: Got,
}

impl Driver {
    pub(crate) fn new(load: Load, progress: Arc<Progress>) -> Self {
        let marker = load.marker.as_ref().map(|marker| memchr::memmem::Finder::new(&marker[..]).into_owned());
        let says = load.says.map(memchr::memmem::Finder::new);
        let mut driver = Self {
            expect: Expect { length: load.expect, marker, says },
            tally: Tally::new(progress.clone(), load.timeline),
            progress,
            phase: Phase::Connecting,
            until: clock::now() + nanos(load.patience),
            conns: Slots::new(),
            opening: 0,
            up: 0,
            idle: VecDeque::new(),
            backlog: VecDeque::new(),
            next: 0.0,
            flying: 0,
            random: 0x9e37_79b9_7f4a_7c15,
            scratch: vec![0; 64 << 10],
            got: Got::default(),
            load,
        };
        if driver.load.lifetime == Lifetime::Fresh || driver.load.pace == Pace::Once {
            driver.enter(Phase::Warming);
        }
        driver
    }

    /// Does what the time asks for and answers how long the next events may be waited for.
    pub(crate) fn tick(&mut self, poller: &Poller) -> Duration {
        let now = clock::now();
        // What is due comes before the end of the window: a stall at its end must not hide requests. And again, for what
        // a phase begins with.
        self.pace(now);
        self.advance(now);
        self.pace(now);
        self.open_missing(poller, now);
        if self.phase == Phase::Done || (self.active() && self.load.wait == Wait::Spin) {
            return Duration::ZERO;
        }
        let next = match self.load.pace {
            Pace::Open(_) if self.active() => (self.next as Nanos).min(self.until),
            _ => self.until,
        };
        Duration::from_nanos(next.saturating_sub(clock::now()).min(20_000_000))
    }

    /// Whether the run is over.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The result, or why there is none.
    pub(crate) fn finish(mut self) -> anyhow::Result<Outcome> {
        for mut conn in self.conns.drain() {
            conn.transport.close();
        }
        let started = self.tally.opened();
        let outcome = self.tally.outcome;
        if !started {
            anyhow::bail!(
                "only {} of {} connections came up ({})",
                self.up,
                self.load.connections,
                if outcome.faults.is_empty() { "no answer in time".to_owned() } else { outcome.faults_text() }
            );
        }
        Ok(outcome)
    }

    /// Takes an event of one connection.
    pub(crate) fn ready(&mut self, poller: &Poller, slot: Slot, ready: Ready) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let was_up = conn.up;
        let mut got = Got { now: clock::now(), ..std::mem::take(&mut self.got) };
        let state = handle(conn, ready, &mut self.scratch, &self.expect, &mut got);
        conn.served += got.done.len() as u64;
        if conn.up && !was_up {
            self.opening -= 1;
            self.up += 1;
        }
        let now = clock::now();
        got.tokens.drain(..).for_each(|due| self.tally.token(due, got.now));
        for one in got.done.drain(..) {
            self.flying -= 1;
            let counted_at = if matches!(self.load.pace, Pace::Open(_)) { one.intended } else { now };
            self.tally.settle(&one, now, counted_at);
        }
        self.got = got;
        let fresh_over = |conn: &Conn| self.load.lifetime == Lifetime::Fresh && conn.served > 0;
        let Some(conn) = self.conns.get_mut(slot) else { return };
        match state {
            Ok(true) if !conn.spent() && !fresh_over(conn) => {
                if conn.up
                    && let Some(intended) = conn.first.take()
                {
                    self.begin(slot, intended);
                }
                self.fill(slot, now);
            }
            Ok(_) => self.drop_conn(slot, Fault::Closed),
            Err(fault) => self.drop_conn(slot, fault),
        }
        self.open_missing(poller, now);
    }

    fn active(&self) -> bool {
        matches!(self.phase, Phase::Warming | Phase::Measuring)
    }

    // ---- phases ----

    fn enter(&mut self, phase: Phase) {
        let now = clock::now();
        let due = self.until;
        self.until = self.end_of(phase, now);
        self.phase = phase;
        let gauge = self.load.gauge.as_ref();
        match phase {
            Phase::Warming => self.next = now as f64,
            Phase::Measuring => self.tally.open(now, gauge),
            // An open loop's window ends when it should, whatever came between.
            Phase::Draining if matches!(self.load.pace, Pace::Open(_)) => self.tally.close(now.min(due), gauge),
            Phase::Draining => self.tally.close(now, gauge),
            Phase::Connecting | Phase::Done => {}
        }
    }

    fn end_of(&self, phase: Phase, begin: Nanos) -> Nanos {
        let patience = nanos(self.load.patience);
        match (phase, self.load.until) {
            (Phase::Done, _) => begin,
            (Phase::Connecting | Phase::Draining, _) => begin + patience,
            (Phase::Warming, _) => begin + nanos(self.load.warmup),
            (Phase::Measuring, Until::Elapsed(time)) => begin + nanos(time),
            (Phase::Measuring, Until::Answered(_)) => begin + patience,
            (Phase::Measuring, Until::Told) => u64::MAX,
        }
    }

    fn advance(&mut self, now: Nanos) {
        let stopped = self.progress.stop.load(Relaxed);
        match self.phase {
            Phase::Connecting if self.up >= self.load.connections => self.enter(Phase::Warming),
            Phase::Connecting if now >= self.until || stopped => self.enter(Phase::Done),
            Phase::Warming if now >= self.until || stopped => self.enter(Phase::Measuring),
            Phase::Measuring if now >= self.until || stopped || self.answered_enough() => self.enter(Phase::Draining),
            Phase::Draining if self.under_way() == 0 && self.backlog.is_empty() => self.enter(Phase::Done),
            Phase::Draining if now >= self.until => self.give_up(now),
            _ => {}
        }
        if self.tally.outcome.faults.get(&Fault::Connect).is_some_and(|&refused| refused > MAX_REFUSED) {
            self.enter(Phase::Done);
        }
    }

    /// Requests sent, or with a connection of their own that is being opened.
    fn under_way(&self) -> u64 {
        self.flying + if self.load.lifetime == Lifetime::Fresh { self.opening as u64 } else { 0 }
    }

    fn answered_enough(&self) -> bool {
        matches!(self.load.until, Until::Answered(count) if self.tally.outcome.total >= count)
    }

    /// What has no answer by now has failed; what was never sent counts with its wait so far.
    fn give_up(&mut self, now: Nanos) {
        for _ in 0..self.under_way() {
            self.tally.outcome.fault(Fault::Timeout);
        }
        for intended in std::mem::take(&mut self.backlog) {
            self.tally.outcome.unsent += 1;
            self.tally.outcome.latency.record(now.saturating_sub(intended));
        }
        self.enter(Phase::Done);
    }

    // ---- sending ----

    /// Sends what is due by now.
    fn pace(&mut self, now: Nanos) {
        let rate = match self.load.pace {
            Pace::Open(rate) if self.active() => rate,
            // Connections that came up before the load began wait for their first request.
            Pace::Closed if self.active() => {
                while let Some(slot) = self.next_idle() {
                    self.fill(slot, now);
                }
                return;
            }
            _ => return,
        };
        while self.next <= now as f64 {
            let intended = self.next as Nanos;
            self.next += 1e9 / rate;
            if self.load.lifetime == Lifetime::Keep
                && let Some(slot) = self.next_idle()
            {
                self.begin(slot, intended);
                self.fill(slot, now);
            } else if self.backlog.len() < MAX_BACKLOG {
                self.backlog.push_back(intended);
            } else {
                self.tally.outcome.unsent += 1;
            }
        }
    }

    fn next_idle(&mut self) -> Option<Slot> {
        while let Some(slot) = self.idle.pop_front() {
            if let Some(conn) = self.conns.get_mut(slot) {
                conn.listed = false;
                if conn.free() > 0 {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Gives a connection with room what there is to do, and sends it.
    fn fill(&mut self, slot: Slot, now: Nanos) {
        let keep = self.load.lifetime == Lifetime::Keep;
        let (active, pace) = (self.active(), self.load.pace);
        while keep && let Some(conn) = self.conns.get_mut(slot) {
            if conn.free() == 0 {
                break;
            }
            let next = match pace {
                Pace::Closed => active.then_some(now),
                Pace::Once => (active && conn.served == 0 && conn.flying().is_empty()).then_some(now),
                Pace::Open(_) => self.backlog.pop_front(),
            };
            match next {
                Some(intended) => self.begin(slot, intended),
                None => {
                    if pace != Pace::Once && !std::mem::replace(&mut conn.listed, true) {
                        self.idle.push_back(slot);
                    }
                    break;
                }
            }
        }
        if let Some(conn) = self.conns.get_mut(slot)
            && let Err(fault) = conn.send()
        {
            self.drop_conn(slot, fault);
        }
    }

    fn begin(&mut self, slot: Slot, intended: Nanos) {
        let count = self.load.requests.len() as u64;
        // xorshift64: which of many requests comes next must not follow a pattern that a cache could learn.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let at = if count == 1 { 0 } else { (self.random % count.max(1)) as usize };
        if let (Some(conn), Some(request)) = (self.conns.get_mut(slot), self.load.requests.get(at)) {
            conn.begin(request, intended);
            self.flying += 1;
        }
    }

    // ---- connections ----

    /// Opens what is missing to the wanted number of connections.
    fn open_missing(&mut self, poller: &Poller, now: Nanos) {
        let fresh = self.load.lifetime == Lifetime::Fresh;
        let once = self.load.pace == Pace::Once;
        while self.conns.len() < self.load.connections
            && self.opening + if once { self.flying as usize } else { 0 } < MAX_OPENING
        {
            let first = match self.load.pace {
                _ if matches!(self.phase, Phase::Done) => return,
                _ if !fresh && self.phase == Phase::Draining && self.backlog.is_empty() => return,
                _ if !fresh => None,
                Pace::Open(_) => match self.backlog.pop_front() {
                    Some(intended) => Some(intended),
                    None => return,
                },
                _ if self.active() => Some(now),
                _ => return,
            };
            if self.phase != Phase::Connecting && !fresh && !once {
                self.tally.outcome.reconnects += 1;
            }
            if self.open(poller, first).is_none() {
                return;
            }
        }
    }

    fn open(&mut self, poller: &Poller, first: Option<Nanos>) -> Option<()> {
        let opened = Conn::open(&self.load.target, self.load.streams, first);
        let conn = match opened {
            Ok(conn) => conn,
            Err(fault) => {
                self.tally.outcome.fault(fault);
                return None;
            }
        };
        let slot = self.conns.insert(conn);
        self.opening += 1;
        let watched = self.conns.get_mut(slot).map(|conn| poller.add(&conn.transport.socket, Token::Load(slot)));
        if !matches!(watched, Some(Ok(()))) {
            self.drop_conn(slot, Fault::Connect);
            return None;
        }
        Some(())
    }

    /// Ends a connection; what was under way on it has failed.
    fn drop_conn(&mut self, slot: Slot, fault: Fault) {
        let Some(mut conn) = self.conns.remove(slot) else { return };
        if conn.up {
            self.up -= 1;
        } else {
            self.opening -= 1;
            if conn.first.is_none() {
                self.tally.outcome.fault(fault);
            }
        }
        let begun = conn.flying().len() as u64 - u64::from(conn.first.is_some());
        self.flying -= begun;
        for _ in conn.flying() {
            self.tally.outcome.fault(fault);
        }
        conn.transport.close();
    }
}

/// Connects, reads and answers TLS as far as it goes; `Ok(false)` at the end of the stream.
fn handle(conn: &mut Conn, ready: Ready, scratch: &mut [u8], expect: &Expect, got: &mut Got) -> Result<bool, Fault> {
    if !conn.up {
        conn.up = conn.transport.progress()?;
        if !conn.transport.connected() {
            return Ok(true);
        }
    }
    let open = if ready.readable { conn.receive(ready, scratch, expect, got)? } else { true };
    if !conn.up {
        conn.up = conn.transport.progress()?;
    }
    if ready.writable {
        conn.transport.flush()?;
    }
    if conn.up {
        conn.send()?;
    }
    Ok(open)
}

fn nanos(time: Duration) -> Nanos {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
