//! Counters that several gateways share, on Redis or Valkey.
//!
//! [`Shared::take`] asks for all limits of a request in one round trip: one script, all of them counted or none, by the
//! server's clock. [`Shared::lease`] takes a number of permits ahead, and spends them with no call at all.
//!
//! A call that takes longer than [`SharedOptions::patience`] is given up, and then, as while there is no connection, what
//! [`WhenGone`] says applies. Each gateway remembers what the server last said of a key and what it admitted meanwhile, and
//! tells it with the next call: a server that was away, or came back empty, does not refill a limit.

mod client;
mod lease;
mod link;
mod mirror;
mod rule;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use model::value::Secret;
use redis::Cmd;
use tokio::time::timeout;

use self::link::{Link, Script};
use self::mirror::{Known, Mirror, Told};
use crate::Result;
use crate::purse::Lenders;

pub use lease::Lease;
pub use rule::{Algorithm, Rule};

/// How counters are shared.
#[derive(Clone, Debug)]
pub struct SharedOptions {
    /// `redis://user:password@host:port/database`, `rediss://` for TLS, `redis+unix:///path` for a socket. Of Sentinels and
    /// clusters some addresses to begin with.
    pub urls: Vec<Secret<String>>,
    /// What answers there.
    pub topology: Topology,
    /// The user; replaces the URL's.
    pub username: Option<String>,
    /// The password; replaces the URL's.
    pub password: Option<Secret<String>>,
    /// Of a server by TLS: whom to believe, and who this gateway is.
    pub tls: SharedTls,
    /// What the names of keys begin with.
    pub prefix: String,
    /// Connections, each of which carries many calls at a time.
    pub connections: usize,
    /// How long a call may take.
    pub patience: Duration,
    /// What applies when it takes longer, or there is no connection.
    pub when_gone: WhenGone,
    /// Keys that are remembered in case the server goes.
    pub most_keys: usize,
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            urls: vec![Secret::new("redis://127.0.0.1:6379".to_owned())],
            topology: Topology::Standalone,
            username: None,
            password: None,
            tls: SharedTls::default(),
            prefix: "tollgate".to_owned(),
            connections: 1,
            patience: Duration::from_millis(20),
            when_gone: WhenGone::Local,
            most_keys: 100_000,
        }
    }
}

impl SharedOptions {
    /// Past this a call has been given up anyway, and a server that is silent so long is as good as gone.
    fn silent(&self) -> Duration {
        (self.patience * 5).max(Duration::from_millis(100))
    }
}

/// What answers at the URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    #[default]
    Standalone,
    /// Sentinels that tell where the master of this name is.
    Sentinel {
        /// The name.
        master: String,
    },
    /// Nodes of a cluster. The keys of one call must be of one slot: give them the same `{tag}`.
    Cluster,
}

/// Certificates, each in PEM.
#[derive(Clone, Debug, Default)]
pub struct SharedTls {
    /// Authorities that the server's certificate may come from; the system's where there are none.
    pub ca: Option<Vec<u8>>,
    /// This gateway's certificate and its key.
    pub client: Option<(Vec<u8>, Secret<Vec<u8>>)>,
}

/// What applies while the server does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenGone {
    /// Each gateway admits its share: what was left, by the number of gateways last seen; at least one at a time.
    #[default]
    Local,
    /// Nothing is admitted.
    Refuse,
    /// Everything is admitted, and not counted.
    Open,
}

/// One limit that a request counts on.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    /// Whose it is.
    pub key: &'a str,
    /// The limit.
    pub rule: Rule,
    /// How much the request counts. What is charged may be less than nothing: then it is given back.
    pub cost: i64,
}

/// What was decided of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The limit that refuses it, if one does: then it was counted on none.
    pub refused: Option<usize>,
    /// What each limit reads after that.
    pub readings: Vec<Reading>,
    /// Who decided.
    pub by: By,
}

