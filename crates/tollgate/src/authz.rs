//! Cases of who may do what, from a file, tried on a configuration.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use model::load::{self, Options, Sources, Spanned, from_node};
use model::problem::{Problem, Problems};
use model::resource::Pairs;
use model::value::{OneOrMany, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::exchange::Learnt;
use proxy::program::Program;
use proxy::program::explain::Probe;
use proxy::program::explain::access::{Access, Caller, access};
use serde::{Deserialize, Serialize};

/// The most cases of a file.
const MOST: usize = 10_000;

/// Cases of who may do what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    cases: Vec<Spanned<Case>>,
}

/// One case: a request, by whom, and what is to become of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it is about.
    name: Option<Spanned<String>>,
    request: Request,
    /// Who calls; nobody where it is not given.
    auth: Option<Spanned<Auth>>,
    /// The moment; now where it is not given.
    at: Option<Timestamp>,
    expect: Effect,
    /// The rule of `authz` that decides.
    rule: Option<Spanned<String>>,
    /// A part of the reason in the access log.
    reason: Option<Spanned<String>>,
    /// The error's code.
    code: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(default = "get")]
    method: Spanned<String>,
    #[serde(default = "localhost")]
    host: Spanned<String>,
    #[serde(default)]
    scheme: Scheme,
    path: Spanned<String>,
    #[serde(default)]
    query: Pairs<String>,
    #[serde(default)]
    headers: Pairs<String>,
    /// The client's address.
    client: Option<Spanned<String>>,
    listener: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scheme {
    #[default]
    Http,
    Https,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    consumer: Option<Spanned<String>>,
    credential: Option<String>,
    method: Option<Spanned<String>>,
    subject: Option<String>,
    #[serde(default)]
    groups: OneOrMany<String>,
    #[serde(default)]
    scopes: OneOrMany<String>,
    #[serde(default)]
    claims: serde_json::Map<String, serde_json::Value>,
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It passes.
    Allow,
    /// It is refused.
    Deny,
}

fn get() -> Spanned<String> {
    Spanned::from("GET".to_owned())
}
fn localhost() -> Spanned<String> {
    Spanned::from("localhost".to_owned())
}

/// What reading a file of cases gave.
pub struct Read {
    /// The texts, for messages.
    pub sources: Sources,
    /// Everything that is wrong.
    pub problems: Problems,
    /// The cases, if they could be read.
    pub cases: Option<Cases>,
}

/// Reads a file of cases.
pub fn read(path: &Path) -> Read {
    let loaded = load::read(path, &Options::default());
    let mut problems = loaded.problems;
    let cases: Option<Cases> = loaded.root.as_ref().and_then(|root| from_node(root, "", &mut problems));
    if let Some(cases) = &cases {
        cases.check(&mut problems);
    }
    Read { sources: loaded.sources, problems, cases }
}

/// What became of a case.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// Its name, or its number.
    pub name: String,
    /// Where it stands, `file:line`.
    pub place: String,
    /// What was expected.
    pub expect: Effect,
    /// Whether that is what became of it.
    pub passed: bool,
    /// What is other than expected.
    pub differs: Vec<String>,
    /// What became of the request.
    pub outcome: Access,
}

impl Cases {
    fn check(&self, problems: &mut Problems) {
        if self.cases.is_empty() || self.cases.len() > MOST {
            let problem = Problem::error("authz.cases", None, format!("a file has from 1 to {MOST} cases"));
            problems.push(problem.help("write `cases: [{ request: { path: /x }, expect: deny }]`"));
        }
        let mut names = HashSet::new();
        for case in &self.cases {
            if let Some(name) = &case.name
                && !names.insert(name.as_str())
            {
                let problem = Problem::error("authz.cases", name.span, format!("two cases are named `{}`", **name));
                problems.push(problem.help("give each a name of its own"));
            }
            if case.expect == Effect::Allow
                && let Some(of) = [&case.reason, &case.code].into_iter().flatten().next()
            {
                let problem = Problem::error("authz.cases", of.span, "what passes has neither `reason` nor `code`");
                problems.push(problem.help("take it out, or write `expect: deny`"));
            }
        }
    }

