//! The way of a request: match, request steps, terminal, response steps; the record is written when the body ends.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response};
use model::resource::{Access, IdentifyMode};

use crate::exchange::{Error, Exchange, Served, codes, cookies, receive, render};
use crate::policies::{Need, Outcome, Stage, Verdict, cors};
use crate::program::table::Found;
use crate::program::{ConsumerSlot, ListenerPlan, Local, RoutePlan, Subscription, is_over};
use crate::terminals;

/// Serves one exchange. What it returns owns the exchange until the last byte is out; dropped at any moment, the
/// exchange is settled all the same.
pub async fn serve(mut x: Box<Exchange>) -> Response<Served> {
    let local = x.local.clone();
    let received = receive::head(&mut x, &local);
    if matches!(received, Outcome::Next) {
        find_route(&mut x, &local);
    }
    let plan = local.program.plan(x.route);
    let outcome = match received {
        Outcome::Next => request_steps(&mut x, plan).await,
        decided => decided,
    };
    let outcome = match outcome {
        Outcome::Next => terminals::serve(&mut x, &local, plan).await,
        decided => decided,
    };
    answer(&mut x, outcome);
    response_steps(&mut x, plan).await;
    finish(x)
}

/// Finds the route, or leaves the listener's no-route plan in place.
pub(crate) fn find_route(x: &mut Exchange, local: &Local) {
    let Some(listener) = local.program.listener(x.connection.listener) else { return };
    match preflight(x, listener).unwrap_or_else(|| listener.table.find(x)) {
        Found::Route(route, captures) => {
            let plan = local.program.plan(route);
            x.route = route;
            x.timeouts = plan.timeouts;
            x.strip = plan.strip;
            x.captures = captures;
        }
        Found::Method(allow) => x.notes.allow = Some(allow),
        Found::None => {}
    }
}

/// The route of a CORS preflight: that of the method that it asks for, where that answers preflights itself. Else a
/// preflight is a request like any other.
fn preflight(x: &mut Exchange, listener: &ListenerPlan) -> Option<Found> {
    let asked = cors::asked_method(&x.request)?;
    let method = std::mem::replace(&mut x.request.method, asked);
    let found = listener.table.find(x);
    x.request.method = method;
    match found {
        Found::Route(route, captures) if cors::answers_preflights(x.local.program.plan(route)) => {
            Some(Found::Route(route, captures))
        }
        _ => None,
    }
}

/// Runs the request side of each step, in order, until one decides.
async fn request_steps(x: &mut Exchange, plan: &RoutePlan) -> Outcome {
    if !plan.foreign_cookies.is_empty() {
        let foreign = |name: &[u8]| plan.foreign_cookies.iter().any(|own| cookies::is_of(name, own));
        cookies::strip(&mut x.request.headers, foreign);
        x.found = None;
    }
    if !plan.steps.is_empty() {
        // They may change the head.
        x.found = None;
        if !plan.owned.is_empty() {
            plan.owned.strip(&mut x.request.headers);
        }
    }
    for (at, planned) in plan.steps.iter().enumerate() {
        if at == plan.identify_end
            && let Err(error) = admit(x, plan)
        {
            return Outcome::Fail(Box::new(error));
        }
        if planned.when.as_ref().is_some_and(|when| !when.test(x)) {
            x.skipped |= 1 << at;
            continue;
        }
        if let Need::Buffer(most) = planned.needs.request
            && let Err(error) = Box::pin(receive::buffer(x, most)).await
        {
            return Outcome::Fail(Box::new(error));
        }
        if planned.needs.call && x.call.is_none() {
            match Box::pin(terminals::prepare(x, plan)).await {
                Outcome::Next => {}
                decided => return decided,
            }
        }
        x.ran = at + 1;
        match decide(planned.step.request(x)).await {
            Outcome::Next => {}
            decided => return decided,
        }
    }
    if plan.identify_end == plan.steps.len()
        && let Err(error) = admit(x, plan)
    {
        return Outcome::Fail(Box::new(error));
    }
    Outcome::Next
}

