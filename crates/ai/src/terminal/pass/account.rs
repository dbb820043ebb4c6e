//! Calls about what is kept at a provider, and those that change the protocol: they go on as they come, to one provider.
//!
//! What is in them is not seen by policies that act on calls of models: a batch holds calls of its own, a file may be
//! anybody's. Where a route has such policies, they are refused unless the route says `unseen: pass`.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, response};
use model::resource::RouteTimeouts;
use proxy::exchange::{Error, Exchange, ModelCall};
use proxy::policies::Policy as _;

use super::super::ask::{resting_keys, seconds, whole};
use super::super::failure::{Missed, codes};
use super::super::{Door, MODEL, PROVIDER, Unseen, row};
use super::asking::fields;
use super::how::path;
use super::{give, known, words};
use crate::call::{AiCall, Other, Tail};
use crate::catalog::Charged;
use crate::fleet::{Key, Place, Provider};
use crate::meter::Served;
use crate::policies::{AiCache, Budget, CallerKeys, Models, TokenLimit};
use crate::providers::Capability;
use crate::translate::{Format, Usage};

/// The most bytes of a failure that are read.
const MOST_FAILURE: usize = 64 << 10;
/// How long a key rests that was refused or is used up, where the provider does not say it.
const RESTS: Duration = Duration::from_secs(60);

/// A call about what is kept.
pub(super) async fn serve(door: &Door, x: &mut Exchange, other: &Other) -> Result<(), Error> {
    may_pass(door, x, other)?;
    let anthropic = x.request.headers.contains_key("anthropic-version");
    let format = if anthropic { Format::AnthropicMessages } else { other.format };
    let provider = chosen(door, x, other, format)?;
    let Some(place) = provider.place(other.call) else { return Err(nobody(other)) };
    let mut target = path(&place.path(""), &other.tail);
    if let Some(query) = x.request.uri.query() {
        for pair in query.split('&').filter(|pair| !pair.starts_with("key=") && !pair.is_empty()) {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(pair);
        }
    }
    let mut fields = fields(&x.request.headers);
    fields.extend(x.request.headers.get(CONTENT_LENGTH).map(|length| (CONTENT_LENGTH, length.clone())));
    forward(x, provider, place, (&target, other.call), fields).await
}

/// A call that changes the protocol.
pub(super) async fn switch(door: &Door, x: &mut Exchange, other: &Other) -> Result<(), Error> {
    may_pass(door, x, other)?;
    if x.switched.is_none() || !x.request.headers.contains_key(UPGRADE) {
        let detail = "This is a WebSocket: ask for it with `Upgrade: websocket` over HTTP/1.1.";
        return Err(Error::new(&codes::BAD_REQUEST, detail));
    }
    known(door, x, other).await?;
    let (call, chain, _) = door.choose(x)?;
    x.call = Some(call);
    let now = x.local.program.clock.now().0;
    let order = chain.walk().next().map(|link| &*link.order).unwrap_or_default();
    let mut able = order.iter().filter(|target| target.provider.place(other.call).is_some());
    // Those that rest come last: better they than nobody.
    let first = able.clone().find(|target| target.pulse.rest.admits(now, target.provider.cooldown.rest.get()));
    let Some(target) = first.or_else(|| able.next()) else { return Err(nobody(other)) };
    let Some(place) = target.provider.place(other.call) else { return Err(nobody(other)) };
    let mut fields = fields(&x.request.headers);
    for (name, value) in &x.request.headers {
        let text = value.to_str().unwrap_or_default();
        if name.as_str() == "sec-websocket-protocol" {
            // Browsers show keys here, for want of another place.
            let kept: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.contains("api-key")).collect();
            fields.extend(HeaderValue::try_from(kept.join(", ")).ok().map(|value| (name.clone(), value)));
        } else if name.as_str() == "sec-websocket-extensions" {
            // What is compressed cannot be metered.
        } else if name.as_str().starts_with("sec-websocket-") || *name == UPGRADE || *name == CONNECTION {
            fields.insert(name.clone(), value.clone());
        }
    }
    let path = path(&place.path(&target.model), &Tail::None);
    let (asked, provider) = (chain.name().clone(), target.provider.name.clone());
    let served = Arc::new(ModelCall::new(asked, provider, target.model.clone()));
    if let Some(row) = AiCall::past(x).map(|call| row(x, call))
        && let Some(call) = AiCall::of(x)
    {
        call.meter.asks(row);
    }
    x.record.model_call = Some(served.clone());
    forward(x, &target.provider, place, (&path, other.call), fields).await?;
    if let Some(call) = AiCall::of(x) {
        call.meter.served(Served::of(call, target, served));
        // So much until the provider says more.
        call.meter.took(&Usage::default(), Charged::default());
    }
    Ok(())
}

