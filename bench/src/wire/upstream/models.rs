//! Answers of models, prebuilt: OpenAI's Chat Completions and Anthropic's Messages, whole and as streams.
//!
//! A path that ends as these formats' do is a call. It is answered whole, unless `/stream/N/MS/` stands before: then with
//! a stream of N tokens, the first at once and the others MS milliseconds apart. Each token says when it was due, by the
//! clock that the load hears it with.

use memchr::memmem;

use super::number;
use crate::wire::clock::{self, Nanos};

/// What a whole answer says.
pub(crate) const REPLY: &str = "A tollgate lets pass who may, and counts what passes.";
/// What a stream in OpenAI's format ends with.
pub(crate) const END: &str = "data: [DONE]";
/// What stands before the time in a token.
pub(crate) const DUE: &[u8] = b"\" at ";
/// Digits of that time.
pub(crate) const DIGITS: usize = 16;
/// The most tokens of a stream, and the longest time between two, in milliseconds.
const MAX_PACE: usize = 1_000_000;

/// The format of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Chat Completions.
    OpenAi,
    /// Messages.
    Anthropic,
}

/// How a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pacing {
    tokens: u32,
    every: Nanos,
}

/// A call of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) format: Format,
    /// Present for a stream.
    pub(super) pacing: Option<Pacing>,
}

impl Call {
    /// What the path asks for.
    pub(super) fn of(path: &[u8]) -> Option<Self> {
        let path = path.split(|&byte| byte == b'?').next().unwrap_or_default();
        let format = match path {
            _ if path.ends_with(b"/chat/completions") => Format::OpenAi,
            _ if path.ends_with(b"/messages") => Format::Anthropic,
            _ => return None,
        };
        Some(Self { format, pacing: Pacing::of(path) })
    }
}

impl Pacing {
    fn of(path: &[u8]) -> Option<Self> {
        const STREAM: &[u8] = b"/stream/";
        let rest = path.get(memmem::find(path, STREAM)? + STREAM.len()..)?;
        let mut numbers = rest.split(|&byte| byte == b'/').map(number);
        let (tokens, every) = (numbers.next()?.clamp(1, MAX_PACE), numbers.next()?.min(MAX_PACE));
        Some(Self { tokens: tokens as u32, every: every as Nanos * 1_000_000 })
    }
}

/// A stream under way.
pub(super) struct Stream {
    format: Format,
    every: Nanos,
    /// When the next event is due.
    pub(super) next: Nanos,
    /// Events to come, the end among them.
    pub(super) left: u32,
    /// Whether it waits for its time.
    pub(super) queued: bool,
}

/// Everything that is said.
pub(super) struct Models {
    openai: Script,
    anthropic: Script,
    begun: u64,
    scratch: Vec<u8>,
}

impl Models {
    pub(super) fn new() -> Self {
        Self { openai: openai(), anthropic: anthropic(), begun: 0, scratch: Vec::new() }
    }

    /// A whole answer.
    pub(super) fn whole(&self, format: Format) -> &[u8] {
        &self.script(format).whole
    }

    /// Begins a stream, and what it begins with: the head and the first token.
    pub(super) fn begin(&mut self, format: Format, pacing: Pacing) -> (Stream, &[u8]) {
        let now = clock::now();
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let script = self.script(format);
        scratch.extend_from_slice(&script.opening);
        script.token(now, &mut scratch);
        self.scratch = scratch;
        self.begun += 1;
        // Streams that begin together must not go on together: each has another place within the interval, the next one
        // always in the widest gap (the golden ratio's multiples).
        let place = (self.begun as f64 * 0.618_033_988_749_895).fract();
        let next = now + (place * pacing.every as f64) as Nanos + 1;
        let stream = Stream { format, every: pacing.every, next, left: pacing.tokens, queued: false };
        (stream, &self.scratch)
    }

