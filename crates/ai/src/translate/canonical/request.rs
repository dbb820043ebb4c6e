//! What is asked of a model.

use serde_json::Value;

use crate::translate::Format;

/// One call of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The name the caller used. Empty where the format says it elsewhere and nobody told.
    pub model: String,
    /// What stands above the conversation: text parts.
    pub system: Vec<Part>,
    /// The conversation, oldest first. Neighbours may have the same role; writers join where their format asks for turns.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may, must or must not. `None` is the provider's own choice.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once.
    pub parallel_tools: Option<bool>,
    /// The most tokens to produce, reasoning included.
    pub max_tokens: Option<u64>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// The shape of the answer.
    pub output: Output,
    /// How much to think before.
    pub reasoning: Option<Thinking>,
    /// The caller's own user.
    pub user: Option<String>,
    /// What requests have in common whose beginnings the provider is to keep together.
    pub cache_key: Option<String>,
    /// Labels to keep with the call.
    pub metadata: Vec<(String, String)>,
    /// Whether the answer comes in events.
    pub stream: bool,
    /// Whether the stream tells its usage. Formats that always tell read as `true`.
    pub include_usage: bool,
    /// The provider's class of service, in the words of the format read.
    pub service_tier: Option<String>,
    /// Parameters that exist but have no place here: their paths, for the rule on unknown fields. At most 32.
    pub unknown: Vec<String>,
}

/// How tokens are drawn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2; Anthropic's ends at 1.
    pub temperature: Option<f64>,
    /// Nucleus.
    pub top_p: Option<f64>,
    /// The k likeliest.
    pub top_k: Option<u64>,
    /// Where to stop.
    pub stop: Vec<String>,
    /// For repeatable draws.
    pub seed: Option<i64>,
    /// How many answers. `None` and 1 mean the same.
    pub n: Option<u64>,
    /// Whether to tell the probabilities, and of how many candidates (0: of the drawn ones alone).
    pub logprobs: Option<u64>,
    /// −2 to 2.
    pub presence_penalty: Option<f64>,
    /// −2 to 2.
    pub frequency_penalty: Option<f64>,
    /// Token id to bias, as it came.
    pub logit_bias: Option<Value>,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// Who of several, where the format has it.
    pub name: Option<String>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An instruction within the conversation; those before it are [`Request::system`].
    System,
    /// The caller: text, media, results of tools.
    User,
    /// The model: text, calls of tools, reasoning, refusals.
    Assistant,
}

/// A piece of a message, and whether the provider may keep what was read up to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The piece.
    pub content: Content,
    /// The hint to cache up to here.
    pub cache: Option<Cache>,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// A picture.
    Image(Media),
    /// Sound.
    Audio(Media),
    /// A moving picture.
    Video(Media),
    /// A document.
    File(Media),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// What came of it.
    ToolResult(ToolResult),
    /// What the model thought.
    Reasoning(Reasoning),
    /// The model declines, in its words.
    Refusal(String),
}

/// Media, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// Where it is.
    pub source: Source,
    /// `image/png`, as far as it is known.
    pub media_type: Option<String>,
    /// A file's name or a document's title.
    pub name: Option<String>,
    /// OpenAI's `low`, `high`, `auto`.
    pub detail: Option<String>,
}

/// Where media is.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// In the request, standard base64.
    Base64(String),
    /// For the provider to fetch.
    Url(String),
    /// Uploaded before: the provider's id.
    FileId(String),
    /// Plain text.
    Text(String),
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Joins it to its result.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments as JSON text, in the model's own spelling. Empty means none.
    pub arguments: String,
    /// What the provider wants back with it (Gemini's thought signature).
    pub seal: Option<Seal>,
}

/// The result of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// Of which call.
    pub id: String,
    /// Which tool, where the format says it.
    pub name: Option<String>,
    /// The result: text and media.
    pub parts: Vec<Part>,
    /// Whether the tool failed.
    pub failed: bool,
}

/// What the model thought, to be given back as it was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning {
    /// In words; empty if the provider hides them.
    pub text: String,
    /// The provider's proof or the whole thought in sealed form.
    pub seal: Option<Seal>,
    /// Whether the seal holds the thought itself and no words exist (Anthropic's `redacted_thinking`).
    pub hidden: bool,
    /// The item's id, where the format has one.
    pub id: Option<String>,
}

/// What only the provider that made it can read, and refuses if touched. In a format that is not its own it travels under
/// a mark (`tollgate:<format>:`), and is not sent to a provider of another format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Whose it is.
    pub origin: Format,
    /// The bytes as they came, as text.
    pub data: String,
}

