//! Who serves models and what models there are, compiled once a program.

mod budget;
mod key;
mod model;
mod order;
mod pace;
mod place;
mod provider;
mod pulse;
mod rest;
mod seats;
mod show;
mod speech;
mod terms;
#[cfg(test)]
mod tests;
mod way;

use std::collections::HashMap;
use std::sync::Arc;

use ::model::snapshot::KnownModel;
use proxy::expr::Scope;
use proxy::program::Compile;
use proxy::telemetry::ModelMetrics;

pub(crate) use self::budget::Budget;
pub(crate) use self::key::{Key, Picked, Resting};
use self::model::Fallback;
pub(crate) use self::model::{Model, Target};
use self::order::Alike;
pub(crate) use self::order::{Chooser, fnv};
pub(crate) use self::pace::Held;
pub(crate) use self::place::Place;
pub(crate) use self::provider::Provider;
use self::pulse::Pulse;
use self::rest::Rest;
pub(crate) use self::seats::{Seat, Urgency};
pub(crate) use self::terms::Terms;
pub(crate) use self::way::Way;
use crate::catalog::{Catalog, Charged, Entry, Row};
use crate::meter::Scale;

/// The longest name of a provider's model that is asked for directly.
const MOST_NAME: usize = 256;
/// The most bytes of a file of models.
const MOST_FILE: u64 = 64 << 20;

/// Everyone who serves, and everything that is served.
pub(crate) struct Fleet {
    models: Vec<Arc<Model>>,
    /// Places in `models`, by name and alias.
    names: HashMap<Box<str>, usize>,
    providers: HashMap<Arc<str>, (Arc<Provider>, Arc<ModelMetrics>)>,
    catalog: Catalog,
}

impl Fleet {
    /// Compiles it, or finds it compiled.
    pub(crate) fn of(cx: &mut Compile<'_>) -> Arc<Self> {
        cx.once(Self::compile)
    }

    fn compile(cx: &mut Compile<'_>) -> Self {
        let snapshot = cx.snapshot;
        let providers: Vec<Option<Arc<Provider>>> = snapshot
            .providers
            .iter()
            .enumerate()
            .map(|(at, written)| {
                cx.at(format!("ai.providers[{at}]"), |cx| Provider::compile(written, cx)).map(Arc::new)
            })
            .collect();
        let catalog = catalog(cx);
        let (mut models, mut names) = (Vec::new(), HashMap::new());
        for (at, known) in snapshot.models.iter().enumerate() {
            let name: Arc<str> = known.model.name.as_str().into();
            let aliases = known.model.aliases.iter().map(|alias| alias.as_str().into());
            names.extend(std::iter::once(Box::from(&*name)).chain(aliases).map(|name| (name, models.len())));
            let path = format!("ai.models[{at}]");
            models.push(Arc::new(cx.at(path, |cx| model(name, known, &providers, &catalog, cx))));
        }
        // Names that callers make up are no labels.
        let metrics = |provider: &Provider| cx.env.telemetry.model(&provider.name, "*");
        let named = |provider: Arc<Provider>| (provider.name.clone(), (provider.clone(), metrics(&provider)));
        let providers = providers.into_iter().flatten().map(named).collect();
        Self { models, names, providers, catalog }
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(*self.names.get(name)?)
    }

    /// The model of this number.
    pub(crate) fn numbered(&self, number: usize) -> Option<&Arc<Model>> {
        self.models.get(number)
    }

    /// The model that a provider has, by the provider's own name for it: `provider/model`.
    pub(crate) fn direct(&self, name: &str) -> Option<Arc<Model>> {
        let (provider, model) = name.split_once('/')?;
        let (provider, metrics) = self.providers.get(provider)?.clone();
        let good = !model.is_empty() && model.len() <= MOST_NAME;
        let entry = self.catalog.find(provider.vendor(), model).map(Arc::new);
        good.then(|| Arc::new(Model::direct(name, Target::direct(provider, model, entry, metrics))))
    }

