//! One running instance of the data plane: workers, listeners and the program they run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::listeners::Listeners;
use super::retired::Retired;
use super::socket::BindError;
use super::worker::Worker;
use crate::program::{Environment, Program};

/// How often a drain looks whether it is done.
const LOOK: Duration = Duration::from_millis(5);

/// One running instance of the data plane.
pub struct Gateway {
    program: ArcSwap<Program>,
    listeners: Mutex<Listeners>,
    retired: Retired,
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
    /// Opens every listener and starts `env.workers` workers. All problems are returned, not the first.
    pub fn start(env: Environment, program: Program) -> Result<Self, Vec<BindError>> {
        let mut workers = Vec::new();
        for number in 0..env.workers.max(1) {
            let worker = Worker::start(number, env.telemetry.clone());
            workers.push(worker.map_err(|source| vec![BindError::of_worker(number, source)])?);
        }
        let mut listeners = Listeners::new(workers);
        let program = Arc::new(Program { revision: 1, ..program });
        match listeners.publish(&program) {
            Ok(()) => Ok(Self {
                program: ArcSwap::new(program),
                listeners: Mutex::new(listeners),
                retired: Retired::new(env.keep),
            }),
            Err(errors) => {
                listeners.stop();
                Err(errors)
            }
        }
    }

    /// Runs another program. What is new is opened first, and nothing changes where that fails; then every worker has
    /// the program; then what is gone is closed, once its backlog is empty.
    pub fn publish(&self, program: Program) -> Result<(), Vec<BindError>> {
        let mut listeners = self.listeners.lock();
        let program = Arc::new(Program { revision: self.program.load().revision + 1, ..program });
        listeners.publish(&program)?;
        self.retired.take(self.program.swap(program));
        Ok(())
    }

    /// The program that runs. Its revision counts from 1.
    pub fn program(&self) -> Arc<Program> {
        self.program.load_full()
    }

    /// The listeners' addresses, with the real ports where 0 was asked for.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.listeners.lock().addresses()
    }

    /// Exchanges that are open.
    pub fn in_flight(&self) -> usize {
        self.listeners.lock().in_flight()
    }

    /// Open connections of each listener, those that are being closed included.
    pub fn connections(&self) -> Vec<(String, usize)> {
        self.listeners.lock().connections()
    }

    /// Workers that died of a defect. What they carried is lost, and the process should be started anew.
    pub fn dead_workers(&self) -> Vec<usize> {
        self.listeners.lock().dead_workers()
    }

    /// Leaves: stops accepting once the backlogs are empty, lets every accepted request complete for at most `timeout`,
    /// cuts the rest and ends the workers. Blocks the calling thread.
    pub fn drain(&self, timeout: Duration) -> Drained {
        let deadline = Instant::now() + timeout;
        let before = {
            let mut listeners = self.listeners.lock();
            listeners.close();
            listeners.ended()
        };
        while !self.listeners.lock().is_over() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        let mut listeners = self.listeners.lock();
        let drained = Drained { completed: listeners.ended() - before, cut: listeners.in_flight() };
        listeners.stop();
        self.retired.stop();
        drained
    }
}
