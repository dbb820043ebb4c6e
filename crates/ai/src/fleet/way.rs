//! How a provider takes conversations: one way for each format that it takes.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use proxy::calls::Remote;
use proxy::program::Compile;
use serde_json::Value;

use super::place::{Place, Places};
use crate::providers::presets::Preset;
use crate::providers::{Capability, Dialect};
use crate::translate::Format;

/// What Vertex has in the body where Anthropic has a header field.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// A format that a provider takes, and where.
pub(crate) struct Way {
    pub(crate) format: Format,
    whole: Place,
    stream: Place,
    body: Body,
    /// The header fields of every turn, in one piece and as a stream.
    fields: [HeaderMap; 2],
}

/// How a body differs from the format's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Not at all.
    Plain,
    /// Messages as Vertex takes them: the model stands in the path, and the version in the body.
    Vertex,
}

impl Way {
    /// Whom a turn goes to.
    pub(super) fn remote(&self, stream: bool) -> &Arc<Remote> {
        if stream { &self.stream.remote } else { &self.whole.remote }
    }

    /// Where a turn of this model goes.
    pub(crate) fn path(&self, model: &str, stream: bool) -> String {
        if stream { self.stream.path(model) } else { self.whole.path(model) }
    }

    /// The header fields of a turn.
    pub(crate) const fn fields(&self, stream: bool) -> &HeaderMap {
        let [whole, streaming] = &self.fields;
        if stream { streaming } else { whole }
    }

    /// The body as it is taken there.
    pub(crate) fn fit(&self, body: Bytes) -> Bytes {
        if self.body == Body::Plain {
            return body;
        }
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body) else { return body };
        fields.remove("model");
        fields.insert("anthropic_version".to_owned(), VERTEX_VERSION.into());
        Value::Object(fields).to_string().into()
    }
}

/// The header fields of every turn: the provider's own, and what is sent and wanted.
fn turn_fields(of_provider: &HeaderMap, format: Format, stream: bool) -> HeaderMap {
    let mut fields = of_provider.clone();
    let accept = match (stream, format) {
        (false, _) => "application/json",
        (true, Format::BedrockConverse) => "application/vnd.amazon.eventstream",
        (true, _) => "text/event-stream",
    };
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(ACCEPT, HeaderValue::from_static(accept));
    fields.insert(USER_AGENT, HeaderValue::from_static("tollgate"));
    fields
}

/// Where other calls go. A setting that only they need may be missing.
pub(super) fn others(
    dialect: Dialect,
    preset: Option<&Preset>,
    places: &Places<'_>,
    cx: &mut Compile<'_>,
) -> Vec<(Capability, Place)> {
    let conversations = [Capability::Chat, Capability::Messages, Capability::Models];
    let others = Capability::ALL.into_iter().filter(|call| !conversations.contains(call));
    let place = |call| {
        let template = match preset {
            Some(preset) => preset.path(call)?,
            // Counting is Anthropic's; few of those that speak as OpenAI do know it.
            None if dialect == Dialect::OpenaiChat && call == Capability::CountTokens => return None,
            None => dialect.path(call)?,
        };
        places.is_whole(template).then_some(())?;
        Some((call, places.place(template, cx)?))
    };
    others.filter_map(place).collect()
}

/// The dialect, and the formats that a vendor takes beside it.
pub(super) fn ways(
    dialect: Dialect,
    format: Format,
    preset: Option<&Preset>,
    (places, fields): (&Places<'_>, &HeaderMap),
    cx: &mut Compile<'_>,
) -> Vec<Way> {
    let templates = |call| match preset {
        Some(preset) => Some((preset.path(call)?, preset.stream_path(call)?)),
        None => Some((dialect.path(call)?, dialect.stream_path(call)?)),
    };
    // Of a host that nobody described only its dialect is known.
    let more = [(Format::OpenAiResponses, Capability::Responses), (Format::AnthropicMessages, Capability::Messages)];
    let more = more.into_iter().filter(|(other, call)| {
        *other != format && (dialect == Dialect::Vertex || preset.is_some_and(|preset| preset.serves.has(*call)))
    });
    let mut ways = Vec::new();
    for (format, call) in std::iter::once((format, Capability::Chat)).chain(more) {
        let Some((whole, stream)) = templates(call) else { continue };
        let (Some(whole), Some(stream)) = (places.place(whole, cx), places.place(stream, cx)) else { continue };
        let vertex = dialect == Dialect::Vertex && format == Format::AnthropicMessages;
        let body = if vertex { Body::Vertex } else { Body::Plain };
        let fields = [false, true].map(|stream| turn_fields(fields, format, stream));
        ways.push(Way { format, whole, stream, body, fields });
    }
    ways
}