    /// Everyone who serves.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values().map(|(provider, _)| &**provider)
    }

    /// The models' names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| &*model.name)
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

/// The models that are known, the user's rows first.
fn catalog(cx: &mut Compile<'_>) -> Catalog {
    let catalog = Catalog::embedded();
    let Some(written) = cx.snapshot.catalog.clone() else { return catalog };
    let path = cx.file(&written);
    let size = std::fs::metadata(&path).map(|found| found.len()).unwrap_or_default();
    let read = if size > MOST_FILE {
        Err("it has more than 64 MiB".to_owned())
    } else {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        text.and_then(|text| Row::list(&text).map_err(|error| error.to_string()))
    };
    match read {
        Ok(rows) => catalog.with_overrides(rows),
        Err(why) => {
            let message = format!("the models of `{}` cannot be read: {why}", path.display());
            let help = "write a JSON list of models, as in docs/ai.md";
            cx.at("ai.catalog".to_owned(), |cx| cx.problem(written.span, message, help));
            catalog
        }
    }
}

fn model(
    name: Arc<str>,
    known: &KnownModel,
    providers: &[Option<Arc<Provider>>],
    catalog: &Catalog,
    cx: &mut Compile<'_>,
) -> Model {
    let written = &known.model;
    let mut targets = Vec::with_capacity(written.targets.len());
    for (target, provider) in written.targets.iter().zip(&known.providers) {
        let Some(provider) = providers.get(*provider).cloned().flatten() else { continue };
        let model = target.model.as_ref().map_or(written.name.as_str(), |name| name.as_str());
        let entry = catalog.find(provider.vendor(), model).map(Arc::new);
        let id = format!("{} {model}", provider.name);
        let rest = |key| cx.keep_for_all(&format!("ai key {key} of {id}"), Rest::default);
        targets.push(Arc::new(Target {
            rests: provider.keys.ids().map(rest).collect(),
            scale: cx.keep_for_all(&format!("ai scale {id}"), Scale::default),
            when: target.when.as_ref().and_then(|when| cx.condition(when, Scope::Request)),
            pulse: cx.keep_for_all(&format!("ai target {id}"), Pulse::default),
            metrics: cx.env.telemetry.model(&provider.name, model),
            prefill: provider.prefill_of(entry.as_deref()),
            price: entry.as_deref().and_then(usual_price),
            id: fnv(id.as_bytes()),
            model: model.into(),
            weight: u32::from(*target.weight),
            provider,
            entry,
        }));
    }
    let budget = |what: &str| cx.keep_for_all(&format!("ai {what} of {name}"), Budget::default);
    let (retry, hedge) =
        (written.retry.map(|retry| (retry, budget("retries"))), written.hedge.map(|hedge| (hedge, budget("hedges"))));
    if retry.as_ref().is_some_and(|(retry, _)| !(1..=5).contains(&retry.attempts)) {
        let message = format!("model `{name}` asks again not at all, or too often");
        cx.problem(written.name.span, message, "write `retry: { attempts: … }` from 1 to 5");
    }
    let fallbacks = written.fallbacks.iter().zip(&known.fallbacks);
    let fallbacks =
        fallbacks.map(|(fallback, to)| Fallback::new(fallback.when.iter().copied().collect(), to.clone())).collect();
    let alike = Alike::compile(&written.hash, cx).unwrap_or(Alike::Conversation);
    let (direct, terms, strategy) = (false, Terms::compile(written, cx), written.strategy);
    Model { name, direct, terms, strategy, alike, targets, fallbacks, retry, hedge }
}

/// What a call of a thousand tokens in and a thousand out costs, in billionths of a US dollar, rounded up.
fn usual_price(entry: &Entry) -> Option<u64> {
    let cost = entry.cost(&Charged { input: 1000, output: 1000, ..Charged::default() })?;
    u64::try_from(cost.nanos_up()).ok()
}
