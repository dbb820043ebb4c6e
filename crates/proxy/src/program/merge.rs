//! Policies of several levels become one ordered list of steps.
//!
//! Each use of a policy is compiled once and shared by all routes under it. Listener, api and route merge here, by the
//! policy's `MERGE`; what plans and consumers say goes into one step that looks at who calls ([`PerCaller`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::load::{Span, Spanned};
use model::problem::{Problem, Problems, did_you_mean};
use model::resource::{Policies, PolicyUse};
use model::snapshot::Snapshot;
use store::shared::Shared;

use super::context::{Compile, Made, Owner};
use super::issuers::Issuers;
use super::{Consumers, Early, Environment, Keep, Planned};
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::expr::{Expr, Scope};
use crate::geo::Geo;
use crate::policies::registry::Registered;
use crate::policies::{Ended, FieldNames, Level, Merge, Need, Needs, Stage, Step, Verdict, When};
use crate::terminals::OwnStep;

/// The most steps of one route: their bits fit in a word.
pub(super) const MOST_STEPS: usize = 64;

/// A use of a policy, compiled, or the wish to have none.
#[derive(Clone)]
pub(super) struct Set {
    policy: &'static Registered,
    name: Arc<str>,
    level: Level,
    off: bool,
    when: Option<Expr>,
    step: Option<Arc<dyn Step>>,
    keep_head: bool,
    span: Span,
}

/// What every compiling of a policy has at hand.
pub(super) struct Workshop<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) consumers: &'a Arc<Consumers>,
    pub(super) keep: &'a Keep,
    pub(super) clock: &'a Clock,
    pub(super) env: &'a Environment,
    pub(super) problems: &'a mut Problems,
    /// Names of headers and query parameters that carry credentials.
    pub(super) sensitive: &'a mut BTreeSet<String>,
    /// The shared counters, if there are any.
    pub(super) shared: Option<&'a Arc<Shared>>,
    /// Which country and network addresses belong to.
    pub(super) geo: Option<&'a Arc<Geo>>,
    /// Whether something counts in the data directory.
    pub(super) wants_disk: &'a mut bool,
    /// Issuers that this gateway signs for.
    pub(super) issuers: &'a mut Issuers,
    /// What is compiled once for all.
    pub(super) made: &'a mut Made,
    /// What is done once the program runs.
    pub(super) early: &'a mut Vec<Early>,
}

impl<'a> Workshop<'a> {
    /// A context for something at `owner`, whose value stands at `path`.
    pub(super) fn context(
        &mut self,
        owner: &Owner,
        kind: &'static str,
        instance: &str,
        path: String,
        span: Span,
    ) -> Compile<'_> {
        Compile {
            owner: owner.clone(),
            instance: instance.to_owned(),
            kind,
            span,
            snapshot: self.snapshot,
            consumers: self.consumers,
            keep: self.keep,
            clock: self.clock,
            env: self.env,
            problems: self.problems,
            sensitive: self.sensitive,
            shared: self.shared,
            geo: self.geo,
            wants_disk: self.wants_disk,
            issuers: self.issuers,
            made: self.made,
            early: self.early,
            path,
            keep_head: false,
        }
    }

    /// Compiles the policies of one level.
    pub(super) fn policies(&mut self, written: &Policies, owner: &Owner, path: &str) -> Vec<Set> {
        let mut sets: Vec<Set> = Vec::with_capacity(written.0.len());
        for used in &written.0 {
            let Some(set) = self.one(used, owner, &format!("{path}.policies.{}", *used.kind)) else { continue };
            if sets.iter().any(|other| other.policy.kind == set.policy.kind && other.name == set.name) {
                let message = format!("two instances of `{}` have the same name", set.policy.kind);
                self.problems.push(
                    Problem::error("config.duplicate_name", set.span, message)
                        .path(path)
                        .help("give each a `name:` of its own"),
                );
            }
            sets.push(set);
        }
        sets
    }

    fn one(&mut self, used: &PolicyUse, owner: &Owner, path: &str) -> Option<Set> {
        let Some(policy) = self.env.registry.policy(&used.kind) else {
            let known = self.env.registry.policies().into_iter().map(|policy| policy.kind);
            let mut message = format!("unknown policy `{}`", *used.kind);
            if let Some(near) = did_you_mean(&used.kind, known) {
                message = format!("{message}; did you mean `{near}`?");
            }
            self.problems.push(
                Problem::error("config.unknown_policy", used.kind.span, message)
                    .path(path)
                    .help("`tollgate schema` lists the policies"),
            );
            return None;
        };
        if !policy.scopes.has(owner.level) {
            let message = format!("`{}` cannot stand on a {}", policy.kind, owner.level.as_str());
            self.problems.push(
                Problem::error("config.scope", used.kind.span, message).path(path).help("move it to an api or a route"),
            );
            return None;
        }
        let mut when = None;
        if let Some(text) = &used.when {
            if policy.when == When::Refused {
                let message = format!("`when` cannot stand on `{}`, which acts on every request", policy.kind);
                let problem = Problem::error("config.impossible", text.span, message).path(path);
                self.problems.push(problem.help("take the condition out"));
            }
            if matches!(owner.level, Level::Plan | Level::Consumer) {
                self.problems.push(
                    Problem::error(
                        "config.impossible",
                        text.span,
                        "`when` cannot stand on a plan's or consumer's policy",
                    )
                    .path(path)
                    .help("put the condition on the route"),
                );
            }
            when = self.when(policy, owner, used, text, path);
        }
        let mut cx = self.context(owner, policy.kind, &used.name, path.to_owned(), used.value.span);
        let step = if used.off { None } else { Some((policy.compile)(&used.value, &mut cx)?) };
        let keep_head = cx.keep_head;
        Some(Set {
            policy,
            name: used.name.as_str().into(),
            level: owner.level,
            off: used.off,
            when,
            step,
            keep_head,
            span: used.kind.span,
        })
    }

    /// The condition of a policy.
    fn when(
        &mut self,
        policy: &Registered,
        owner: &Owner,
        used: &PolicyUse,
        text: &Spanned<String>,
        path: &str,
    ) -> Option<Expr> {
        let mut cx = self.context(owner, policy.kind, &used.name, path.to_owned(), used.value.span);
        let when = cx.condition(text, Scope::Request)?;
        if when.reads_identity() && policy.order.0 <= Stage::Identify {
            let message = format!("nobody knows who calls yet when `{}` runs", policy.kind);
            self.problems.push(
                Problem::error("config.impossible", text.span, message)
                    .path(path)
                    .help("`auth` is known from the policies of the authorize stage on"),
            );
        }
        Some(when)
    }
}

