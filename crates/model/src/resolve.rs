//! Document to snapshot. Every name becomes an index here and nowhere later; every problem is reported, not the first.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::load::{Node, Span, Spanned, Value, from_node};
use crate::problem::{Problem, Problems, did_you_mean};
use crate::resource::{Ai, Api, Document, Match, Operations, Policies, Provider, Route};
use crate::snapshot::{KnownConsumer, KnownModel, KnownSubscription, PublishedApi, Snapshot};

#[cfg(test)]
mod tests;

/// The most resources of one kind in a file; more come from a store.
const MOST: usize = 200_000;
/// The fewest characters of the token of the operations port.
const LEAST_TOKEN: usize = 16;

/// Reads a document and resolves its names. A snapshot with errors is not to be run; it is there so that what compiles it
/// can report its problems too.
pub fn resolve(root: &Node, problems: &mut Problems) -> Option<Snapshot> {
    let Some(document) = from_node::<Document>(root, "", problems) else {
        if !problems.has_errors() {
            // Offline, what a reference may stand for is let pass; but here it is all that there is.
            let message = "the whole configuration is a reference without a value";
            let problem = Problem::error("config.empty", root.span, message);
            problems.push(problem.help("write the configuration itself, with references for its values"));
        }
        return None;
    };
    let mut resolver = Resolver { problems };
    resolver.version(document.version.as_ref(), root);
    let snapshot = resolver.document(document);
    Some(snapshot)
}

struct Resolver<'a> {
    problems: &'a mut Problems,
}

/// Names of one kind and where they point.
struct Names {
    noun: &'static str,
    known: HashMap<String, usize>,
    off: HashMap<String, ()>,
}

