//! Faults: five targets behind Tollgate, one killed, one slow, one that answers 500 half the time, one that comes and goes; how
//! many requests succeed and how long they take, with each mechanism and without.

mod load;
mod target;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::load::Sent;
use self::target::{AT_ONCE, Fault, SERVICE, Target};
use crate::cli::ChaosArgs;
use crate::measure::Place;
use crate::peer::process::Process;
use crate::{print, say};

/// The share of one healthy target's capacity that is sent.
const SHARE: f64 = 0.6;

/// What is on in a run.
struct Row {
    name: &'static str,
    active: bool,
    passive: bool,
    retries: bool,
    hedges: bool,
}

const ALL: Row = Row { name: "everything", active: true, passive: true, retries: true, hedges: true };
const ROWS: [Row; 6] = [
    ALL,
    Row { name: "no hedging", hedges: false, ..ALL },
    Row { name: "no retries", retries: false, ..ALL },
    Row { name: "no ejection", passive: false, ..ALL },
    Row { name: "no checks", active: false, ..ALL },
    Row { name: "nothing", active: false, passive: false, retries: false, hedges: false },
];

/// What a run gave.
struct Figures {
    healthy: Duration,
    first: f64,
    steady: f64,
    whole: f64,
    p50: Duration,
    p99: Duration,
    /// Requests at targets, as a multiple of those that were sent.
    load: f64,
}

/// Runs each row, and prints the table.
pub(crate) fn run(args: &ChaosArgs) -> Result<bool> {
    let Some(program) = crate::peer::find_tollgate(args.tollgate.as_deref()) else {
        bail!("there is no Tollgate; give --tollgate")
    };
    let (seconds, mut good) = (Duration::from_secs(args.seconds), true);
    let rate = SHARE * f64::from(AT_ONCE) / SERVICE.as_secs_f64();
    let mut table = format!(
        "{rate:.0} requests a second ({:.0} % of one healthy target's capacity), {} s from the first fault on.\n\n\
         | | succeeded | in the first second | after it | p50 ms | p99 ms | healthy p99 ms | sent to targets |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n",
        SHARE * 100.0,
        args.seconds,
    );
    for row in &ROWS {
        say(&format!("{}: {} s", row.name, args.seconds + 10));
        let figures = once(&program, row, rate, seconds)?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {:.1} | {:.1} | {:.1} | {:.2} × |",
            row.name,
            percent(figures.whole),
            percent(figures.first),
            percent(figures.steady),
            ms(figures.p50),
            ms(figures.p99),
            ms(figures.healthy),
            figures.load,
        );
        if row.name == ALL.name {
            good = figures.whole >= 0.999 && figures.p99 <= figures.healthy * 2;
        }
    }
    print(&table);
    Ok(good || !args.enforce)
}

