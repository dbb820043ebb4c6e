//! Who serves models and what models there are, compiled once a program.

mod key;
mod model;
mod provider;
mod speech;
mod way;

use std::collections::HashMap;
use std::sync::Arc;

use proxy::program::Compile;

pub(crate) use self::key::Resting;
pub(crate) use self::model::{Model, Target};
pub(crate) use self::provider::Provider;
pub(crate) use self::way::Way;
use crate::catalog::Catalog;

/// Everyone who serves, and everything that is served.
pub(crate) struct Fleet {
    models: Vec<Arc<Model>>,
    /// Places in `models`, by name and alias.
    names: HashMap<Box<str>, usize>,
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
        let catalog = Catalog::embedded();
        let (mut models, mut names) = (Vec::new(), HashMap::new());
        for known in &snapshot.models {
            let targets = known.model.targets.iter().zip(&known.providers).filter_map(|(target, provider)| {
                let provider = providers.get(*provider)?.clone()?;
                let model = target.model.as_ref().map_or(known.model.name.as_str(), |name| name.as_str());
                let entry = provider.vendor.and_then(|vendor| catalog.find(vendor, model)).map(Arc::new);
                Some(Target { provider, model: model.into(), weight: u32::from(*target.weight), entry })
            });
            let name: Arc<str> = known.model.name.as_str().into();
            let aliases = known.model.aliases.iter().map(|alias| alias.as_str().into());
            names.extend(std::iter::once(Box::from(&*name)).chain(aliases).map(|name| (name, models.len())));
            models.push(Arc::new(Model { name, strategy: known.model.strategy, targets: targets.collect() }));
        }
        Self { models, names }
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.get(*self.names.get(name)?)
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
