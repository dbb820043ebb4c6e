//! The connection: one thread with a runtime of its own, a bounded queue to it, and no waiting while it is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::SharedOptions;
use crate::Result;
use crate::error::{Error, Kind};

/// Calls that wait for the thread; one more is not made.
const QUEUE: usize = 4096;
/// Calls that wait for the server.
const IN_FLIGHT: usize = 1024;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);
/// Between attempts, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// Between signs of life, and for how many seconds each counts.
const BEAT: Duration = Duration::from_secs(1);
const BEAT_COUNTS: u32 = 5;

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
    reply: oneshot::Sender<Option<Vec<f64>>>,
}

#[derive(Default)]
struct Health {
    up: AtomicBool,
    gateways: AtomicU32,
}

/// The connection.
pub(super) struct Link {
    calls: mpsc::Sender<Call>,
    health: Arc<Health>,
}

impl Link {
    pub(super) fn start(options: &SharedOptions) -> Result<Self> {
        // The cause may quote the URL, which holds the password.
        let client = client(options).map_err(|_| {
            let message =
                "the URL or the certificates of the shared counters are none of Redis's; write `redis://host:port`";
            Error::new(Kind::Absent, message)
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|cause| Error::new(Kind::Io, "cannot start the shared counters").because(cause))?;
        let (calls, queue) = mpsc::channel(QUEUE);
        let health = Arc::new(Health { gateways: AtomicU32::new(1), ..Health::default() });
        let line = Line {
            client,
            queue,
            health: health.clone(),
            patience: options.patience,
            beat: beat(&options.prefix, &name()?),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
        };
        let thread = std::thread::Builder::new().name("store-shared".to_owned());
        let thread = thread.spawn(move || runtime.block_on(line.run()));
        thread.map_err(|cause| Error::new(Kind::Io, "cannot start the shared counters").because(cause))?;
        Ok(Self { calls, health })
    }

    pub(super) fn is_up(&self) -> bool {
        self.health.up.load(Ordering::Relaxed)
    }

    pub(super) fn gateways(&self) -> u32 {
        self.health.gateways.load(Ordering::Relaxed).max(1)
    }

    /// Calls a script. Nothing where that cannot be done now.
    pub(super) async fn ask(&self, command: Cmd) -> Option<Vec<f64>> {
        let (reply, answer) = oneshot::channel();
        self.calls.try_send(Call { command, reply }).ok()?;
        answer.await.ok()?
    }
}

fn client(options: &SharedOptions) -> std::result::Result<Client, RedisError> {
    let url = options.url.expose().as_str();
    if !url.starts_with("rediss://") {
        return Client::open(url);
    }
    // The client takes the process's default, and panics where there is none. One that is there stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client_tls = options.tls.client.as_ref().map(|(certificate, key)| redis::ClientTlsConfig {
        client_cert: certificate.clone(),
        client_key: key.expose().clone(),
    });
    Client::build_with_tls(url, redis::TlsCertificates { client_tls, root_cert: options.tls.ca.clone() })
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
    patience: Duration,
    beat: Cmd,
    in_flight: Arc<Semaphore>,
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
                Ok(Some(call)) => drop(call.reply.send(None)),
            }
        }
    }

    async fn connect(&self) -> std::result::Result<MultiplexedConnection, RedisError> {
        // Past this a call has been given up anyway, and a server that is silent so long is as good as gone.
        let silent = (self.patience * 5).max(Duration::from_millis(100));
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(silent));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        for script in [Script::Take, Script::Beat] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.text());
            load.query_async::<Value>(&mut connection).await?;
        }
        self.beat(&mut connection).await?;
        Ok(connection)
    }

    async fn beat(&self, connection: &mut MultiplexedConnection) -> std::result::Result<(), RedisError> {
        let [count]: [f64; 1] = self.beat.query_async(connection).await?;
        self.health.gateways.store(super::whole(count).max(1), Ordering::Relaxed);
        Ok(())
    }

    /// Carries calls until the connection breaks, or nobody can call any more: then it says so.
    async fn serve(&mut self, mut connection: MultiplexedConnection) -> bool {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Of this connection: an answer that an earlier one still owes says nothing about it.
        let broken = Arc::new(Notify::new());
        loop {
            tokio::select! {
                biased;
                () = broken.notified() => return true,
                _ = beats.tick() => {
                    if self.beat(&mut connection).await.is_err() {
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
        if !call.reply.is_closed() {
            return Some((call, permit));
        }
    }
}

async fn carry(call: Call, mut connection: MultiplexedConnection, broken: &Notify) {
    let answer = match call.command.query_async(&mut connection).await {
        Ok(numbers) => Some(numbers),
        Err(error) => {
            let why = error.kind();
            // Any other error of the server's, such as a full memory or a server that loads, is this call's alone; a lost
            // script needs loading, a server that may no longer be written to needs finding again.
            let kept = matches!(why, ErrorKind::Server(kind) if kind != ServerErrorKind::NoScript && kind != ServerErrorKind::ReadOnly);
            if !kept {
                broken.notify_one();
            }
            None
        }
    };
    let _ = call.reply.send(answer);
}
