//! Who serves models and what models there are, compiled once a program.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::load::{Span, Spanned};
use model::problem::did_you_mean;
use model::resource::{AiTimeouts, ModelStrategy, Provider as Written};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::calls::Remote;
use proxy::program::Compile;

use crate::catalog::{Catalog, Entry};
use crate::providers::presets::{self, Preset};
use crate::providers::{Auth, Capability, Dialect};
use crate::translate::{Format, MaxTokensField, Quirks, StreamUsage};

/// Everyone who serves, and everything that is served.
pub(super) struct Fleet {
    models: Vec<Arc<Model>>,
    /// Places in `models`, by name and alias.
    names: HashMap<Box<str>, usize>,
}

/// A model as callers know it.
pub(super) struct Model {
    pub(super) name: Arc<str>,
    strategy: ModelStrategy,
    pub(super) targets: Vec<Target>,
}

/// A model of a provider.
pub(super) struct Target {
    pub(super) provider: Arc<Provider>,
    /// What the provider calls it.
    pub(super) model: Arc<str>,
    weight: u32,
    /// Its prices and sizes, where the catalog knows it.
    pub(super) entry: Option<Arc<Entry>>,
}

/// Who serves.
pub(super) struct Provider {
    pub(super) name: Arc<str>,
    /// Under which name the catalog has its models.
    vendor: Option<&'static str>,
    pub(super) remote: Remote,
    /// How it is spoken to: its dialect first, then what else it takes.
    ways: Vec<Way>,
    pub(super) quirks: Quirks,
    pub(super) timeouts: AiTimeouts,
    /// Header fields of every call.
    pub(super) fields: HeaderMap,
    auth: Auth,
    keys: Box<[Key]>,
    next: AtomicU64,
}

/// A format that a provider takes, and where.
pub(super) struct Way {
    pub(super) format: Format,
    whole: Place,
    stream: Place,
}

/// Path and query, before and after the model's name where that stands in them.
struct Place {
    before: Box<str>,
    after: Option<Box<str>>,
}

impl Place {
    /// From a template with at most `{model}` in it.
    fn new(base: &str, template: &str) -> Option<Self> {
        let (before, after) = match template.split_once("{model}") {
            Some((before, after)) => (before, Some(after)),
            None => (template, None),
        };
        let rest = after.unwrap_or_default();
        let good = before.starts_with('/') && !before.contains('{') && !rest.contains('{');
        good.then(|| Self { before: format!("{base}{before}").into(), after: after.map(Into::into) })
    }
}

impl Way {
    fn new(format: Format, base: &str, whole: &str, stream: &str) -> Option<Self> {
        Some(Self { format, whole: Place::new(base, whole)?, stream: Place::new(base, stream)? })
    }

    /// Where a turn of this model goes. A name cannot lead to another path.
    pub(super) fn path(&self, model: &str, stream: bool) -> String {
        let place = if stream { &self.stream } else { &self.whole };
        match &place.after {
            None => place.before.to_string(),
            Some(after) => format!("{}{}{after}", place.before, utf8_percent_encode(model, NOT_IN_SEGMENT)),
        }
    }
}

/// What is not as it is in a segment of a path.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A key of a provider.
pub(super) struct Key {
    value: HeaderValue,
    /// Outlives the program.
    rest: Arc<Rest>,
}

/// How a key rests.
#[derive(Default)]
struct Rest {
    /// Until when, in nanoseconds of the gateway's clock.
    until: AtomicU64,
    /// Whether it was refused, and not only used up.
    refused: AtomicBool,
}

/// That all keys of a provider rest.
pub(super) struct Resting {
    /// When the first is back.
    pub(super) until: u64,
    /// Whether all were refused.
    pub(super) refused: bool,
}

impl Fleet {
    /// Compiles it, or finds it compiled.
    pub(super) fn of(cx: &mut Compile<'_>) -> Arc<Self> {
        cx.once(Self::compile)
    }

