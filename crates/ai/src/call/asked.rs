//! What a caller asks for, by the end of the path: SDKs put the rest of it where their base URL is.

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::translate::{Format, Framing};

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A turn of a conversation.
    Turn(Turn),
    /// The list of models.
    Models,
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

/// What this asks for; none where there is no such thing here.
pub(crate) fn asked(method: &Method, uri: &Uri) -> Option<Asked> {
    let path = uri.path().trim_end_matches('/');
    let ends = |end: &str| path.ends_with(end);
    match *method {
        Method::POST if ends("/chat/completions") => Some(Asked::Turn(Turn::of(Format::OpenAiChat))),
        Method::POST if ends("/responses") => Some(Asked::Turn(Turn::of(Format::OpenAiResponses))),
        Method::POST if ends("/messages") => Some(Asked::Turn(Turn::of(Format::AnthropicMessages))),
        Method::POST => gemini(path, uri.query().unwrap_or_default()).map(Asked::Turn),
        Method::GET if ends("/models") => Some(Asked::Models),
        _ => None,
    }
}

/// `…/models/NAME:generateContent`, `…/models/NAME:streamGenerateContent?alt=sse`.
fn gemini(path: &str, query: &str) -> Option<Turn> {
    let (_, named) = path.rsplit_once("/models/")?;
    let (model, act) = named.rsplit_once(':')?;
    let stream = match act {
        "generateContent" => false,
        "streamGenerateContent" => true,
        _ => return None,
    };
    let events = query.split('&').any(|pair| pair == "alt=sse");
    Some(Turn {
        format: Format::Gemini,
        model: Some(percent_decode_str(model).decode_utf8_lossy().into()),
        stream: Some(stream),
        framing: if events { Framing::Usual } else { Framing::Array },
    })
}

/// The format in which a caller reads failures.
pub(crate) fn format(method: &Method, uri: &Uri, anthropic: bool) -> Format {
    match asked(method, uri) {
        Some(Asked::Turn(turn)) => turn.format,
        _ if anthropic => Format::AnthropicMessages,
        _ => Format::OpenAiChat,
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
            (Method::POST, "/v1beta/models/a:countTokens", None),
            (Method::POST, "/v1beta/models/a", None),
            (Method::GET, "/v1/models", Some(Asked::Models)),
            (Method::GET, "/v1/chat/completions", None),
            (Method::POST, "/v1/models", None),
            (Method::POST, "/v1/messages/count", None),
            (Method::POST, "/", None),
        ] {
            assert_eq!(asked(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        }
    }
}
