//! XML to a document and back. Attributes are names with `@`, text is `#text`, elements of one name are an array; names keep
//! their prefixes, and the declarations of namespaces are attributes like any other, so that nothing is lost.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::parse::Fault;
use super::tree::{Name, Tree, escaped};

/// How deep elements may stand in one another.
const MOST_LEVELS: usize = 128;
/// The most different names in an element: each is compared with those before it.
const MOST_NAMES: usize = 1_000;

/// An element that is open.
struct Open {
    name: String,
    entries: Vec<(Name<'static>, Tree<'static>)>,
    /// How many of the entries are attributes.
    attributes: usize,
    text: String,
}

/// The document of a text. `arrays` are paths of elements that are arrays also where there is one alone.
pub(super) fn read(text: &str, arrays: &[Vec<Box<str>>]) -> Result<Tree<'static>, Fault> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    let mut stack: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(at);
                return Err(Fault::new(at, format!("what is not well-formed ({error})")));
            }
        };
        match event {
            Event::Start(start) => {
                if stack.is_empty() && root.is_some() {
                    return Err(Fault::new(at, "a second root element"));
                }
                if stack.len() >= MOST_LEVELS {
                    return Err(Fault::new(at, format!("more than {MOST_LEVELS} levels")));
                }
                stack.push(open(&start, at)?);
            }
            Event::End(_) => {
                let Some(closed) = stack.pop() else { return Err(Fault::new(at, "an end without a beginning")) };
                let is_array = !arrays.is_empty() && arrays.iter().any(|path| is_at(path, &stack, &closed.name));
                let (name, value) = close(closed);
                match stack.last_mut() {
                    Some(above) => put(above, name, value, is_array, at)?,
                    None => root = Some(Tree::Map(vec![(name, value)])),
                }
            }
            Event::Text(part) => match stack.last_mut() {
                Some(above) => above.text.push_str(&characters(&part.xml10_content(), at)?),
                None if part.xml10_content().trim().is_empty() => {}
                None => return Err(Fault::new(at, "text outside of the root element")),
            },
            Event::CData(part) => match stack.last_mut() {
                Some(above) => above.text.push_str(&characters(&part.xml10_content(), at)?),
                None => return Err(Fault::new(at, "text outside of the root element")),
            },
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => predefined(&reference.xml10_content()),
                    Err(_) => None,
                };
                let character = character.filter(|character| may_stand(*character));
                match (character, stack.last_mut()) {
                    (Some(character), Some(above)) => above.text.push(character),
                    _ => return Err(Fault::new(at, "a reference to an entity that is not XML's own")),
                }
            }
            Event::DocType(_) => return Err(Fault::new(at, "a document type")),
            // What was read is UTF-8.
            Event::Decl(declaration) => match declaration.encoding() {
                Some(Ok(known)) if !["utf-8", "us-ascii"].iter().any(|own| known.eq_ignore_ascii_case(own)) => {
                    return Err(Fault::new(at, "an encoding that is not read here"));
                }
                Some(Err(_)) => return Err(Fault::new(at, "a declaration that is wrong")),
                _ => {}
            },
            // Those that are empty come as a beginning and an end.
            Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if stack.is_empty() => Ok(root),
        _ => Err(Fault::new(text.len(), "an end that comes too early")),
    }
}

/// An element with its attributes.
fn open(start: &BytesStart<'_>, at: usize) -> Result<Open, Fault> {
    let mut entries: Vec<(Name<'static>, Tree<'static>)> = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| Fault::new(at, format!("an attribute that is wrong ({error})")))?;
        if entries.len() >= MOST_NAMES {
            return Err(Fault::new(at, format!("more than {MOST_NAMES} attributes")));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| Fault::new(at, format!("an attribute that is wrong ({error})")))?;
        let name = own(&format!("@{}", attribute.key.as_ref()));
        entries.push((name, Tree::text(&characters(&value, at)?)));
    }
    let name = start.name().as_ref().to_owned();
    if !is_name(&name) {
        return Err(Fault::new(at, "an element whose name is none"));
    }
    Ok(Open { name, attributes: entries.len(), entries, text: String::new() })
}

fn own(text: &str) -> Name<'static> {
    Name(Cow::Owned(escaped(text).into_owned()))
}

/// Whether an element that closes stands at this path.
fn is_at(path: &[Box<str>], stack: &[Open], name: &str) -> bool {
    path.len() == stack.len() + 1
        && path
            .iter()
            .zip(stack.iter().map(|open| open.name.as_str()).chain([name]))
            .all(|(part, name)| **part == *name)
}

