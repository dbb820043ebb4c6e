//! What is no conversation and yet can be said in another maker's words: embeddings, and images from text. One form in
//! between, as with conversations, and a table that says what becomes of each field.

mod embeddings;
mod images;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde_json::{Map, Value};

pub use self::embeddings::{Embed, EmbedWords};
pub use self::images::{Draw, DrawWords};
use super::{Fate, Losses, Refused, Usage};

/// An answer in the caller's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The body.
    pub text: bytes::Bytes,
    /// The tokens it took.
    pub usage: Usage,
    /// The images it holds.
    pub images: u64,
}

/// What becomes of a field, in the words of each of those that may be asked.
struct Row<const N: usize> {
    field: &'static str,
    fates: [Fate; N],
}

/// Fields of a request, by name.
type Fields<'f> = Vec<(&'f str, &'f Value)>;

/// The fields that are said in these words. What no row names is dropped, like what says nothing.
fn kept<'f, const N: usize>(
    rows: &[Row<N>],
    fields: &'f Map<String, Value>,
    (words, title): (usize, &str),
    losses: Losses,
) -> Result<Fields<'f>, Refused> {
    let mut kept = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let row = rows.iter().find(|row| row.field == name);
        let fate = row.and_then(|row| row.fates.get(words)).copied();
        match (fate.unwrap_or(Fate::Dropped("not known, and so not translated")), losses) {
            (Fate::Changed(why) | Fate::Dropped(why), Losses::Refuse) | (Fate::Refused(why), Losses::ByRule) => {
                return Err(Refused::not_carried(name.as_str(), format!("{title}: {why}")));
            }
            (Fate::Refused(why), Losses::Refuse) => {
                return Err(Refused::not_carried(name.as_str(), format!("{title}: {why}")));
            }
            (Fate::Carried(_) | Fate::Changed(_), _) => kept.push((name.as_str(), value)),
            (Fate::Dropped(_) | Fate::Refused(_), _) => {}
        }
    }
    Ok(kept)
}

fn of<'f>(fields: &Fields<'f>, name: &str) -> Option<&'f Value> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Puts a field in, where there is one.
fn set(value: &mut Value, name: &str, field: Option<impl Into<Value>>) {
    if let (Some(fields), Some(field)) = (value.as_object_mut(), field) {
        fields.insert(name.to_owned(), field.into());
    }
}

/// The tables in Markdown.
pub(super) fn page(page: &mut String) {
    table(page, "Embeddings", embeddings::TITLES, embeddings::ROWS);
    table(page, "Images", images::TITLES, images::ROWS);
}

fn table<const N: usize>(page: &mut String, title: &str, words: [&str; N], rows: &[Row<N>]) {
    let _ = write!(page, "\n## {title}\n\n| field | to {} |\n|---|{}\n", words.join(" | to "), "---|".repeat(N));
    for row in rows {
        let fate = |fate: &Fate| match fate {
            Fate::Carried(field) => (*field).to_owned(),
            Fate::Changed(how) => format!("**changed:** {how}"),
            Fate::Dropped(why) => format!("**dropped:** {why}"),
            Fate::Refused(why) => format!("**refused:** {why}"),
        };
        let fates: Vec<String> = row.fates.iter().map(fate).collect();
        let _ = writeln!(page, "| `{}` | {} |", row.field, fates.join(" | "));
    }
}
