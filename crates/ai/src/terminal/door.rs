//! What a caller asks for, by the end of the path: SDKs put the rest of it where their base URL is.

use http::Method;

use crate::translate::Format;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A turn of a conversation.
    Turn(Format),
    /// The list of models.
    Models,
}

/// What this asks for; none where there is no such thing here.
pub(super) fn asked(method: &Method, path: &str) -> Option<Asked> {
    let path = path.trim_end_matches('/');
    let ends = |end: &str| path.ends_with(end);
    match *method {
        Method::POST if ends("/chat/completions") => Some(Asked::Turn(Format::OpenAiChat)),
        Method::POST if ends("/messages") => Some(Asked::Turn(Format::AnthropicMessages)),
        Method::GET if ends("/models") => Some(Asked::Models),
        _ => None,
    }
}

/// The format in which a caller reads failures.
pub(super) fn format(method: &Method, path: &str, anthropic: bool) -> Format {
    match asked(method, path) {
        Some(Asked::Turn(format)) => format,
        _ if anthropic => Format::AnthropicMessages,
        _ => Format::OpenAiChat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_path_says_what_is_asked() {
        for (method, path, expected) in [
            (Method::POST, "/v1/chat/completions", Some(Asked::Turn(Format::OpenAiChat))),
            (Method::POST, "/openai/v1/chat/completions/", Some(Asked::Turn(Format::OpenAiChat))),
            (Method::POST, "/v1/messages", Some(Asked::Turn(Format::AnthropicMessages))),
            (Method::GET, "/v1/models", Some(Asked::Models)),
            (Method::GET, "/v1/chat/completions", None),
            (Method::POST, "/v1/models", None),
            (Method::POST, "/v1/messages/count", None),
            (Method::POST, "/", None),
        ] {
            assert_eq!(asked(&method, path), expected, "{method} {path}");
        }
    }
}
