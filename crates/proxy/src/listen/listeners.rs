//! What is open: the listeners of the program that runs, each with a door on every worker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;

use super::door::{Current, Door};
use super::rules::Rules;
use super::socket::{self, Address, BindError, Family, Share};
use super::tally::Tally;
use super::worker::Worker;
use crate::program::{ListenerPlan, ListenerSlot, Local, Program};
use crate::upstream::Upstream;

/// What is done at a time before requests ask for it.
const MOST_EARLY: usize = 8;

/// What is open, and the workers that serve it.
pub(super) struct Listeners {
    workers: Vec<Worker>,
    open: Vec<Opened>,
    /// Gone from the program, with connections left.
    closing: Vec<Opened>,
}

/// A listener with its doors.
struct Opened {
    slot: ListenerSlot,
    name: Arc<str>,
    address: Address,
    bound: SocketAddr,
    tally: Arc<Tally>,
    doors: Vec<Arc<Door>>,
}

/// A listener of a program.
struct Wanted<'a> {
    slot: ListenerSlot,
    plan: &'a ListenerPlan,
    address: Address,
    rules: Arc<Rules>,
}

impl Wanted<'_> {
    fn is(&self, opened: &Opened) -> bool {
        self.slot == opened.slot && self.address == opened.address
    }

    fn current(&self, local: &Arc<Local>) -> Current {
        Current { local: local.clone(), rules: self.rules.clone() }
    }
}

impl Listeners {
    /// No listener yet.
    pub(super) fn new(workers: Vec<Worker>) -> Self {
        Self { workers, open: Vec::new(), closing: Vec::new() }
    }

