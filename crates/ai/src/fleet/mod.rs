//! Who serves models and what models there are, compiled once a program.

mod key;
mod model;
mod place;
mod provider;
mod show;
mod speech;
mod terms;
mod way;

use std::collections::HashMap;
use std::sync::Arc;

use proxy::program::Compile;

pub(crate) use self::key::Resting;
pub(crate) use self::model::{Model, Target};
pub(crate) use self::provider::Provider;
pub(crate) use self::terms::Terms;
pub(crate) use self::way::Way;
use crate::catalog::{Catalog, Row};

/// The longest name of a provider's model that is asked for directly.
const MOST_NAME: usize = 256;
/// The most bytes of a file of models.
const MOST_FILE: u64 = 64 << 20;

/// Everyone who serves, and everything that is served.
pub(crate) struct Fleet {
    models: Vec<Arc<Model>>,
    /// Places in `models`, by name and alias.
    names: HashMap<Box<str>, usize>,
    providers: HashMap<Arc<str>, Arc<Provider>>,
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
            let targets = known.model.targets.iter().zip(&known.providers).filter_map(|(target, provider)| {
                let provider = providers.get(*provider)?.clone()?;
                let model = target.model.as_ref().map_or(known.model.name.as_str(), |name| name.as_str());
                let entry = catalog.find(provider.vendor(), model).map(Arc::new);
                Some(Target { provider, model: model.into(), weight: u32::from(*target.weight), entry })
            });
            let name: Arc<str> = known.model.name.as_str().into();
            let aliases = known.model.aliases.iter().map(|alias| alias.as_str().into());
            names.extend(std::iter::once(Box::from(&*name)).chain(aliases).map(|name| (name, models.len())));
            let terms = cx.at(format!("ai.models[{at}]"), |cx| Terms::compile(&known.model, cx));
            let (strategy, targets) = (known.model.strategy, targets.collect());
            models.push(Arc::new(Model { name, direct: false, terms, strategy, targets }));
        }
        let named = |provider: Arc<Provider>| (provider.name.clone(), provider);
        let providers = providers.into_iter().flatten().map(named).collect();
        Self { models, names, providers, catalog }
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(*self.names.get(name)?)
    }

    /// The model that a provider has, by the provider's own name for it: `provider/model`.
    pub(crate) fn direct(&self, name: &str) -> Option<Arc<Model>> {
        let (provider, model) = name.split_once('/')?;
        let provider = self.providers.get(provider)?.clone();
        let good = !model.is_empty() && model.len() <= MOST_NAME;
        let entry = self.catalog.find(provider.vendor(), model).map(Arc::new);
        good.then(|| Arc::new(Model::direct(name, Target { provider, model: model.into(), weight: 1, entry })))
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
