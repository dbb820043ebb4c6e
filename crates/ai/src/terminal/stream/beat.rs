//! Signs of life: while nothing comes, proxies in between are told that the stream is not dead.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::translate::{Format, Framing};

/// Tells when a sign of life is due.
pub(in crate::terminal) struct Beat {
    every: Duration,
    /// What it looks like; empty where the format has none.
    sign: Bytes,
    /// When something last went out.
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Beat {
    /// One for a stream of this format.
    pub(in crate::terminal) fn new(every: Duration, format: Format, framing: Framing) -> Self {
        let sign: &'static [u8] = match (format, framing) {
            // Between the elements of a list.
            (_, Framing::Array) => b"\n",
            (Format::AnthropicMessages, _) => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
            (Format::OpenAiChat | Format::OpenAiResponses | Format::Gemini, _) => b": ping\n\n",
            (Format::BedrockConverse | Format::CohereChat | Format::OllamaChat, _) => b"",
        };
        Self { every, sign: Bytes::from_static(sign), last: Instant::now(), sleep: None }
    }

    /// Something goes out.
    pub(super) fn went(&mut self) {
        self.last = Instant::now();
    }

    /// The sign of life, when it is due. While it is not, the task is woken when it may be.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        if self.sign.is_empty() {
            return Poll::Pending;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.last + self.every)));
        loop {
            std::task::ready!(sleep.as_mut().poll(cx));
            let due = self.last + self.every;
            let now = Instant::now();
            if due > now {
                sleep.as_mut().reset(due);
                continue;
            }
            self.last = now;
            sleep.as_mut().reset(now + self.every);
            return Poll::Ready(self.sign.clone());
        }
    }
}