fn once(program: &Path, row: &Row, rate: f64, seconds: Duration) -> Result<Figures> {
    let targets = (0..5).map(|_| Target::start()).collect::<std::io::Result<Vec<_>>>()?;
    let dir = tempfile::tempdir()?;
    let gate = free_port()?;
    std::fs::write(dir.path().join("tollgate.yaml"), configuration(row, gate, &targets))?;
    let config = dir.path().join("tollgate.yaml");
    let args = ["run", "-c", config.to_str().context("a folder with a plain name")?];
    let mut process = Process::launch(program, &args, dir.path(), Place { core: 0, nice: 0 })?;
    let until = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(gate).is_err() {
        if Instant::now() > until {
            bail!("it does not listen: {}", process.last_words());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = load::run(gate, rate, Duration::from_secs(2));
    let healthy = load::run(gate, rate, Duration::from_secs(8));
    let before: u64 = targets.iter().map(Target::served).sum();
    for (target, fault) in targets.iter().zip([Fault::Killed, Fault::Slow, Fault::Half, Fault::Flapping, Fault::None]) {
        target.set(fault);
    }
    let faulty = load::run(gate, rate, seconds);
    let asked = targets.iter().map(Target::served).sum::<u64>() - before;
    process.stop(Duration::from_secs(5))?;
    let share = |sent: &mut dyn Iterator<Item = &Sent>| {
        let (mut all, mut good) = (0_u32, 0_u32);
        sent.for_each(|sent| {
            all += 1;
            good += u32::from(sent.good);
        });
        f64::from(good) / f64::from(all.max(1))
    };
    let second = Duration::from_secs(1);
    Ok(Figures {
        healthy: quantile(&healthy, 0.99),
        first: share(&mut faulty.iter().filter(|sent| sent.at < second)),
        steady: share(&mut faulty.iter().filter(|sent| sent.at >= second)),
        whole: share(&mut faulty.iter()),
        p50: quantile(&faulty, 0.5),
        p99: quantile(&faulty, 0.99),
        load: asked as f64 / faulty.len().max(1) as f64,
    })
}

fn configuration(row: &Row, gate: SocketAddr, targets: &[Target]) -> String {
    let list: Vec<String> = targets.iter().map(|target| format!("{{ url: \"http://{}\" }}", target.address)).collect();
    let mut text = format!(
        "version: 1\nworkers: 1\noperations: {{ address: \"127.0.0.1:0\" }}\naccess_log: \"off\"\n\
         listeners: [{{ name: public, address: \"{gate}\" }}]\nupstreams:\n  - name: five\n    targets: [{}]\n    \
         balance: peak_ewma\n    spill: {{ panic: 20% }}\n    timeouts: {{ connect: 1s, first_byte: 2s }}\n",
        list.join(", "),
    );
    let (active, passive) = (
        "active: { interval: 500ms, timeout: 300ms, unhealthy: 1, healthy: 4 }",
        "passive: { consecutive_errors: 3, error_rate: 20%, requests: 10, slow: 3, ejected_for: 10s, max_ejected: 80% }",
    );
    let health: Vec<&str> = [(row.active, active), (row.passive, passive)]
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, text)| text)
        .collect();
    if !health.is_empty() {
        let _ = writeln!(text, "    health: {{ {} }}", health.join(", "));
    }
    if row.retries {
        text.push_str("    retry: { attempts: 3, when: [connect, reset, timeout, 5xx], backoff: 2ms, budget: 20% }\n");
    }
    if row.hedges {
        text.push_str("    hedge: { budget: 10% }\n");
    }
    text.push_str("apis: [{ name: all, to: five }]\n");
    text
}

fn quantile(sent: &[Sent], share: f64) -> Duration {
    let mut took: Vec<Duration> = sent.iter().filter(|sent| sent.good).map(|sent| sent.took).collect();
    took.sort_unstable();
    let at = (took.len() as f64 * share) as usize;
    took.get(at.min(took.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn free_port() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_says_what_is_on() {
        let target = Target::start().unwrap();
        let text = |row: &Row| configuration(row, "127.0.0.1:1".parse().unwrap(), std::slice::from_ref(&target));
        let all = text(&ROWS[0]);
        assert!(["active:", "passive:", "retry:", "hedge:"].iter().all(|part| all.contains(part)), "{all}");
        let none = text(&ROWS[5]);
        assert!(!["health:", "retry:", "hedge:"].iter().any(|part| none.contains(part)), "{none}");
    }

    #[test]
    fn a_target_does_what_is_wrong_with_it() {
        let target = Target::start().unwrap();
        let good = |expected: bool| {
            let until = Instant::now() + Duration::from_secs(20);
            while load::run(target.address, 100.0, Duration::from_millis(20)).iter().all(|sent| sent.good) != expected {
                assert!(Instant::now() < until, "{expected}");
            }
        };
        good(true);
        target.set(Fault::Half);
        good(false);
        target.set(Fault::Killed);
        good(false);
        target.set(Fault::None);
        good(true);
    }
}
