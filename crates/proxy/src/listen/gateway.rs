//! One running instance of the data plane: workers, listeners and the program they run.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::door::{Door, Tally};
use super::socket::{self, Address, BindError, Family, Share};
use super::worker::Worker;
use crate::program::{Environment, ListenerPlan, ListenerSlot, Local, Program};

/// One running instance of the data plane.
pub struct Gateway {
    env: Environment,
    program: ArcSwap<Program>,
    state: Mutex<State>,
}

struct State {
    workers: Vec<Worker>,
    listeners: Vec<Opened>,
    /// Listeners that are gone and may have connections left.
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

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Requests that completed while draining.
    pub completed: usize,
    /// Requests that were cut when time was up.
    pub cut: usize,
}

impl Gateway {
    /// Opens every listener and starts the workers. All problems are returned, not the first.
    pub fn start(env: Environment, program: Program) -> Result<Self, Vec<BindError>> {
        let mut state = State { workers: Vec::new(), listeners: Vec::new(), closing: Vec::new() };
        for number in 0..env.workers.max(1) {
            match Worker::start(number) {
                Ok(worker) => state.workers.push(worker),
                Err(source) => {
                    state.stop();
                    return Err(vec![BindError::of_worker(number, source)]);
                }
            }
        }
        let program = Arc::new(Program { revision: 1, ..program });
        match state.publish(&program) {
            Ok(()) => Ok(Self { env, program: ArcSwap::new(program), state: Mutex::new(state) }),
            Err(errors) => {
                state.stop();
                Err(errors)
            }
        }
    }

    /// Runs another program. What is new is opened first, and nothing changes where that fails; then every worker has
    /// the program; then what is gone is closed, once its backlog is empty.
    pub fn publish(&self, program: Program) -> Result<(), Vec<BindError>> {
        let mut state = self.state.lock();
        let program = Arc::new(Program { revision: self.program.load().revision + 1, ..program });
        state.publish(&program)?;
        self.program.store(program);
        self.env.keep.sweep();
        Ok(())
    }

    /// The program that runs.
    pub fn program(&self) -> Arc<Program> {
        self.program.load_full()
    }

    /// The listeners' addresses, with the real ports where 0 was asked for.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.state.lock().listeners.iter().map(|opened| (opened.name.to_string(), opened.bound)).collect()
    }

    /// Exchanges that are open.
    pub fn in_flight(&self) -> usize {
        self.state.lock().in_flight()
    }

    /// Open connections of each listener.
    pub fn connections(&self) -> Vec<(String, usize)> {
        let state = self.state.lock();
        state.listeners.iter().map(|opened| (opened.name.to_string(), opened.tally.connections())).collect()
    }

    /// Leaves: stops accepting once the backlogs are empty, lets every accepted request complete for at most `timeout`,
    /// cuts the rest and ends the workers. Blocks the calling thread.
    pub fn drain(&self, timeout: Duration) -> Drained {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        let before = state.ended();
        for opened in std::mem::take(&mut state.listeners) {
            opened.close();
            state.closing.push(opened);
        }
        while !state.closing.iter().all(|opened| opened.tally.is_over()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let cut = state.in_flight();
        let completed = state.ended() - before;
        state.stop();
        Drained { completed, cut }
    }
}

impl State {
    /// Makes the listeners those of `program`, or changes nothing.
    fn publish(&mut self, program: &Arc<Program>) -> Result<(), Vec<BindError>> {
        let locals: Vec<Arc<Local>> =
            (0..self.workers.len()).map(|worker| Arc::new(Local { worker, program: program.clone() })).collect();
        let mut opened = Vec::new();
        let mut errors = Vec::new();
        let wanted = wanted(program);
        for (slot, plan, address) in &wanted {
            if self.find(*slot, *address).is_none() {
                match self.open(*slot, plan, *address, &locals) {
                    Ok(new) => opened.push(new),
                    Err(source) => errors.push(BindError::of(plan, source)),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition(|old| wanted.iter().any(|(slot, _, address)| *slot == old.slot && *address == old.address));
        self.listeners = kept;
        for opened in &self.listeners {
            for (door, local) in opened.doors.iter().zip(&locals) {
                door.local.store(local.clone());
            }
        }
        for (new, sockets) in opened {
            for ((door, worker), socket) in new.doors.iter().zip(&self.workers).zip(sockets) {
                worker.handle.spawn(door.clone().accept(socket));
            }
            self.listeners.push(new);
        }
        self.closing.retain(|opened| !opened.tally.is_over());
        for opened in gone {
            opened.close();
            self.closing.push(opened);
        }
        Ok(())
    }

    fn find(&self, slot: ListenerSlot, address: Address) -> Option<&Opened> {
        self.listeners.iter().find(|opened| opened.slot == slot && opened.address == address)
    }

    /// Opens a listener, with a door on every worker that does not accept yet.
    fn open(
        &self,
        slot: ListenerSlot,
        plan: &ListenerPlan,
        address: Address,
        locals: &[Arc<Local>],
    ) -> io::Result<(Opened, Vec<TcpListener>)> {
        let sibling = self.listeners.iter().any(|opened| opened.bound.port() == address.written.port());
        let share = if sibling { Share::Sibling } else { Share::Nobody };
        let mut sockets = Vec::with_capacity(self.workers.len());
        let mut bound = address.written;
        for (socket, worker) in socket::open(address, self.workers.len(), share)?.into_iter().zip(&self.workers) {
            bound = socket.local_addr()?;
            let _on_worker = worker.handle.enter();
            sockets.push(TcpListener::from_std(socket)?);
        }
        let tally = Arc::new(Tally::default());
        let doors = self.workers.iter().zip(locals);
        let doors = doors.map(|(worker, local)| Door::new(slot, local.clone(), worker.load.clone(), tally.clone()));
        let doors = doors.collect();
        Ok((Opened { slot, name: plan.name.clone(), address, bound, tally, doors }, sockets))
    }

    fn in_flight(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.open()).sum()
    }

    fn ended(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.ended()).sum()
    }

    fn stop(&mut self) {
        self.workers.drain(..).for_each(Worker::stop);
    }
}

impl Opened {
    fn close(&self) {
        self.doors.iter().for_each(|door| door.close());
    }
}

/// The listeners of a program and their addresses.
fn wanted(program: &Program) -> Vec<(ListenerSlot, &ListenerPlan, Address)> {
    let plans = program.listeners.iter().enumerate().filter_map(|(slot, plan)| {
        let plan = plan.as_ref()?;
        let written = plan.listener.address.parse::<SocketAddr>().ok()?;
        Some((ListenerSlot(u32::try_from(slot).ok()?), plan, written))
    });
    let plans: Vec<_> = plans.collect();
    let family = |written: &SocketAddr| {
        let v4 = |(_, _, other): &(_, _, SocketAddr)| {
            other.is_ipv4() && other.ip().is_unspecified() && other.port() == written.port() && written.port() != 0
        };
        if written.is_ipv6() && written.ip().is_unspecified() && plans.iter().any(v4) {
            Family::OnlyV6
        } else {
            Family::Both
        }
    };
    plans.iter().map(|&(slot, plan, written)| (slot, plan, Address { written, family: family(&written) })).collect()
}
