//! Where a provider takes calls: one way for each format that it takes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::providers::presets::Preset;
use crate::providers::{Capability, Dialect};
use crate::translate::Format;

/// A format that a provider takes, and where.
pub(crate) struct Way {
    pub(crate) format: Format,
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
    pub(super) fn new(format: Format, base: &str, whole: &str, stream: &str) -> Option<Self> {
        Some(Self { format, whole: Place::new(base, whole)?, stream: Place::new(base, stream)? })
    }

    /// Where a turn of this model goes. A name cannot lead to another path.
    pub(crate) fn path(&self, model: &str, stream: bool) -> String {
        let place = if stream { &self.stream } else { &self.whole };
        match &place.after {
            None => place.before.to_string(),
            Some(after) => format!("{}{}{after}", place.before, utf8_percent_encode(model, NOT_IN_SEGMENT)),
        }
    }
}

/// What is not as it is in a segment of a path.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The dialect, and the formats that a vendor takes beside it.
pub(super) fn ways(dialect: Dialect, format: Format, preset: Option<&Preset>, base: &str) -> Vec<Way> {
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