impl Resolver<'_> {
    fn version(&mut self, version: Option<&Spanned<u32>>, root: &Node) {
        const HELP: &str = "write `version: 1`";
        let written = root.get("version").filter(|node| !matches!(node.value, Value::Null));
        match (version, written) {
            (Some(version), _) if **version != 1 => {
                self.error("config.version", version.span, "version", format!("version {version} is not known"), HELP);
            }
            (None, None) => self.error("config.missing_key", root.span, "", "`version` is missing".to_owned(), HELP),
            // What is no number was reported when it was read.
            _ => {}
        }
    }

    fn document(&mut self, document: Document) -> Snapshot {
        let (listeners, listener_names) =
            self.named("listener", document.listeners, |l| (&l.name.value, l.name.span, l.enabled));
        let (upstreams, upstream_names) =
            self.named("upstream", document.upstreams, |u| (&u.name.value, u.name.span, u.enabled));
        let (plans, plan_names) = self.named("plan", document.plans, |p| (&p.name.value, p.name.span, p.enabled));
        let (apis, api_names) = self.named("api", document.apis, |a| (&a.name.value, a.name.span, a.enabled));
        let (consumers, consumer_names) =
            self.named("consumer", document.consumers, |c| (&c.name.value, c.name.span, true));

        let consumers: Vec<_> = consumers
            .into_iter()
            .map(|consumer| {
                let plan = consumer.plan.as_ref().and_then(|plan| self.look_up(&plan_names, plan, "consumers[].plan"));
                KnownConsumer { consumer, plan }
            })
            .collect();
        let apis =
            apis.into_iter().enumerate().map(|(at, api)| self.api(at, api, &listener_names, listeners.len())).collect();
        let mut subscriptions = Vec::new();
        let mut joined = HashSet::new();
        for (at, subscription) in document.subscriptions.iter().enumerate() {
            let path = format!("subscriptions[{at}]");
            let consumer = self.look_up(&consumer_names, &subscription.consumer, &format!("{path}.consumer"));
            let api = self.look_up(&api_names, &subscription.api, &format!("{path}.api"));
            let plan = subscription.plan.as_ref().map(|plan| self.look_up(&plan_names, plan, &format!("{path}.plan")));
            if let (Some(consumer), Some(api)) = (consumer, api) {
                let own = consumers.get(consumer).and_then(|known| known.plan);
                if !joined.insert((consumer, api)) {
                    self.error(
                        "config.duplicate_subscription",
                        subscription.consumer.span,
                        &path,
                        format!("`{}` is subscribed to `{}` twice", *subscription.consumer, *subscription.api),
                        "take one of them out",
                    );
                }
                subscriptions.push(KnownSubscription {
                    consumer,
                    api,
                    plan: plan.flatten().or(own),
                    enabled: subscription.enabled,
                    expires: subscription.expires.as_ref().map(|expires| **expires),
                });
            }
        }
        let catalog = document.ai.catalog.clone();
        let prompts = document.ai.prompts.clone();
        let (providers, models) = self.ai(document.ai);
        let trusted_proxies = document
            .trusted_proxies
            .iter()
            .enumerate()
            .filter_map(|(at, text)| self.network(text, &format!("trusted_proxies[{at}]")))
            .collect();
        self.token(&document.operations);
        Snapshot {
            workers: document.workers,
            listeners,
            upstreams,
            apis,
            plans,
            consumers,
            consumers_file: document.consumers_file,
            subscriptions,
            providers,
            models,
            prompts,
            catalog,
            trusted_proxies,
            zone: document.zone,
            operations: document.operations,
            access_log: document.access_log,
            log: document.log,
            drain: document.drain,
            store: document.store,
            redis: document.redis,
            geo: document.geo,
            folder: std::path::PathBuf::new(),
            server_timing: document.server_timing,
            upstream_names: upstream_names.known,
        }
    }

    /// Who guesses the token of the operations port rules the gateway.
    fn token(&mut self, operations: &Operations) {
        if let Some(token) = &operations.token
            && token.expose().len() < LEAST_TOKEN
        {
            let message = format!("`token` has fewer than {LEAST_TOKEN} characters");
            let problem = Problem::error("config.operations", token.span, message).path("operations.token");
            self.problems.push(problem.help("take a random one, such as `openssl rand -hex 32` prints"));
        }
    }

    fn ai(&mut self, ai: Ai) -> (Vec<Provider>, Vec<KnownModel>) {
        let (providers, names) = self.named("provider", ai.providers, |it| (&it.name.value, it.name.span, it.enabled));
        let (models, model_names) = self.named("model", ai.models, |it| (&it.name.value, it.name.span, it.enabled));
        let mut aliases: HashSet<String> = HashSet::new();
        let mut known = Vec::with_capacity(models.len());
        for (at, model) in models.into_iter().enumerate() {
            let path = format!("ai.models[{at}]");
            if model.targets.is_empty() {
                let message = format!("model `{}` has no target", *model.name);
                self.error("config.impossible", model.name.span, &path, message, "add `targets: [{ provider: … }]`");
            }
            for alias in model.aliases.iter() {
                if model_names.known.contains_key(alias.as_str()) || !aliases.insert(alias.value.clone()) {
                    let message = format!("two models are named `{}`", **alias);
                    self.error("config.duplicate_name", alias.span, &path, message, "rename one of them");
                }
            }
            if let Some(successor) = model.deprecated.as_ref().and_then(|deprecated| deprecated.successor.as_ref())
                && !model_names.known.contains_key(successor.as_str())
            {
                let message = format!("unknown model `{}`", **successor);
                let help = "name one of `ai.models`, or leave `successor` out";
                self.error("config.unknown_name", successor.span, &format!("{path}.deprecated"), message, help);
            }
            let found: Vec<usize> = model
                .targets
                .iter()
                .filter_map(|target| self.look_up(&names, &target.provider, &format!("{path}.targets")))
                .collect();
            // With a name that is not known the snapshot is not run.
            let mut fallbacks = Vec::with_capacity(model.fallbacks.len());
            for fallback in &model.fallbacks {
                let to = fallback.to.iter();
                let to = to.filter_map(|name| self.look_up(&model_names, name, &format!("{path}.fallbacks")));
                fallbacks.push(to.collect());
            }
            known.push(KnownModel { model, providers: found, fallbacks });
        }
        (providers, known)
    }

    fn api(&mut self, at: usize, mut api: Api, listeners: &Names, all: usize) -> PublishedApi {
        let path = format!("apis[{at}]");
        let bound = if api.listeners.is_empty() {
            (0..all).collect()
        } else {
            let names = std::mem::take(&mut api.listeners);
            names.iter().filter_map(|name| self.look_up(listeners, name, &format!("{path}.listeners"))).collect()
        };
        let mut written = std::mem::take(&mut api.routes);
        match (written.is_empty(), api.to.take()) {
            (true, Some(to)) => written.push(Route {
                name: None,
                enabled: true,
                tags: Vec::new(),
                matches: Match::default(),
                to,
                identify: None,
                policies: Policies::default(),
                priority: 0,
                timeouts: Default::default(),
            }),
            (true, None) => self.error(
                "config.no_routes",
                api.name.span,
                &path,
                format!("api `{}` has no routes", *api.name),
                "give it `routes:`, or `to:` for one that takes everything",
            ),
            (false, Some(to)) => self.error(
                "config.impossible",
                to.span,
                &format!("{path}.to"),
                "an api with `routes` takes no `to`".to_owned(),
                "move it into a route",
            ),
            (false, None) => {}
        }
        let mut seen: HashMap<String, ()> = HashMap::new();
        let mut routes = Vec::with_capacity(written.len());
        for (place, route) in written.into_iter().enumerate() {
            let name = route.name.as_ref().map_or_else(|| place.to_string(), |name| name.to_string());
            if seen.insert(name.clone(), ()).is_some() {
                let span = route.name.as_ref().map(|name| name.span).unwrap_or_default();
                self.error(
                    "config.duplicate_name",
                    span,
                    &format!("{path}.routes[{place}].name"),
                    format!("two routes of api `{}` are named `{name}`", *api.name),
                    "rename one of them",
                );
            }
            if route.enabled {
                routes.push((name, route));
            }
        }
        PublishedApi { api, listeners: bound, routes }
    }

    /// Keeps the enabled ones and learns their names.
    fn named<T>(
        &mut self,
        noun: &'static str,
        all: Vec<T>,
        facts: impl Fn(&T) -> (&str, Span, bool),
    ) -> (Vec<T>, Names) {
        let mut names = Names { noun, known: HashMap::with_capacity(all.len()), off: HashMap::new() };
        if all.len() > MOST {
            self.error(
                "config.too_many",
                Span::default(),
                noun,
                format!("{} {noun}s are more than {MOST}", all.len()),
                "split the gateway, or keep them in a store",
            );
        }
        let mut kept = Vec::with_capacity(all.len());
        for item in all {
            let (name, span, enabled) = facts(&item);
            if names.known.contains_key(name) || names.off.contains_key(name) {
                self.error(
                    "config.duplicate_name",
                    span,
                    noun,
                    format!("two {noun}s are named `{name}`"),
                    "rename one of them",
                );
                continue;
            }
            if enabled {
                names.known.insert(name.to_owned(), kept.len());
                kept.push(item);
            } else {
                names.off.insert(name.to_owned(), ());
            }
        }
        (kept, names)
    }

    fn look_up(&mut self, names: &Names, name: &Spanned<String>, path: &str) -> Option<usize> {
        let found = names.known.get(name.as_str()).copied();
        if found.is_none() && !self.problems.is_lost(name) {
            let problem = unknown_name(
                names.noun,
                name,
                names.known.keys().map(String::as_str),
                names.off.contains_key(name.as_str()),
            );
            self.problems.push(Problem { path: path.to_owned(), ..problem });
        }
        found
    }

    fn network(&mut self, text: &Spanned<String>, path: &str) -> Option<IpNet> {
        let parsed = parse_network(text);
        if parsed.is_none() {
            self.error(
                "config.address",
                text.span,
                path,
                format!("`{}` is not an address or a network", **text),
                "write an address or CIDR such as `10.0.0.0/8`",
            );
        }
        parsed
    }

    fn error(&mut self, code: &'static str, span: Span, path: &str, message: String, help: &str) {
        self.problems.push(Problem::error(code, span, message).path(path).help(help));
    }
}

