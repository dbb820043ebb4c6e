//! The connections: one thread with a runtime of its own, a bounded queue to each, and no waiting while it is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Cmd, ErrorKind, FromRedisValue as _, RedisError, ServerErrorKind};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::SharedOptions;
use super::client::{Client, Connection};
use crate::Result;
use crate::error::{Error, Kind};

/// Calls that wait for the thread; one more is not made.
const QUEUE: usize = 4096;
/// Calls that wait for the server.
const IN_FLIGHT: usize = 1024;
/// Between attempts, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Between signs of life, and for how many seconds each counts.
const BEAT: Duration = Duration::from_secs(1);
const BEAT_COUNTS: u32 = 5;
/// Signs of life that a cluster may fail to take while it finds itself again.
const FAILED_BEATS: u32 = 15;

/// A script of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Take,
    Beat,
}

impl Script {
    fn text(self) -> &'static str {
        match self {
            Self::Take => include_str!("take.lua"),
            Self::Beat => include_str!("beat.lua"),
        }
    }

    /// A call of it with so many keys, which come next, then its arguments.
    pub(super) fn call(self, keys: usize) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(redis::Script::new(self.text()).get_hash()).arg(keys);
        command
    }
}

struct Call {
    command: Cmd,
    /// None where nobody waits for it, and it is to be made all the same.
    reply: Option<oneshot::Sender<Option<Vec<f64>>>>,
}

impl Call {
    /// Whoever asked may have gone.
    fn answer(self, answer: Option<Vec<f64>>) {
        if let Some(reply) = self.reply {
            let _ = reply.send(answer);
        }
    }
}

#[derive(Default)]
struct Health {
    up: AtomicBool,
    gateways: AtomicU32,
}

/// The connections.
pub(super) struct Link {
    handles: Box<[Handle]>,
    /// Which one is next.
    turn: AtomicUsize,
    /// The other ends, until they are connected.
    lines: Mutex<Vec<Line>>,
}

/// One connection as callers see it.
struct Handle {
    calls: mpsc::Sender<Call>,
    health: Arc<Health>,
}

impl Link {
    pub(super) fn new(options: &SharedOptions) -> Result<Self> {
        let beat = beat(&options.prefix, &name()?);
        let mut handles = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..options.connections.max(1) {
            // The cause may quote the URL, which holds the password.
            let client = Client::new(options).map_err(|_| {
                let message =
                    "the URL or the certificates of the shared counters are none of Redis's; write `redis://host:port`";
                Error::new(Kind::Absent, message)
            })?;
            let (calls, queue) = mpsc::channel(QUEUE);
            let health = Arc::new(Health { gateways: AtomicU32::new(1), ..Health::default() });
            let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
            let silent = options.silent();
            lines.push(Line { client, queue, health: health.clone(), silent, beat: beat.clone(), in_flight, fewer: 0 });
            handles.push(Handle { calls, health });
        }
        Ok(Self { handles: handles.into(), turn: AtomicUsize::new(0), lines: Mutex::new(lines) })
    }

    /// Connects, once.
    pub(super) fn start(&self) -> Result<()> {
        let lines = std::mem::take(&mut *self.lines.lock());
        if lines.is_empty() {
            return Ok(());
        }
        let cannot = |cause| Error::new(Kind::Io, "cannot start the shared counters").because(cause);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let thread = std::thread::Builder::new().name("store-shared".to_owned());
        let all = async move {
            let mut running = tokio::task::JoinSet::new();
            lines.into_iter().for_each(|line| drop(running.spawn(line.run())));
            while running.join_next().await.is_some() {}
        };
        thread.spawn(move || runtime.block_on(all)).map_err(cannot)?;
        Ok(())
    }

    pub(super) fn is_up(&self) -> bool {
        self.handles.iter().any(|handle| handle.health.up.load(Ordering::Relaxed))
    }

    pub(super) fn gateways(&self) -> u32 {
        let seen = self.handles.iter().map(|handle| handle.health.gateways.load(Ordering::Relaxed));
        seen.max().unwrap_or(1).max(1)
    }

    /// Calls a script. Nothing where that cannot be done now.
    pub(super) async fn ask(&self, command: Cmd) -> Option<Vec<f64>> {
        let (reply, answer) = oneshot::channel();
        self.next()?.calls.try_send(Call { command, reply: Some(reply) }).ok()?;
        answer.await.ok()?
    }

    /// Calls a script and does not wait for what it says. False where that cannot be done now.
    pub(super) fn tell(&self, command: Cmd) -> bool {
        self.next().is_some_and(|handle| handle.calls.try_send(Call { command, reply: None }).is_ok())
    }

    /// The connections that are up take turns.
    fn next(&self) -> Option<&Handle> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.handles.len();
        let order = (0..count).filter_map(|step| self.handles.get((turn.wrapping_add(step)) % count));
        order.into_iter().find(|handle| handle.health.up.load(Ordering::Relaxed))
    }
}

