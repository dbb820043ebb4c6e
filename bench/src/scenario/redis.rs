//! What limits in Redis add to latency: the same limits in memory and in Redis, at the same rate, in turn.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Traffic;
use super::contest::{Entry, Racer};
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::peer::process::Process;
use crate::run::Bench;
use crate::sheet::{Metric, Sheet};
use crate::wire::load::Pace;

/// Measures every peer that has limits in Redis. Redis runs on the proxy's core: the load's has no time to spare.
pub(super) fn measure(bench: &Bench, scenario: &'static str, traffic: &Traffic, sheet: &mut Sheet) -> Result<()> {
    let dir = bench.dir.join(scenario);
    std::fs::create_dir_all(&dir)?;
    let port = bench.redis.to_string();
    let args = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let _redis = match Process::launch("redis-server".as_ref(), &args, &dir, bench.place) {
        Ok(redis) => redis,
        Err(error) => {
            crate::say(&format!("  not measured: {error:#}"));
            return Ok(());
        }
    };
    for peer in bench.peers.iter().filter(|peer| peer.spec.files(Setup::RedisLimit).is_some()) {
        let entry = |what: &str, setup| Entry {
            peer,
            subject: format!("{}, limits in {what}", peer.label),
            plan: Plan { setup, routes: 0 },
        };
        let entries = [entry("memory", Setup::RateLimit), entry("Redis", Setup::RedisLimit)];
        let (mut racers, mut absent) = Racer::start_all(bench, scenario, &entries, traffic);
        if let [memory, redis] = racers.as_mut_slice()
            && let Err(error) = rounds(bench, memory, redis, traffic)
        {
            crate::say(&format!("  {error:#}"));
            redis.row.note(format!("stopped: {error:#}"));
        }
        sheet.rows.extend(racers.into_iter().map(|racer| racer.row));
        sheet.rows.append(&mut absent);
    }
    Ok(())
}

fn rounds(bench: &Bench, memory: &mut Racer, redis: &mut Racer, traffic: &Traffic) -> Result<()> {
    for round in 0..bench.rounds {
        let (before, with) = if round % 2 == 0 {
            let before = once(bench, memory, traffic)?;
            (before, once(bench, redis, traffic)?)
        } else {
            let with = once(bench, redis, traffic)?;
            (once(bench, memory, traffic)?, with)
        };
        redis.row.enter(Metric::P99Rise, with - before);
        let figure = |racer: &Racer, metric| racer.row.last(metric).unwrap_or(f64::NAN);
        crate::say(&format!(
            "  {}/{}: p50 {:.2} ms in memory, {:.2} ms in Redis; p99 {before:.2} ms, {with:.2} ms",
            round + 1,
            bench.rounds,
            figure(memory, Metric::P50),
            figure(redis, Metric::P50),
        ));
    }
    Ok(())
}

/// One window of one of them; its p99 in milliseconds.
fn once(bench: &Bench, racer: &mut Racer, traffic: &Traffic) -> Result<f64> {
    let rate = bench.rate.unwrap_or(traffic.rate);
    let outcome = racer.run(bench, racer.load(Pace::Open(rate), Duration::from_secs_f64(bench.seconds)))?;
    ensure!(outcome.unsent == 0, "over its capacity at {rate} requests a second");
    let quantile = |q| outcome.latency.quantile(q).unwrap_or(f64::NAN) / 1e6;
    racer.row.enter(Metric::P50, quantile(0.5));
    racer.row.enter(Metric::P99, quantile(0.99));
    racer.row.enter(Metric::Failed, outcome.failed() as f64);
    Ok(quantile(0.99))
}
