//! YAML text to the tree.
use std::borrow::Cow;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::build::{Builder, Stop, Written};
use super::span::offset;
use super::{Span, Value, scalar};
use crate::problem::Problem;
use crate::value::quote;

/// Reads one document.
pub(super) fn read(text: &str, file: u32, builder: &mut Builder<'_>) -> Result<(), Stop> {
    Reader { text, places: Places::new(text, file), documents: 0 }.run(builder)
}

struct Reader<'t> {
    text: &'t str,
    places: Places<'t>,
    documents: usize,
}

impl<'t> Reader<'t> {
    fn run(mut self, builder: &mut Builder<'_>) -> Result<(), Stop> {
        let mut parser: Parser<'t, StrInput<'t>> = Parser::new_from_str(self.text);
        while let Some(next) = parser.next_event() {
            match next {
                Ok((event, span)) => self.event(event, span, builder)?,
                Err(error) => return Err(self.syntax(&error, builder)),
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'t>, span: saphyr_parser::Span, builder: &mut Builder<'_>) -> Result<(), Stop> {
        let place = self.places.span(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.documents > 0 => {
                let message = "a second document begins here, and only one is read";
                builder.problem(Problem::error("config.several_documents", place, message).help("remove the `---`"));
                Err(Stop)
            }
            Event::DocumentStart(_) => {
                self.documents += 1;
                Ok(())
            }
            Event::Alias(anchor) => builder.alias(anchor, place),
            Event::Scalar(text, style, anchor, tag) => {
                let place = self.without_comment(place, style);
                scalar(text, style, anchor, tag, place, builder)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", place, builder);
                builder.start_list(place, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", place, builder);
                builder.start_map(place, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => builder.end(self.bracket(place).map(|at| at + 1)),
        }
    }

    /// Where the bracket is that ends a flow list or map. A block is over only where the next thing begins, so it has
    /// no end of its own; after a last comma, the parser tells the place of the comma.
    fn bracket(&self, place: Span) -> Option<u32> {
        let mut rest = self.text.get(place.start as usize..).filter(|_| place.end > place.start)?;
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
            while rest.starts_with('#') {
                rest = rest.split_once('\n')?.1.trim_start();
            }
        }
        rest.starts_with([']', '}']).then(|| offset(self.text.len() - rest.len()))
    }

    /// The parser counts what follows a closing quote on its line as part of the scalar.
    fn without_comment(&self, place: Span, style: ScalarStyle) -> Span {
        let quote = match style {
            ScalarStyle::SingleQuoted => '\'',
            ScalarStyle::DoubleQuoted => '"',
            _ => return place,
        };
        let text = self.text.get(place.start as usize..place.end as usize).unwrap_or_default();
        let mut chars = text.char_indices().skip_while(|(_, c)| *c != quote).skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            let doubled = quote == '\'' && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
            if doubled || (quote == '"' && c == '\\') {
                chars.next();
            } else if c == quote {
                return Span::new(place.file, place.start, place.start + offset(at + 1));
            }
        }
        place
    }

    /// What the parser says, in words that say what to do.
    fn syntax(&mut self, error: &ScanError, builder: &mut Builder<'_>) -> Stop {
        let mut place = self.places.span(saphyr_parser::Span::empty(*error.marker()));
        if error.info().contains("found a tab") {
            // The parser points at the scalar before the tab.
            let ahead = self.text.get(place.start as usize..).and_then(|rest| rest.find('\t')).map_or(0, offset);
            place = Span::new(place.file, place.start + ahead, place.start + ahead);
        }
        let line = line_at(self.text, place.start as usize);
        let (message, mut help) = explain(error.info());
        if line.contains("${") && line.contains(['{', '[']) && !line.contains("\"${") {
            help = Some("inside of `{ }` and `[ ]`, put a reference in quotes: \"${env:NAME}\"");
        }
        let mut problem = Problem::error("config.syntax", place, message);
        if let Some(help) = help {
            problem = problem.help(help);
        }
        builder.problem(problem);
        Stop
    }
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    anchor: usize,
    tag: Option<Cow<'_, Tag>>,
    place: Span,
    builder: &mut Builder<'_>,
) -> Result<(), Stop> {
    let written = if style == ScalarStyle::Plain { Written::Plain } else { Written::Quoted };
    let Some(tag) = tag else { return builder.scalar(text.into_owned(), written, place, anchor) };
    if is_core(&tag, "str") || (tag.handle.is_empty() && tag.suffix == "!") {
        return builder.scalar(text.into_owned(), Written::Quoted, place, anchor);
    }
    let wanted = |value: &Value| match value {
        Value::Integer(_) => is_core(&tag, "int") || is_core(&tag, "float"),
        Value::Float(_) => is_core(&tag, "float"),
        Value::Bool(_) => is_core(&tag, "bool"),
        Value::Null => is_core(&tag, "null"),
        _ => false,
    };
    match scalar::plain(&text).ok().filter(wanted) {
        Some(Value::Integer(number)) if is_core(&tag, "float") => {
            #[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
            let number = number as f64;
            builder.value(Value::Float(number), place, anchor)
        }
        Some(value) => builder.value(value, place, anchor),
        None => {
            let known = ["int", "float", "bool", "null"].iter().any(|name| is_core(&tag, name));
            let message = if known {
                format!("{} is not of the type that its tag says", quote(&text))
            } else {
                format!("the tag {} is not known", quote(&tag.to_string()))
            };
            builder.problem(Problem::error("config.bad_tag", place, message).help("remove the tag"));
            builder.scalar(text.into_owned(), Written::Quoted, place, anchor)
        }
    }
}

fn is_core(tag: &Tag, name: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == name
}

fn check_tag(tag: Option<&Tag>, name: &str, place: Span, builder: &mut Builder<'_>) {
    let Some(tag) = tag.filter(|tag| !is_core(tag, name)) else { return };
    let message = format!("the tag {} is not known here", quote(&tag.to_string()));
    builder.problem(Problem::error("config.bad_tag", place, message).help("remove the tag"));
}

fn line_at(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

/// The parser's messages speak of its states; these say what a user did.
fn explain(info: &str) -> (String, Option<&'static str>) {
    let (message, help) = match info {
        "while parsing a block mapping, did not find expected key" => (
            "this line does not continue the map above it",
            "indent it like the other keys, and check that a bracket or quote before it is closed",
        ),
        "while parsing a block collection, did not find expected '-' indicator" => (
            "this line does not continue the list above it",
            "begin it with `- `, or indent it as its parent's keys are",
        ),
        "while parsing a flow mapping, did not find expected ',' or '}'" => {
            ("expected `,` or `}` here", "put text that holds `{`, `}`, `[`, `]` or `,` in quotes")
        }
        "while parsing a flow sequence, expected ',' or ']'" => {
            ("expected `,` or `]` here", "put text that holds `{`, `}`, `[`, `]` or `,` in quotes")
        }
        "while parsing a node, did not find expected node content" => ("expected a value here", ""),
        "while parsing node, found unknown anchor" => {
            ("this alias repeats an anchor that is not set above it", "put text that begins with `*` in quotes")
        }
        "while scanning a quoted scalar, found unexpected end of stream" => {
            ("a quote that opens here is never closed", "close it, or double a quote that belongs to the text")
        }
        "illegal placement of ':' indicator" => {
            ("a `:` is not expected here", "check that a bracket or quote before it is closed")
        }
        "invalid indentation in quoted scalar" => {
            ("a quote that opens here is not closed on its line", "close it, or indent the lines that it goes on in")
        }
        "mapping values are not allowed in this context" => {
            ("a `:` is not expected here", "put text that holds `: ` in quotes, and check the indentation")
        }
        "simple key expect ':'" => ("a key before this has no `:` after it", "write `key: value`"),
        "simple key expected" => ("a key needs a `:` after it", "write `key: value`"),
        "tabs disallowed within this context (block indentation)"
        | "tabs disallowed in this context"
        | "tab cannot be used as indentation"
        | "while scanning a plain scalar, found a tab"
        | "a block scalar content cannot start with a tab" => ("a tab cannot be used to indent", "use spaces"),
        "invalid indentation" | "wrongly indented line in block scalar" => {
            ("this line is not indented as its neighbours are", "")
        }
        "invalid indentation in flow construct" => {
            ("this line must be indented more than the key whose value it belongs to", "")
        }
        "misplaced bracket" => ("this bracket closes nothing", ""),
        "recursion limit exceeded" => ("brackets are nested too deep", ""),
        "unexpected character: `@'" | "unexpected character: ``'" | "unexpected character: `%'" => {
            ("text must not begin with `@`, `` ` `` or `%`", "put it in quotes")
        }
        "while parsing a quoted scalar, found unknown escape character" => {
            ("an escape in these quotes is not known", "write `\\\\` for a backslash, or use single quotes")
        }
        "while parsing a quoted scalar, found invalid Unicode character escape code" => {
            ("an escape in these quotes is not a character", "write the character itself")
        }
        "comment intercepting the multiline text" => ("a comment must not be inside of text that spans lines", ""),
        "block sequence entries are not allowed in this context" => {
            ("a list item is not expected here", "begin the list on its own line")
        }
        _ => return (format!("this is not valid YAML: {info}"), None),
    };
    (message.to_owned(), Some(help).filter(|help| !help.is_empty()))
}

/// Where the parser's character positions are in bytes.
struct Places<'t> {
    text: &'t str,
    file: u32,
    /// The byte offset of every [`STRIDE`]th character; empty for ASCII, where both are the same.
    marks: Vec<u32>,
}

const STRIDE: usize = 64;

impl<'t> Places<'t> {
    fn new(text: &'t str, file: u32) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(|(at, _)| offset(at)).collect()
        };
        Self { text, file, marks }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(self.file, self.byte(span.start), self.byte(span.end))
    }

    fn byte(&self, marker: Marker) -> u32 {
        let at = marker.index();
        if self.marks.is_empty() {
            return offset(at.min(self.text.len()));
        }
        let Some(mark) = self.marks.get(at / STRIDE) else { return offset(self.text.len()) };
        let rest = self.text.get(*mark as usize..).unwrap_or_default();
        let ahead = rest.char_indices().nth(at % STRIDE).map_or(rest.len(), |(ahead, _)| ahead);
        mark + offset(ahead)
    }
}