/// What plans and consumers say, by policy kind.
#[derive(Default)]
pub(super) struct Callers {
    kinds: Vec<(&'static Registered, Arc<Variants>)>,
}

#[derive(Default)]
struct Variants {
    plans: HashMap<u32, Arc<dyn Step>>,
    consumers: HashMap<u32, Arc<dyn Step>>,
    keep_head: bool,
}

impl Callers {
    /// Compiles what every plan and consumer says.
    pub(super) fn compile(workshop: &mut Workshop<'_>) -> Self {
        let snapshot = workshop.snapshot;
        let mut found: Vec<(Level, u32, Vec<Set>)> = Vec::new();
        for (at, plan) in snapshot.plans.iter().enumerate().filter(|(_, plan)| !plan.policies.0.is_empty()) {
            let owner = Owner { level: Level::Plan, names: vec![plan.name.to_string()] };
            let sets = workshop.policies(&plan.policies, &owner, &format!("plans[{at}]"));
            found.push((Level::Plan, at as u32, sets));
        }
        for (at, known) in
            snapshot.consumers.iter().enumerate().filter(|(_, known)| !known.consumer.policies.0.is_empty())
        {
            let name = known.consumer.name.to_string();
            let slot = workshop.keep.consumer_slot(&name);
            let owner = Owner { level: Level::Consumer, names: vec![name] };
            let sets = workshop.policies(&known.consumer.policies, &owner, &format!("consumers[{at}]"));
            found.push((Level::Consumer, slot, sets));
        }
        let mut kinds: Vec<(&'static Registered, Variants)> = Vec::new();
        for (level, index, sets) in found {
            for set in sets {
                let Some(step) = set.step else { continue };
                let at = kinds.iter().position(|(policy, _)| policy.kind == set.policy.kind).unwrap_or_else(|| {
                    kinds.push((set.policy, Variants::default()));
                    kinds.len() - 1
                });
                if let Some((_, variants)) = kinds.get_mut(at) {
                    let map = if level == Level::Plan { &mut variants.plans } else { &mut variants.consumers };
                    map.insert(index, step);
                    variants.keep_head |= set.keep_head;
                }
            }
        }
        Self { kinds: kinds.into_iter().map(|(policy, variants)| (policy, Arc::new(variants))).collect() }
    }
}

/// Problems of what a route says itself and its terminal gives no reason for: what acts on calls of models acts on
/// nothing where there are none. What stands further out is left out of such a route.
pub(super) fn without_calls(own: &[Set], path: &str, problems: &mut Problems) {
    for set in own.iter().filter(|set| set.step.as_ref().is_some_and(|step| step.needs().call)) {
        let message = format!("`{}` acts on calls of models, and this route makes none", set.policy.kind);
        let problem = Problem::error("config.impossible", set.span, message).path(path);
        problems.push(problem.help("move it to a route that ends in `to: { ai: {} }`, or to its api"));
    }
}

/// Merges the levels, outer first, into the steps of a route in running order, with what its terminal brings along.
pub(super) fn merge(
    levels: &[&[Set]],
    callers: &Callers,
    own: Option<OwnStep>,
    problems: &mut Problems,
) -> Vec<Planned> {
    let mut kept: Vec<&Set> = Vec::new();
    for set in levels.iter().copied().flatten() {
        let same = |other: &&Set| {
            other.policy.kind == set.policy.kind && (set.name.is_empty() && set.off || other.name == set.name)
        };
        if set.off || set.policy.merge == Merge::Replace {
            kept.retain(|other| !same(other));
        }
        if !set.off {
            kept.push(set);
        }
    }
    let identifies = kept.iter().any(|set| set.policy.order.0 == Stage::Identify);
    let mut planned: Vec<(_, Planned)> = kept.iter().filter_map(|set| Some((set.policy.order, plan(set)?))).collect();
    if identifies {
        for (policy, variants) in &callers.kinds {
            per_caller(policy, variants, &mut planned);
        }
        planned.extend(own.map(own_step));
    }
    planned.sort_by_key(|(order, _)| *order);
    if planned.len() > MOST_STEPS {
        problems.push(
            Problem::error(
                "config.too_many",
                Span::default(),
                format!("a route has {} policies, more than {MOST_STEPS}", planned.len()),
            )
            .help("join some of them"),
        );
    }
    planned.into_iter().map(|(_, step)| step).collect()
}

fn own_step(own: OwnStep) -> ((Stage, u8), Planned) {
    let OwnStep { kind, order, step } = own;
    let needs = step.needs();
    let (stage, name, level) = (order.0, "".into(), Level::Route);
    (order, Planned { kind, name, stage, level, when: None, needs, keep_head: false, step })
}

fn plan(set: &Set) -> Option<Planned> {
    let step = set.step.clone()?;
    Some(Planned {
        kind: set.policy.kind,
        name: set.name.clone(),
        stage: set.policy.order.0,
        level: set.level,
        when: set.when.clone(),
        needs: step.needs(),
        keep_head: set.keep_head,
        step,
    })
}

/// Puts what plans and consumers say in the place of (or beside) what the route says.
fn per_caller(policy: &'static Registered, variants: &Arc<Variants>, planned: &mut Vec<((Stage, u8), Planned)>) {
    let replaced = match policy.merge {
        Merge::Replace => {
            planned.iter().position(|(_, other)| other.kind == policy.kind).map(|at| planned.remove(at).1)
        }
        Merge::Append | Merge::Tighten => None,
    };
    let keep_head = variants.keep_head || replaced.as_ref().is_some_and(|planned| planned.keep_head);
    let (base, when) = replaced.map_or((None, None), |planned| (Some(planned.step), planned.when));
    let step: Arc<dyn Step> = Arc::new(PerCaller { base, variants: variants.clone() });
    let needs = step.needs();
    let name: Arc<str> = "".into();
    planned.push((
        policy.order,
        Planned { kind: policy.kind, name, stage: policy.order.0, level: Level::Plan, when, needs, keep_head, step },
    ));
}

/// The one step that looks at who calls: the consumer's value, else the plan's, else the route's.
struct PerCaller {
    base: Option<Arc<dyn Step>>,
    variants: Arc<Variants>,
}

impl PerCaller {
    fn choose(&self, x: &Exchange) -> Option<&Arc<dyn Step>> {
        let of_caller = x.identity.as_ref().and_then(|identity| {
            let own = identity.consumer.and_then(|slot| self.variants.consumers.get(&slot.0));
            own.or_else(|| identity.plan.and_then(|plan| self.variants.plans.get(&plan)))
        });
        of_caller.or(self.base.as_ref())
    }
}

impl Step for PerCaller {
    fn needs(&self) -> Needs {
        let steps = self.base.iter().chain(self.variants.plans.values()).chain(self.variants.consumers.values());
        steps.map(|step| step.needs()).fold(Needs::NONE, |a, b| Needs {
            request: most(a.request, b.request),
            response: most(a.response, b.response),
            call: a.call || b.call,
        })
    }
    fn owns(&self) -> FieldNames {
        let mut owned = FieldNames::default();
        for step in self.base.iter().chain(self.variants.plans.values()).chain(self.variants.consumers.values()) {
            owned.extend(step.owns());
        }
        owned
    }
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.choose(x).map_or(Verdict::NEXT, |step| step.request(x))
    }
    fn response<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        self.choose(x).map_or(Verdict::NEXT, |step| step.response(x))
    }
    fn end(&self, ended: &Ended<'_>) {
        if let Some(step) = self.choose(ended.exchange) {
            step.end(ended);
        }
    }
}

fn most(a: Need, b: Need) -> Need {
    match (a, b) {
        (Need::Buffer(a), Need::Buffer(b)) => Need::Buffer(a.max(b)),
        (Need::Buffer(most), _) | (_, Need::Buffer(most)) => Need::Buffer(most),
        (Need::Stream, _) | (_, Need::Stream) => Need::Stream,
        (Need::None, Need::None) => Need::None,
    }
}