    /// Makes the listeners those of `program`, or changes nothing. All that can fail is done before anything changes.
    pub(super) fn publish(&mut self, program: &Arc<Program>) -> Result<(), Vec<BindError>> {
        let wanted = wanted(program);
        let locals = (0..self.workers.len()).map(|worker| Arc::new(Local { worker, program: program.clone() }));
        let locals: Vec<Arc<Local>> = locals.collect();
        let mut new = Vec::new();
        let mut errors = Vec::new();
        for listener in wanted.iter().filter(|listener| !self.open.iter().any(|opened| listener.is(opened))) {
            match self.open(listener, &locals) {
                Ok(opened) => new.push(opened),
                Err(source) => errors.push(BindError::of(listener.plan, source)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let gone = self.open.extract_if(.., |opened| !wanted.iter().any(|listener| listener.is(opened)));
        let gone: Vec<Opened> = gone.collect();
        self.swap(&wanted, &locals);
        for (opened, sockets) in new {
            for ((door, worker), socket) in opened.doors.iter().zip(&self.workers).zip(sockets) {
                worker.spawn("accept", door.clone().accept(socket), program.telemetry.clone());
            }
            self.open.push(opened);
        }
        self.let_go(gone, program.snapshot.drain.timeout.get());
        self.begin(program);
        self.watch(program);
        Ok(())
    }

    /// Does what a program wants done before a request asks for it, beside the traffic of one worker.
    fn begin(&self, program: &Program) {
        let alive = self.workers.iter().enumerate().find(|(_, worker)| worker.is_alive());
        let Some((number, worker)) = alive.filter(|_| !program.early.is_empty()) else { return };
        let early = program.early.clone();
        let all = async move {
            stream::iter(early.iter()).for_each_concurrent(MOST_EARLY, |act| act(number)).await;
        };
        worker.spawn("early", all, program.telemetry.clone());
    }

    /// Has the upstreams' targets asked how they are, spread over the workers.
    fn watch(&self, program: &Program) {
        let alive = self.workers.iter().enumerate().filter(|(_, worker)| worker.is_alive());
        let watched = program.upstreams.iter().filter(|upstream| upstream.is_watched());
        for (upstream, (number, worker)) in watched.zip(alive.cycle()) {
            let asking = Upstream::watch(Arc::downgrade(upstream), number);
            worker.spawn("watch", asking, program.telemetry.clone());
        }
    }

    /// Gives every door that stays the new program.
    fn swap(&self, wanted: &[Wanted<'_>], locals: &[Arc<Local>]) {
        for opened in &self.open {
            let Some(listener) = wanted.iter().find(|listener| listener.is(opened)) else { continue };
            for (door, local) in opened.doors.iter().zip(locals) {
                door.current.store(Arc::new(listener.current(local)));
            }
        }
    }

    /// Closes listeners that are gone. Their connections may complete what they have begun, for this long.
    fn let_go(&mut self, gone: Vec<Opened>, longest: Duration) {
        self.closing.retain(|opened| !opened.tally.is_over());
        for opened in gone {
            for (door, worker) in opened.doors.iter().zip(&self.workers) {
                door.close();
                let door = Arc::downgrade(door);
                worker.handle.spawn(async move {
                    tokio::time::sleep(longest).await;
                    if let Some(door) = door.upgrade() {
                        door.cut();
                    }
                });
            }
            self.closing.push(opened);
        }
    }

    /// Opens a listener, with doors that do not accept yet.
    fn open(&self, listener: &Wanted<'_>, locals: &[Arc<Local>]) -> io::Result<(Opened, Vec<TcpListener>)> {
        let address = listener.address;
        let held = self.open.iter().chain(&self.closing);
        let share = match held.into_iter().any(|opened| opened.bound.port() == address.written.port()) {
            true => Share::Sibling,
            false => Share::Nobody,
        };
        let mut sockets = Vec::with_capacity(self.workers.len());
        let mut bound = address.written;
        for (socket, worker) in socket::open(address, self.workers.len(), share)?.into_iter().zip(&self.workers) {
            bound = socket.local_addr()?;
            let _on_worker = worker.handle.enter();
            sockets.push(TcpListener::from_std(socket)?);
        }
        let tally = Arc::new(Tally::default());
        let doors = self.workers.iter().zip(locals).map(|(worker, local)| {
            Door::new(listener.slot, listener.current(local), worker.load.clone(), tally.clone())
        });
        let doors = doors.collect();
        let name = listener.plan.name.clone();
        Ok((Opened { slot: listener.slot, name, address, bound, tally, doors }, sockets))
    }

    /// Closes all.
    pub(super) fn close(&mut self) {
        for opened in self.open.drain(..) {
            opened.doors.iter().for_each(|door| door.close());
            self.closing.push(opened);
        }
    }

    /// Whether nothing is open any more.
    pub(super) fn is_over(&self) -> bool {
        self.open.is_empty() && self.closing.iter().all(|opened| opened.tally.is_over())
    }

    /// Ends the workers.
    pub(super) fn stop(&mut self) {
        self.workers.drain(..).for_each(Worker::stop);
    }

    /// The listeners' addresses.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.open.iter().map(|opened| (opened.name.to_string(), opened.bound)).collect()
    }

    /// Open connections of each listener.
    pub(super) fn connections(&self) -> Vec<(String, usize)> {
        let all = self.open.iter().chain(&self.closing);
        all.map(|opened| (opened.name.to_string(), opened.tally.connections())).collect()
    }

    /// Exchanges that are open.
    pub(super) fn in_flight(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.open()).sum()
    }

    /// Exchanges that ended.
    pub(super) fn ended(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.ended()).sum()
    }

    /// Workers that do not run.
    pub(super) fn dead_workers(&self) -> Vec<usize> {
        let numbered = self.workers.iter().enumerate();
        numbered.filter(|(_, worker)| !worker.is_alive()).map(|(number, _)| number).collect()
    }
}

/// The listeners of a program and their addresses.
fn wanted(program: &Program) -> Vec<Wanted<'_>> {
    let plans = program.listeners.iter().enumerate().filter_map(|(slot, plan)| {
        let plan = plan.as_ref()?;
        Some((ListenerSlot(u32::try_from(slot).ok()?), plan, plan.listener.address.parse().ok()?))
    });
    let plans: Vec<(ListenerSlot, &ListenerPlan, SocketAddr)> = plans.collect();
    let mut wanted = Vec::with_capacity(plans.len());
    for &(slot, plan, written) in &plans {
        let family = family(written, plans.iter().map(|plan| plan.2));
        let rules = Arc::new(Rules::of(plan, &program.clock, &program.telemetry));
        wanted.push(Wanted { slot, plan, address: Address { written, family }, rules });
    }
    wanted
}

/// `[::]` takes IPv4 connections too, unless a listener at `0.0.0.0` of the same port does.
fn family(written: SocketAddr, mut all: impl Iterator<Item = SocketAddr>) -> Family {
    let takes_v4 = |other: SocketAddr| other.is_ipv4() && other.ip().is_unspecified() && other.port() == written.port();
    let open = written.is_ipv6() && written.ip().is_unspecified() && written.port() != 0;
    if open && all.any(takes_v4) { Family::OnlyV6 } else { Family::Both }
}
