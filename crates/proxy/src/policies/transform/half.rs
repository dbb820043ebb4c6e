//! What becomes of the bodies of one side, compiled.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::change::{self, Change};
use super::parse::{self, Fault};
use super::path::Part;
use super::spec::{Format, Side, To};
use super::tree::TooLarge;
use super::{dynamic, form, xml};
use crate::exchange::{Error, Exchange};
use crate::expr::{Scope, Template};
use crate::policies::media_types::essence;
use crate::program::Compile;

/// How many times more than is read may come out.
const GROWTH: usize = 8;
/// The most changes of a side.
const MOST_CHANGES: usize = 32;

/// What becomes of bodies.
pub(super) struct Half {
    from: Box<[Format]>,
    changes: Box<[Change]>,
    template: Option<(Template, HeaderValue)>,
    to: To,
    arrays: Vec<Vec<Box<str>>>,
    root: Option<Box<str>>,
    /// The most bytes that are read.
    pub(super) most: u64,
}

/// Why there is no changed body.
pub(super) enum Refused {
    /// It cannot be read.
    Malformed(String),
    /// It cannot be written.
    Unfit(String),
    TooLarge,
    /// The template failed.
    Failed(Box<Error>),
}

impl From<TooLarge> for Refused {
    fn from(_: TooLarge) -> Self {
        Refused::TooLarge
    }
}

impl Half {
    /// Compiles what was written; `None` with a problem.
    pub(super) fn compile(side: &Side, scope: Scope, cx: &mut Compile<'_>) -> Option<Self> {
        let mut right = true;
        if side.from.is_empty() {
            cx.problem(cx.span, "nothing is read", "name a format in `from`");
            right = false;
        }
        if side.map.len() > MOST_CHANGES {
            let message = format!("there are {} changes, more than {MOST_CHANGES}", side.map.len());
            cx.problem(cx.span, message, "join those of one kind, or use a template");
            right = false;
        }
        if side.map.is_empty() && side.template.is_none() && side.to == To::Json && side.from == [Format::Json] {
            cx.problem(cx.span, "JSON stays JSON, so nothing is changed", "add a `map` or a `template`");
            right = false;
        }
        if side.template.is_some() && side.to != To::Json {
            cx.problem(cx.span, "a template writes what it says", "take `to` out, and say its `content_type`");
            right = false;
        }
        let changes: Vec<Change> = side.map.iter().filter_map(|change| Change::compile(change, scope, cx)).collect();
        let template = side.template.as_ref().map(|text| {
            let template = cx.template_with(text, &side.content_type, scope, &["body"]);
            template.zip(cx.header_value(&side.content_type))
        });
        let arrays: Vec<Vec<Box<str>>> = side.xml.arrays.iter().filter_map(|path| elements(path, cx)).collect();
        right &= changes.len() == side.map.len() && arrays.len() == side.xml.arrays.len();
        right &= template.as_ref().is_none_or(Option::is_some);
        right.then(|| Self {
            from: side.from.clone().into(),
            changes: changes.into(),
            template: template.flatten(),
            to: side.to,
            arrays,
            root: side.xml.root.as_ref().map(|root| root.as_str().into()),
            most: side.max_size.get(),
        })
    }

    /// What a body is read as; none where it is none of those that are read.
    pub(super) fn format(&self, headers: &HeaderMap) -> Option<Format> {
        let kind = essence(headers.get(CONTENT_TYPE)?.to_str().ok()?);
        let format = match kind.as_str() {
            "application/json" => Format::Json,
            "application/xml" | "text/xml" => Format::Xml,
            "application/x-www-form-urlencoded" => Format::Form,
            kind if kind.ends_with("+json") => Format::Json,
            kind if kind.ends_with("+xml") => Format::Xml,
            _ => return None,
        };
        self.from.contains(&format).then_some(format)
    }

    /// The content type of what is made; none where it stays.
    pub(super) fn content_type(&self, format: Format) -> Option<HeaderValue> {
        match (&self.template, self.to, format) {
            (Some((_, kind)), ..) => Some(kind.clone()),
            (None, To::Json, Format::Json) | (None, To::Xml, Format::Xml) => None,
            (None, To::Json, _) => Some(HeaderValue::from_static("application/json")),
            (None, To::Xml, _) => Some(HeaderValue::from_static("application/xml")),
        }
    }

    /// The changed body.
    pub(super) fn make(&self, body: &[u8], format: Format, x: &Exchange) -> Result<Vec<u8>, Refused> {
        if body.len() as u64 > self.most {
            return Err(Refused::TooLarge);
        }
        let malformed = |fault: Fault| Refused::Malformed(fault.tell(body));
        let text = parse::utf8(body).map_err(malformed)?;
        let mut tree = match format {
            Format::Json => parse::json(text),
            Format::Xml => xml::read(text, &self.arrays),
            Format::Form => form::read(text),
        }
        .map_err(malformed)?;
        change::apply(&self.changes, &mut tree, x)?;
        if let Some((template, _)) = &self.template {
            let rendered = template.render_with(x, vec![("body", dynamic::value(&tree))]);
            return rendered.map(String::into_bytes).map_err(|error| Refused::Failed(Box::new(error)));
        }
        let most = usize::try_from(self.most).unwrap_or(usize::MAX).saturating_mul(GROWTH).max(1 << 16);
        match self.to {
            To::Json => {
                let mut out = Vec::with_capacity(body.len());
                tree.write(&mut out, most)?;
                Ok(out)
            }
            To::Xml => xml::write(&tree, self.root.as_deref(), most).map_err(Refused::Unfit),
        }
    }
}

/// A path of elements.
fn elements(written: &model::load::Spanned<String>, cx: &mut Compile<'_>) -> Option<Vec<Box<str>>> {
    let path = change::parse(written, cx)?;
    let names = path.0.into_iter().map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Each => None,
    });
    let names: Option<Vec<_>> = names.collect();
    if names.is_none() {
        cx.problem(written.span, "`*` stands for no element", "write names: `orders.order`");
    }
    names
}
