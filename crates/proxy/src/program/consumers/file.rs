//! Consumers from a file of lines, `name,plan,sha256,apis`: many of them, in little memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use model::load::Spanned;
use model::problem::{Problem, Severity};
use model::snapshot::Snapshot;
use model::value::Name;

use super::compile::{Builder, parse_hash};
use super::credential::{Credential, CredentialId, CredentialKind};
use super::{Consumer, KeyHash, Subscription};
use crate::program::{ConsumerSlot, Keep};

/// The largest file.
const MOST_BYTES: u64 = 256 << 20;
/// The most consumers of a file.
const MOST: usize = 2_000_000;
/// The longest line.
const MOST_LINE: u64 = 4096;
/// Lines whose problems are told.
const MOST_TOLD: usize = 10;
const PATH: &str = "consumers_file";
const FORM: &str = "a line is `name,plan,sha256` or `name,plan,sha256,apis`; plan and apis may be empty";

/// What a file's names mean.
struct Names<'s> {
    plans: HashMap<&'s str, u32>,
    apis: HashMap<&'s str, u32>,
    /// Subscriptions by plan and apis, which many have the same.
    subscriptions: HashMap<PlanAndApis, Arc<[Subscription]>>,
}

/// A plan, and apis as a line names them.
type PlanAndApis = (Option<u32>, Box<str>);

/// A consumer whose lines are being read.
struct Pending {
    name: Arc<str>,
    slot: ConsumerSlot,
    plan: Option<u32>,
    subscriptions: Arc<[Subscription]>,
    start: u32,
    count: u32,
}

/// A line with its names known.
struct Line<'l> {
    name: &'l str,
    plan: Option<u32>,
    key: KeyHash,
    subscriptions: Arc<[Subscription]>,
}

impl Builder<'_> {
    /// Adds the consumers of a file.
    pub(super) fn file(&mut self, path: &Spanned<String>, snapshot: &Snapshot, keep: &Keep, offline: bool) {
        let file = match File::open(path.as_str()) {
            Ok(file) => file,
            Err(error) => {
                let message = format!("`{}` cannot be read: {error}", **path);
                let help = "check the path, and that the gateway may read the file";
                let severity = if offline { Severity::Warning } else { Severity::Error };
                let problem = Problem { severity, ..Problem::error(CODE, path.span, message) };
                return self.problems.push(problem.path(PATH).help(help));
            }
        };
        let mut names = Names::of(snapshot);
        let mut reader = BufReader::new(file.take(MOST_BYTES + 1));
        let (mut read, mut number, mut told) = (0, 0_usize, 0_usize);
        let mut text = String::new();
        let mut pending: Option<Pending> = None;
        loop {
            text.clear();
            match reader.by_ref().take(MOST_LINE).read_line(&mut text) {
                Ok(0) => break,
                Ok(length) => read += length as u64,
                Err(error) => return self.at(path, format!("cannot be read: {error}"), "write it as UTF-8"),
            }
            number += 1;
            if read > MOST_BYTES || self.made.len() > MOST {
                let message = format!("is larger than 256 MiB, or holds more than {MOST} consumers");
                return self.at(path, message, "split the gateway");
            }
            let line = text.trim();
            if line.is_empty() || line.starts_with('#') || (number == 1 && line.starts_with("name,plan,sha256")) {
                continue;
            }
            let added = match names.line(line) {
                Ok(line) => self.line(&line, &mut pending, keep),
                Err(wrong) => Err(wrong),
            };
            if let Err((message, help)) = added {
                told += 1;
                if told > MOST_TOLD {
                    return self.at(path, "has more problems".to_owned(), "mend these first");
                }
                self.at(path, format!("line {number}: {message}"), help);
            }
        }
        self.flush(&mut pending);
    }

    /// Reports a problem of the file.
    fn at(&mut self, path: &Spanned<String>, message: String, help: &str) {
        let problem = Problem::error(CODE, path.span, format!("`{}` {message}", **path));
        self.problems.push(problem.path(PATH).help(help));
    }

    /// Adds a line's key. Lines of one consumer stand together.
    fn line(&mut self, line: &Line<'_>, pending: &mut Option<Pending>, keep: &Keep) -> Result<(), Wrong> {
        if pending.as_ref().is_none_or(|known| *known.name != *line.name) {
            self.flush(pending);
            if self.made.by_name(line.name).is_some() {
                let message = format!("there is a consumer `{}` already", line.name);
                return Err((message, "put its lines together, or take it out of `consumers:`"));
            }
            let (name, slot) = keep.consumer(line.name);
            let start = u32::try_from(self.made.credentials.len()).unwrap_or(u32::MAX);
            let subscriptions = line.subscriptions.clone();
            *pending =
                Some(Pending { name, slot: ConsumerSlot(slot), plan: line.plan, subscriptions, start, count: 0 });
        }
        let Some(known) = pending else { return Ok(()) };
        if known.plan != line.plan || known.subscriptions != line.subscriptions {
            return Err(("the lines of a consumer differ in plan or apis".to_owned(), "write the same on each"));
        }
        let id = CredentialId(known.start + known.count);
        if let Err(owner) = self.made.add_key(line.key, id) {
            let owner = self.made.credential(owner).and_then(|owner| self.made.get(owner.consumer));
            let owner = owner.map_or_else(|| line.name.to_owned(), |owner| owner.name.to_string());
            return Err((format!("consumer `{owner}` has this key already"), "give each credential one of its own"));
        }
        let name = known.count.to_string();
        let used = self.earlier_use(known.slot, &name, CredentialKind::Key);
        let name = self.name(&name);
        known.count += 1;
        self.made.credentials.push(Credential {
            name,
            consumer: known.slot,
            kind: CredentialKind::Key,
            enabled: true,
            created: None,
            expires: None,
            learnt: None,
            used,
        });
        Ok(())
    }

    /// Adds the consumer whose lines are over.
    fn flush(&mut self, pending: &mut Option<Pending>) {
        let Some(Pending { name, slot, plan, subscriptions, start, count }) = pending.take() else { return };
        self.made.add(Consumer {
            name,
            slot,
            enabled: true,
            expires: None,
            plan,
            groups: Box::default(),
            tags: Box::default(),
            metadata: Box::default(),
            subscriptions,
            credentials: (start, count),
        });
    }
}

