//! One model of the catalog: a line of the data, or a row of a user's file.

use serde::Deserialize;

use super::money::Money;
use super::rates::{self, Charged, Schedule, Service};

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The preset's id, or the name of a provider of one's own.
    pub provider: String,
    /// What the provider calls it.
    pub model: String,
    /// What it does.
    pub mode: Mode,
    /// The most tokens of input.
    pub max_input: Option<u64>,
    /// The most tokens of output.
    pub max_output: Option<u64>,
    /// What it can do beyond its mode.
    pub can: Abilities,
    /// What it costs.
    pub price: Schedule,
    /// What it costs in a batch, where that differs.
    pub batch: Schedule,
    /// What it costs when there is room.
    pub flex: Schedule,
    /// What it costs before others.
    pub priority: Schedule,
    /// The day from which it may be gone, `2026-12-31`.
    pub until: Option<String>,
}

/// A row as it is written: a line of the data, or what a user says of a model. What is not given is as it was.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// A preset's id or alias, or the name of a provider of one's own.
    pub provider: String,
    /// What the provider calls the model.
    pub model: String,
    /// What it does.
    pub mode: Option<Mode>,
    /// The most tokens of input.
    pub context: Option<u64>,
    /// The most tokens of output.
    pub output: Option<u64>,
    /// Its abilities, with spaces between them.
    pub can: Option<Abilities>,
    /// Prices in US dollars: of tokens for a million, of the rest for one.
    pub price: Option<Schedule>,
    /// The same in a batch.
    pub batch: Option<Schedule>,
    /// The same when there is room.
    pub flex: Option<Schedule>,
    /// The same before others.
    pub priority: Option<Schedule>,
    /// The day from which it may be gone.
    pub until: Option<String>,
}

impl Row {
    /// The rows of a JSON document, a list or an object with `models`.
    pub fn list(text: &str) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            models: Vec<Row>,
        }
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text);
        }
        serde_json::from_str::<Document>(text).map(|document| document.models)
    }
}

impl Entry {
    /// A model of which nothing is known but that it exists.
    pub fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
            mode: Mode::Chat,
            max_input: None,
            max_output: None,
            can: Abilities::default(),
            price: Schedule::default(),
            batch: Schedule::default(),
            flex: Schedule::default(),
            priority: Schedule::default(),
            until: None,
        }
    }

    /// What a call cost that used this much. None if the model has no price: then it is not known, and not free.
    pub fn cost(&self, charged: &Charged) -> Option<Money> {
        self.cost_as(Service::Standard, charged)
    }

    /// The same for a service; what that has no price for costs what it does as usual.
    pub fn cost_as(&self, service: Service, charged: &Charged) -> Option<Money> {
        let special = match service {
            Service::Standard => &self.price,
            Service::Batch => &self.batch,
            Service::Flex => &self.flex,
            Service::Priority => &self.priority,
        };
        rates::cost(&[special, &self.price], charged)
    }

    /// Whether every price is nothing; such a model is never held up by a budget.
    pub fn is_free(&self) -> bool {
        let schedules = [&self.price, &self.batch, &self.flex, &self.priority];
        let mut prices = schedules
            .into_iter()
            .flat_map(|schedule| schedule.base.iter().chain(schedule.over.iter().flat_map(|(_, rates)| rates.iter())));
        !self.price.is_empty() && prices.all(|(_, price)| price.picos() == 0)
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        let row: Row = serde_json::from_str(line).ok()?;
        let mut entry = Self::new(&row.provider, &row.model);
        entry.replace(row);
        Some(entry)
    }

    /// What the row names, in place of what was. New prices replace all prices.
    pub(super) fn replace(&mut self, row: Row) {
        self.mode = row.mode.unwrap_or(self.mode);
        self.max_input = row.context.or(self.max_input);
        self.max_output = row.output.or(self.max_output);
        self.can = row.can.unwrap_or(self.can);
        self.until = row.until.or(self.until.take());
        if row.price.is_some() || row.batch.is_some() || row.flex.is_some() || row.priority.is_some() {
            self.price = row.price.unwrap_or_default();
            self.batch = row.batch.unwrap_or_default();
            self.flex = row.flex.unwrap_or_default();
            self.priority = row.priority.unwrap_or_default();
        }
    }
}

/// What a model does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It converses.
    Chat,
    /// It converses, by OpenAI's Responses alone.
    Responses,
    /// It goes on with a text.
    Completion,
    /// It makes vectors of texts.
    Embedding,
    /// It makes images.
    Image,
    /// It speaks.
    Speech,
    /// It writes down what is spoken.
    Transcription,
    /// It orders documents.
    Rerank,
    /// It classifies what is harmful.
    Moderation,
    /// It speaks and listens over a WebSocket.
    Realtime,
}

impl Mode {
    /// The name in the data.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Completion => "completion",
            Self::Embedding => "embedding",
            Self::Image => "image",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
            Self::Rerank => "rerank",
            Self::Moderation => "moderation",
            Self::Realtime => "realtime",
        }
    }
}

/// Something that a model can do beyond its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ability {
    /// It takes audio.
    AudioIn,
    /// It gives audio.
    AudioOut,
    /// It caches prompts.
    Cache,
    /// It gives images.
    ImageOut,
    /// Its output can be bound to a JSON Schema.
    JsonSchema,
    /// It calls several tools at once.
    ParallelTools,
    /// It takes PDF files.
    Pdf,
    /// It goes on with an answer that was begun.
    Prefill,
    /// It reasons.
    Reasoning,
    /// It can be told which tool to call.
    ToolChoice,
    /// It calls tools.
    Tools,
    /// It takes video.
    VideoIn,
    /// It takes images.
    Vision,
    /// It searches the web.
    WebSearch,
}

impl Ability {
    /// Every one, by name.
    pub const ALL: [Self; 14] = [
        Self::AudioIn,
        Self::AudioOut,
        Self::Cache,
        Self::ImageOut,
        Self::JsonSchema,
        Self::ParallelTools,
        Self::Pdf,
        Self::Prefill,
        Self::Reasoning,
        Self::ToolChoice,
        Self::Tools,
        Self::VideoIn,
        Self::Vision,
        Self::WebSearch,
    ];

    /// The name in the data.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AudioIn => "audio_in",
            Self::AudioOut => "audio_out",
            Self::Cache => "cache",
            Self::ImageOut => "image_out",
            Self::JsonSchema => "json_schema",
            Self::ParallelTools => "parallel_tools",
            Self::Pdf => "pdf",
            Self::Prefill => "prefill",
            Self::Reasoning => "reasoning",
            Self::ToolChoice => "tool_choice",
            Self::Tools => "tools",
            Self::VideoIn => "video_in",
            Self::Vision => "vision",
            Self::WebSearch => "web_search",
        }
    }
}

/// A set of abilities. That one is not in it says that nobody has said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Abilities(u16);

impl Abilities {
    /// Whether it holds this one.
    pub const fn has(self, one: Ability) -> bool {
        self.0 & (1 << one as u16) != 0
    }

    /// Those in it, by name.
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL.into_iter().filter(move |one| self.has(*one))
    }
}

impl TryFrom<String> for Abilities {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut set = Self::default();
        for word in text.split_whitespace() {
            let one = Ability::ALL.into_iter().find(|one| one.as_str() == word);
            let one = one.ok_or_else(|| {
                let known: Vec<&str> = Ability::ALL.iter().map(|one| one.as_str()).collect();
                format!("unknown ability `{word}`, one of: {}", known.join(", "))
            })?;
            set.0 |= 1 << one as u16;
        }
        Ok(set)
    }
}
