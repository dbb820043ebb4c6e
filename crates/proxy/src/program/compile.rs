//! Snapshot to program. Everything that can fail is done here, before the swap; every problem is reported.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use model::problem::{Problem, Problems};
use model::resource::{Access, IdentifyMode, Listener, PathMode, Route, RouteTimeouts};
use model::snapshot::{PublishedApi, Snapshot};

use super::context::{Made, Owner};
use super::issuers::Issuers;
use super::merge::{Callers, Set, Workshop, merge, without_calls};
use super::table::{self, Table};
use super::{Keep, KeyHash, ListenerPlan, ListenerSlot, Planned, Program, RouteId, RoutePlan, UpstreamId};
use crate::clock::Clock;
use crate::geo::Geo;
use crate::policies::{FieldNames, Level, Stage};
use crate::registry::Registry;
use crate::stores::Stores;
use crate::telemetry::Telemetry;
use crate::terminals::{self, Terminal};
use crate::upstream::{Around, Upstream};

/// What a program is compiled with, the same over reloads.
#[derive(Clone)]
pub struct Environment {
    /// Where time comes from.
    pub clock: Clock,
    /// State that outlives programs.
    pub keep: Arc<Keep>,
    /// Where records go.
    pub telemetry: Arc<Telemetry>,
    /// How many workers carry traffic.
    pub workers: usize,
    /// What counts outside of this process's memory.
    pub stores: Arc<Stores>,
    /// Absent certificate files are warnings.
    pub offline: bool,
    /// What it can do.
    pub registry: &'static Registry,
}

/// Compiles a snapshot. There is a program only where no problem is an error.
pub fn compile(snapshot: Arc<Snapshot>, hash: String, env: &Environment, problems: &mut Problems) -> Option<Program> {
    crate::listen::check(&snapshot.listeners, problems);
    let consumers = Arc::new(super::consumers::compile(&snapshot, env, problems));
    let upstreams = upstreams(&snapshot, env, problems);
    let shared = snapshot.redis.as_ref().and_then(|redis| env.stores.shared(redis, env.offline, problems));
    env.keep.begin_files();
    let geo = snapshot.geo.as_ref().map(|geo| Arc::new(Geo::open(geo, env.offline, problems)));
    let mut sensitive = BTreeSet::new();
    let mut wants_disk = false;
    let mut issuers = Issuers::default();
    let mut made = Made::default();
    let mut early = Vec::new();
    let mut workshop = Workshop {
        snapshot: &snapshot,
        consumers: &consumers,
        keep: &env.keep,
        clock: &env.clock,
        env,
        problems,
        sensitive: &mut sensitive,
        shared: shared.as_ref(),
        geo: geo.as_ref(),
        wants_disk: &mut wants_disk,
        issuers: &mut issuers,
        made: &mut made,
        early: &mut early,
    };
    let callers = Callers::compile(&mut workshop);
    let mut builder = Builder { workshop, callers, env, plans: Vec::new(), tables: HashMap::new() };
    builder.plans.push(no_route_plan(Vec::new(), env));
    let apis: Vec<ApiParts> = snapshot.apis.iter().enumerate().map(|(at, api)| builder.api(at, api)).collect();
    let mut listeners: Vec<Option<ListenerPlan>> = Vec::new();
    for (at, listener) in snapshot.listeners.iter().enumerate() {
        let slot = env.keep.listener_slot(&listener.name);
        let plan = builder.listener(at, listener, ListenerSlot(slot), &apis);
        let slot = slot as usize;
        if listeners.len() <= slot {
            listeners.resize_with(slot + 1, || None);
        }
        if let Some(place) = listeners.get_mut(slot) {
            *place = Some(plan);
        }
    }
    let mut routes = builder.plans.into_boxed_slice();
    keep_cookies_apart(&mut routes);
    let issuers = issuers.finish(problems);
    let access_log = env.telemetry.access_log(&snapshot.access_log, &sensitive, problems);
    if problems.has_errors() {
        return None;
    }
    env.keep.keep_consumers(&consumers);
    Some(Program {
        revision: 0,
        hash,
        clock: env.clock.clone(),
        listeners: listeners.into_boxed_slice(),
        routes,
        upstreams,
        consumers,
        trusted_proxies: snapshot.trusted_proxies.clone().into(),
        server_timing: snapshot.server_timing == model::resource::Switch::On,
        registry: env.registry,
        telemetry: env.telemetry.clone(),
        stores: env.stores.clone(),
        shared,
        geo,
        wants_disk,
        issuers,
        early: early.into(),
        access_log,
        snapshot,
    })
}

