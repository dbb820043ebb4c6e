//! What a caller asks for, by the end of the path: SDKs put the rest of it where their base URL is.

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use crate::providers::Capability;
use crate::translate::{Format, Framing};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A turn of a conversation.
    Turn(Turn),
    /// The list of models.
    Models,
    /// One model of the list.
    Model(Box<str>),
    /// Anything else that providers serve.
    Other(Other),
}

/// A turn of a conversation, so far as the path tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) format: Format,
    /// The model, where the path names it.
    pub(crate) model: Option<Box<str>>,
    /// Whether a stream is asked for, where the path says it.
    pub(crate) stream: Option<bool>,
    /// How a stream is framed.
    pub(crate) framing: Framing,
}

impl Turn {
    pub(crate) const fn of(format: Format) -> Self {
        Self { format, model: None, stream: None, framing: Framing::Usual }
    }
}

/// A call that is passed to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) call: Capability,
    /// In whose words it is asked: OpenAI's, Anthropic's or Gemini's.
    pub(crate) format: Format,
    /// Where it says what it is about.
    pub(crate) says: Says,
    /// How its path goes on from where the provider takes such calls.
    pub(crate) tail: Tail,
}

/// Where a call says what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// In JSON, the model too.
    Json,
    /// In a form of several parts, the model too.
    Form,
    /// In JSON; the model stands in the path.
    Path(Box<str>),
    /// In what follows a change of protocol; the model stands in the query.
    Query(Box<str>),
    /// It is about what is kept at the provider, and names no model.
    Account,
}

/// How a path goes on from where the provider takes such calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Not at all.
    None,
    /// By these segments.
    More(Box<str>),
    /// By another last segment.
    Last(&'static str),
    /// By another word for what is to be done, as Gemini has it after a colon.
    Act(&'static str),
}

/// What this asks for; none where there is no such thing here.
pub(crate) fn asked(method: &Method, uri: &Uri) -> Option<Asked> {
    let path = uri.path().trim_end_matches('/');
    let ends = |end: &str| path.ends_with(end);
    let turn = |format| Some(Asked::Turn(Turn::of(format)));
    match *method {
        Method::POST if ends("/chat/completions") => turn(Format::OpenAiChat),
        Method::POST if ends("/responses") => turn(Format::OpenAiResponses),
        Method::POST if ends("/messages") => turn(Format::AnthropicMessages),
        Method::POST => gemini(path, uri.query().unwrap_or_default())
            .or_else(|| posted(path).or_else(|| kept(method, path)).map(Asked::Other)),
        Method::GET if ends("/models") => Some(Asked::Models),
        Method::GET if path.contains("/models/") => {
            let (_, name) = path.split_once("/models/")?;
            Some(Asked::Model(percent_decode_str(name).decode_utf8_lossy().into()))
        }
        Method::GET if ends("/realtime") => realtime(uri.query()?).map(Asked::Other),
        _ => kept(method, path).map(Asked::Other),
    }
}

/// `…/models/NAME:generateContent`, `…/models/NAME:streamGenerateContent?alt=sse`, and Gemini's other calls.
fn gemini(path: &str, query: &str) -> Option<Asked> {
    let (_, named) = path.rsplit_once("/models/")?;
    let (model, act) = named.rsplit_once(':')?;
    let model: Box<str> = percent_decode_str(model).decode_utf8_lossy().into();
    let other = |call, act| {
        let tail = Tail::Act(act);
        Some(Asked::Other(Other { call, format: Format::Gemini, says: Says::Path(model.clone()), tail }))
    };
    let stream = match act {
        "generateContent" => false,
        "streamGenerateContent" => true,
        "countTokens" => return other(Capability::CountTokens, "countTokens"),
        "embedContent" => return other(Capability::Embeddings, "embedContent"),
        "batchEmbedContents" => return other(Capability::Embeddings, "batchEmbedContents"),
        _ => return None,
    };
    let events = query.split('&').any(|pair| pair == "alt=sse");
    Some(Asked::Turn(Turn {
        format: Format::Gemini,
        model: Some(model),
        stream: Some(stream),
        framing: if events { Framing::Usual } else { Framing::Array },
    }))
}

/// Calls that name their model in the body.
fn posted(path: &str) -> Option<Other> {
    use Capability::{
        Completions, CountTokens, Embeddings, Images, Moderations, Rerank, Speech, Transcription as Heard,
    };
    const LIST: &[(&str, Capability, Says, Tail)] = &[
        ("/messages/count_tokens", CountTokens, Says::Json, Tail::None),
        ("/embeddings", Embeddings, Says::Json, Tail::None),
        ("/images/generations", Images, Says::Json, Tail::None),
        ("/images/edits", Images, Says::Form, Tail::Last("edits")),
        ("/images/variations", Images, Says::Form, Tail::Last("variations")),
        ("/audio/speech", Speech, Says::Json, Tail::None),
        ("/audio/transcriptions", Heard, Says::Form, Tail::None),
        ("/audio/translations", Heard, Says::Form, Tail::Last("translations")),
        ("/moderations", Moderations, Says::Json, Tail::None),
        ("/rerank", Rerank, Says::Json, Tail::None),
        ("/completions", Completions, Says::Json, Tail::None),
    ];
    let (_, call, says, tail) = LIST.iter().find(|(end, ..)| path.ends_with(end))?;
    let format = if *call == CountTokens { Format::AnthropicMessages } else { Format::OpenAiChat };
    Some(Other { call: *call, format, says: says.clone(), tail: tail.clone() })
}

/// Calls about what is kept at the provider: `…/files`, `…/files/ID`, `…/batches/ID/cancel`, `…/responses/ID`.
fn kept(method: &Method, path: &str) -> Option<Other> {
    let (call, name) =
        [(Capability::Batches, "/batches"), (Capability::Files, "/files"), (Capability::Responses, "/responses")]
            .into_iter()
            .find(|(_, name)| {
                path.rsplit_once(name).is_some_and(|(_, tail)| tail.is_empty() || tail.starts_with('/'))
            })?;
    let (before, tail) = path.rsplit_once(name)?;
    let mut segments = tail.split('/').skip(1);
    let (id, act, more) = (segments.next(), segments.next(), segments.next());
    let plain = |text: &str| {
        text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) && !text.starts_with('.')
    };
    let good = match (method, id, act) {
        (&Method::GET | &Method::POST, None, None) => call != Capability::Responses,
        (&Method::GET | &Method::DELETE, Some(id), None) => plain(id) && !id.is_empty(),
        (&Method::POST, Some(id), Some("cancel")) => plain(id),
        (&Method::GET, Some(id), Some("content" | "results" | "input_items")) => plain(id),
        _ => false,
    };
    let anthropic = call == Capability::Batches && before.ends_with("/messages");
    let format = if anthropic { Format::AnthropicMessages } else { Format::OpenAiChat };
    let tail = if tail.is_empty() { Tail::None } else { Tail::More(tail.into()) };
    (good && more.is_none()).then_some(Other { call, format, says: Says::Account, tail })
}

