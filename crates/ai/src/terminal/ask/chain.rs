//! What may be asked for a call, with everything that depends on the exchange settled before the first is asked: the model
//! with its targets in order, and the models that its fallbacks name.

use std::sync::Arc;

use model::resource::FailureCause;

use super::Going;
use crate::fleet::{Chooser, Fleet, Model, Target};

/// The most models for one call.
const MOST: usize = 8;

/// The models that may be asked, the caller's first.
pub(in crate::terminal) struct Chain(Vec<Link>);

/// A model, and who serves it.
pub(in crate::terminal) struct Link {
    pub(super) model: Arc<Model>,
    /// Its targets in the order in which they are asked.
    pub(super) order: Vec<Arc<Target>>,
    /// For each of its fallbacks the places of what is asked then.
    next: Vec<Vec<usize>>,
}

impl Chain {
    /// Of a call of this model. `alone` is without any other target or model.
    pub(in crate::terminal) fn of(fleet: &Fleet, model: &Arc<Model>, chooser: &Chooser<'_>, alone: bool) -> Self {
        let link = |model: &Arc<Model>| Link { order: model.order(chooser), model: model.clone(), next: Vec::new() };
        let mut links = vec![link(model)];
        if alone {
            links.iter_mut().for_each(|link| link.order.truncate(1));
            return Self(links);
        }
        let mut at = 0;
        while let Some(model) = links.get(at).map(|link| link.model.clone()) {
            let mut next = Vec::with_capacity(model.fallbacks.len());
            for fallback in &model.fallbacks {
                let mut places = Vec::with_capacity(fallback.to.len());
                for to in fallback.to.iter().filter_map(|number| fleet.numbered(*number)) {
                    let known = links.iter().position(|link| Arc::ptr_eq(&link.model, to));
                    if known.is_none() && links.len() < MOST {
                        links.push(link(to));
                    }
                    places.extend(known.or_else(|| Some(links.len() - 1).filter(|_| links.len() <= MOST)));
                }
                next.push(places);
            }
            if let Some(link) = links.get_mut(at) {
                link.next = next;
            }
            at += 1;
        }
        Self(links)
    }

    pub(super) fn link(&self, at: usize) -> Option<&Link> {
        self.0.get(at)
    }

    /// The name of the model that was asked for.
    pub(super) fn name(&self) -> &Arc<str> {
        static NONE: std::sync::OnceLock<Arc<str>> = std::sync::OnceLock::new();
        self.0.first().map_or_else(|| NONE.get_or_init(|| "".into()), |link| &link.model.name)
    }

    /// Who may go on where this one of that model breaks off.
    pub(super) fn others(&self, at: usize, broken: &Going) -> Vec<Arc<Target>> {
        let Some(link) = self.link(at) else { return Vec::new() };
        let more = link.fallbacks(FailureCause::Server);
        let more = more.into_iter().filter_map(|at| self.link(at)).flat_map(|link| &link.order);
        link.order.iter().chain(more).filter(|other| !Arc::ptr_eq(other, &broken.target)).cloned().collect()
    }
}

impl Link {
    /// What is asked where it failed so: the first of its fallbacks that is for that.
    pub(super) fn fallbacks(&self, cause: FailureCause) -> Vec<usize> {
        let known = self.model.fallbacks.iter().position(|fallback| fallback.is_for(cause));
        known.and_then(|known| self.next.get(known)).cloned().unwrap_or_default()
    }

    /// Whether more than its targets may be asked.
    pub(super) fn is_held(&self) -> bool {
        !self.next.is_empty() || self.model.retry.is_some() || self.model.hedge.is_some()
    }

    /// Whether an answer that says nothing but that the provider will not treat of this is a failure.
    pub(super) fn minds_refusals(&self) -> bool {
        !self.fallbacks(FailureCause::ContentPolicy).is_empty()
    }
}
