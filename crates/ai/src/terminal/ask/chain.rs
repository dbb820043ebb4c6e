//! What may be asked for a call, with everything that depends on the exchange settled before the first is asked: the model
//! with its targets in order, and the models that its fallbacks name.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::resource::FailureCause;
use tokio::time::Instant;

use super::{Frame, Going, MOST_ATTEMPTS};
use crate::fleet::{Chooser, Fleet, Model, Target};
use crate::terminal::failure::Missed;

/// The most models for one call.
const MOST: usize = 8;

/// The models that may be asked, the caller's first.
pub(in crate::terminal) struct Chain(Vec<Link>);

/// A model, and who serves it.
pub(in crate::terminal) struct Link {
    pub(in crate::terminal) model: Arc<Model>,
    /// Its targets in the order in which they are asked.
    pub(in crate::terminal) order: Vec<Arc<Target>>,
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
                    if known.is_some() {
                        places.extend(known);
                    } else if links.len() < MOST {
                        places.push(links.len());
                        links.push(link(to));
                    }
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

    fn link(&self, at: usize) -> Option<&Link> {
        self.0.get(at)
    }

    /// Goes through the models that may be asked.
    pub(in crate::terminal) fn walk(&self) -> Walk<'_> {
        Walk { chain: self, next: VecDeque::from([0]), asked: vec![0], at: 0 }
    }

    /// The name of the model that was asked for.
    pub(in crate::terminal) fn name(&self) -> &Arc<str> {
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

/// A way through a chain: each model once, in the order that its failures ask for.
pub(in crate::terminal) struct Walk<'c> {
    chain: &'c Chain,
    next: VecDeque<usize>,
    asked: Vec<usize>,
    /// Which was given last.
    pub(in crate::terminal) at: usize,
}

impl<'c> Walk<'c> {
    /// Who is asked next.
    pub(in crate::terminal) fn next(&mut self) -> Option<&'c Link> {
        self.at = self.next.pop_front()?;
        self.chain.link(self.at)
    }

    /// The last failed so: what is asked then comes next.
    pub(in crate::terminal) fn failed(&mut self, cause: Option<FailureCause>) {
        let link = self.chain.link(self.at).zip(cause);
        let more = link.map_or(Vec::new(), |(link, cause)| link.fallbacks(cause));
        for more in more.into_iter().rev().filter(|more| !self.asked.contains(more)) {
            self.next.push_front(more);
        }
        self.asked.extend(&self.next);
    }
}

impl Link {
    /// Earns its model's retries what a call earns.
    pub(in crate::terminal) fn earn(&self) {
        if let Some((retry, budget)) = &self.model.retry {
            budget.earn(retry.budget);
        }
    }

    /// How long to wait before all are asked once more, where that may help and may be.
    pub(in crate::terminal) fn wait(&self, missed: &Missed, round: u32, frame: &Frame) -> Option<Duration> {
        let (retry, budget) = self.model.retry.as_ref()?;
        if !missed.may_go_on() || round >= u32::from(retry.attempts) {
            return None;
        }
        let wait = missed.wait(retry, round)?;
        let over = frame.until.is_some_and(|until| Instant::now() + wait >= until);
        (!over && frame.attempts.begun() < MOST_ATTEMPTS && budget.spend()).then_some(wait)
    }

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
