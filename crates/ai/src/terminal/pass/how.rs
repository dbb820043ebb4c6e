//! How a target is asked: in the caller's words where its provider takes those, else in its own.

use bytes::Bytes;
use serde_json::Value;

use super::words;
use crate::call::{AiCall, Other, Says, Tail};
use crate::fleet::{Place, Target};
use crate::providers::{Capability, Dialect};
use crate::translate::other::{Draw, DrawWords, Embed, EmbedWords};
use crate::translate::{Format, Losses, Refused};

/// In whose words an answer comes.
pub(super) enum How {
    /// In the caller's own.
    Same,
    /// In the provider's.
    Embeddings(Box<Embed>, EmbedWords),
    /// In the provider's.
    Images(Box<Draw>, DrawWords),
}

/// A request for one target.
pub(super) struct Ready<'t> {
    pub(super) how: How,
    pub(super) place: &'t Place,
    pub(super) path: String,
    pub(super) body: Bytes,
}

/// How this target is asked; none where its provider serves no such thing.
pub(super) fn how<'t>(call: &AiCall, other: &Other, target: &'t Target) -> Option<Result<Ready<'t>, Refused>> {
    let (what, provider) = (other.call, &target.provider);
    let place = provider.place(what)?;
    let dialect = provider.dialect();
    if what == Capability::Rerank && dialect == Dialect::BedrockConverse {
        return Some(on_bedrock(call, target).map(|body| Ready {
            how: How::Same,
            place,
            path: place.path(&target.model),
            body,
        }));
    }
    // Vertex answers embeddings in words of its own.
    let is_own = dialect == Dialect::Vertex && what == Capability::Embeddings;
    if words(dialect, what) == other.format && !is_own {
        let path = path(&place.path(&target.model), &other.tail);
        let body = match &other.says {
            Says::Path(_) => Ok(gemini(call.body(), &target.model)),
            _ => call.head.with_model(None, &target.model, false),
        };
        return Some(body.map(|body| Ready { how: How::Same, place, path, body }));
    }
    let losses = call.model.terms.losses;
    match (what, other.format) {
        (Capability::Embeddings, _) => Some(embeddings(call, other, (target, place), losses)),
        (Capability::Images, Format::OpenAiChat) if other.says == Says::Json => {
            Some(images(call, (target, place), losses))
        }
        _ => None,
    }
}

fn embeddings<'t>(
    call: &AiCall,
    other: &Other,
    (target, place): (&Target, &'t Place),
    losses: Losses,
) -> Result<Ready<'t>, Refused> {
    let own = match target.provider.dialect() {
        Dialect::Gemini => EmbedWords::Gemini,
        Dialect::Vertex => EmbedWords::Vertex,
        Dialect::Cohere => EmbedWords::Cohere,
        Dialect::BedrockConverse if target.model.contains("cohere.") => EmbedWords::BedrockCohere,
        Dialect::BedrockConverse => EmbedWords::Titan,
        _ => EmbedWords::OpenAi,
    };
    let read = if other.format == Format::Gemini { Embed::read_gemini } else { Embed::read };
    let embed = read(call.body())?;
    let body = embed.write(own, &target.model, losses)?;
    let mut path = place.path(&target.model);
    if own == EmbedWords::Gemini {
        path = self::path(&path, &Tail::Act("batchEmbedContents"));
    }
    Ok(Ready { how: How::Embeddings(Box::new(embed), own), place, path, body })
}

fn images<'t>(call: &AiCall, (target, place): (&Target, &'t Place), losses: Losses) -> Result<Ready<'t>, Refused> {
    let own = match target.provider.dialect() {
        Dialect::BedrockConverse if target.model.contains("stability.") => DrawWords::Stability,
        Dialect::BedrockConverse => DrawWords::Canvas,
        _ if target.model.contains("gemini") => DrawWords::Gemini,
        _ => DrawWords::Imagen,
    };
    let draw = Draw::read(call.body())?;
    let body = draw.write(own, losses)?;
    let mut path = place.path(&target.model);
    if own == DrawWords::Gemini {
        path = self::path(&path, &Tail::Act("generateContent"));
    }
    Ok(Ready { how: How::Images(Box::new(draw), own), place, path, body })
}

/// Rerank as models on Bedrock take it: the model stands in the path alone, and Cohere's want the version of their API.
/// Source: Amazon Bedrock's user guide, "Inference request parameters and response fields for foundation models".
fn on_bedrock(call: &AiCall, target: &Target) -> Result<Bytes, Refused> {
    let malformed = |error: serde_json::Error| Refused::malformed("", error.to_string());
    let mut request: serde_json::Map<String, Value> = serde_json::from_slice(call.body()).map_err(malformed)?;
    request.remove("model");
    if target.model.contains("cohere.") {
        request.insert("api_version".to_owned(), 2.into());
    }
    Ok(Value::Object(request).to_string().into())
}

/// A path with its tail.
pub(super) fn path(place: &str, tail: &Tail) -> String {
    let (path, query) = match place.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (place, None),
    };
    let path = match tail {
        Tail::None => path.to_owned(),
        Tail::More(more) => format!("{path}{more}"),
        Tail::Last(last) => format!("{}/{last}", path.rsplit_once('/').map_or(path, |(before, _)| before)),
        Tail::Act(act) => format!("{}:{act}", path.rsplit_once(':').map_or(path, |(before, _)| before)),
    };
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

/// A body of Gemini's that names its model again, here and in each request that it holds.
fn gemini(body: &Bytes, model: &str) -> Bytes {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    let name = |value: &mut Value| match value.get_mut("model") {
        Some(named) => {
            *named = format!("models/{model}").into();
            true
        }
        None => false,
    };
    let mut changed = name(&mut value);
    for key in ["requests", "generateContentRequest"] {
        match value.get_mut(key) {
            Some(Value::Array(requests)) => requests.iter_mut().for_each(|request| changed |= name(request)),
            Some(request) => changed |= name(request),
            None => {}
        }
    }
    if changed { value.to_string().into() } else { body.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_tails() {
        for (place, tail, expected) in [
            ("/v1/embeddings", Tail::None, "/v1/embeddings"),
            ("/v1/images/generations", Tail::Last("edits"), "/v1/images/edits"),
            ("/d/images/generations?api-version=1", Tail::Last("edits"), "/d/images/edits?api-version=1"),
            ("/files?api-version=1", Tail::More("/f/content".into()), "/files/f/content?api-version=1"),
            ("/models/g:embedContent", Tail::Act("batchEmbedContents"), "/models/g:batchEmbedContents"),
        ] {
            assert_eq!(path(place, &tail), expected);
        }
    }

    #[test]
    fn geminis_bodies_name_the_providers_model() {
        let body = Bytes::from_static(br#"{"requests":[{"model":"models/alias","content":{}}]}"#);
        assert_eq!(gemini(&body, "g"), r#"{"requests":[{"model":"models/g","content":{}}]}"#);
        let plain = Bytes::from_static(br#"{ "content": {} }"#);
        assert_eq!(gemini(&plain, "g"), plain);
    }
}
