//! `bench upstream`, `bench load` and `bench pinned`: the harness's parts on their own.

use std::net::ToSocketAddrs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cli::{LoadArgs, PinnedArgs, UpstreamArgs};
use crate::measure::{self, Place};
use crate::wire::load::{
    Lifetime, Load, Offer, Outcome, Pace, Protocol, Request, Shape, Target, Timeline, Until, Wait, client_config,
};
use crate::wire::rig::Rig;

/// Runs the fixed upstream until the process is ended.
pub(crate) fn upstream(args: &UpstreamArgs) -> Result<()> {
    measure::raise_nofile();
    let rig = Rig::start(args.core.map(usually), args.port)?;
    crate::print(&format!("upstream on http://{}/ (/bytes/N answers N bytes, all else 1 KiB)\n", rig.upstream()));
    rig.join();
    Ok(())
}

/// Sends load to one URL and prints what came of it.
pub(crate) fn load(args: &LoadArgs) -> Result<()> {
    measure::raise_nofile();
    let load = load_of(args)?;
    let rig = Rig::start(args.core.map(usually), 0)?;
    let outcome = rig.run(load)?;
    crate::print(&summary(&outcome));
    ensure!(outcome.failed() == 0, "{} requests failed", outcome.failed());
    Ok(())
}

/// Becomes the given program, pinned, with the highest file limit, ended when the harness ends.
pub(crate) fn pinned(args: &PinnedArgs) -> Result<()> {
    let (program, rest) = args.command.split_first().context("no program")?;
    measure::raise_nofile();
    let place = Place { core: args.core, nice: args.nice };
    measure::take(place).with_context(|| format!("take {place:?}"))?;
    set_parent_process_death_signal(Some(Signal::TERM))?;
    Err(Command::new(program).args(rest).exec()).with_context(|| format!("start {program}"))
}

fn usually(core: usize) -> Place {
    Place { core, nice: 0 }
}

fn load_of(args: &LoadArgs) -> Result<Load> {
    let url = Url::parse(&args.url)?;
    let protocol = if args.h2 { Protocol::H2 } else { Protocol::H1 };
    let tls = match url.scheme {
        "https" if !args.tls_insecure => bail!("https needs --tls-insecure: this tool never checks certificates"),
        "https" => Some(client_config(protocol, Offer::All)?),
        _ => None,
    };
    let address = (url.host.as_str(), url.port).to_socket_addrs().with_context(|| format!("resolve {}", url.host))?;
    let address = address.into_iter().next().with_context(|| format!("{} has no address", url.host))?;
    let headers = args.headers.iter().map(|line| header(line)).collect::<Result<Vec<_>>>()?;
    let shape =
        Shape { scheme: url.scheme, authority: url.authority, path: url.path, headers, body: args.data.clone() };
    Ok(Load {
        target: Target { address, tls, protocol, host: url.host },
        requests: Arc::new([Request::new(protocol, &shape)]),
        connections: args.connections as usize,
        streams: args.streams as usize,
        pace: args.rate.map_or(Pace::Closed, Pace::Open),
        lifetime: if args.fresh { Lifetime::Fresh } else { Lifetime::Keep },
        warmup: Duration::from_millis(300),
        until: Until::Elapsed(Duration::from_secs_f64(args.seconds)),
        wait: Wait::Sleep,
        patience: Duration::from_secs(5),
        expect: None,
        says: None,
        marker: None,
        timeline: Timeline::Drop,
        gauge: None,
    })
}

fn summary(outcome: &Outcome) -> String {
    let milliseconds = |q| outcome.latency.quantile(q).map_or("-".to_owned(), |nanos| format!("{:.3} ms", nanos / 1e6));
    let own = outcome.own_cpu.as_secs_f64() * 1e6 / outcome.requests.max(1) as f64;
    let mut text = format!(
        "{:.0} req/s ({} in {:.2} s), {} errors{}, p50 {}, p90 {}, p99 {}, p99.9 {}; own CPU {own:.1} us/req\n",
        outcome.rate(),
        outcome.requests,
        outcome.elapsed.as_secs_f64(),
        outcome.failed(),
        if outcome.failed() > 0 { format!(" ({})", outcome.faults_text()) } else { String::new() },
        milliseconds(0.5),
        milliseconds(0.9),
        milliseconds(0.99),
        milliseconds(0.999),
    );
    if outcome.unsent > 0 {
        text.push_str(&format!("{} requests were due and never sent: over the target's capacity\n", outcome.unsent));
    }
    if outcome.reconnects > 0 {
        text.push_str(&format!("{} connections were opened anew\n", outcome.reconnects));
    }
    text
}

fn header(line: &str) -> Result<(String, String)> {
    let (name, value) = line.split_once(':').with_context(|| format!("header `{line}` is not `name: value`"))?;
    ensure!(!line.contains(['\r', '\n']), "header `{}` holds a line break", name.trim());
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

struct Url {
    scheme: &'static str,
    authority: String,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    fn parse(text: &str) -> Result<Self> {
        let (scheme, default_port, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http", 80, rest),
            Some(("https", rest)) => ("https", 443, rest),
            _ => bail!("`{text}` does not begin with http:// or https://"),
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, "/".to_owned()),
        };
        // The last colon parts the port, unless it stands inside the brackets of an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().with_context(|| format!("port `{port}` in `{text}`"))?)
            }
            _ => (authority, default_port),
        };
        ensure!(!host.is_empty(), "`{text}` has no host");
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { scheme, authority: authority.to_owned(), host, port, path })
    }
}

#[cfg(test)]
mod tests;