const CODE: &str = "config.consumers_file";

/// What is wrong with a line, and how to mend it.
type Wrong = (String, &'static str);

impl<'s> Names<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let numbered = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let plans = snapshot.plans.iter().enumerate().map(|(at, plan)| (plan.name.value.as_str(), numbered(at)));
        let apis = snapshot.apis.iter().enumerate().map(|(at, api)| (api.api.name.value.as_str(), numbered(at)));
        Self { plans: plans.collect(), apis: apis.collect(), subscriptions: HashMap::new() }
    }

    fn line<'l>(&mut self, text: &'l str) -> Result<Line<'l>, Wrong> {
        let mut parts = text.split(',').map(str::trim);
        let (Some(name), Some(plan), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(("it has fewer than three parts".to_owned(), FORM));
        };
        let (apis, more) = (parts.next().unwrap_or_default(), parts.next());
        if more.is_some() {
            return Err(("it has more than four parts".to_owned(), FORM));
        }
        if let Err(error) = name.parse::<Name>() {
            return Err((error.to_string(), FORM));
        }
        let plan = match self.plans.get(plan) {
            _ if plan.is_empty() => None,
            Some(plan) => Some(*plan),
            None => return Err((format!("unknown plan `{plan}`"), "add it under `plans:`, or mend the name")),
        };
        // Never shown: it may be the key itself.
        let key = parse_hash(key).ok_or(("its third part is no SHA-256".to_owned(), "write 64 hexadecimal digits"))?;
        let subscriptions = self.subscriptions(plan, apis)?;
        Ok(Line { name, plan, key, subscriptions })
    }

    /// The subscriptions of these apis, by names with spaces between, or `*`.
    fn subscriptions(&mut self, plan: Option<u32>, apis: &str) -> Result<Arc<[Subscription]>, Wrong> {
        if let Some(known) = self.subscriptions.get(&(plan, apis.into())) {
            return Ok(known.clone());
        }
        let subscription = |api: u32| Subscription { api, plan, enabled: true, expires: None };
        let made: Arc<[Subscription]> = if apis == "*" {
            let mut all: Vec<u32> = self.apis.values().copied().collect();
            all.sort_unstable();
            all.into_iter().map(subscription).collect()
        } else {
            let found = apis.split_whitespace().map(|name| {
                let api = self.apis.get(name).copied().map(subscription);
                api.ok_or_else(|| (format!("unknown api `{name}`"), "write names of apis with spaces between, or `*`"))
            });
            found.collect::<Result<_, _>>()?
        };
        self.subscriptions.insert((plan, apis.into()), made.clone());
        Ok(made)
    }
}