/// A hint that the provider may keep what it read up to here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cache {
    /// For how long.
    pub ttl: CacheTtl,
}

/// For how long a cached prefix is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheTtl {
    /// As the provider does without being asked.
    #[default]
    Default,
    /// Five minutes.
    FiveMinutes,
    /// An hour.
    Hour,
}

/// What the model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// JSON Schema of its arguments; `None` takes none.
    pub schema: Option<Value>,
    /// Whether the arguments must keep to the schema.
    pub strict: Option<bool>,
    /// The hint to cache up to here.
    pub cache: Option<Cache>,
}

/// Whether a tool is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// Not at all.
    None,
    /// At least one.
    Any,
    /// This one.
    Tool(String),
}

/// The shape of the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Output {
    /// Words.
    #[default]
    Text,
    /// Some JSON object.
    Json,
    /// JSON of this shape.
    Schema(Schema),
}

/// The JSON Schema of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What the shape is called; `answer` where a format has no names.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The schema.
    pub schema: Value,
    /// Whether it is kept to exactly.
    pub strict: Option<bool>,
}

/// How much to think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Thinking {
    /// In steps.
    pub effort: Option<Effort>,
    /// In tokens. 0 is off.
    pub budget: Option<u64>,
    /// Whether the thoughts are shown (Gemini's `includeThoughts`, the Responses' `summary`).
    pub shown: Option<bool>,
}

/// How much to think, in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as can be.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// As much as can be.
    Highest,
}

impl Part {
    /// A part without a hint.
    #[must_use]
    pub const fn new(content: Content) -> Self {
        Self { content, cache: None }
    }

    /// A part of text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(text.into()))
    }

    /// Its text, if that is what it is.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }
}

impl Message {
    /// A message of these parts.
    #[must_use]
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, name: None }
    }
}

impl Effort {
    /// From the word that OpenAI uses.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" | "max" => Self::Highest,
            _ => return None,
        })
    }

    /// The word that OpenAI uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Highest => "xhigh",
        }
    }

    /// The word that Anthropic uses, which has fewer.
    #[must_use]
    pub const fn anthropic(self) -> &'static str {
        match self {
            Self::None | Self::Minimal | Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Highest => "max",
        }
    }

    /// Tokens for providers that count thought instead of grading it: the figures gateways have settled on.
    #[must_use]
    pub const fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1024,
            Self::Medium => 4096,
            Self::High => 16_384,
            Self::Highest => 32_768,
        }
    }

    /// The least step whose budget holds so many tokens.
    #[must_use]
    pub fn holding(budget: u64) -> Self {
        let steps = [Self::None, Self::Low, Self::Medium, Self::High];
        steps.into_iter().find(|step| budget <= step.budget()).unwrap_or(Self::Highest)
    }
}

impl Thinking {
    /// Whether it says not to think.
    #[must_use]
    pub fn off(&self) -> bool {
        self.budget == Some(0) || (self.budget.is_none() && self.effort == Some(Effort::None))
    }

    /// In tokens, counted from the steps if need be.
    #[must_use]
    pub fn tokens(&self) -> Option<u64> {
        self.budget.or(self.effort.map(Effort::budget))
    }

    /// In steps, found from the tokens if need be.
    #[must_use]
    pub fn steps(&self) -> Option<Effort> {
        self.effort.or(self.budget.map(Effort::holding))
    }
}

impl Seal {
    /// Reads what stands in a field of `format`: its own, or another's under the mark.
    #[must_use]
    pub fn read(format: Format, text: String) -> Self {
        let marked = text.strip_prefix("tollgate:").and_then(|rest| rest.split_once(':'));
        match marked.and_then(|(name, data)| Some((Format::named(name)?, data.to_owned()))) {
            Some((origin, data)) => Self { origin, data },
            None => Self { origin: format, data: text },
        }
    }

    /// As it stands in an answer of `format`.
    #[must_use]
    pub fn written(&self, format: Format) -> std::borrow::Cow<'_, str> {
        if self.origin == format {
            std::borrow::Cow::Borrowed(&self.data)
        } else {
            std::borrow::Cow::Owned(format!("tollgate:{}:{}", self.origin.name(), self.data))
        }
    }

    /// As it may be sent to a provider of `format`.
    #[must_use]
    pub fn sent(&self, format: Format) -> Option<&str> {
        (self.origin == format).then_some(self.data.as_str())
    }
}
