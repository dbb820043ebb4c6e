//! The thread that is the upstream all the time and a load when one is given to it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{EventfdFlags, eventfd};

use super::load::{Driver, Load, Outcome, Progress};
use super::poll::{self, Poller, Token};
use super::upstream::Upstream;
use crate::measure::{self, Place};

/// A running thread; dropped, it ends.
pub(crate) struct Rig {
    address: SocketAddr,
    jobs: SyncSender<Job>,
    wake: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    load: Load,
    progress: Arc<Progress>,
    result: SyncSender<Result<Outcome>>,
}

/// A load under way.
pub(crate) struct Running {
    pub(crate) progress: Arc<Progress>,
    result: Receiver<Result<Outcome>>,
    wake: Arc<OwnedFd>,
}

impl Rig {
    /// Starts the thread at its place (anywhere, when `None`) with the upstream on `port` (a free one, when 0).
    pub(crate) fn start(place: Option<Place>, port: u16) -> Result<Self> {
        let upstream = Upstream::bind(port).with_context(|| format!("upstream on 127.0.0.1:{port}"))?;
        let address = upstream.address()?;
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (jobs, inbox) = sync_channel(1);
        let poller = Poller::new()?;
        poller.add(&wake, Token::Wake)?;
        upstream.register(&poller)?;
        let mut thread = Thread { poller, upstream, inbox, wake: wake.clone(), stop: stop.clone(), job: None };
        let thread = std::thread::Builder::new().name("rig".to_owned()).spawn(move || {
            if let Some(place) = place
                && let Err(error) = measure::take(place)
            {
                crate::say(&format!("the load cannot go to its place, {place:?}: {error}"));
            }
            if let Err(error) = thread.run() {
                crate::say(&format!("the load's thread failed: {error}"));
            }
        })?;
        Ok(Self { address, jobs, wake, stop, thread: Some(thread) })
    }

    /// Where the upstream listens.
    pub(crate) fn upstream(&self) -> SocketAddr {
        self.address
    }

    /// Begins a load.
    pub(crate) fn begin(&self, load: Load) -> Result<Running> {
        let (sender, result) = sync_channel(1);
        let progress = Arc::new(Progress::default());
        self.jobs
            .send(Job { load, progress: progress.clone(), result: sender })
            .ok()
            .context("the load's thread ended")?;
        wake(&self.wake);
        Ok(Running { progress, result, wake: self.wake.clone() })
    }

    /// Runs a load to its end.
    pub(crate) fn run(&self, load: Load) -> Result<Outcome> {
        self.begin(load)?.wait()
    }

    /// Waits for the thread, which is for ever.
    pub(crate) fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        wake(&self.wake);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Running {
    /// Ends the window now and waits for the result.
    pub(crate) fn stop(self) -> Result<Outcome> {
        self.progress.stop.store(true, Relaxed);
        wake(&self.wake);
        self.wait()
    }

    /// Waits for the end of the load.
    pub(crate) fn wait(self) -> Result<Outcome> {
        self.result.recv().context("the load's thread ended")?
    }
}

struct Thread {
    poller: Poller,
    upstream: Upstream,
    inbox: Receiver<Job>,
    wake: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    job: Option<(Driver, SyncSender<Result<Outcome>>)>,
}

impl Thread {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        while !self.stop.load(Relaxed) {
            let timeout = self.tick();
            let timeout = [timeout, self.upstream.tick()].into_iter().flatten().min();
            self.poller.wait(&mut events, timeout)?;
            for event in &events {
                self.event(event);
            }
        }
        Ok(())
    }

    /// Takes, advances and delivers the load; answers how long events may be waited for.
    fn tick(&mut self) -> Option<Duration> {
        if self.job.is_none() {
            let job = self.inbox.try_recv().ok()?;
            self.job = Some((Driver::new(job.load, job.progress), job.result));
        }
        let (driver, _) = self.job.as_mut()?;
        let timeout = driver.tick(&self.poller);
        if driver.is_done()
            && let Some((driver, result)) = self.job.take()
        {
            // Nobody waits when the run was given up.
            let _ = result.send(driver.finish());
        }
        Some(timeout)
    }

    fn event(&mut self, event: &rustix::event::epoll::Event) {
        let (token, ready) = poll::read(event);
        match token {
            Token::Listener => self.upstream.accept(&self.poller),
            Token::Upstream(slot) => self.upstream.ready(slot, ready),
            Token::Load(slot) => {
                if let Some((driver, _)) = &mut self.job {
                    driver.ready(&self.poller, slot, ready);
                }
            }
            Token::Wake => {
                let mut count = [0; 8];
                let _ = rustix::io::read(&self.wake, &mut count);
            }
        }
    }
}

fn wake(eventfd: &OwnedFd) {
    let _ = rustix::io::write(eventfd, &1u64.to_ne_bytes());
}
