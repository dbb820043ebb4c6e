//! What a policy is at compile time and at run time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::FieldNames;
use crate::exchange::{Body, Code, Error, Exchange};
use crate::program::Compile;

/// A policy at compile time.
pub trait Policy: 'static {
    /// What a user writes. Doc comments become schema, reference docs and help.
    type Spec: DeserializeOwned + JsonSchema;
    /// The key in `policies:`, the metric label, the docs page, the prefix of error codes.
    const KIND: &'static str;
    /// Its stage and its place within it; unique.
    const ORDER: (Stage, u8);
    /// What becomes of the same policy on several levels.
    const MERGE: Merge;
    /// Where it may stand.
    const SCOPES: Scopes;
    /// Whether it may have a condition.
    const WHEN: When = When::Allowed;
    /// The error codes it may answer with.
    const CODES: &'static [&'static Code] = &[];

    /// Compiles what was written. Problems go to `cx`; `None` only with a problem.
    fn compile(spec: Self::Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>>;
}

/// A policy at run time.
pub trait Step: Send + Sync {
    /// What the names of its own cookies begin with. A name is whole, or goes on with a dot. What they hold is for this step
    /// alone: routes without it do not send them to their upstreams.
    fn cookies(&self) -> Vec<Box<str>> {
        Vec::new()
    }
    /// What it needs of the bodies.
    fn needs(&self) -> Needs {
        Needs::NONE
    }
    /// Header fields that only the gateway writes. What a client sends in them is taken out before any step runs, also
    /// where this one's condition does not hold.
    fn owns(&self) -> FieldNames {
        FieldNames::default()
    }
    /// Acts on the request.
    fn request<'a>(&'a self, _x: &'a mut Exchange) -> Verdict<'a> {
        Verdict::NEXT
    }
    /// Acts on the response, whoever made it.
    fn response<'a>(&'a self, _x: &'a mut Exchange) -> Verdict<'a> {
        Verdict::NEXT
    }
    /// The exchange is over: body ended, client left, panic. Exactly once where the request side ran. Never fails.
    fn end(&self, _ended: &Ended<'_>) {}
}

/// An exchange that is over.
pub struct Ended<'a> {
    /// The exchange, with its record complete.
    pub exchange: &'a Exchange,
}

/// What a step decides.
pub enum Outcome {
    /// Go on.
    Next,
    /// Answer with this; later request steps and the terminal do not run.
    Reply(Box<Reply>),
    /// Answer with this error.
    Fail(Box<Error>),
}

/// An answer made by the gateway.
pub struct Reply {
    /// Its head.
    pub head: http::response::Parts,
    /// Its body.
    pub body: Body,
}

/// What a step decides, now or later. Only steps that do I/O pay for a box.
pub enum Verdict<'a> {
    /// Decided.
    Done(Outcome),
    /// Being decided.
    Await(Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>),
}

impl Verdict<'_> {
    /// Go on.
    pub const NEXT: Self = Verdict::Done(Outcome::Next);

    /// Answer with this error.
    pub fn fail(error: Error) -> Self {
        Verdict::Done(Outcome::Fail(Box::new(error)))
    }

    /// Answer with this.
    pub fn reply(head: http::response::Parts, body: Body) -> Self {
        Verdict::Done(Outcome::Reply(Box::new(Reply { head, body })))
    }
}

/// The stages of an exchange, in running order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Addresses, connections, shedding.
    Admit,
    /// The head against attacks, body limits.
    Protect,
    /// Who calls.
    Identify,
    /// Whether they may.
    Authorize,
    /// Rates, quotas, concurrency.
    Limit,
    /// The body against its contract.
    Validate,
    /// What is asked.
    Prepare,
    /// Whether the answer is known.
    Cache,
    /// What goes to the upstream.
    Shape,
    /// What goes to the client; its response side runs for every answer.
    Deliver,
}

impl Stage {
    /// Its name in docs and `explain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Admit => "admit",
            Stage::Protect => "protect",
            Stage::Identify => "identify",
            Stage::Authorize => "authorize",
            Stage::Limit => "limit",
            Stage::Validate => "validate",
            Stage::Prepare => "prepare",
            Stage::Cache => "cache",
            Stage::Shape => "shape",
            Stage::Deliver => "deliver",
        }
    }
}

/// What becomes of a policy that stands on several levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The innermost level's instance of the same name stands.
    Replace,
    /// All stand and run, outer levels first.
    Append,
    /// All stand, so that an inner level can only narrow.
    Tighten,
}

/// Whether a policy may have a condition (`when`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It may.
    Allowed,
    /// It may not: what it does must be done for every request.
    Refused,
}

/// Where a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// On a listener.
    Listener,
    /// On an api.
    Api,
    /// On a route.
    Route,
    /// On a plan.
    Plan,
    /// On a consumer.
    Consumer,
}

impl Level {
    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Listener => "listener",
            Level::Api => "api",
            Level::Route => "route",
            Level::Plan => "plan",
            Level::Consumer => "consumer",
        }
    }
}

/// The levels a policy may stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Listener, api and route.
    pub const PATH: Scopes = Scopes(0b00111);
    /// Those and plan and consumer; only from the Authorize stage on, as nobody is known before.
    pub const ALL: Scopes = Scopes(0b11111);
    /// Api and route.
    pub const API: Scopes = Scopes(0b00110);

    /// Whether it may stand on this level.
    pub const fn has(self, level: Level) -> bool {
        self.0 & (1 << level as u8) != 0
    }
}

/// What a step needs of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    None,
    /// It changes or sees it as it streams.
    Stream,
    /// It needs all of it, at most so many bytes.
    Buffer(u64),
}

/// What a step needs of both bodies, and of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Of the request's.
    pub request: Need,
    /// Of the response's.
    pub response: Need,
    /// Whether it acts on what the terminal makes of the request ([`Exchange::call`]): it stands on routes alone whose
    /// terminal makes something of it.
    pub call: bool,
}

impl Needs {
    /// Nothing of either.
    pub const NONE: Needs = Needs { request: Need::None, response: Need::None, call: false };
}
