//! What metering needs of answers that pass as they are.

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use super::Scan;
use super::skip::{event_end, text_bytes};
use crate::translate::{Error, Format, Usage};
use crate::wire::sse;

/// What an answer in one piece took: `None` if it does not say.
#[must_use]
pub fn answer_usage(format: Format, body: &Bytes) -> Option<Usage> {
    let key = format.usage_key();
    memmem::find(body, key.as_bytes())?;
    if format == Format::OllamaChat {
        let usage = format.read_usage(&serde_json::from_slice(body).ok()?);
        return Some(usage).filter(|usage| !usage.is_empty());
    }
    let usage = Scan::of(body.clone()).ok()?.value(key)?;
    Some(format.read_usage(&usage)).filter(|usage| !usage.is_empty())
}

/// Listens to a stream of server-sent events on its way.
#[derive(Debug)]
pub struct Tap {
    format: Format,
    reader: sse::Reader,
    heard: Heard,
}

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    usage: Usage,
    told: bool,
    whole: bool,
    produced: u64,
    error: Option<Error>,
    deaf: bool,
}

/// Keys under which formats stream what a model produces.
const TEXTS: &[&[u8]] = &[
    b"content",
    b"text",
    b"arguments",
    b"partial_json",
    b"thinking",
    b"reasoning_content",
    b"reasoning",
    b"refusal",
    b"delta",
];

impl Tap {
    /// For a provider's stream of this format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, reader: sse::Reader::default(), heard: Heard::default() }
    }

    /// Takes the bytes that pass.
    pub fn push(&mut self, bytes: &[u8]) {
        let (format, heard) = (self.format, &mut self.heard);
        if !heard.deaf && self.reader.push(bytes, |_, data| heard.event(format, data)).is_err() {
            self.heard.deaf = true;
        }
    }

    /// What was taken so far, if the stream said.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.heard.told.then_some(self.heard.usage)
    }

    /// Whether the stream said that it is whole.
    #[must_use]
    pub const fn whole(&self) -> bool {
        self.heard.whole
    }

    /// Bytes of text that the model produced so far: for an estimate if usage never comes.
    #[must_use]
    pub const fn produced(&self) -> u64 {
        self.heard.produced
    }

    /// The failure that the stream told.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        self.heard.error.as_ref()
    }
}

impl Heard {
    fn event(&mut self, format: Format, data: &[u8]) {
        if data.trim_ascii() == b"[DONE]" {
            self.whole = true;
            return;
        }
        self.produced += text_bytes(data, |key| TEXTS.contains(&key)) as u64;
        let marks: [&[u8]; 4] = [b"message_stop", b"response.completed", b"response.incomplete", b"finishReason"];
        self.whole |= marks.iter().any(|mark| memmem::find(data, mark).is_some());
        let tells = memmem::find(data, format.usage_key().as_bytes()).is_some_and(|at| {
            let after = data.get(at + format.usage_key().len()..).unwrap_or_default();
            !after.trim_ascii_start().starts_with(b"\":null")
        });
        let fails = memmem::find(data, b"\"error\"").is_some();
        if !tells && !fails {
            return;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
        // Anthropic's `message_start` and the Responses' last event hold it one level down.
        let key = format.usage_key();
        let inner =
            value.get(key).or_else(|| value.get("message")?.get(key)).or_else(|| value.get("response")?.get(key));
        if let Some(usage) = inner.map(|usage| format.read_usage(usage)).filter(|usage| !usage.is_empty()) {
            self.told = true;
            self.usage.update(&usage);
        }
        if value.get("error").is_some_and(|error| !error.is_null()) {
            self.error = Some(format.read_error(0, data));
        }
    }
}

/// Takes OpenAI's chunk of usage out of a stream whose caller did not ask for it.
#[derive(Debug, Default)]
pub struct HideUsage {
    held: Vec<u8>,
}

impl HideUsage {
    /// Takes the bytes that came, and appends those that the caller is to see: whole events.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(rest) = self.held.get(from..)
            && let Some(end) = event_end(rest)
        {
            let event = rest.get(..end).unwrap_or_default();
            if !tells_usage_alone(event) {
                out.extend_from_slice(event);
            }
            from += end;
        }
        self.held.drain(..from);
        if self.held.len() > sse::EVENT {
            self.finish(out);
        }
    }

    /// The bytes have ended: gives what is held.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

fn tells_usage_alone(event: &[u8]) -> bool {
    let follows = |key: &[u8], mark: &[u8]| {
        memmem::find(event, key).is_some_and(|at| {
            let after = event.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
            after.starts_with(mark)
        })
    };
    follows(b"\"choices\":", b"[]") && follows(b"\"usage\":", b"{")
}
