//! What a user writes.

use model::load::{Node, Spanned};
use model::resource::Pairs;
use model::value::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes bodies: JSON by a list of changes or a template, XML and forms to JSON, JSON to XML. Only content types that are
/// named by `from` are read, up to a bound; others stream through untouched. Numbers and texts that are not concerned stay
/// as they were written, and names keep their order. A body that cannot be read is refused with its place: 400 for the
/// client's, 502 for the upstream's.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "Transform")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// What becomes of request bodies.
    pub(super) request: Option<Side>,
    /// What becomes of answers.
    pub(super) response: Option<Side>,
    /// What becomes of answers with a status from 400 on.
    pub(super) errors: Errors,
}

/// What becomes of answers with a status from 400 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TransformErrors")]
#[serde(rename_all = "snake_case")]
pub(super) enum Errors {
    /// They pass as they are.
    #[default]
    Pass,
    /// Those of the upstream are changed as well. The gateway's own never are.
    Transform,
}

/// What becomes of a body: it is read, changed by each of `map` in turn, filled into `template`, and written.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransformSide")]
#[serde(deny_unknown_fields, default)]
pub(super) struct Side {
    /// What is read: JSON (`application/json`, `*+json`), XML (`application/xml`, `text/xml`, `*+xml`), forms
    /// (`application/x-www-form-urlencoded`).
    #[schemars(extend("default" = ["json"]))]
    pub(super) from: Vec<Format>,
    /// Changes, at most 32, one after the other.
    #[schemars(length(max = 32))]
    pub(super) map: Vec<Spanned<Change>>,
    /// A template (Jinja) over the variables of expressions and `body`, the document as changed by `map`. Values are
    /// escaped as `content_type` asks.
    pub(super) template: Option<Spanned<String>>,
    /// The content type of what the template makes.
    #[schemars(extend("default" = "application/json"))]
    pub(super) content_type: Spanned<String>,
    /// What is written where there is no template.
    pub(super) to: To,
    /// How XML is read and written.
    pub(super) xml: XmlSpec,
    /// The most bytes that are read. A larger request is refused with 413, a larger answer with 502. What comes out has
    /// at most eight times as many.
    #[schemars(extend("default" = "1MiB"))]
    pub(super) max_size: Spanned<ByteSize>,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            from: vec![Format::Json],
            map: Vec::new(),
            template: None,
            content_type: Spanned::from("application/json".to_owned()),
            to: To::default(),
            xml: XmlSpec::default(),
            max_size: Spanned::from(ByteSize::mib(1)),
        }
    }
}

/// What a body is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TransformFrom")]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// JSON.
    Json,
    /// XML. An element is an object: attributes are names with `@`, its text is `#text`, elements have their names, and
    /// several of one name are an array. One that has only text is that text, an empty one null. Names keep their
    /// namespace prefixes. Document types are refused, and with them every entity that is not XML's own.
    Xml,
    /// A form: an object of texts; several of one name are an array.
    Form,
}

/// What a body is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TransformTo")]
#[serde(rename_all = "snake_case")]
pub(super) enum To {
    /// JSON.
    #[default]
    Json,
    /// XML, as it would be read.
    Xml,
}

/// How XML is read and written.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TransformXml")]
#[serde(deny_unknown_fields, default)]
pub(super) struct XmlSpec {
    /// Read: paths of elements that are arrays also where there is one alone, such as `orders.order`.
    pub(super) arrays: Vec<Spanned<String>>,
    /// Written: the root element. Without it the document is an object of one name.
    pub(super) root: Option<Spanned<String>>,
}

/// A change of a document. Paths are names with dots between them: `address.city`. `*` is every item of an array (or value
/// of an object), a number one of them; `\.` and `\*` are a dot and a star in a name.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransformChange")]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// Keeps what these paths lead to and nothing else.
    Select(Vec<Spanned<String>>),
    /// Takes out what these paths lead to.
    Remove(Vec<Spanned<String>>),
    /// Gives names at these paths another name, in the same place.
    Rename(Pairs<Spanned<String>>),
    /// Moves from a path to another. A `*` of the one stands for the same items in the other: `items.*.price.net` to
    /// `items.*.net`.
    Move(Pairs<Spanned<String>>),
    /// Copies from a path to another.
    Copy(Pairs<Spanned<String>>),
    /// Sets these paths to values.
    Set(Pairs<Node>),
    /// Sets these paths to values where there is nothing or null.
    Default(Pairs<Node>),
    /// Sets these paths to the values of expressions (CEL); a value that is absent sets nothing.
    Compute(Pairs<Spanned<String>>),
    /// Puts objects that stand in another into that one, by joined names; puts arrays that stand in an array into that one.
    Flatten(Flatten),
    /// Keeps those items of an array for which all conditions hold.
    Filter(Filter),
}

/// What is made flat.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransformFlatten")]
#[serde(deny_unknown_fields, default)]
pub(super) struct Flatten {
    /// The object or array; empty is the whole document.
    pub(super) at: Spanned<String>,
    /// What stands between joined names.
    #[schemars(extend("default" = "_"))]
    pub(super) separator: String,
}

impl Default for Flatten {
    fn default() -> Self {
        Self { at: Spanned::from(String::new()), separator: "_".to_owned() }
    }
}

/// Which items of an array stay.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransformFilter")]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// The array; empty is the whole document.
    pub(super) at: Spanned<String>,
    /// What must hold of an item.
    pub(super) keep: Vec<Test>,
}

/// A condition on an item. What is named must hold, all of it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransformTest")]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(super) struct Test {
    /// What is looked at in the item; empty is the item itself.
    pub(super) path: Spanned<String>,
    /// It is this.
    pub(super) equals: Option<Node>,
    /// It is there and is not this.
    pub(super) not: Option<Node>,
    /// It is one of these.
    pub(super) one_of: Option<Vec<Node>>,
    /// Whether it is there and not null.
    pub(super) exists: Option<bool>,
    /// It is a number above this.
    pub(super) above: Option<f64>,
    /// It is a number below this.
    pub(super) below: Option<f64>,
}
