//! A measurement from start to end: find the peers, run the scenarios, judge the bounds, write the report.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::{RunArgs, Suite};
use crate::machine::{Machine, load_average};
use crate::measure::Place;
use crate::peer::certificate::{self, Files};
use crate::peer::config::{Site, free_ports};
use crate::peer::token::{self, Token};
use crate::peer::{self, Peer};
use crate::report::{self, Report};
use crate::scenario::bounds::{BOUNDS, Verdict};
use crate::scenario::{self, Scenario};
use crate::sheet::Sheet;
use crate::wire::rig::Rig;
use crate::{interrupt, measure};

/// What every scenario works with.
pub(crate) struct Bench {
    pub(crate) rig: Rig,
    pub(crate) peers: Vec<Peer>,
    /// The run's folder: configurations, logs, certificate.
    pub(crate) dir: PathBuf,
    pub(crate) certificate: Files,
    pub(crate) token: Token,
    /// Where Redis listens, while it runs.
    pub(crate) redis: u16,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    /// The open loop's rate, when it was given.
    pub(crate) rate: Option<f64>,
    pub(crate) callgrind: bool,
    /// Where the proxies run.
    pub(crate) place: Place,
    /// The limit of open files.
    pub(crate) open_files: u64,
}

impl Bench {
    /// What configurations refer to.
    pub(crate) fn site(&self) -> Site<'_> {
        Site { upstream: self.rig.upstream(), certificate: &self.certificate, token: &self.token, redis: self.redis }
    }
}

/// Measures as `args` say; `true` when nothing that was asked for with `--enforce` is amiss.
pub(crate) fn run(args: &RunArgs) -> Result<bool> {
    let scenarios = chosen(args.suite, &args.scenarios)?;
    check_cores(args)?;
    let peers = peer::find(args.suite, &args.peers, args.tollgate.as_deref())?;
    ensure!(!peers.is_empty(), "no peer found; install nginx or haproxy, or name a binary with --tollgate");
    for peer in &peers {
        crate::say(&format!("{} {} ({})", peer.label, peer.version, peer.program.display()));
    }
    let machine = Machine::read();
    let busy = load_average();
    if busy > 0.3 {
        crate::say(&format!("the machine is not idle (load average {busy}): figures will be noisy"));
    }

    if args.nice != 0 {
        measure::set_session(args.nice).context("set the session's priority (below 0 needs root)")?;
    }
    let open_files = measure::raise_nofile();
    let folder = tempfile::Builder::new().prefix("tollgate-bench-").tempdir().context("make a folder for the run")?;
    // nginx's workers give up root, and must still reach their temporary folders.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    interrupt::watch(folder.path().to_owned())?;
    let bench = Bench {
        rig: Rig::start(Some(Place { core: args.load_core, nice: args.nice }), 0)?,
        certificate: certificate::make(folder.path())?,
        token: token::make()?,
        redis: free_ports()?.0,
        peers,
        dir: folder.path().to_owned(),
        rounds: args.rounds,
        seconds: args.seconds,
        rate: args.rate,
        callgrind: args.callgrind,
        place: Place { core: args.proxy_core, nice: args.nice },
        open_files,
    };
    // The harness itself keeps off the proxy's core.
    measure::take(Place { core: args.load_core, nice: 0 })?;

    let mut sheet = Sheet::default();
    for scenario in &scenarios {
        crate::say(&format!("{}: {}", scenario.name, scenario.title));
        scenario.measure(&bench, &mut sheet)?;
    }
    ensure!(sheet.rows.iter().any(|row| row.all().next().is_some()), "nothing could be measured");
    let report = Report { sheet: &sheet, scenarios: &scenarios, peers: &bench.peers, machine, args };
    let text = report::markdown::write(&report);
    let results = if args.suite == Suite::Ai { "results/ai" } else { "results" };
    let out = args.out.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(results));
    report::write_all(&report, &text, &out)?;
    crate::print(&text);
    crate::say(&format!("written to {}", out.display()));
    Ok(!args.enforce || amiss(&sheet, &scenarios) == 0)
}

/// Prints what there is to measure.
pub(crate) fn list(args: &RunArgs) -> Result<()> {
    let mut text = String::new();
    for suite in [Suite::Proxy, Suite::Ai] {
        text.push_str(&format!("scenarios of the suite {}:\n", suite_name(suite)));
        for scenario in scenario::of(suite) {
            let note = if scenario.on_request() { " (on request)" } else { "" };
            text.push_str(&format!("  {:12} {}{note}\n", scenario.name, scenario.title));
            for bound in BOUNDS.iter().filter(|bound| bound.scenario == scenario.name) {
                text.push_str(&format!("               bound: {}\n", report::bound_text(bound)));
            }
        }
    }
    text.push_str("peers found:\n");
    for suite in [Suite::Proxy, Suite::Ai] {
        for peer in peer::find(suite, &[], args.tollgate.as_deref())? {
            let (label, version, program) = (peer.label, peer.version, peer.program.display());
            text.push_str(&format!("  {:8} {label:8} {version} ({program})\n", suite_name(suite)));
        }
    }
    crate::print(&text);
    Ok(())
}

fn suite_name(suite: Suite) -> &'static str {
    match suite {
        Suite::Proxy => "proxy",
        Suite::Ai => "ai",
    }
}

fn chosen(suite: Suite, names: &[String]) -> Result<Vec<&'static Scenario>> {
    let all = scenario::of(suite);
    if let Some(name) = names.iter().find(|name| !all.iter().any(|scenario| scenario.name == **name)) {
        let there_are: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
        bail!("no scenario `{name}` in the suite {}; there are {}", suite_name(suite), there_are.join(", "));
    }
    let named = |scenario: &&Scenario| names.iter().any(|name| name == scenario.name);
    let wanted = |scenario: &&Scenario| if names.is_empty() { !scenario.on_request() } else { named(scenario) };
    Ok(all.iter().filter(wanted).collect())
}

fn check_cores(args: &RunArgs) -> Result<()> {
    let cores = measure::cores();
    for core in [args.proxy_core, args.load_core] {
        ensure!(cores.contains(&core), "core {core} is not among those this process may use ({cores:?})");
    }
    ensure!(args.proxy_core != args.load_core, "proxy and load need a core each");
    Ok(())
}

/// How many bounds of these scenarios do not hold.
fn amiss(sheet: &Sheet, scenarios: &[&Scenario]) -> usize {
    let of_these = BOUNDS.iter().filter(|bound| scenarios.iter().any(|scenario| scenario.name == bound.scenario));
    of_these.filter(|bound| bound.judge(sheet).1 != Verdict::Holds).count()
}