    fn compile(cx: &mut Compile<'_>) -> Self {
        let snapshot = cx.snapshot;
        let providers: Vec<Option<Arc<Provider>>> = snapshot
            .providers
            .iter()
            .enumerate()
            .map(|(at, written)| {
                cx.at(format!("ai.providers[{at}]"), |cx| Provider::compile(written, cx)).map(Arc::new)
            })
            .collect();
        let catalog = Catalog::embedded();
        let (mut models, mut names) = (Vec::new(), HashMap::new());
        for known in &snapshot.models {
            let targets = known.model.targets.iter().zip(&known.providers).filter_map(|(target, provider)| {
                let provider = providers.get(*provider)?.clone()?;
                let model = target.model.as_ref().map_or(known.model.name.as_str(), |name| name.as_str());
                let entry = provider.vendor.and_then(|vendor| catalog.find(vendor, model)).map(Arc::new);
                Some(Target { provider, model: model.into(), weight: u32::from(*target.weight), entry })
            });
            let name: Arc<str> = known.model.name.as_str().into();
            let aliases = known.model.aliases.iter().map(|alias| alias.as_str().into());
            names.extend(std::iter::once(Box::from(&*name)).chain(aliases).map(|name| (name, models.len())));
            models.push(Arc::new(Model { name, strategy: known.model.strategy, targets: targets.collect() }));
        }
        Self { models, names }
    }

