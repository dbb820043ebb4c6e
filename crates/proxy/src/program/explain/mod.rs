//! Why a request goes where it goes: the route and why, what runs on it, where it ends, and what nearly took it. It is
//! asked of the code that serves requests, on an exchange that nobody sent; nothing is opened and nothing is counted.

pub mod access;
mod care;
mod probe;
mod text;

use std::sync::Arc;

use model::resource::{Access, IdentifyMode};
use serde::Serialize;

use super::table::{Candidate, Verdict};
use super::{Program, RoutePlan};
use crate::exchange::{Exchange, receive};
use crate::pipeline::find_route;
use crate::policies::{Need, Outcome, Stage};
use crate::terminals::Terminal;

pub use probe::Probe;

/// What becomes of a request, and why.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The program that was asked, by its hash.
    pub program: String,
    /// The request as the gateway sees it.
    pub request: Seen,
    /// What becomes of it.
    pub outcome: Told,
    /// What was captured of the path.
    pub captures: Vec<Captured>,
    /// Who may call.
    pub identify: Identified,
    /// The policies in running order; on a request that no route takes, its listener's.
    pub policies: Vec<Policy>,
    /// What the route ends in.
    pub terminal: Option<Ending>,
    /// The routes whose host and path match, in the order of precedence, then some that nearly do.
    pub candidates: Vec<Candidate>,
}

/// A request as the gateway sees it.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// The listener it comes by.
    pub listener: String,
    /// The method.
    pub method: String,
    /// The scheme, after trusted hops.
    pub scheme: &'static str,
    /// The host without port, lower case.
    pub host: String,
    /// The path in its plain form.
    pub path: String,
    /// The query.
    pub query: Option<String>,
    /// The client's address, after trusted hops.
    pub client: String,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Told {
    /// A route takes it.
    Route {
        /// Its names: `api/route`.
        route: String,
    },
    /// It is refused before a route is sought, or none takes it.
    Refused {
        /// The status.
        status: u16,
        /// The error's code.
        code: &'static str,
        /// Why.
        detail: String,
    },
    /// The listener answers it before a route is sought.
    Answered {
        /// The status.
        status: u16,
        /// Where it redirects to.
        location: Option<String>,
    },
}

/// A captured part of the path.
#[derive(Debug, Serialize)]
pub struct Captured {
    /// Its name.
    pub name: String,
    /// Its value, as it stands in the path.
    pub value: String,
}

/// Who may call, and how that is learnt.
#[derive(Debug, Serialize)]
pub struct Identified {
    /// Who may call.
    pub access: Access,
    /// How many identifying policies must find a credential.
    pub mode: IdentifyMode,
    /// The identifying policies.
    pub by: Vec<String>,
}

/// A policy in its place.
#[derive(Debug, Serialize)]
pub struct Policy {
    /// Its stage.
    pub stage: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// The instance's name; empty for the only one.
    pub name: String,
    /// The level that set it.
    pub level: &'static str,
    /// Its condition, if it has one.
    pub when: Option<When>,
    /// Bodies that it needs whole.
    pub buffers: Vec<&'static str>,
}

/// The condition of a policy.
#[derive(Debug, Serialize)]
pub struct When {
    /// The expression.
    pub text: String,
    /// Whether it holds for the request as it is here: nobody is identified.
    pub holds: bool,
}

/// What a route ends in.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ending {
    /// An upstream, or one of several.
    Upstream {
        /// Which.
        arms: Vec<Arm>,
        /// What is taken off the path's beginning.
        stripped: Option<String>,
    },
    /// The gateway itself.
    Answer {
        /// The terminal's kind.
        terminal: &'static str,
    },
}

/// One of the upstreams that a route may end in.
#[derive(Debug, Serialize)]
pub struct Arm {
    /// The upstream's name.
    pub upstream: String,
    /// The URLs of its targets.
    pub targets: Vec<String>,
    /// Its condition, if it has one.
    pub when: Option<When>,
    /// Its share of what no condition takes, in percent.
    pub share: Option<f64>,
    /// What the upstream does beside sending the request, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub care: Vec<String>,
}

