//! As whose a call is written down.

use std::sync::Arc;

use proxy::exchange::Exchange;
use proxy::program::Consumer;
use store::usage::Whose;

use crate::call::AiCall;

/// What callers say a call is to be counted under, where the body does not say it (`metadata.tag`).
const TAG: &str = "x-tollgate-tag";
/// The most characters of a tag.
const MOST_TAG: usize = 64;

/// As whose this call is written down, but for who serves it.
pub(crate) fn whose(x: &Exchange, call: &AiCall) -> Whose {
    let none = Whose::default();
    let consumer = consumer(x);
    Whose {
        consumer: consumer.map_or(none.consumer.clone(), |consumer| consumer.name.clone()),
        team: team(x).map_or(none.team.clone(), Arc::from),
        credential: x.identity.as_ref().and_then(|known| known.credential.clone()).unwrap_or(none.credential.clone()),
        api: x.plan().api.clone(),
        model: call.model.name.clone(),
        prompt: call.plain.as_ref().map_or(none.prompt.clone(), |prompt| Arc::from(&*prompt.0.told)),
        tag: tag(x, call).unwrap_or(none.tag.clone()),
        ..none
    }
}

fn consumer(x: &Exchange) -> Option<&Arc<Consumer>> {
    x.local.program.consumers.get(x.identity.as_ref()?.consumer?)
}

/// The team of who calls: what its metadata call `team`, else its first group.
pub(crate) fn team(x: &Exchange) -> Option<&str> {
    let consumer = consumer(x)?;
    let named = consumer.metadata.iter().find(|(key, _)| key == "team").map(|(_, team)| team.as_str());
    named.or_else(|| consumer.groups.first().map(|group| &**group))
}

/// The groups of who calls.
pub(crate) fn groups(x: &Exchange) -> impl Iterator<Item = &str> {
    let learnt = x.identity.as_ref().and_then(|known| known.learnt.as_ref());
    let own = consumer(x).into_iter().flat_map(|consumer| consumer.groups.iter().map(|group| &**group));
    own.chain(learnt.into_iter().flat_map(|learnt| learnt.groups.iter().map(|group| &**group)))
}

fn tag(x: &Exchange, call: &AiCall) -> Option<Arc<str>> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        tag: Option<String>,
    }
    let cut =
        |tag: &str| Arc::from(tag.chars().filter(|letter| !letter.is_control()).take(MOST_TAG).collect::<String>());
    if let Some(tag) = x.request.headers.get(TAG) {
        return tag.to_str().ok().map(cut);
    }
    let metadata: Metadata = serde_json::from_str(call.head.raw("metadata")?).ok()?;
    metadata.tag.as_deref().map(cut)
}