    /// The model of this name.
    pub(super) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(*self.names.get(name)?)
    }

    /// The models' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| &*model.name)
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl Model {
    /// Its targets in the order in which they are asked. `draw` is a random number.
    pub(super) fn order(&self, draw: u64) -> impl Iterator<Item = &Target> {
        let first = match self.strategy {
            ModelStrategy::Priority => None,
            ModelStrategy::Weighted => self.drawn(draw),
        };
        let rest = self.targets.iter().enumerate().filter(move |(at, _)| Some(*at) != first).map(|(_, target)| target);
        first.and_then(|at| self.targets.get(at)).into_iter().chain(rest)
    }

    fn drawn(&self, draw: u64) -> Option<usize> {
        let sum: u64 = self.targets.iter().map(|target| u64::from(target.weight)).sum();
        let mut left = draw.checked_rem(sum)?;
        self.targets.iter().position(|target| match left.checked_sub(u64::from(target.weight)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }
}

impl Provider {
    fn compile(written: &Written, cx: &mut Compile<'_>) -> Option<Self> {
        let preset = match &written.preset {
            None => None,
            Some(name) => Some(preset(name, cx)?),
        };
        let dialect = dialect(written, preset, cx)?;
        let format = format(dialect, written, cx)?;
        let base = base_url(written, preset, cx)?;
        let remote = Remote::streaming(&base, written.timeouts.connect, &written.tls, cx)?;
        let ways = ways(dialect, format, preset, remote.path().path().trim_end_matches('/'));
        if ways.is_empty() {
            let message = format!("provider `{}` serves no conversations at a path of its own", *written.name);
            cx.problem(written.name.span, message, "take another preset, or give `dialect` and `base_url`");
            return None;
        }
        let auth = preset.map_or(default_auth(dialect), |preset| preset.auth);
        let keys = keys(written, auth, cx)?;
        if keys.is_empty() && preset.is_some_and(|preset| preset.key == presets::Key::Required) {
            let message = format!("provider `{}` has no key", *written.name);
            cx.problem(written.name.span, message, "add `keys: [\"${env:NAME}\"]`");
        }
        Some(Self {
            name: written.name.as_str().into(),
            vendor: preset.map(|preset| preset.id),
            remote,
            ways,
            quirks: quirks(preset),
            timeouts: written.timeouts,
            fields: fields(written, preset, cx)?,
            auth,
            keys,
            next: AtomicU64::new(0),
        })
    }

    /// The next key that does not rest. A provider without keys is asked without.
    pub(super) fn key(&self, now: u64) -> Result<Option<&Key>, Resting> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let start = self.next.fetch_add(1, Relaxed) as usize % self.keys.len();
        let mut all = Resting { until: u64::MAX, refused: true };
        for key in self.keys.iter().cycle().skip(start).take(self.keys.len()) {
            let until = key.rest.until.load(Relaxed);
            if until <= now {
                return Ok(Some(key));
            }
            all = Resting { until: all.until.min(until), refused: all.refused && key.rest.refused.load(Relaxed) };
        }
        Err(all)
    }

    /// How a call in this format reaches it: as it is where the provider takes it, else in its dialect.
    pub(super) fn way(&self, format: Format) -> Option<&Way> {
        self.ways.iter().find(|way| way.format == format).or(self.ways.first())
    }

    /// Whether one does not rest.
    pub(super) fn has_key(&self, now: u64) -> bool {
        self.keys.iter().any(|key| key.rest.until.load(Relaxed) <= now)
    }

    /// Shows the key in the header fields of a call.
    pub(super) fn show(&self, key: &Key, fields: &mut HeaderMap) {
        let name = match self.auth {
            Auth::Header(name) => HeaderName::from_static(name),
            _ => http::header::AUTHORIZATION,
        };
        fields.insert(name, key.value.clone());
    }
}

impl Key {
    /// Lets it rest until then: it was refused, or else is used up.
    pub(super) fn rest(&self, until: u64, refused: bool) {
        self.rest.refused.store(refused, Relaxed);
        self.rest.until.fetch_max(until, Relaxed);
    }
}

fn preset(name: &Spanned<String>, cx: &mut Compile<'_>) -> Option<&'static Preset> {
    let found = presets::find(name);
    if found.is_none() {
        let near = did_you_mean(name, presets::names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let message = format!("unknown preset `{}`{hint}", **name);
        cx.problem(name.span, message, "leave it out and give `dialect` and `base_url` for any other host");
    }
    found
}

fn dialect(written: &Written, preset: Option<&Preset>, cx: &mut Compile<'_>) -> Option<Dialect> {
    let Some(name) = &written.dialect else {
        if preset.is_none() {
            let message = format!("provider `{}` has neither `preset` nor `dialect`", *written.name);
            cx.problem(written.name.span, message, "write `preset: openai`, or `dialect: openai_chat` and `base_url`");
        }
        return preset.map(|preset| preset.dialect);
    };
    let found = Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name.as_str());
    if found.is_none() {
        let near = did_you_mean(name, Dialect::ALL.iter().map(|dialect| dialect.as_str()));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        cx.problem(
            name.span,
            format!("unknown dialect `{}`{hint}", **name),
            "write `openai_chat`, `anthropic_messages`, `gemini`, `cohere` or `ollama`",
        );
    }
    found
}

fn format(dialect: Dialect, written: &Written, cx: &mut Compile<'_>) -> Option<Format> {
    match dialect {
        Dialect::OpenaiChat => Some(Format::OpenAiChat),
        Dialect::AnthropicMessages => Some(Format::AnthropicMessages),
        Dialect::Gemini => Some(Format::Gemini),
        Dialect::Cohere => Some(Format::CohereChat),
        Dialect::Ollama => Some(Format::OllamaChat),
        other => {
            let message = format!("the dialect `{}` is not spoken yet", other.as_str());
            let help = "take one of `openai_chat`, `anthropic_messages`, `gemini`, `cohere` and `ollama`";
            cx.problem(written.name.span, message, help);
            None
        }
    }
}

/// The dialect, and the formats that a vendor takes beside it.
fn ways(dialect: Dialect, format: Format, preset: Option<&Preset>, base: &str) -> Vec<Way> {
    let place = |call| match preset {
        Some(preset) => Some((preset.path(call)?, preset.stream_path(call)?)),
        None => Some((dialect.path(call)?, dialect.stream_path(call)?)),
    };
    let way = |format, call| place(call).and_then(|(whole, stream)| Way::new(format, base, whole, stream));
    let Some(first) = way(format, Capability::Chat) else { return Vec::new() };
    // Of a host that nobody described only its dialect is known.
    let more = [(Format::OpenAiResponses, Capability::Responses), (Format::AnthropicMessages, Capability::Messages)];
    let more = more.into_iter().filter(|(other, call)| {
        *other != format && preset.is_some_and(|preset| preset.serves.iter().any(|served| served == *call))
    });
    std::iter::once(first).chain(more.filter_map(|(format, call)| way(format, call))).collect()
}

fn base_url(written: &Written, preset: Option<&Preset>, cx: &mut Compile<'_>) -> Option<Spanned<String>> {
    if let Some(url) = &written.base_url {
        return Some(url.clone());
    }
    let url = preset.map(|preset| preset.base_url).filter(|url| !url.contains('{'));
    if url.is_none() {
        let message = format!("provider `{}` has no `base_url`", *written.name);
        cx.problem(written.name.span, message, "write where it is, such as `base_url: https://api.example.com/v1`");
    }
    url.map(|url| Spanned::new(url.to_owned(), written.name.span))
}

fn default_auth(dialect: Dialect) -> Auth {
    match dialect {
        Dialect::AnthropicMessages => Auth::Header("x-api-key"),
        Dialect::Gemini => Auth::Header("x-goog-api-key"),
        _ => Auth::Bearer,
    }
}

fn keys(written: &Written, auth: Auth, cx: &mut Compile<'_>) -> Option<Box<[Key]>> {
    let mut keys = Vec::with_capacity(written.keys.len());
    for key in written.keys.iter() {
        let text = match auth {
            Auth::Bearer => format!("Bearer {}", key.expose()),
            Auth::Header(_) => key.expose().clone(),
            Auth::Query(_) | Auth::SigV4(_) | Auth::ServiceAccount => {
                let message = format!("keys of `{}` are shown in a way that is not spoken yet", *written.name);
                cx.problem(key.span, message, "take a provider that takes `Authorization: Bearer` or a header");
                return None;
            }
        };
        let Some(mut value) = HeaderValue::try_from(text).ok().filter(|_| !key.expose().is_empty()) else {
            cx.problem(key.span, "a key is empty, or has bytes that a header must not have", "mend the key");
            return None;
        };
        value.set_sensitive(true);
        let what = format!("ai key {} {}", *written.name, keys.len());
        keys.push(Key { value, rest: cx.keep_for_all(&what, Rest::default) });
    }
    Some(keys.into())
}

fn fields(written: &Written, preset: Option<&Preset>, cx: &mut Compile<'_>) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in preset.map_or(&[][..], |preset| preset.headers) {
        if let Ok(name) = HeaderName::from_bytes(name.as_bytes()) {
            fields.insert(name, HeaderValue::from_static(value));
        }
    }
    for (name, value) in written.headers.iter() {
        let name = cx.header_name(name)?;
        let value = cx.header_value(&Spanned::new(value.expose().clone(), Span::default()))?;
        fields.insert(name, value);
    }
    Some(fields)
}

fn quirks(preset: Option<&Preset>) -> Quirks {
    let Some(preset) = preset else { return Quirks { max_tokens: MaxTokensField::Plain, ..Quirks::default() } };
    let max_tokens = match preset.quirks.max_tokens {
        crate::providers::MaxTokens::MaxTokens => MaxTokensField::Plain,
        crate::providers::MaxTokens::MaxCompletionTokens => MaxTokensField::Completion,
    };
    let stream_usage = match preset.quirks.stream_usage {
        crate::providers::StreamUsage::Asked => StreamUsage::Asked,
        crate::providers::StreamUsage::Always => StreamUsage::Unknown,
    };
    Quirks { max_tokens, stream_usage, ..Quirks::default() }
}
