//! Counters that several gateways share, on Redis or Valkey.
//!
//! [`Shared::take`] asks for all limits of a request in one round trip: one script, all of them counted or none, by the
//! server's clock. [`Shared::lease`] takes a number of permits ahead, and spends them with no call at all.
//!
//! A call that takes longer than [`SharedOptions::patience`] is given up, and then, as while there is no connection, what
//! [`WhenGone`] says applies. Each gateway remembers what the server last said of a key and what it admitted meanwhile, and
//! tells it with the next call: a server that was away, or came back empty, does not refill a limit.

mod lease;
mod link;
mod mirror;
mod rule;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::value::Secret;
use redis::Cmd;
use tokio::time::timeout;

use self::link::{Link, Script};
use self::mirror::{Known, Mirror};
use crate::Result;

pub use lease::Lease;
pub use rule::{Algorithm, Rule};

/// How counters are shared.
#[derive(Clone, Debug)]
pub struct SharedOptions {
    /// `redis://user:password@host:port/database`, `rediss://` for TLS, `redis+unix:///path` for a socket.
    pub url: Secret<String>,
    /// Of a server by TLS: whom to believe, and who this gateway is.
    pub tls: SharedTls,
    /// What the names of keys begin with.
    pub prefix: String,
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
            url: Secret::new("redis://127.0.0.1:6379".to_owned()),
            tls: SharedTls::default(),
            prefix: "tollgate".to_owned(),
            patience: Duration::from_millis(20),
            when_gone: WhenGone::Local,
            most_keys: 100_000,
        }
    }
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
    /// How much the request counts.
    pub cost: u32,
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
}

impl Shared {
    /// Connects in the background; the server need not be there yet. An error where the URL is none.
    pub fn open(options: SharedOptions) -> Result<Arc<Self>> {
        let link = Link::start(&options)?;
        let mirror = Mirror::new(options.most_keys);
        Ok(Arc::new(Self { link, mirror, options }))
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

    /// One round trip. Nothing where the server is gone, or too slow.
    async fn ask(&self, mode: &str, takes: &[Take<'_>]) -> Option<Answer> {
        if takes.is_empty() {
            return Some(Answer { refused: None, granted: 0, readings: Vec::new() });
        }
        if !self.link.is_up() {
            return None;
        }
        let known = self.mirror.know(takes);
        let command = self.command(mode, takes, &known);
        let asked = timeout(self.options.patience, self.link.ask(command)).await;
        let Some(answer) = asked.ok().flatten().and_then(|numbers| Answer::read(&numbers, takes)) else {
            // It may have been counted all the same: then it counts twice, which is the safe side.
            self.mirror.give_back(takes, &known);
            return None;
        };
        let (answer, states) = answer;
        self.mirror.remember(takes, &states);
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
            command.arg(rule.algorithm.letter()).arg(rule.limit).arg(rule.micros()).arg(rule.capacity()).arg(take.cost);
            let state = known.state;
            command.arg(state.a).arg(state.b).arg(format!("{:.0}", state.at)).arg(known.pending);
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
                let all = |take: &Take<'_>| Reading { left: take.rule.capacity().into(), ..Reading::default() };
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
    /// `refused` counted from one, the server's time, then for each limit: state, room, wait and reset in microseconds, and
    /// what was counted.
    fn read(numbers: &[f64], takes: &[Take<'_>]) -> Option<(Self, Vec<state::State>)> {
        let (&[refused, _now], rest) = numbers.split_first_chunk::<2>()?;
        let mut readings = Vec::with_capacity(takes.len());
        let mut states = Vec::with_capacity(takes.len());
        let mut granted = 0.0;
        for part in rest.chunks_exact(7) {
            let &[a, b, at, room, wait, reset, counted] = part else { return None };
            states.push(state::State { a, b, at });
            readings.push(state::reading(room, wait, reset));
            granted = counted;
        }
        let refused = if refused > 0.0 { Some(whole(refused) as usize - 1) } else { None };
        (readings.len() == takes.len()).then_some((Self { refused, granted: whole(granted), readings }, states))
    }
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