/// `…/realtime?model=NAME`.
fn realtime(query: &str) -> Option<Other> {
    let model = query.split('&').find_map(|pair| pair.strip_prefix("model="))?;
    let model = percent_decode_str(model).decode_utf8_lossy().into();
    let (call, format) = (Capability::Realtime, Format::OpenAiChat);
    Some(Other { call, format, says: Says::Query(model), tail: Tail::None })
}

/// Whose SDK calls, as far as its header fields and the path tell: Anthropic's names its version, Gemini's its own key or the
/// version of the API that Google has.
pub(crate) fn sdk(uri: &Uri, fields: &HeaderMap) -> Format {
    let google = uri.path().contains("/v1beta/") && !uri.path().contains("/openai/");
    if fields.contains_key("anthropic-version") {
        Format::AnthropicMessages
    } else if google || fields.contains_key("x-goog-api-key") {
        Format::Gemini
    } else {
        Format::OpenAiChat
    }
}

/// The format in which a caller reads failures.
pub(crate) fn format(method: &Method, uri: &Uri, fields: &HeaderMap) -> Format {
    let sdk = sdk(uri, fields);
    match asked(method, uri) {
        Some(Asked::Turn(turn)) => turn.format,
        Some(Asked::Other(other)) if sdk != Format::AnthropicMessages => other.format,
        _ => sdk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_path_says_what_is_asked() {
        let turn = |format| Some(Asked::Turn(Turn::of(format)));
        let gemini = |model: &str, stream, framing| {
            Some(Asked::Turn(Turn {
                format: Format::Gemini,
                model: Some(Box::from(model)),
                stream: Some(stream),
                framing,
            }))
        };
        for (method, uri, expected) in [
            (Method::POST, "/v1/chat/completions", turn(Format::OpenAiChat)),
            (Method::POST, "/openai/v1/chat/completions/", turn(Format::OpenAiChat)),
            (Method::POST, "/v1/responses", turn(Format::OpenAiResponses)),
            (Method::POST, "/v1/messages", turn(Format::AnthropicMessages)),
            (Method::POST, "/v1beta/models/a:generateContent", gemini("a", false, Framing::Array)),
            (Method::POST, "/v1beta/models/a%2Fb:streamGenerateContent", gemini("a/b", true, Framing::Array)),
            (Method::POST, "/models/a/b:streamGenerateContent?key=x&alt=sse", gemini("a/b", true, Framing::Usual)),
            (Method::POST, "/v1beta/models/a:tuneModel", None),
            (Method::POST, "/v1beta/models/a", None),
            (Method::GET, "/v1/models", Some(Asked::Models)),
            (Method::GET, "/v1/models/openai/gpt%2D5", Some(Asked::Model("openai/gpt-5".into()))),
            (Method::GET, "/v1/chat/completions", None),
            (Method::POST, "/v1/models", None),
            (Method::POST, "/v1/messages/count", None),
            (Method::POST, "/", None),
        ] {
            assert_eq!(asked(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        }
    }

    #[test]
    fn other_calls_are_told_by_their_paths() {
        use Capability::*;
        let last = Tail::Last;
        let more = |tail: &str| Tail::More(tail.into());
        let model = |name: &str| Says::Path(name.into());
        for (method, uri, call, says, tail) in [
            (Method::POST, "/v1/embeddings", Embeddings, Says::Json, Tail::None),
            (Method::POST, "/v1/images/generations", Images, Says::Json, Tail::None),
            (Method::POST, "/v1/images/edits", Images, Says::Form, last("edits")),
            (Method::POST, "/v1/audio/speech", Speech, Says::Json, Tail::None),
            (Method::POST, "/v1/audio/translations", Transcription, Says::Form, last("translations")),
            (Method::POST, "/v1/completions", Completions, Says::Json, Tail::None),
            (Method::POST, "/v2/rerank", Rerank, Says::Json, Tail::None),
            (Method::POST, "/v1/messages/count_tokens", CountTokens, Says::Json, Tail::None),
            (Method::POST, "/v1beta/models/g:countTokens", CountTokens, model("g"), Tail::Act("countTokens")),
            (Method::POST, "/v1beta/models/g:embedContent", Embeddings, model("g"), Tail::Act("embedContent")),
            (Method::GET, "/v1/files", Files, Says::Account, Tail::None),
            (Method::POST, "/v1/files", Files, Says::Account, Tail::None),
            (Method::GET, "/v1/files/file-1/content", Files, Says::Account, more("/file-1/content")),
            (Method::DELETE, "/v1/files/file-1", Files, Says::Account, more("/file-1")),
            (Method::POST, "/v1/batches/b/cancel", Batches, Says::Account, more("/b/cancel")),
            (Method::GET, "/v1/messages/batches/b/results", Batches, Says::Account, more("/b/results")),
            (Method::GET, "/v1/responses/r", Responses, Says::Account, more("/r")),
            (Method::DELETE, "/v1/responses/r", Responses, Says::Account, more("/r")),
            (Method::GET, "/v1/realtime?x=y&model=a%2Fb", Realtime, Says::Query("a/b".into()), Tail::None),
        ] {
            let Some(Asked::Other(other)) = asked(&method, &uri.parse().unwrap()) else { panic!("{method} {uri}") };
            assert_eq!((other.call, other.says, other.tail), (call, says, tail), "{method} {uri}");
        }
        for (method, uri) in [
            (Method::GET, "/v1/embeddings"),
            (Method::DELETE, "/v1/files"),
            (Method::GET, "/v1/files/.."),
            (Method::GET, "/v1/files/a/b/content"),
            (Method::GET, "/v1/responses"),
            (Method::POST, "/v1/responses/r"),
            (Method::PUT, "/v1/batches"),
            (Method::GET, "/v1/realtime"),
            (Method::POST, "/v1/profiles"),
        ] {
            assert_eq!(asked(&method, &uri.parse().unwrap()), None, "{method} {uri}");
        }
    }
}