/// A name that no other gateway has.
fn name() -> Result<String> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::new(Kind::Io, "there are no random numbers to be had"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn beat(prefix: &str, name: &str) -> Cmd {
    let mut command = Script::Beat.call(1);
    command.arg(format!("{prefix}:gateways")).arg(name).arg(BEAT_COUNTS);
    command
}

/// The thread's side.
struct Line {
    client: Client,
    queue: mpsc::Receiver<Call>,
    health: Arc<Health>,
    silent: Duration,
    beat: Cmd,
    in_flight: Arc<Semaphore>,
    /// Signs of life in a row that showed fewer gateways than are known.
    fewer: u32,
}

impl Line {
    /// Connects again and again until nobody can call any more.
    async fn run(mut self) {
        let mut backoff = BACKOFF.0;
        let mut told = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(target: "tollgate::store", gateways = self.health.gateways.load(Ordering::Relaxed),
                        "the shared counters are there");
                    (backoff, told) = (BACKOFF.0, false);
                    self.health.up.store(true, Ordering::Relaxed);
                    let called = self.serve(connection).await;
                    self.health.up.store(false, Ordering::Relaxed);
                    if !called {
                        return;
                    }
                    tracing::warn!(target: "tollgate::store", "the shared counters are gone");
                }
                Err(error) if !told => {
                    // Its kind alone: the text may hold what the URL holds.
                    tracing::warn!(target: "tollgate::store", kind = ?error.kind(), "the shared counters cannot be reached");
                    told = true;
                }
                Err(_) => {}
            }
            if !self.pause(backoff).await {
                return;
            }
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    /// Whether someone can still call. Who calls meanwhile is told at once that there is no one.
    async fn pause(&mut self, length: Duration) -> bool {
        let until = tokio::time::Instant::now() + length;
        loop {
            match tokio::time::timeout_at(until, self.queue.recv()).await {
                Err(_) => return true,
                Ok(None) => return false,
                Ok(Some(call)) => call.answer(None),
            }
        }
    }

    async fn connect(&mut self) -> std::result::Result<Connection, RedisError> {
        let mut connection = self.client.connect(self.silent).await?;
        for script in [Script::Take, Script::Beat] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.text());
            connection.call(&load).await?;
        }
        self.beat(&mut connection).await?;
        Ok(connection)
    }

    async fn beat(&mut self, connection: &mut Connection) -> std::result::Result<(), RedisError> {
        let [count] = <[f64; 1]>::from_redis_value(connection.call(&self.beat).await?)?;
        let (count, known) = (super::whole(count).max(1), self.health.gateways.load(Ordering::Relaxed));
        // After a restart of the server each gateway sees itself alone at first: fewer count when they stay fewer.
        self.fewer = if count < known { self.fewer + 1 } else { 0 };
        if count > known || self.fewer > BEAT_COUNTS {
            self.health.gateways.store(count, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Carries calls until the connection breaks, or nobody can call any more: then it says so.
    async fn serve(&mut self, mut connection: Connection) -> bool {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Of this connection: an answer that an earlier one still owes says nothing about it.
        let broken = Arc::new(Notify::new());
        let mut failed = 0;
        loop {
            tokio::select! {
                biased;
                () = broken.notified() => return true,
                _ = beats.tick() => {
                    failed = if self.beat(&mut connection).await.is_ok() { 0 } else { failed + 1 };
                    if failed > 0 && (!connection.heals() || failed > FAILED_BEATS) {
                        return true;
                    }
                }
                call = next(&mut self.queue, &self.in_flight) => {
                    let Some((call, permit)) = call else { return false };
                    let (connection, broken) = (connection.clone(), broken.clone());
                    tokio::spawn(async move {
                        carry(call, connection, &broken).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

/// The next call that someone still waits for, once there is room for it.
async fn next(
    queue: &mut mpsc::Receiver<Call>,
    room: &Arc<Semaphore>,
) -> Option<(Call, tokio::sync::OwnedSemaphorePermit)> {
    // Room first: what is taken from the queue must not be lost when this is cancelled.
    let permit = room.clone().acquire_owned().await.ok()?;
    loop {
        let call = queue.recv().await?;
        if !call.reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
            return Some((call, permit));
        }
    }
}

async fn carry(call: Call, mut connection: Connection, broken: &Notify) {
    let answer = connection.call(&call.command).await;
    let answer = match answer.and_then(|value| Ok(Vec::from_redis_value(value)?)) {
        Ok(numbers) => Some(numbers),
        Err(error) => {
            if !is_of_this_call(&error, connection.heals()) {
                broken.notify_one();
            }
            None
        }
    };
    call.answer(answer);
}

/// Whether an error says nothing about the next call. A lost script needs loading, a server that may no longer be written
/// to needs finding again; any other error of a server's, such as a full memory, or that it loads, is this call's alone. So
/// is whatever happens to one node of a cluster: the others go on.
fn is_of_this_call(error: &RedisError, heals: bool) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => false,
        ErrorKind::Server(ServerErrorKind::ReadOnly) => heals,
        ErrorKind::Server(_) => true,
        _ => heals,
    }
}