/// `10.0.0.0/8`, or an address, which is a network of one. Bits behind the prefix are cleared. IPv4 addresses written as
/// IPv6 (`::ffff:10.0.0.0/104`) are IPv4, as clients' addresses are.
pub fn parse_network(text: &str) -> Option<IpNet> {
    // By the standard library's strict forms: `010` is eight to some and ten to others.
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        "" if !text.contains('/') => longest,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    Some(match IpNet::new(address, prefix).ok()?.trunc() {
        IpNet::V6(net) if net.prefix_len() >= 96 => match net.addr().to_ipv4_mapped() {
            Some(address) => Ipv4Net::new(address, net.prefix_len() - 96).map_or(IpNet::V6(net), IpNet::V4),
            None => IpNet::V6(net),
        },
        network => network,
    })
}

/// The problem of a name that nothing has.
pub fn unknown_name<'a>(
    noun: &str,
    name: &Spanned<String>,
    known: impl Iterator<Item = &'a str>,
    off: bool,
) -> Problem {
    let mut message = format!("unknown {noun} `{}`", **name);
    let mut help = format!("add it under `{noun}s:`, or mend the name");
    if off {
        message = format!("{noun} `{}` is not enabled", **name);
        help = "take out its `enabled: false`, or what refers to it".to_owned();
    } else if let Some(near) = did_you_mean(name, known) {
        message = format!("{message}; did you mean `{near}`?");
    }
    Problem::error("config.unknown_name", name.span, message).help(help)
}