/// The end of the Identify stage: is the caller known as the api asks?
pub(crate) fn admit(x: &mut Exchange, plan: &RoutePlan) -> Result<(), Error> {
    let missing = match plan.identify {
        IdentifyMode::Any => x.identified == 0 && x.unidentified > 0,
        IdentifyMode::All => x.unidentified > 0,
        IdentifyMode::Optional => false,
    };
    let consumer = x.identity.as_ref().and_then(|identity| identity.consumer);
    if plan.access != Access::Public && consumer.is_none() && x.identity.is_some() && !missing {
        return Err(Error::new(&codes::NO_CONSUMER, "The caller is known, and is no consumer here."));
    }
    if missing || (plan.access != Access::Public && consumer.is_none()) {
        let mut error = Error::new(&codes::UNIDENTIFIED, "This api asks for a credential and none was found.");
        for challenge in x.challenges.drain(..) {
            error = error.header(WWW_AUTHENTICATE, challenge);
        }
        return Err(error);
    }
    if let (Some(slot), Some(api)) = (consumer, plan.api_index) {
        let local = x.local.clone();
        match (subscription(&local, slot, api), &mut x.identity) {
            (Ok(subscribed), Some(identity)) => identity.plan = subscribed.plan,
            (Err(error), _) if plan.access == Access::Subscribed => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The consumer's subscription to an api, where it is good now.
fn subscription(local: &Local, slot: ConsumerSlot, api: u32) -> Result<&Subscription, Error> {
    let found = local.program.consumers.get(slot).and_then(|consumer| consumer.subscription(api));
    match found {
        None => Err(Error::new(&codes::NOT_SUBSCRIBED, "The consumer has no subscription to this api.")),
        Some(found) if !found.enabled => {
            Err(Error::new(&codes::SUBSCRIPTION_SUSPENDED, "The consumer's subscription to this api is suspended."))
        }
        Some(found) if is_over(found.expires, || local.program.clock.wall()) => {
            Err(Error::new(&codes::SUBSCRIPTION_EXPIRED, "The consumer's subscription to this api has expired."))
        }
        Some(found) => Ok(found),
    }
}

/// Makes the outcome the exchange's answer.
fn answer(x: &mut Exchange, outcome: Outcome) {
    match outcome {
        Outcome::Next => {}
        Outcome::Reply(reply) => {
            x.response = Some(reply.head);
            x.response_body = reply.body;
        }
        Outcome::Fail(error) => render(x, *error),
    }
}

/// Runs the response side, in reverse, of each step whose request side ran; last that of Deliver's, for every answer, so
/// that what the other steps make of it is delivered like any other.
async fn response_steps(x: &mut Exchange, plan: &RoutePlan) {
    let deliver = plan.steps.partition_point(|planned| planned.stage < Stage::Deliver);
    for at in (0..deliver).rev().chain((deliver..plan.steps.len()).rev()) {
        let Some(planned) = plan.steps.get(at) else { continue };
        let ran = at < x.ran && x.skipped & (1 << at) == 0;
        let always = at >= deliver && at >= x.ran && planned.when.is_none();
        if !ran && !always {
            continue;
        }
        if let Need::Buffer(most) = planned.needs.response
            && let Err(error) = Box::pin(receive::buffer_response(x, most)).await
        {
            render(x, error);
        }
        match decide(planned.step.response(x)).await {
            Outcome::Next => {}
            decided => answer(x, decided),
        }
    }
}

async fn decide(verdict: Verdict<'_>) -> Outcome {
    match verdict {
        Verdict::Done(outcome) => outcome,
        Verdict::Await(later) => later.await,
    }
}

/// Hands the answer over, with the exchange in its body.
fn finish(mut x: Box<Exchange>) -> Response<Served> {
    let mut parts = x.response.take().unwrap_or_else(|| {
        render(&mut x, Error::new(&codes::INTERNAL, "The gateway made no answer."));
        x.response.take().unwrap_or_else(|| Response::new(()).into_parts().0)
    });
    for (name, value) in x.reply_headers.drain(..) {
        parts.headers.append(name, value);
    }
    // Where no step looked at the answer, it came just now.
    let answered = x.record.answered.filter(|_| x.ran == 0);
    x.record.responded = Some(answered.unwrap_or_else(|| x.local.program.clock.now()));
    if x.local.program.server_timing
        && let Some(value) = x.record.server_timing()
        && let Ok(value) = HeaderValue::try_from(value)
    {
        parts.headers.append("server-timing", value);
    }
    if let Some(log) = &x.local.program.access_log {
        log.keep_response(&parts.headers, &mut x.record.kept);
    }
    x.record.status = parts.status.as_u16();
    Response::from_parts(parts, Served::new(x))
}