/// Explains what becomes of a request. The error is for people: the listener that was named is not there.
pub fn explain(program: &Arc<Program>, probe: Probe) -> Result<Explanation, String> {
    let mut x = probe.exchange(program)?;
    let local = x.local.clone();
    let outcome = match receive::head(&mut x, &local) {
        Outcome::Next => {
            find_route(&mut x, &local);
            None
        }
        Outcome::Reply(reply) => {
            let location = reply.head.headers.get(http::header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
            Some(Told::Answered { status: reply.head.status.as_u16(), location })
        }
        Outcome::Fail(error) => {
            let detail = error.detail.clone().into_owned();
            Some(Told::Refused { status: error.code.status, code: error.code.name, detail })
        }
    };
    let candidates = match (&outcome, program.listener(x.connection.listener)) {
        (None, Some(listener)) => listener.table.candidates(&x),
        _ => Vec::new(),
    };
    let outcome = outcome.unwrap_or_else(|| found(&x, &candidates));
    let plan = program.plan(x.route);
    Ok(Explanation {
        program: program.hash.clone(),
        request: seen(&x),
        outcome,
        captures: x
            .captures
            .iter()
            .map(|(name, value)| Captured { name: name.to_owned(), value: value.to_owned() })
            .collect(),
        identify: identified(plan),
        policies: policies(plan, &x),
        terminal: ending(program, plan, &x),
        candidates,
    })
}

impl Explanation {
    /// The candidate that takes the request.
    pub fn taken(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.verdict == Verdict::Taken)
    }
}

/// What the search for a route came to.
fn found(x: &Exchange, candidates: &[Candidate]) -> Told {
    let plan = x.plan();
    if !matches!(plan.terminal, Terminal::NoRoute) {
        debug_assert!(candidates.iter().any(|one| one.verdict == Verdict::Taken && one.id == x.route));
        return Told::Route { route: format!("{}/{}", plan.api, plan.name) };
    }
    let error = crate::terminals::no_route(x.notes.allow.clone());
    let detail = match &x.notes.allow {
        Some(allow) => format!("{} It takes {}.", error.detail, allow.to_str().unwrap_or_default()),
        None => error.detail.into_owned(),
    };
    Told::Refused { status: error.code.status, code: error.code.name, detail }
}

fn seen(x: &Exchange) -> Seen {
    let listener = x.local.program.listener(x.connection.listener);
    Seen {
        listener: listener.map_or_else(String::new, |listener| listener.name.to_string()),
        method: x.request.method.to_string(),
        scheme: x.scheme.as_str(),
        host: x.host.to_string(),
        path: x.request.uri.path().to_owned(),
        query: x.request.uri.query().map(ToOwned::to_owned),
        client: x.client.to_string(),
    }
}

fn identified(plan: &RoutePlan) -> Identified {
    let steps = plan.steps.iter().filter(|step| step.stage == Stage::Identify);
    Identified { access: plan.access, mode: plan.identify, by: steps.map(|step| step.kind.to_owned()).collect() }
}

fn policies(plan: &RoutePlan, x: &Exchange) -> Vec<Policy> {
    let told = plan.steps.iter().map(|step| {
        let whole = |need: Need, what| matches!(need, Need::Buffer(_)).then_some(what);
        let buffers = [whole(step.needs.request, "request"), whole(step.needs.response, "response")];
        Policy {
            stage: step.stage.as_str(),
            kind: step.kind,
            name: step.name.to_string(),
            level: step.level.as_str(),
            when: step.when.as_ref().map(|when| When { text: when.source().to_owned(), holds: when.test(x) }),
            buffers: buffers.into_iter().flatten().collect(),
        }
    });
    told.collect()
}

fn ending(program: &Program, plan: &RoutePlan, x: &Exchange) -> Option<Ending> {
    let arm = |id: super::UpstreamId, when: Option<When>, share: Option<f64>| {
        let written = program.snapshot.upstreams.get(id.0 as usize);
        Arm {
            upstream: written.map_or_else(String::new, |upstream| upstream.name.to_string()),
            targets: written
                .iter()
                .flat_map(|upstream| &upstream.targets)
                .map(|target| target.url.to_string())
                .collect(),
            when,
            share,
            care: written.map_or_else(Vec::new, care::of),
        }
    };
    let arms = match &plan.terminal {
        Terminal::NoRoute => return None,
        Terminal::Answer(answer) => return Some(Ending::Answer { terminal: answer.kind() }),
        Terminal::Upstream(id) => vec![arm(*id, None, None)],
        Terminal::Split(split) => {
            let conditions = split
                .conditions
                .iter()
                .map(|(when, id)| arm(*id, Some(When { text: when.source().to_owned(), holds: when.test(x) }), None));
            let sum = split.weights.last().map_or(1, |(sum, _)| (*sum).max(1));
            let mut before = 0;
            let weights = split.weights.iter().map(|(upto, id)| {
                let share = f64::from(upto - before) * 10_000.0 / f64::from(sum);
                before = *upto;
                arm(*id, None, Some(share.round() / 100.0))
            });
            conditions.chain(weights).collect()
        }
    };
    let stripped = x.request.uri.path().get(..plan.strip).filter(|stripped| !stripped.is_empty());
    Some(Ending::Upstream { arms, stripped: stripped.map(ToOwned::to_owned) })
}

#[cfg(test)]
mod tests;