/// What one limit reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How much more may come at once.
    pub left: u64,
    /// How long until as much as was asked fits; nothing where it fits.
    pub wait: Duration,
    /// How long until nothing is used.
    pub reset: Duration,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The server, for all gateways.
    Server,
    /// This gateway, in the way that is chosen for when the server is gone.
    Gone(WhenGone),
}

/// Counters that several gateways share.
pub struct Shared {
    link: Link,
    mirror: Mirror,
    options: SharedOptions,
    /// Calls that the server answered in time, and that it did not.
    answered: AtomicU64,
    unanswered: AtomicU64,
    lenders: Lenders,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedStatus {
    /// Whether the server answers.
    pub up: bool,
    /// How many gateways share the counters.
    pub gateways: u32,
    /// Calls that the server answered in time.
    pub answered: u64,
    /// Calls that were decided without it.
    pub unanswered: u64,
}

impl Shared {
    /// What connects once it is told to. An error where the URL is none.
    pub fn new(options: SharedOptions) -> Result<Arc<Self>> {
        let link = Link::new(&options)?;
        let mirror = Mirror::new(options.most_keys);
        let (answered, unanswered, lenders) = Default::default();
        Ok(Arc::new(Self { link, mirror, options, answered, unanswered, lenders }))
    }

    /// The same, connecting.
    pub fn open(options: SharedOptions) -> Result<Arc<Self>> {
        let shared = Self::new(options)?;
        shared.connect()?;
        Ok(shared)
    }

    /// Connects in the background, unless it does so already; the server need not be there yet.
    pub fn connect(&self) -> Result<()> {
        self.link.start()
    }

    /// How it goes.
    pub fn status(&self) -> SharedStatus {
        SharedStatus {
            up: self.is_up(),
            gateways: self.gateways(),
            answered: self.answered.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
        }
    }

    /// Whether the server answers.
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// How many gateways were last seen to share these counters, this one included.
    pub fn gateways(&self) -> u32 {
        self.link.gateways()
    }

