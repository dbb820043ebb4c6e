//! Which slots a request uses, and where it uses each first.

use std::borrow::Cow;

use super::canonical::{Content, Media, Output, Part, Request, Role, Source, ToolChoice};
use super::{Format, Slot};

/// A slot in use and the path of its first use.
pub type Use = (Slot, Cow<'static, str>);

/// The slots that `request` uses, as a writer of `format` sees them (whose seal it is decides between own and foreign).
#[must_use]
pub fn slots(request: &Request, format: Format) -> Vec<Use> {
    let mut uses = Uses { seen: 0, list: Vec::with_capacity(12), format };
    uses.conversation(request);
    uses.tools(request);
    uses.sampling(request);
    uses.rest(request);
    uses.list
}

struct Uses {
    /// A bit a slot: only the first use is kept, so that paths are spelled once.
    seen: u64,
    list: Vec<Use>,
    format: Format,
}

impl Uses {
    fn add(&mut self, slot: Slot, path: impl FnOnce() -> Cow<'static, str>) {
        let bit = 1 << (slot as u8);
        if self.seen & bit == 0 {
            self.seen |= bit;
            self.list.push((slot, path()));
        }
    }

    fn field(&mut self, used: bool, slot: Slot, path: &'static str) {
        if used {
            self.add(slot, || Cow::Borrowed(path));
        }
    }

    fn conversation(&mut self, request: &Request) {
        self.field(!request.system.is_empty(), Slot::System, "system");
        for part in &request.system {
            self.field(part.cache.is_some(), Slot::Cache, "system");
        }
        for (at, message) in request.messages.iter().enumerate() {
            let path = || Cow::Owned(format!("messages[{at}]"));
            if message.role == Role::System {
                self.add(Slot::MidSystem, path);
            }
            if message.name.is_some() {
                self.add(Slot::MessageName, path);
            }
            for (index, part) in message.parts.iter().enumerate() {
                self.part(part, &|| Cow::Owned(format!("messages[{at}].content[{index}]")));
            }
        }
    }

    fn part(&mut self, part: &Part, path: &dyn Fn() -> Cow<'static, str>) {
        if part.cache.is_some() {
            self.add(Slot::Cache, path);
        }
        match &part.content {
            Content::Text(_) => {}
            Content::Image(media) => {
                let slot = if matches!(media.source, Source::Url(_)) { Slot::ImageUrl } else { Slot::Image };
                self.media(media, slot, path);
                if media.detail.is_some() {
                    self.add(Slot::ImageDetail, path);
                }
            }
            Content::Audio(media) => self.media(media, Slot::Audio, path),
            Content::Video(media) => self.media(media, Slot::Video, path),
            Content::File(media) => {
                let slot = match media.source {
                    Source::Url(_) => Slot::FileUrl,
                    Source::Text(_) => Slot::TextDocument,
                    Source::Base64(_) | Source::FileId(_) => Slot::File,
                };
                self.media(media, slot, path);
            }
            Content::ToolCall(call) => {
                self.add(Slot::ToolUse, path);
                if call.seal.as_ref().is_some_and(|seal| seal.origin != self.format) {
                    self.add(Slot::ToolSeal, path);
                }
            }
            Content::ToolResult(result) => {
                self.add(Slot::ToolUse, path);
                if result.failed {
                    self.add(Slot::ToolFailed, path);
                }
                if result.parts.iter().any(|part| part.as_text().is_none()) {
                    self.add(Slot::ToolResultMedia, path);
                }
            }
            Content::Reasoning(reasoning) => {
                let own = reasoning.seal.as_ref().is_some_and(|seal| seal.origin == self.format);
                self.add(if own { Slot::ReasoningOwn } else { Slot::ReasoningForeign }, path);
            }
            Content::Refusal(_) => self.add(Slot::Refusal, path),
        }
    }

    fn media(&mut self, media: &Media, slot: Slot, path: &dyn Fn() -> Cow<'static, str>) {
        let by_id = matches!(media.source, Source::FileId(_));
        self.add(if by_id { Slot::FileId } else { slot }, path);
    }

    fn tools(&mut self, request: &Request) {
        self.field(!request.tools.is_empty(), Slot::Tools, "tools");
        self.field(request.tools.iter().any(|tool| tool.strict == Some(true)), Slot::ToolStrict, "tools");
        self.field(request.tools.iter().any(|tool| tool.cache.is_some()), Slot::Cache, "tools");
        match &request.tool_choice {
            // Every format's default.
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::None) => self.field(true, Slot::ToolChoice, "tool_choice"),
            Some(ToolChoice::Any | ToolChoice::Tool(_)) => self.field(true, Slot::ToolChoiceForced, "tool_choice"),
        }
        self.field(request.parallel_tools.is_some(), Slot::ParallelTools, "parallel_tool_calls");
    }

    fn sampling(&mut self, request: &Request) {
        let sampling = &request.sampling;
        self.field(request.max_tokens.is_some(), Slot::MaxTokens, "max_tokens");
        self.field(sampling.temperature.is_some(), Slot::Temperature, "temperature");
        self.field(sampling.top_p.is_some(), Slot::TopP, "top_p");
        self.field(sampling.top_k.is_some(), Slot::TopK, "top_k");
        self.field(!sampling.stop.is_empty(), Slot::Stop, "stop");
        self.field(sampling.seed.is_some(), Slot::Seed, "seed");
        self.field(sampling.n.is_some_and(|n| n > 1), Slot::Many, "n");
        self.field(sampling.logprobs.is_some(), Slot::Logprobs, "logprobs");
        self.field(sampling.presence_penalty.is_some_and(|p| p != 0.0), Slot::PresencePenalty, "presence_penalty");
        self.field(sampling.frequency_penalty.is_some_and(|p| p != 0.0), Slot::FrequencyPenalty, "frequency_penalty");
        self.field(sampling.logit_bias.is_some(), Slot::LogitBias, "logit_bias");
    }

    fn rest(&mut self, request: &Request) {
        match &request.output {
            Output::Text => {}
            Output::Json => self.field(true, Slot::Json, "response_format"),
            Output::Schema(_) => self.field(true, Slot::Schema, "response_format"),
        }
        if let Some(thinking) = &request.reasoning {
            self.field(thinking.effort.is_some(), Slot::Effort, "reasoning_effort");
            self.field(thinking.budget.is_some(), Slot::ThinkingBudget, "thinking");
        }
        self.field(request.cache_key.is_some(), Slot::CacheKey, "prompt_cache_key");
        self.field(request.user.is_some(), Slot::User, "user");
        self.field(!request.metadata.is_empty(), Slot::Metadata, "metadata");
        self.field(request.service_tier.is_some(), Slot::ServiceTier, "service_tier");
        if let Some(first) = request.unknown.first() {
            self.add(Slot::Unknown, || Cow::Owned(first.clone()));
        }
    }
}