/// Whether the route lets pass what its policies do not see.
fn may_pass(door: &Door, x: &Exchange, other: &Other) -> Result<(), Error> {
    // A WebSocket names its model and is metered; what is said on it is not seen.
    const SEE: [&str; 4] = [Models::KIND, Budget::KIND, TokenLimit::KIND, AiCache::KIND];
    let named = other.call == Capability::Realtime;
    let blind = |kind: &str| kind != CallerKeys::KIND && (!named || !SEE.contains(&kind));
    let acted_on = || x.plan().steps.iter().any(|planned| planned.needs.call && blind(planned.kind));
    let refused = match door.unseen {
        Some(Unseen::Pass) => false,
        Some(Unseen::Refuse) => true,
        None => acted_on(),
    };
    // A key that may do only so much does nothing that nobody can count, whatever the route says.
    let key = x.identity.as_ref().and_then(|known| known.key.as_ref());
    if refused || !named && key.is_some_and(|key| key.is_counted() || key.is_for_models()) {
        let detail = format!("Policies cannot look into {}, so they are not served here.", other.call.as_str());
        return Err(Error::new(&codes::UNSEEN, detail));
    }
    Ok(())
}

fn nobody(other: &Other) -> Error {
    Error::new(&codes::NOT_SERVED, format!("There is no provider here that serves {}.", other.call.as_str()))
}

/// The provider that is meant: the one that is named, or the only one that serves such calls.
fn chosen<'d>(door: &'d Door, x: &Exchange, other: &Other, format: Format) -> Result<&'d Provider, Error> {
    let serves =
        |provider: &&Provider| provider.place(other.call).is_some() && words(provider.dialect(), other.call) == format;
    let named = |name: &HeaderName| x.request.headers.get(name).and_then(|value| value.to_str().ok());
    let unknown = || Error::new(&codes::NOT_SERVED, "The provider that is named serves no such calls.");
    if let Some(name) = named(&PROVIDER) {
        let found = door.fleet.providers().find(|provider| *provider.name == *name).filter(serves);
        return found.ok_or_else(unknown);
    }
    if let Some(name) = named(&MODEL) {
        let targets = door.fleet.model(name).into_iter().flat_map(|model| model.targets.iter());
        return targets.map(|target| &*target.provider).find(serves).ok_or_else(unknown);
    }
    let mut able = door.fleet.providers().filter(serves);
    match (able.next(), able.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(nobody(other)),
        (Some(_), Some(_)) => Err(Error::new(
            &codes::BAD_REQUEST,
            "Several providers serve such calls: name one in `x-tollgate-provider`, or a model in `x-tollgate-model`.",
        )),
    }
}

/// Hands the request on under this path, and makes the answer the caller's.
async fn forward(
    x: &mut Exchange,
    provider: &Provider,
    place: &Place,
    (target, call): (&str, Capability),
    fields: HeaderMap,
) -> Result<(), Error> {
    let now = x.local.program.clock.now();
    let picked = provider.keys.pick(&x.local.program.clock, &[], || 0);
    let picked = picked.map_err(|resting| resting_keys(provider, &resting, now.0).error())?;
    let (key, _held) = picked.map_or((None, None), |picked| (Some(picked.key), picked.held));
    let uri = target.parse::<Uri>().map_err(|_| Error::new(&codes::NOT_SERVED, "The provider has no such path."))?;
    let mut sent = provider.fields.clone();
    sent.extend(fields);
    let timeouts = RouteTimeouts {
        first_byte: Some(provider.timeouts.first_byte),
        idle: Some(provider.timeouts.idle),
        total: Some(provider.timeouts.total),
    };
    // What others read of the request is the caller's, not what the provider sees.
    let uri = std::mem::replace(&mut x.request.uri, uri);
    let headers = std::mem::replace(&mut x.request.headers, sent);
    let (strip, timeouts) = (std::mem::take(&mut x.strip), std::mem::replace(&mut x.timeouts, timeouts));
    let done = provider.forward(place, key, x).await;
    x.request.uri = uri;
    x.request.headers = headers;
    (x.strip, x.timeouts) = (strip, timeouts);
    done?;
    let Some(head) = x.response.take() else { return Ok(()) };
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        x.response = Some(head);
        return Ok(());
    }
    let body = std::mem::take(&mut x.response_body);
    if !head.status.is_success() {
        let text = whole(body, MOST_FAILURE).await.unwrap_or_default();
        return Err(failed(provider, call, (&head, &text), key, now.0).error());
    }
    let mut given = Response::new(()).into_parts().0;
    given.status = head.status;
    give::pass(&head.headers, &mut given.headers);
    given.headers.extend(head.headers.get(CONTENT_LENGTH).map(|length| (CONTENT_LENGTH, length.clone())));
    given.headers.extend(HeaderValue::try_from(&*provider.name).ok().map(|name| (PROVIDER.clone(), name)));
    (x.response, x.response_body) = (Some(given), body);
    Ok(())
}

/// What a provider's failure says; the key that it is about rests.
fn failed(
    provider: &Provider,
    call: Capability,
    (head, text): (&response::Parts, &[u8]),
    key: Option<&Key>,
    now: u64,
) -> Missed {
    let told = words(provider.dialect(), call).read_error(head.status.as_u16(), text);
    let after = head.headers.get(RETRY_AFTER).cloned();
    match (key, head.status) {
        (Some(key), StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED) => key.rest.refused(now, RESTS),
        (Some(key), StatusCode::TOO_MANY_REQUESTS) => {
            let longest = provider.cooldown.longest.get();
            key.rest.used_up(now, seconds(after.as_ref()).unwrap_or(RESTS).min(longest));
        }
        _ => {}
    }
    Missed { retry_after: after, ..Missed::of(provider, told.kind, told.message) }
}