    /// Counts on every limit, or on none if one has no room.
    pub async fn take(&self, takes: &[Take<'_>]) -> Decision {
        match self.ask("take", takes).await {
            Some(answer) => Decision { refused: answer.refused, readings: answer.readings, by: By::Server },
            None => self.decide(takes),
        }
    }

    /// Counts on every limit, room or no room: what a request turned out to cost. While the server is gone it is kept, to
    /// be told later.
    pub async fn charge(&self, takes: &[Take<'_>]) {
        if self.ask("charge", takes).await.is_none() {
            self.mirror.charge(takes, self.gateways());
        }
    }

    /// The same without waiting for it: for who cannot wait. Should the server go before it answers, it is not counted.
    pub fn charge_soon(&self, take: &Take<'_>) {
        let takes = std::slice::from_ref(take);
        let known = self.mirror.know(takes);
        if !self.link.tell(self.command("charge", takes, &known)) {
            self.mirror.give_back(takes, &known, self.gateways());
            self.mirror.charge(takes, self.gateways());
        }
    }

    /// Who drew from these counters.
    pub(crate) fn lenders(&self) -> &Lenders {
        &self.lenders
    }

    /// Counts back what was drawn ahead and is not spent, as far as the server answers. Not within a runtime.
    pub fn close(&self) {
        let purses = self.lenders.take();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        if let (false, Ok(runtime)) = (purses.is_empty(), runtime) {
            runtime.block_on(async {
                for purse in purses {
                    purse.bring_back_and_wait().await;
                }
            });
        }
    }

    /// One round trip. Nothing where the server is gone, or too slow.
    async fn ask(&self, mode: &str, takes: &[Take<'_>]) -> Option<Answer> {
        if takes.is_empty() {
            return Some(Answer { refused: None, granted: 0, readings: Vec::new() });
        }
        let answer = if self.link.is_up() { self.round_trip(mode, takes).await } else { None };
        let tally = if answer.is_some() { &self.answered } else { &self.unanswered };
        tally.fetch_add(1, Relaxed);
        answer
    }

    async fn round_trip(&self, mode: &str, takes: &[Take<'_>]) -> Option<Answer> {
        let known = self.mirror.know(takes);
        let command = self.command(mode, takes, &known);
        let asked = timeout(self.options.patience, self.link.ask(command)).await;
        let Some(answer) = asked.ok().flatten().and_then(|numbers| Answer::read(&numbers, takes)) else {
            // It may have been counted all the same: then it counts twice, which is the safe side.
            self.mirror.give_back(takes, &known, self.gateways());
            return None;
        };
        let (answer, told) = answer;
        self.mirror.remember(takes, &told);
        Some(answer)
    }

    fn command(&self, mode: &str, takes: &[Take<'_>], known: &[Known]) -> Cmd {
        let mut command = Script::Take.call(takes.len());
        for take in takes {
            command.arg(format!("{}:limit:{}", self.options.prefix, take.key));
        }
        command.arg(mode).arg(0);
        for (take, known) in takes.iter().zip(known) {
            let rule = take.rule;
            command
                .arg(rule.algorithm.letter())
                .arg(rule.second())
                .arg(rule.micros())
                .arg(rule.capacity())
                .arg(take.cost);
            let state = known.state;
            command.arg(state.a).arg(state.b).arg(format!("{:.0}", state.at)).arg(format!("{:.0}", known.generation));
            command.arg(known.since.a).arg(known.since.b);
        }
        command
    }

    /// The server does not decide.
    fn decide(&self, takes: &[Take<'_>]) -> Decision {
        let by = By::Gone(self.options.when_gone);
        let readings = |reading: fn(&Take<'_>) -> Reading| takes.iter().map(reading).collect();
        match self.options.when_gone {
            WhenGone::Local => {
                let (refused, readings) = self.mirror.take(takes, self.gateways());
                Decision { refused, readings, by }
            }
            WhenGone::Open => {
                let all = |take: &Take<'_>| Reading { left: take.rule.capacity(), ..Reading::default() };
                Decision { refused: None, readings: readings(all), by }
            }
            WhenGone::Refuse => {
                let none = |_: &Take<'_>| Reading { wait: Duration::from_secs(1), ..Reading::default() };
                Decision { refused: (!takes.is_empty()).then_some(0), readings: readings(none), by }
            }
        }
    }
}

/// What the script says.
struct Answer {
    refused: Option<usize>,
    /// Of a lease: how many permits.
    granted: u32,
    readings: Vec<Reading>,
}

impl Answer {
    /// `refused` counted from one, the server's time, then for each limit: state, room, wait and reset in microseconds, what
    /// was counted, and the generation.
    fn read(numbers: &[f64], takes: &[Take<'_>]) -> Option<(Self, Vec<Told>)> {
        let (&[refused, now], rest) = numbers.split_first_chunk::<2>()?;
        let mut readings = Vec::with_capacity(takes.len());
        let mut told = Vec::with_capacity(takes.len());
        let mut granted = 0.0;
        for part in rest.chunks_exact(8) {
            let &[a, b, at, room, wait, reset, counted, generation] = part else { return None };
            told.push(Told { state: state::State { a, b, at }, generation, now });
            readings.push(state::reading(room, wait, reset));
            granted = counted;
        }
        let refused = if refused > 0.0 { Some(whole(refused) as usize - 1) } else { None };
        (readings.len() == takes.len()).then_some((Self { refused, granted: whole(granted), readings }, told))
    }
}

/// A whole number as the script has it: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "what is counted in a window is below what a float holds exactly")]
fn float(number: u64) -> f64 {
    number as f64
}

/// The same of one that may be below nothing.
#[expect(clippy::cast_precision_loss, reason = "as of `float`")]
fn signed(number: i64) -> f64 {
    number as f64
}

/// A number of the script's, which are floats, as the whole one that it is.
fn whole(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let whole = number as u32;
    whole
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("up", &self.is_up()).field("gateways", &self.gateways()).finish_non_exhaustive()
    }
}