    /// The stream's next event.
    pub(super) fn event(&mut self, stream: &mut Stream) -> &[u8] {
        stream.left -= 1;
        if stream.left == 0 {
            return &self.script(stream.format).closing;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.script(stream.format).token(stream.next, &mut scratch);
        self.scratch = scratch;
        stream.next += stream.every.max(1);
        &self.scratch
    }

    fn script(&self, format: Format) -> &Script {
        match format {
            Format::OpenAi => &self.openai,
            Format::Anthropic => &self.anthropic,
        }
    }
}

/// What one format says, as the bytes that are sent.
struct Script {
    whole: Vec<u8>,
    /// A stream's head and what stands before the first token.
    opening: Vec<u8>,
    /// A token, before its time and after.
    token: (Vec<u8>, Vec<u8>),
    closing: Vec<u8>,
}

impl Script {
    fn new(whole: &str, opening: &str, token: (&str, &str), closing: &str) -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type";
        let length = whole.len();
        let whole = format!("{head}: application/json\r\nContent-Length: {length}\r\n\r\n{whole}");
        let head = format!("{head}: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n");
        let due = std::str::from_utf8(DUE).unwrap_or_default();
        let (before, after) = (format!("{}{due}", token.0), format!("\"{}", token.1));
        let size = before.len() + DIGITS + after.len();
        Self {
            whole: whole.into_bytes(),
            opening: format!("{head}{}", chunk(opening)).into_bytes(),
            token: (format!("{size:x}\r\n{before}").into_bytes(), format!("{after}\r\n").into_bytes()),
            closing: format!("{}0\r\n\r\n", chunk(closing)).into_bytes(),
        }
    }

    /// Appends a token that was due at this time.
    fn token(&self, due: Nanos, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.token.0);
        let mut digits = [b'0'; DIGITS];
        let mut rest = due;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
        out.extend_from_slice(&self.token.1);
    }
}

/// The time that a line says its token was due at.
pub(crate) fn due_of(line: &[u8]) -> Option<Nanos> {
    let at = memmem::find(line, DUE)? + DUE.len();
    let digits = line.get(at..at + DIGITS)?;
    digits.iter().all(u8::is_ascii_digit).then(|| number(digits) as Nanos)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn openai() -> Script {
    let usage = r#""usage":{"prompt_tokens":21,"completion_tokens":12,"total_tokens":33,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#;
    let common = |object: &str| {
        format!(
            r#"{{"id":"chatcmpl-BxY2kQ7d","object":"{object}","created":1767225600,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_34a54ae93c""#
        )
    };
    let whole = format!(
        r#"{},"choices":[{{"index":0,"message":{{"role":"assistant","content":"{REPLY}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],{usage}}}"#,
        common("chat.completion")
    );
    let piece = common("chat.completion.chunk");
    let choice = |delta: &str, reason: &str| {
        format!(
            r#"data: {piece},"choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}],"usage":null}}"#
        )
    };
    let opening = choice(r#"{"role":"assistant","content":"","refusal":null}"#, "null") + "\n\n";
    // The value's quotes stand in what a token's time is wrapped in.
    let token = choice(r#"{"content":%}"#, "null") + "\n\n";
    let token = token.split_once('%').unwrap_or_default();
    let stop = choice("{}", r#""stop""#);
    let closing = format!("{stop}\n\ndata: {piece},\"choices\":[],{usage}}}\n\n{END}\n\n");
    Script::new(&whole, &opening, token, &closing)
}

fn anthropic() -> Script {
    let start = |content: &str, reason: &str, output: u32| {
        format!(
            r#"{{"id":"msg_01BxY2kQ7d","type":"message","role":"assistant","model":"claude-haiku-4-5","content":{content},"stop_reason":{reason},"stop_sequence":null,"usage":{{"input_tokens":21,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output},"service_tier":"standard"}}}}"#
        )
    };
    let whole = start(&format!(r#"[{{"type":"text","text":"{REPLY}"}}]"#), r#""end_turn""#, 12);
    let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let opening = event("message_start", &format!(r#","message":{}"#, start("[]", "null", 1)))
        + &event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#)
        + &event("ping", "");
    let token = event("content_block_delta", r#","index":0,"delta":{"type":"text_delta","text":%}"#);
    let token = token.split_once('%').unwrap_or_default();
    let closing = event("content_block_stop", r#","index":0"#)
        + &event(
            "message_delta",
            r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":12}"#,
        )
        + &event("message_stop", "");
    Script::new(&whole, &opening, token, &closing)
}

#[cfg(test)]
mod tests;
