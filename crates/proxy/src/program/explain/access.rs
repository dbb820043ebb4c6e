//! Whether a caller may do something: the access policies of the route, run on a request that nobody sent for a caller
//! that is made up. Nothing is opened: a policy that would ask somebody is passed over, and said to be.

use std::sync::Arc;

use model::problem::did_you_mean;
use serde::Serialize;

use super::Probe;
use crate::exchange::{Error, Exchange, Finding, Learnt, receive};
use crate::pipeline::{admit, find_route};
use crate::policies::{Outcome, Stage, Verdict};
use crate::program::{Planned, Program};
use crate::terminals::Terminal;

/// Policies of other stages that say who may call.
const ALSO: [&str; 2] = ["ip", "bot"];

/// A caller that is made up.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The consumer's name.
    pub consumer: Option<String>,
    /// The credential's name.
    pub credential: Option<String>,
    /// The kind of the policy that identified it.
    pub method: Option<String>,
    /// What its credential says.
    pub learnt: Learnt,
}

/// Whether a caller may do something.
#[derive(Debug, Serialize)]
pub struct Access {
    /// Whether it may.
    pub allowed: bool,
    /// The route that takes the request, `api/route`.
    pub route: String,
    /// What it is refused with.
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<&'static str>,
    /// Why, as the access log has it.
    pub reason: Option<String>,
    /// The rule of `authz` that decided last.
    pub rule: Option<String>,
    /// What policies in `mode: shadow` would have denied.
    pub shadow_denied: Option<String>,
    /// The policies that were asked, in order.
    pub asked: Vec<&'static str>,
    /// Policies that ask somebody, so that they were passed over.
    pub passed_over: Vec<&'static str>,
}

/// Whether a caller (or nobody) may do what is asked for. The error is for people: there is no such listener, route,
/// consumer or method.
pub fn access(program: &Arc<Program>, probe: Probe, caller: Option<&Caller>) -> Result<Access, String> {
    let mut x = probe.exchange(program)?;
    let local = x.local.clone();
    match receive::head(&mut x, &local) {
        Outcome::Next => find_route(&mut x, &local),
        Outcome::Reply(_) => return Err("the listener answers this before a route is sought".to_owned()),
        Outcome::Fail(error) => return Err(format!("the request is refused before a route is sought: {error}")),
    }
    let plan = local.program.plan(x.route);
    if matches!(plan.terminal, Terminal::NoRoute) {
        return Err("no route takes this request; ask `tollgate explain` why".to_owned());
    }
    let mut access = Access {
        allowed: true,
        route: format!("{}/{}", plan.api, plan.name),
        status: None,
        code: None,
        reason: None,
        rule: None,
        shadow_denied: None,
        asked: Vec::new(),
        passed_over: Vec::new(),
    };
    let refused = run(&mut x, caller, &mut access)?;
    if let Some(error) = refused {
        access.allowed = false;
        (access.status, access.code) = (Some(error.code.status), Some(error.code.name));
        access.reason = Some(error.cause.map_or_else(|| error.detail.into_owned(), |cause| cause.to_string()));
    }
    access.rule = x.record.rule.as_ref().map(ToString::to_string);
    access.shadow_denied = x.record.shadow_denied.as_ref().map(ToString::to_string);
    Ok(access)
}

/// Runs what says who may call, as the pipeline does. What it is refused with, if it is.
fn run(x: &mut Exchange, caller: Option<&Caller>, access: &mut Access) -> Result<Option<Error>, String> {
    let local = x.local.clone();
    let plan = local.program.plan(x.route);
    let (before, after) = plan.steps.split_at(plan.identify_end.min(plan.steps.len()));
    for planned in before.iter().filter(|planned| ALSO.contains(&planned.kind)) {
        if let Some(error) = ask(x, planned, access) {
            return Ok(Some(error));
        }
    }
    match caller {
        Some(caller) => {
            if let Err(error) = x.identify(finding(&local.program, caller)?) {
                return Ok(Some(error));
            }
        }
        None if before.iter().any(|planned| planned.stage == Stage::Identify) => {
            x.not_identified(&[http::HeaderValue::from_static("Unknown")]);
        }
        None => {}
    }
    if let Err(error) = admit(x, plan) {
        return Ok(Some(error));
    }
    let mut authorize = after.iter().filter(|planned| planned.stage == Stage::Authorize);
    Ok(authorize.find_map(|planned| ask(x, planned, access)))
}

fn ask(x: &mut Exchange, planned: &Planned, access: &mut Access) -> Option<Error> {
    if planned.when.as_ref().is_some_and(|when| !when.test(x)) {
        return None;
    }
    access.asked.push(planned.kind);
    match planned.step.request(x) {
        Verdict::Done(Outcome::Next) => None,
        Verdict::Done(Outcome::Fail(error)) => Some(*error),
        // No access policy answers by itself; one that did would have let nobody through.
        Verdict::Done(Outcome::Reply(_)) => Some(Error::new(&crate::exchange::codes::INTERNAL, "A policy answered.")),
        // A future that is not polled does nothing.
        Verdict::Await(_) => {
            access.asked.pop();
            access.passed_over.push(planned.kind);
            None
        }
    }
}

fn finding(program: &Program, caller: &Caller) -> Result<Finding, String> {
    let consumer = match &caller.consumer {
        None => None,
        Some(name) => Some(program.consumers.by_name(name).ok_or_else(|| {
            let near = did_you_mean(name, program.consumers.iter().map(|known| &*known.name));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("there is no consumer `{name}`{hint}")
        })?),
    };
    let kinds = || {
        let policies = program.registry.policies().into_iter();
        policies.filter(|policy| policy.order.0 == Stage::Identify).map(|policy| policy.kind)
    };
    let method = match &caller.method {
        None => "authz test",
        Some(method) => kinds().find(|kind| kind == method).ok_or_else(|| {
            let known: Vec<_> = kinds().collect();
            format!("`{method}` identifies nobody; known are {}", known.join(", "))
        })?,
    };
    Ok(Finding {
        method,
        consumer: consumer.map(|consumer| consumer.slot),
        credential: caller.credential.as_deref().map(Into::into),
        learnt: Some(Arc::new(caller.learnt.clone())),
    })
}
