//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  bench                                          every scenario with every peer found, 15 rounds; writes bench/results/
  bench --scenario h1-1k --peers nginx,haproxy --rounds 5 --seconds 1 --out /tmp/try
  bench --scenario h1-1k --peers nginx,nginx     a peer against itself: what the harness cannot tell apart
  bench --tollgate target/dist/tollgate --scenario full --callgrind
  bench --suite ai                               models: calls and streams, beside LiteLLM and Portkey where found
  bench list                                     scenarios, bounds and the peers found
  bench upstream --port 9000                     the fixed upstream alone; /bytes/N answers N bytes, and see README.md
  bench load --url http://127.0.0.1:8080/ --connections 64 --seconds 5
  bench chaos                                    five targets, four of them with a fault each; ten minutes
  bench load --url https://127.0.0.1:8443/ --h2 --tls-insecure --rate 10000 -H 'x-api-key: abc'";

/// Measures Tollgate side by side with other proxies: CPU a request, throughput, latency, memory.
#[derive(Debug, Parser)]
#[command(name = "bench", after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Which table of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Requests and answers of any kind.
    Proxy,
    /// Calls of models.
    Ai,
}

/// What to do other than to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the scenarios with their bounds, and the peers found here
    List,
    /// Runs the fixed upstream until it is interrupted
    Upstream(UpstreamArgs),
    /// Sends load to one URL and prints requests a second, errors, p50 and p99
    Load(LoadArgs),
    /// Breaks four of five targets, and tells what becomes of requests, with each mechanism and without
    Chaos(ChaosArgs),
    /// Runs a program on one core, ended when its parent ends (used by the harness itself)
    #[command(hide = true)]
    Pinned(PinnedArgs),
}

/// Options of a measurement.
#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// What is measured: a proxy of requests, or a gateway of models
    #[arg(long, value_enum, default_value_t = Suite::Proxy)]
    pub(crate) suite: Suite,
    /// Measure only this scenario of the suite; may be repeated [default: all but those that run on request]
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// Rounds of each scenario; a bound is judged from 15 on
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Seconds of each closed-loop window; the open-loop window is half as long
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Measure only these peers, in this order; a name twice measures the peer against itself [default: all found]
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) peers: Vec<String>,
    /// The Tollgate binary [default: dist/tollgate beside this program's folder, else from PATH]
    #[arg(long, value_name = "PATH")]
    pub(crate) tollgate: Option<PathBuf>,
    /// Requests a second of the open loop, instead of each scenario's own
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// Also count instructions a request under valgrind's callgrind
    #[arg(long)]
    pub(crate) callgrind: bool,
    /// The core that the proxy runs on
    #[arg(long, default_value_t = 0)]
    pub(crate) proxy_core: usize,
    /// The core that load and upstream run on
    #[arg(long, default_value_t = 1)]
    pub(crate) load_core: usize,
    /// Priority of proxies and load, -20 (highest, needs root) to 19; helps on a machine that others use too
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-20..=19))]
    pub(crate) nice: i32,
    /// Where results.md, results.svg and rounds.csv are written [default: bench/results of the source tree, and `ai` in it]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 1 when a bound fails or was not measured
    #[arg(long)]
    pub(crate) enforce: bool,
}

/// Options of `bench upstream`.
#[derive(Args, Debug)]
pub(crate) struct UpstreamArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 9000)]
    pub(crate) port: u16,
    /// Pin to this core
    #[arg(long)]
    pub(crate) core: Option<usize>,
}

/// Options of `bench load`.
#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// http:// or https:// URL to ask for
    #[arg(long)]
    pub(crate) url: String,
    /// Connections at once
    #[arg(long, short, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) connections: u32,
    /// Seconds of the measured window
    #[arg(long, short, default_value_t = 5.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Open loop at this many requests a second [default: closed loop]
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// HTTP/2: by ALPN over https, by prior knowledge over http
    #[arg(long)]
    pub(crate) h2: bool,
    /// Requests at once on each HTTP/2 connection
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) streams: u32,
    /// A new connection for each request
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Required for https: the certificate is not checked
    #[arg(long)]
    pub(crate) tls_insecure: bool,
    /// A header to send, 'name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// JSON to post, instead of a GET
    #[arg(long, value_name = "JSON", default_value = "", hide_default_value = true)]
    pub(crate) data: String,
    /// Pin to this core
    #[arg(long)]
    pub(crate) core: Option<usize>,
}

/// Options of `bench chaos`.
#[derive(Args, Debug)]
pub(crate) struct ChaosArgs {
    /// The Tollgate binary [default: dist/tollgate beside this program's folder, else from PATH]
    #[arg(long, value_name = "PATH")]
    pub(crate) tollgate: Option<PathBuf>,
    /// Seconds of each run from the first fault on
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub(crate) seconds: u64,
    /// Exit with 1 when fewer than 99.9 % succeed, or p99 is over twice the healthy one, with everything on
    #[arg(long)]
    pub(crate) enforce: bool,
}

/// Options of `bench pinned`.
#[derive(Args, Debug)]
pub(crate) struct PinnedArgs {
    /// The core
    #[arg(long)]
    pub(crate) core: usize,
    /// The priority
    #[arg(long, allow_negative_numbers = true, default_value_t = 0)]
    pub(crate) nice: i32,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

fn seconds(text: &str) -> Result<f64, String> {
    within(text, 0.1, 3600.0)
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, 0.1, 10_000_000.0)
}

fn within(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (low..=high).contains(&value) { Ok(value) } else { Err(format!("not between {low} and {high}")) }
}
