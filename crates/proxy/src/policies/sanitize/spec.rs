//! What a user writes.

use model::load::Spanned;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::program::Compile;

/// Bounds what JSON and XML in request bodies may ask of whoever reads them, and refuses what is not well-formed, with 400
/// and the place. Only content types that are named are looked into: `content_types` keeps others out. A body in a content
/// coding is refused with 415 where `decompress` does not take it off before.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Sanitize")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Bodies in JSON.
    pub(super) json: JsonSpec,
    /// Bodies in XML. Document types are refused always, and with them every entity of the client's own.
    pub(super) xml: XmlSpec,
    /// What becomes of control characters in texts other than tab and line breaks.
    pub(super) control: Control,
    /// How bodies are read.
    pub(super) read: Read,
    /// The most bytes of a body with `read: whole`; a larger one is refused with 413.
    #[schemars(extend("default" = "1MiB"))]
    pub(super) max_size: Spanned<ByteSize>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            json: JsonSpec::default(),
            xml: XmlSpec::default(),
            control: Control::default(),
            read: Read::default(),
            max_size: Spanned::from(ByteSize::mib(1)),
        }
    }
}

/// Bounds of JSON.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "SanitizeJson")]
#[serde(deny_unknown_fields, default)]
pub(super) struct JsonSpec {
    /// Content types: `application/json`, or all with a suffix (`*+json`). None turns it off.
    #[schemars(extend("default" = ["application/json", "*+json"]))]
    pub(super) types: Vec<Spanned<String>>,
    /// How deep objects and arrays may stand in one another, from 1 to 1,000.
    #[schemars(range(min = 1, max = 1_000), extend("default" = 32))]
    pub(super) depth: Spanned<u32>,
    /// How many names an object may have, up to 1,000,000.
    #[schemars(range(min = 0, max = 1_000_000), extend("default" = 1_000))]
    pub(super) keys: Spanned<u32>,
    /// How many values an array may have.
    pub(super) items: u32,
    /// The most bytes of a text, as it is written.
    pub(super) string: ByteSize,
    /// The most bytes of a name, as it is written; up to 64 KiB.
    #[schemars(extend("default" = "256B"))]
    pub(super) key: Spanned<ByteSize>,
    /// The most characters of a number.
    pub(super) number: u32,
    /// What becomes of an object that has a name twice: readers differ in which of the two counts.
    pub(super) duplicate_keys: DuplicateKeys,
}

impl Default for JsonSpec {
    fn default() -> Self {
        Self {
            types: ["application/json", "*+json"].map(|kind| Spanned::from(kind.to_owned())).into(),
            depth: Spanned::from(32),
            keys: Spanned::from(1_000),
            items: 10_000,
            string: ByteSize::kib(64),
            key: Spanned::from(ByteSize::bytes(256)),
            number: 64,
            duplicate_keys: DuplicateKeys::default(),
        }
    }
}

/// Bounds of XML.
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "SanitizeXml")]
#[serde(deny_unknown_fields, default)]
pub(super) struct XmlSpec {
    /// Content types: `application/xml`, or all with a suffix (`*+xml`). None turns it off.
    #[schemars(extend("default" = ["application/xml", "text/xml", "*+xml"]))]
    pub(super) types: Vec<Spanned<String>>,
    /// How deep elements may stand in one another.
    pub(super) depth: u32,
    /// How many attributes an element may have.
    pub(super) attributes: u32,
    /// The most bytes of a text, a tag, a comment or an instruction, as it is written.
    pub(super) text: ByteSize,
}

impl Default for XmlSpec {
    fn default() -> Self {
        Self {
            types: ["application/xml", "text/xml", "*+xml"].map(|kind| Spanned::from(kind.to_owned())).into(),
            depth: 64,
            attributes: 100,
            text: ByteSize::kib(64),
        }
    }
}

/// What becomes of control characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "ControlCharacters")]
#[serde(rename_all = "snake_case")]
pub(super) enum Control {
    /// The body is refused.
    #[default]
    Refuse,
    /// They are taken out.
    Strip,
    /// They pass where the format has them.
    Allow,
}

/// What becomes of an object that has a name twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "DuplicateKeys")]
#[serde(rename_all = "snake_case")]
pub(super) enum DuplicateKeys {
    /// The body is refused.
    #[default]
    Refuse,
    /// It passes.
    Allow,
}

/// How bodies are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "SanitizeRead")]
#[serde(rename_all = "snake_case")]
pub(super) enum Read {
    /// Wholly before anything of it is sent on: the upstream sees nothing of what is refused.
    #[default]
    Whole,
    /// As they stream: what is refused breaks off where it is.
    Stream,
}

impl Spec {
    /// Whether the numbers are within their bounds; otherwise there is a problem.
    pub(super) fn check(&self, cx: &mut Compile<'_>) -> bool {
        let json = &self.json;
        let checks = [
            (json.depth.span, (1..=1_000).contains(&*json.depth), "`depth` is from 1 to 1000"),
            (json.keys.span, *json.keys <= 1_000_000, "`keys` is up to 1000000"),
            (json.key.span, json.key.get() <= 64 << 10, "`key` is up to 64KiB"),
        ];
        for (span, right, message) in checks {
            if !right {
                cx.problem(span, message, "mend the number");
            }
        }
        checks.iter().all(|(_, right, _)| *right)
    }
}