/// An element as a name and a value.
fn close(mut open: Open) -> (Name<'static>, Tree<'static>) {
    let name = own(&open.name);
    if open.entries.is_empty() {
        let value = if open.text.is_empty() { Tree::NULL } else { Tree::text(&open.text) };
        return (name, value);
    }
    // White space between elements only shows their order.
    let blank = open.text.trim().is_empty();
    if !blank || open.entries.len() == open.attributes && !open.text.is_empty() {
        open.entries.push((own("#text"), Tree::text(&open.text)));
    }
    (name, Tree::Map(open.entries))
}

fn put(above: &mut Open, name: Name<'static>, value: Tree<'static>, is_array: bool, at: usize) -> Result<(), Fault> {
    let full = above.entries.len() >= MOST_NAMES;
    match above.entries.iter_mut().find(|(known, _)| known.0 == name.0) {
        Some((_, Tree::List(items))) => items.push(value),
        Some((_, known)) => {
            let first = std::mem::replace(known, Tree::NULL);
            *known = Tree::List(vec![first, value]);
        }
        None if full => {
            return Err(Fault::new(at, format!("more than {MOST_NAMES} names in an element")));
        }
        None if is_array => above.entries.push((name, Tree::List(vec![value]))),
        None => above.entries.push((name, value)),
    }
    Ok(())
}

/// The entities that XML has itself.
fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

/// Whether XML has this character (XML 1.0 section 2.2).
fn may_stand(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

fn characters(text: &str, at: usize) -> Result<Cow<'_, str>, Fault> {
    if text.chars().all(may_stand) { Ok(Cow::Borrowed(text)) } else { Err(Fault::new(at, "a control character")) }
}

fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    let rest = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '\u{b7}');
    text.chars().next().is_some_and(first) && text.chars().all(rest)
}

/// Writes a document as XML, or says what XML has no place for.
pub(super) fn write(tree: &Tree<'_>, root: Option<&str>, most: usize) -> Result<Vec<u8>, String> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    match (root, tree) {
        (Some(_), Tree::List(_)) => return Err("an array cannot be the root element".to_owned()),
        (Some(root), tree) => element(root, tree, &mut out, most)?,
        (None, Tree::Map(entries)) => match entries.as_slice() {
            [(name, value)] if !matches!(value, Tree::List(_)) => element(&name.text(), value, &mut out, most)?,
            _ => return Err("XML has one root element: the document must be an object of one name".to_owned()),
        },
        _ => return Err("XML has one root element: the document must be an object of one name".to_owned()),
    }
    Ok(out.into_bytes())
}

fn element(name: &str, tree: &Tree<'_>, out: &mut String, most: usize) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("`{}` cannot be the name of an element", name.escape_debug()));
    }
    if out.len() > most {
        return Err("it comes out too large".to_owned());
    }
    match tree {
        Tree::List(items) => items.iter().try_for_each(|item| element(name, item, out, most)),
        Tree::Plain(text) if text == "null" => {
            *out += &format!("<{name}/>");
            Ok(())
        }
        Tree::Plain(text) => {
            *out += &format!("<{name}>");
            escape(&tree.as_text().unwrap_or(Cow::Borrowed(text)), out)?;
            *out += &format!("</{name}>");
            Ok(())
        }
        Tree::Map(entries) => parent(name, entries, out, most),
    }
}

fn parent(name: &str, entries: &[(Name<'_>, Tree<'_>)], out: &mut String, most: usize) -> Result<(), String> {
    *out += &format!("<{name}");
    let mut inner = false;
    for (key, value) in entries {
        let key = key.text();
        let Some(attribute) = key.strip_prefix('@') else {
            inner = true;
            continue;
        };
        let Tree::Plain(text) = value else { return Err(format!("the attribute `{attribute}` is no text")) };
        if !is_name(attribute) {
            return Err(format!("`{}` cannot be the name of an attribute", attribute.escape_debug()));
        }
        if text != "null" {
            *out += &format!(" {attribute}=\"");
            escape(&value.as_text().unwrap_or(Cow::Borrowed(text)), out)?;
            out.push('"');
        }
    }
    if !inner {
        *out += "/>";
        return Ok(());
    }
    out.push('>');
    for (key, value) in entries {
        match (&*key.text(), value) {
            ("#text", Tree::Plain(text)) => {
                if text != "null" {
                    escape(&value.as_text().unwrap_or(Cow::Borrowed(text)), out)?;
                }
            }
            ("#text", _) => return Err("`#text` is no text".to_owned()),
            (key, _) if key.starts_with('@') => {}
            (key, value) => element(key, value, out, most)?,
        }
    }
    *out += &format!("</{name}>");
    Ok(())
}

/// A text in an element or a quoted attribute.
fn escape(text: &str, out: &mut String) -> Result<(), String> {
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            other if may_stand(other) => out.push(other),
            other => return Err(format!("XML has no place for the character U+{:04X}", u32::from(other))),
        }
    }
    Ok(())
}
