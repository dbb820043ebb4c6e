//! The models of the world: what each is called, how much it takes in and gives out, what it costs.
//!
//! The data is `crates/ai/data/models.json`, made by `cargo xtask models`, compiled in and searched where it lies: its
//! lines are sorted, so that a catalog costs nothing at start and a look-up parses one line. Look models up where
//! configuration is compiled, not on every call.

mod embedded;
mod entry;
pub mod money;
mod rates;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use embedded::{Source, source};
pub use entry::{Abilities, Ability, Entry, Mode, Row};
pub use money::{Money, Price};
pub use rates::{Charged, Per, Rates, Schedule, Service};

use crate::providers::presets;

/// The models that are known: those of the product, and what a user says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// By provider and model; they stand before the embedded ones.
    overrides: BTreeMap<(String, String), Arc<Entry>>,
}

impl Catalog {
    /// The models that the product comes with.
    pub const fn embedded() -> Self {
        Self { overrides: BTreeMap::new() }
    }

    /// The same with a user's rows. A row of a known model replaces what it names: a limit, the abilities, or the prices
    /// as a whole, so that no price of ours is left in a price list of theirs. Others are added.
    pub fn with_overrides(mut self, rows: impl IntoIterator<Item = Row>) -> Self {
        for row in rows {
            let provider = id_of(&row.provider).to_owned();
            let known = self.find(&provider, &row.model).filter(|known| known.model == row.model);
            let key = (provider, row.model.clone());
            let mut entry = known.unwrap_or_else(|| Entry::new(&key.0, &key.1));
            entry.replace(row);
            self.overrides.insert(key, Arc::new(entry));
        }
        self
    }

    /// The model that a provider knows by this name.
    ///
    /// The provider is a preset's id or alias, or the name of a provider of one's own that has overrides. Names that say
    /// the same at the provider find one model: Bedrock's by ARN and by region, Azure's by zone, OpenAI's that were fine-tuned, versions
    /// after an `@`.
    pub fn find(&self, provider: &str, model: &str) -> Option<Entry> {
        let provider = id_of(provider);
        names(provider, model).find_map(|model| self.exactly(provider, model))
    }

    /// The model of a name with its provider before the first slash, as in `azure/gpt-5`.
    pub fn find_name(&self, name: &str) -> Option<Entry> {
        let (provider, model) = name.split_once('/')?;
        self.find(provider, model)
    }

    /// Every model, by provider and name.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut own = self.overrides.values().peekable();
        let mut embedded = embedded::lines().filter_map(Entry::parse).peekable();
        std::iter::from_fn(move || {
            let (Some(mine), Some(theirs)) = (own.peek(), embedded.peek()) else {
                return own.next().map(|entry| entry.as_ref().clone()).or_else(|| embedded.next());
            };
            let order = (&mine.provider, &mine.model).cmp(&(&theirs.provider, &theirs.model));
            if order.is_gt() {
                return embedded.next();
            }
            if order.is_eq() {
                embedded.next();
            }
            own.next().map(|entry| entry.as_ref().clone())
        })
    }

    fn exactly(&self, provider: &str, model: &str) -> Option<Entry> {
        if !self.overrides.is_empty() {
            let own = self.overrides.get(&(provider.to_owned(), model.to_owned()));
            if let Some(entry) = own {
                return Some(entry.as_ref().clone());
            }
        }
        embedded::line(provider, model).and_then(Entry::parse)
    }
}

/// What the data calls a provider.
fn id_of(provider: &str) -> &str {
    presets::find(provider).map_or(provider, |preset| preset.id)
}

/// The names under which a model may stand, the one that was given first.
fn names<'a>(provider: &str, model: &'a str) -> impl Iterator<Item = &'a str> {
    let other = match provider {
        "bedrock" => {
            // An inference profile or model by ARN ends in its name.
            let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
            let anywhere = name.split_once('.').filter(|(region, _)| REGIONS.contains(region)).map(|(_, name)| name);
            [Some(name), anywhere]
        }
        "azure_openai" => {
            let zone = model.split_once('/').filter(|(zone, _)| AZURE_ZONES.contains(zone));
            [zone.map(|(_, name)| name), None]
        }
        // `ft:base:organisation::id` costs what every fine-tuned `base` does.
        "openai" if model.starts_with("ft:") => {
            let end = model.match_indices(':').nth(1).map(|(at, _)| at);
            [end.and_then(|end| model.get(..end)), None]
        }
        "gemini" => [model.strip_prefix("models/"), None],
        "vertex" => [model.rsplit_once('/').map(|(_, name)| name), None],
        _ => [None, None],
    };
    // A version after `@` that has no line of its own is what the model is without.
    let unversioned = model.split_once('@').map(|(name, _)| name);
    std::iter::once(model).chain(other.into_iter().flatten()).chain(unversioned)
}

/// Price lists' prefixes of Azure's models for the place where they are served.
pub const AZURE_ZONES: [&str; 4] = ["eu", "us", "global", "global-standard"];

/// Bedrock's prefixes of inference profiles that span regions.
pub const REGIONS: [&str; 10] = ["us", "eu", "apac", "global", "au", "jp", "ca", "in", "us-gov", "sa"];
