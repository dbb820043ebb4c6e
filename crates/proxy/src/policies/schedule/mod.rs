//! Lets requests in at certain times only, by the clock on the wall of a time zone.

mod calendar;
mod spec;

use std::sync::Arc;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::calendar::Current;
use self::spec::Spec;
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::denial::{Denial, Tally};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Lets requests in at certain times only.
pub(crate) struct Schedule;

static DENIED: Code = Code {
    name: "schedule.denied",
    status: 403,
    title: "Outside of opening hours",
    blame: Blame::Client,
    proxy_status: None,
};
static CLOSED: Code = Code {
    name: "schedule.closed",
    status: 503,
    title: "Closed at this time",
    blame: Blame::Gateway,
    proxy_status: None,
};

/// What a request outside of the windows gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ScheduleOutside")]
pub(crate) enum Outside {
    /// 403.
    #[default]
    Forbid,
    /// 503, with the seconds until it opens in `Retry-After`.
    Unavailable,
}

impl Policy for Schedule {
    type Spec = Spec;
    const KIND: &'static str = "schedule";
    const ORDER: (Stage, u8) = (Stage::Authorize, 10);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::ALL;
    const CODES: &'static [&'static Code] = &[&DENIED, &CLOSED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let calendar = spec.calendar(cx)?;
        let code = match spec.outside {
            Outside::Forbid => &DENIED,
            Outside::Unavailable => &CLOSED,
        };
        let denial = Denial::new(code, spec.tell, spec.mode, cx);
        let tally = denial.tally("", cx);
        Some(Arc::new(Hours { current: Current::new(calendar), outside: spec.outside, denial, tally }))
    }
}

struct Hours {
    current: Current,
    outside: Outside,
    denial: Denial,
    tally: Tally,
}

impl Step for Hours {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let program = &x.local.program;
        let now = i64::try_from(program.clock.wall_at(x.record.started).as_secs()).unwrap_or(i64::MAX);
        let stretch = self.current.stretch(now);
        if stretch.open {
            return Verdict::NEXT;
        }
        Verdict::Done(self.refuse(x, now, stretch.opens))
    }
}

impl Hours {
    #[cold]
    fn refuse(&self, x: &mut Exchange, now: i64, opens: Option<i64>) -> Outcome {
        let opens = opens.and_then(|opens| u64::try_from(opens.saturating_sub(now)).ok());
        let why = match opens {
            Some(wait) => format!("it is closed, and opens in {wait} s"),
            None => "it is closed, and does not open again within 400 days".to_owned(),
        };
        match self.outside {
            Outside::Forbid => self.denial.deny(x, &self.tally, why.clone(), Some(&why)),
            Outside::Unavailable => self.denial.finish(x, &self.tally, why, |_, why, _| {
                let error = match opens {
                    Some(wait) => Error::new(&CLOSED, format!("It is closed at this time; try again in {wait} s."))
                        .header(RETRY_AFTER, HeaderValue::from(wait.max(1))),
                    None => Error::new(&CLOSED, "It is closed."),
                };
                error.because(why)
            }),
        }
    }
}