/// An api with its own policies compiled, and each route's.
struct ApiParts<'a> {
    published: &'a PublishedApi,
    index: usize,
    policies: Vec<Set>,
    routes: Vec<RouteParts>,
}

struct RouteParts {
    policies: Vec<Set>,
    terminal: Option<Terminal>,
}

/// What decides a table: the listener, when it has policies of its own, and the apis it is bound to.
type TableKey = (Option<usize>, Vec<usize>);

struct Builder<'a> {
    workshop: Workshop<'a>,
    callers: Callers,
    env: &'a Environment,
    plans: Vec<RoutePlan>,
    /// Tables by what decides them: the listener (when it has policies of its own) and its apis.
    tables: HashMap<TableKey, (Arc<Table>, RouteId)>,
}

impl<'a> Builder<'a> {
    fn api(&mut self, index: usize, published: &'a PublishedApi) -> ApiParts<'a> {
        let name = published.api.name.to_string();
        let path = format!("apis[{index}]");
        let owner = Owner { level: Level::Api, names: vec![name.clone()] };
        let policies = self.workshop.policies(&published.api.policies, &owner, &path);
        let mut routes = Vec::with_capacity(published.routes.len());
        for (at, (route_name, route)) in published.routes.iter().enumerate() {
            let path = format!("{path}.routes[{at}]");
            let owner = Owner { level: Level::Route, names: vec![name.clone(), route_name.clone()] };
            let policies = self.workshop.policies(&route.policies, &owner, &path);
            let mut cx = self.workshop.context(&owner, "to", "", format!("{path}.to"), route.to.span);
            let terminal = terminals::compile(&route.to, &mut cx);
            routes.push(RouteParts { policies, terminal });
        }
        ApiParts { published, index, policies, routes }
    }

    fn listener(&mut self, at: usize, listener: &Listener, slot: ListenerSlot, apis: &[ApiParts<'a>]) -> ListenerPlan {
        let path = format!("listeners[{at}]");
        let owner = Owner { level: Level::Listener, names: vec![listener.name.to_string()] };
        let policies = self.workshop.policies(&listener.policies, &owner, &path);
        let bound: Vec<usize> =
            apis.iter().filter(|api| api.published.listeners.contains(&at)).map(|api| api.index).collect();
        let key = ((!listener.policies.0.is_empty()).then_some(at), bound);
        let (table, no_route) = match self.tables.get(&key) {
            Some(known) => known.clone(),
            None => {
                let made = self.routes(&policies, apis, &key.1);
                self.tables.insert(key, made.clone());
                made
            }
        };
        let tls = listener.tls.as_ref().and_then(|tls| {
            let mut cx = self.workshop.context(&owner, "tls", "", format!("{path}.tls"), listener.name.span);
            crate::listen::tls::server_config(tls, &listener.protocols, self.env.offline, &mut cx)
        });
        let metrics = self.env.telemetry.listener(slot, &listener.name);
        ListenerPlan {
            name: listener.name.to_string().into(),
            table,
            no_route,
            listener: listener.clone(),
            tls,
            metrics,
        }
    }

    /// The plans and the table of a listener's routes.
    fn routes(&mut self, listener: &[Set], apis: &[ApiParts<'a>], bound: &[usize]) -> (Arc<Table>, RouteId) {
        let mut steps = merge(&[listener], &self.callers, None, self.workshop.problems);
        steps.retain(|step| !step.needs.call);
        let no_route = self.add(no_route_plan(steps, self.env));
        let mut entries = Vec::new();
        let knows_places = self.workshop.snapshot.geo.is_some();
        for api in bound.iter().filter_map(|&at| apis.get(at)) {
            for (at, (parts, (name, route))) in api.routes.iter().zip(&api.published.routes).enumerate() {
                // A terminal with problems does not hide those of its route's conditions; the program is not run.
                let terminal = parts.terminal.clone().unwrap_or(Terminal::NoRoute);
                let levels: [&[Set]; 3] = [listener, &api.policies, &parts.policies];
                let mut steps = merge(&levels, &self.callers, terminal.own_step(), self.workshop.problems);
                if !terminal.makes_calls() {
                    if parts.terminal.is_some() {
                        let path = format!("apis[{}].routes[{at}].policies", api.index);
                        without_calls(&parts.policies, &path, self.workshop.problems);
                    }
                    steps.retain(|step| !step.needs.call);
                }
                let plan = self.route_plan(api, (at, name, route), steps, terminal);
                let id = self.add(plan);
                let path = format!("apis[{}].routes[{at}].match", api.index);
                entries.push(table::Entry { id, api: &api.published.api, name, route, path, knows_places });
            }
        }
        (Arc::new(Table::build(&entries, self.workshop.problems)), no_route)
    }

    fn add(&mut self, plan: RoutePlan) -> RouteId {
        self.plans.push(plan);
        RouteId(u32::try_from(self.plans.len() - 1).unwrap_or(0))
    }

    fn route_plan(
        &mut self,
        api: &ApiParts<'_>,
        (at, name, route): (usize, &str, &Route),
        steps: Vec<Planned>,
        terminal: Terminal,
    ) -> RoutePlan {
        let written = &api.published.api;
        let identifiers = steps.iter().filter(|step| step.stage == Stage::Identify).count();
        if written.access != Access::Public && identifiers == 0 {
            let message = format!("api `{}` asks for known callers, but nothing identifies them", *written.name);
            self.workshop.problems.push(
                Problem::error("config.impossible", written.name.span, message)
                    .path(format!("apis[{}].access", api.index))
                    .help("add a policy such as `key_auth: {}`, or write `access: public`"),
            );
        }
        let identify_end = steps.iter().position(|step| step.stage > Stage::Identify).unwrap_or(steps.len());
        let strip = match written.path_mode {
            PathMode::Strip => table::api_path_length(&written.path),
            PathMode::Keep => 0,
        };
        RoutePlan {
            metrics: self.env.telemetry.route(&written.name, name, written.route_metrics),
            api: written.name.to_string().into(),
            name: name.into(),
            keep_head: steps.iter().any(|step| step.keep_head),
            owned: owned(&steps),
            foreign_cookies: Box::default(),
            steps: steps.into(),
            identify_end,
            identify: route.identify.unwrap_or(written.identify).mode,
            access: written.access,
            api_index: u32::try_from(api.index).ok(),
            place: u32::try_from(api.index).ok().zip(u32::try_from(at).ok()),
            terminal,
            strip,
            timeouts: route.timeouts,
        }
    }
}

fn no_route_plan(steps: Vec<Planned>, env: &Environment) -> RoutePlan {
    RoutePlan {
        api: "".into(),
        name: "".into(),
        identify_end: steps.iter().position(|step| step.stage > Stage::Identify).unwrap_or(steps.len()),
        keep_head: steps.iter().any(|step| step.keep_head),
        owned: owned(&steps),
        foreign_cookies: Box::default(),
        steps: steps.into(),
        identify: IdentifyMode::Any,
        access: Access::Public,
        api_index: None,
        place: None,
        terminal: Terminal::NoRoute,
        strip: 0,
        timeouts: RouteTimeouts::default(),
        metrics: env.telemetry.route("", "", model::resource::Switch::Off),
    }
}

/// The header fields that only these steps write.
fn owned(steps: &[Planned]) -> FieldNames {
    let mut owned = FieldNames::default();
    for planned in steps {
        owned.extend(planned.step.owns());
    }
    owned
}

/// Tells each route which cookies are of steps that it does not have.
fn keep_cookies_apart(routes: &mut [RoutePlan]) {
    let of = |plan: &RoutePlan| plan.steps.iter().flat_map(|planned| planned.step.cookies()).collect::<BTreeSet<_>>();
    let all: BTreeSet<Box<str>> = routes.iter().flat_map(of).collect();
    if all.is_empty() {
        return;
    }
    for plan in routes {
        let own = of(plan);
        plan.foreign_cookies = all.difference(&own).cloned().collect();
    }
}

fn upstreams(snapshot: &Snapshot, env: &Environment, problems: &mut Problems) -> Box<[Arc<Upstream>]> {
    let compiled = snapshot.upstreams.iter().enumerate();
    compiled
        .filter_map(|(at, written)| {
            let id = UpstreamId(u32::try_from(at).ok()?);
            let names = |name: &str| snapshot.upstream_names.get(name).copied();
            let around = Around { zone: snapshot.zone.as_deref(), names: &names };
            Upstream::compile(id, (written, around), &format!("upstreams[{at}]"), env, problems)
        })
        .collect()
}

/// SHA-256 of these bytes.
pub(crate) fn sha256(bytes: &[u8]) -> KeyHash {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}
