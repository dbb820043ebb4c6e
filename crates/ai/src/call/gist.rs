//! What a request is like, as far as it matters for who serves it: how long, with images or tools, and how it begins.

use serde_json::Value;

use super::{Voice, texts};
use crate::fleet::fnv;
use crate::translate::Format;

/// What a request is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gist {
    /// About how many tokens its texts have: a quarter of their bytes.
    pub(crate) tokens: u64,
    pub(crate) images: u64,
    pub(crate) audio: u64,
    pub(crate) files: u64,
    pub(crate) tools: u64,
    /// A number for its instructions and the first message of the user, if it has any.
    pub(crate) beginning: Option<u64>,
}

/// Bytes of text that make a token, about.
const BYTES_A_TOKEN: u64 = 4;

impl Gist {
    /// Of this body; one that is no request has none.
    pub(crate) fn of(format: Format, body: &[u8]) -> Self {
        let Ok(mut request) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let (mut bytes, mut beginning, mut spoke) = (0, Vec::new(), false);
        texts::visit(format, &mut request, &mut |voice, text| {
            bytes += text.len() as u64;
            // The instructions may stand behind the conversation.
            if voice == Voice::System || (voice == Voice::User && !spoke) {
                spoke |= voice == Voice::User;
                beginning.push(fnv(text.as_bytes()));
            }
            false
        });
        let mut media = Media::default();
        media.count(&request);
        let tools = request.get("tools").and_then(Value::as_array);
        let declared = |tool: &Value| tool.get("functionDeclarations").and_then(Value::as_array).map_or(1, Vec::len);
        Self {
            tokens: bytes / BYTES_A_TOKEN,
            images: media.images,
            audio: media.audio,
            files: media.files,
            tools: tools.map_or(0, |tools| tools.iter().map(declared).sum::<usize>() as u64),
            beginning: (!beginning.is_empty()).then(|| {
                beginning.iter().fold(0_u64, |all, one| all.rotate_left(1).wrapping_mul(31).wrapping_add(*one))
            }),
        }
    }
}

/// What a request has beside texts.
#[derive(Default)]
struct Media {
    images: u64,
    audio: u64,
    files: u64,
}

impl Media {
    /// Counts what is within a value, in whichever of the formats.
    fn count(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.count(value)),
            Value::Object(fields) => {
                let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
                let data =
                    ["inlineData", "inline_data", "fileData", "file_data"].iter().find_map(|key| fields.get(*key));
                let media = data.and_then(|data| data.get("mimeType").or_else(|| data.get("mime_type"))?.as_str());
                match (kind, media) {
                    ("image" | "image_url" | "input_image", _) => self.images += 1,
                    ("input_audio", _) => self.audio += 1,
                    ("file" | "input_file" | "document", _) if fields.len() > 1 => self.files += 1,
                    (_, Some(media)) if media.starts_with("image/") => self.images += 1,
                    (_, Some(media)) if media.starts_with("audio/") => self.audio += 1,
                    (_, Some(media)) if !media.starts_with("video/") => self.files += 1,
                    _ => fields.values().for_each(|value| self.count(value)),
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_requests_images_and_tools_are_seen_in_every_format() {
        let text = "x".repeat(400);
        for (format, body, tools) in [
            (
                Format::OpenAiChat,
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": text},
                    {"type": "image_url", "image_url": {"url": "data:"}}]}],
                    "tools": [{"type": "function", "function": {"name": "f"}}]}),
                1,
            ),
            (
                Format::OpenAiResponses,
                json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": text},
                    {"type": "input_image", "image_url": "data:"}]}]}),
                0,
            ),
            (
                Format::AnthropicMessages,
                json!({"messages": [{"role": "user", "content": [{"type": "text", "text": text},
                    {"type": "image", "source": {"type": "base64", "data": "aaaa"}}]}],
                    "tools": [{"name": "f"}, {"name": "g"}]}),
                2,
            ),
            (
                Format::Gemini,
                json!({"contents": [{"parts": [{"text": text}, {"inlineData": {"mimeType": "image/png", "data": "a"}}]}],
                    "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]}),
                2,
            ),
        ] {
            let shape = Gist::of(format, body.to_string().as_bytes());
            assert_eq!((shape.tokens, shape.images, shape.tools), (100, 1, tools), "{format:?}");
        }
    }

    #[test]
    fn sound_and_documents_are_seen_in_every_format() {
        for (format, parts) in [
            (
                Format::OpenAiChat,
                json!({"messages": [{"role": "user", "content": [
                    {"type": "input_audio", "input_audio": {"data": "a", "format": "mp3"}},
                    {"type": "file", "file": {"file_id": "f"}}]}]}),
            ),
            (
                Format::OpenAiResponses,
                json!({"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}},
                    {"type": "input_file", "file_url": "https://example.com/a.pdf"}]}]}),
            ),
            (
                Format::Gemini,
                json!({"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav", "data": "a"}},
                    {"file_data": {"mime_type": "application/pdf", "file_uri": "u"}},
                    {"inlineData": {"mimeType": "video/mp4", "data": "a"}}]}]}),
            ),
        ] {
            let gist = Gist::of(format, parts.to_string().as_bytes());
            assert_eq!((gist.images, gist.audio, gist.files), (0, 1, 1), "{format:?}");
        }
        let document = json!({"messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "a"}}]}]});
        assert_eq!(Gist::of(Format::AnthropicMessages, document.to_string().as_bytes()).files, 1);
    }

    #[test]
    fn a_conversation_that_goes_on_begins_the_same() {
        let beginning = |body: Value| Gist::of(Format::OpenAiChat, body.to_string().as_bytes()).beginning;
        let said = |role: &str, text: &str| json!({"role": role, "content": text});
        let first = beginning(json!({"messages": [said("system", "be brief"), said("user", "one")]}));
        let later = beginning(json!({"model": "m", "messages":
            [said("system", "be brief"), said("user", "one"), said("assistant", "1"), said("user", "two")]}));
        let other = beginning(json!({"messages": [said("system", "be brief"), said("user", "two")]}));
        assert!(first.is_some() && first == later && first != other);
        assert_eq!(beginning(json!({"messages": []})), None);
    }
}