    /// Tries each on a program whose clock is this hand's.
    pub fn run(
        &self,
        program: &Arc<Program>,
        hand: &AtomicU64,
        sources: &Sources,
        problems: &mut Problems,
    ) -> Vec<Tried> {
        let now = hand.load(Relaxed);
        let mut tried = Vec::with_capacity(self.cases.len());
        for (at, case) in self.cases.iter().enumerate() {
            let moment = case.at.map_or(now, |at| at.as_millis().saturating_mul(1_000_000));
            hand.store(moment, Relaxed);
            match case.ask(program) {
                Ok(outcome) => tried.push(case.compare(at, sources, outcome)),
                Err((of, why)) => {
                    let span = of.map_or(case.span, |of| of.span);
                    problems.push(Problem::error("authz.cases", span, why).path(format!("cases[{at}]")));
                }
            }
        }
        tried
    }
}

/// What cannot be asked: of which text, and why.
type Wrong<'a> = (Option<&'a Spanned<String>>, String);

trait Ask {
    fn ask(&self, program: &Arc<Program>) -> Result<Access, Wrong<'_>>;
    fn compare(&self, number: usize, sources: &Sources, outcome: Access) -> Tried;
}

impl Ask for Spanned<Case> {
    fn ask(&self, program: &Arc<Program>) -> Result<Access, Wrong<'_>> {
        let request = &self.request;
        let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{}: {value}", **name)).collect();
        let mut probe = Probe::new(&request.method, &request.url(), &headers).map_err(|why| (None, why))?;
        probe.listener = request.listener.as_ref().map(|name| name.value.clone());
        if let Some(client) = &request.client {
            let address = client.parse().map_err(|_| (Some(client), format!("`{}` is not an address", **client)))?;
            probe.client = Some(address);
        }
        let caller = self.auth.as_ref().map(|auth| auth.caller());
        access(program, probe, caller.as_ref()).map_err(|why| (None, why))
    }

    fn compare(&self, number: usize, sources: &Sources, outcome: Access) -> Tried {
        let mut differs = Vec::new();
        let became = if outcome.allowed { Effect::Allow } else { Effect::Deny };
        if became != self.expect {
            differs.push(format!("it is {}", if outcome.allowed { "allowed" } else { "denied" }));
        }
        let mut differ =
            |what: &str, wanted: &Option<Spanned<String>>, got: Option<&str>, same: fn(&str, &str) -> bool| {
                if let Some(wanted) = wanted
                    && !got.is_some_and(|got| same(got, wanted))
                {
                    differs.push(match got {
                        Some(got) => format!("the {what} is `{got}`, not `{}`", **wanted),
                        None => format!("there is no {what}, where `{}` is expected", **wanted),
                    });
                }
            };
        differ("rule", &self.rule, outcome.rule.as_deref(), |got, wanted| got == wanted);
        differ("code", &self.code, outcome.code, |got, wanted| got == wanted);
        differ("reason", &self.reason, outcome.reason.as_deref(), |got, wanted| got.contains(wanted));
        let line = sources.line_column(self.span).map_or(0, |position| position.line);
        let name = self.name.as_ref().map_or_else(|| format!("{}", number + 1), |name| name.value.clone());
        let place = format!("{}:{line}", sources.name(0));
        Tried { name, place, expect: self.expect, passed: differs.is_empty(), differs, outcome }
    }
}

impl Request {
    fn url(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        let mut url = format!("{scheme}://{}{}", *self.host, *self.path);
        for (name, value) in self.query.iter() {
            url.push(if url.contains('?') { '&' } else { '?' });
            let escaped = [name.as_str(), value].map(|text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
            url.push_str(&escaped.join("="));
        }
        url
    }
}

impl Auth {
    fn caller(&self) -> Caller {
        let words = |words: &OneOrMany<String>| words.iter().map(|word| word.as_str().into()).collect();
        Caller {
            consumer: self.consumer.as_ref().map(|name| name.value.clone()),
            credential: self.credential.clone(),
            method: self.method.as_ref().map(|method| method.value.clone()),
            learnt: Learnt {
                subject: self.subject.as_deref().map(Into::into),
                scopes: words(&self.scopes),
                groups: words(&self.groups),
                claims: self.claims.clone(),
            },
        }
    }
}
