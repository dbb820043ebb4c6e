//! Calls of models: the suite `ai`.

use super::{Ask, PLAIN, Scenario, Steady, Traffic, Work};
use crate::peer::Setup;
use crate::wire::upstream::models::{END, REPLY};

const fn calls(setup: Setup, traffic: Traffic) -> Work {
    Work::Steady(Steady { traffic, setup, tollgate: setup })
}

/// Small calls on 64 connections, 3,000 a second where the rate is fixed.
const CALLS: Traffic = Traffic { ask: Ask::Reply, rate: 3_000.0, ..PLAIN };
/// A thousand at once: 200 a second begin, and each takes five seconds for 250 tokens.
const STREAMS: Traffic = Traffic { ask: Ask::Stream, connections: 1_200, rate: 200.0, ..PLAIN };

/// Every scenario of the suite, in the order they are run and reported.
pub(crate) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "ai-chat",
        title: "small whole calls, OpenAI's format on both sides; Tollgate with key, model routing, metering and JSON access \
                log",
        work: calls(Setup::Chat, CALLS),
    },
    Scenario {
        name: "ai-translate",
        title: "the same, translated to a provider that speaks Anthropic's format and back",
        work: calls(Setup::Translate, CALLS),
    },
    Scenario {
        name: "ai-ttft",
        title: "streams of 8 tokens, the first at once and one each 5 ms: time to the first byte of the body",
        work: calls(Setup::FirstToken, Traffic { ask: Ask::Stream, connections: 128, rate: 1_000.0, ..PLAIN }),
    },
    Scenario {
        name: "ai-streams",
        title: "1,000 streams at once of 50 tokens a second each",
        work: Work::Streams { setup: Setup::Streams, traffic: STREAMS },
    },
    Scenario {
        name: "ai-soak",
        title: "10 minutes of 1,000 such streams and of calls by turns: growth of memory",
        work: Work::Soak { setup: Setup::Streams, streams: STREAMS, calls: CALLS },
    },
];

impl Ask {
    /// Where it is asked for.
    pub(super) fn path(self) -> String {
        match self {
            Self::Bytes(bytes) => format!("/bytes/{bytes}"),
            Self::Reply | Self::Stream => "/v1/chat/completions".to_owned(),
        }
    }

    /// What is posted; empty for a GET.
    pub(super) fn body(self) -> &'static str {
        match self {
            Self::Bytes(_) => "",
            Self::Reply => {
                r#"{"model":"small","messages":[{"role":"system","content":"Answer in one sentence."},{"role":"user","content":"What does a tollgate do?"}],"max_tokens":64,"temperature":0.2}"#
            }
            Self::Stream => {
                r#"{"model":"streamed","messages":[{"role":"system","content":"Answer in one sentence."},{"role":"user","content":"What does a tollgate do?"}],"max_tokens":64,"temperature":0.2,"stream":true}"#
            }
        }
    }

    /// How long the answer is, where that is known.
    pub(super) fn length(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(u64::from(bytes)),
            Self::Reply | Self::Stream => None,
        }
    }

    /// What the answer has to say.
    pub(super) fn says(self) -> Option<&'static str> {
        match self {
            Self::Bytes(_) => None,
            Self::Reply => Some(REPLY),
            Self::Stream => Some(END),
        }
    }
}

#[cfg(test)]
mod tests;
