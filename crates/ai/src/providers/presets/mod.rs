//! The vendors, one row each: what `preset:` in a provider's configuration stands for.
//!
//! A row is data: it is compiled in, costs nothing at start, and says where it comes from and when it was checked.
//! Any other host that speaks one of the dialects is reached by `base_url`.

mod table;
#[cfg(test)]
mod tests;

use super::{Auth, Capabilities, Capability, Dialect, Quirks};

/// A vendor, and how it is spoken to.
#[derive(Debug)]
pub struct Preset {
    /// Its name in configuration.
    pub id: &'static str,
    /// Other names that find it: those of other gateways and of price lists.
    pub aliases: &'static [&'static str],
    /// Its name for people.
    pub title: &'static str,
    /// Where its API begins. A name in braces is a setting that the provider's configuration gives.
    pub base_url: &'static str,
    /// What it speaks.
    pub dialect: Dialect,
    /// How the key is shown.
    pub auth: Auth,
    /// Whether there must be a key.
    pub key: Key,
    /// What it serves. That a vendor serves something says nothing of a single model.
    pub serves: Capabilities,
    /// Where calls go that do not go where the dialect says; from the base URL on, or as a whole URL.
    pub paths: &'static [(Capability, &'static str)],
    /// Headers that every call carries.
    pub headers: &'static [(&'static str, &'static str)],
    /// Settings that need not be given, with what they are then.
    pub defaults: &'static [(&'static str, &'static str)],
    /// Where it departs from its dialect.
    pub quirks: Quirks,
    /// Where the row comes from.
    pub source: Source,
}

/// Whether a provider must have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Every call is refused without one.
    Required,
    /// One's own server, which asks for one only if told to.
    Optional,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The vendor's page about it.
    pub page: &'static str,
    /// What the base URL was compared with: a client that is in public use.
    pub against: &'static str,
    /// On which day.
    pub checked: &'static str,
}

/// The day on which the table was last gone through.
const CHECKED: &str = "2026-11-23";

/// Every preset, by id.
pub fn all() -> impl Iterator<Item = &'static Preset> {
    let mut rows: Vec<&Preset> = table::ROWS.iter().copied().flatten().collect();
    rows.sort_unstable_by_key(|preset| preset.id);
    rows.into_iter()
}

/// The preset of this id or alias; case does not count, and `-` and `.` are `_`.
pub fn find(name: &str) -> Option<&'static Preset> {
    let rows = || table::ROWS.iter().copied().flatten();
    rows()
        .find(|preset| same(preset.id, name))
        .or_else(|| rows().find(|preset| preset.aliases.iter().any(|alias| same(alias, name))))
}

/// Every id and alias: what [`find`] knows, for a message that says what was probably meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rows = table::ROWS.iter().copied().flatten();
    rows.flat_map(|preset| std::iter::once(preset.id).chain(preset.aliases.iter().copied()))
}

fn same(known: &str, name: &str) -> bool {
    known.len() == name.len() && known.chars().zip(name.chars()).all(|(known, given)| known == plain(given))
}

fn plain(letter: char) -> char {
    match letter {
        '-' | '.' => '_',
        other => other.to_ascii_lowercase(),
    }
}

impl Preset {
    /// The names in braces that configuration must or may give, each with what it is if it does not.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        let default = |name| self.defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let paths = self.serves.iter().filter_map(|call| self.path(call));
        let mut names: Vec<&str> = std::iter::once(self.base_url).chain(paths).flat_map(braced).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter(|name| *name != "model").map(move |name| (name, default(name)))
    }

    /// Where a call goes, from the base URL on or as a whole URL; None if the vendor does not serve it.
    pub fn path(&self, call: Capability) -> Option<&'static str> {
        self.place(call, self.dialect.path(call))
    }

    /// Where a streamed call goes.
    pub fn stream_path(&self, call: Capability) -> Option<&'static str> {
        self.place(call, self.dialect.stream_path(call))
    }

    /// The whole URL of what [`Preset::path`] or [`Preset::stream_path`] gave, on the vendor's own base URL or another;
    /// `value` gives the settings and the model. Values are percent-encoded, so that none can name another host or path.
    pub fn url<'a>(
        &self,
        base: Option<&str>,
        path: &str,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<String, Missing> {
        let known = |name: &str| {
            value(name).or_else(|| self.defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| *value))
        };
        let mut url = String::with_capacity(128);
        if path.starts_with('/') {
            fill(&mut url, base.unwrap_or(self.base_url).trim_end_matches('/'), &known)?;
        }
        fill(&mut url, path, &known)?;
        Ok(url)
    }

    fn place(&self, call: Capability, dialect: Option<&'static str>) -> Option<&'static str> {
        if !self.serves.has(call) {
            return None;
        }
        self.paths.iter().find(|(known, _)| *known == call).map(|(_, path)| *path).or(dialect)
    }
}

/// A setting that a URL needs and that nobody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(
    /// Its name.
    pub String,
);

/// The names in braces.
pub(crate) fn braced(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// Puts values in the place of the names in braces, percent-encoded, so that none can name another host or path.
pub(crate) fn fill<'a>(
    out: &mut String,
    template: &str,
    value: &impl Fn(&str) -> Option<&'a str>,
) -> Result<(), Missing> {
    let mut parts = template.split('{');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let Some((name, rest)) = part.split_once('}') else { continue };
        let value = value(name).ok_or_else(|| Missing(name.to_owned()))?;
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                const HEX: [char; 16] =
                    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
                out.push('%');
                out.extend(HEX.get(usize::from(byte >> 4)));
                out.extend(HEX.get(usize::from(byte & 15)));
            }
        }
        out.push_str(rest);
    }
    Ok(())
}
