//! `tollgate ai`: what calls of models cost, and what is known of models.

mod models;
mod payloads;
mod usage;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use store::usage::By;

use super::ConfigArg;

/// What is done with models.
#[derive(Subcommand)]
pub(super) enum AiCommand {
    /// Sum up what calls of models took and cost
    #[command(after_help = USAGE)]
    Usage(UsageArgs),
    /// Show what was asked and said, where `payload_log` kept it
    #[command(after_help = PAYLOADS)]
    Payloads(PayloadsArgs),
    /// List the models that are known, with their sizes and prices
    #[command(after_help = MODELS)]
    Models(ModelsArgs),
}

const USAGE: &str = "\
Examples:
  tollgate ai usage                                  by consumer and model, the last 7 days
  tollgate ai usage --by team,month --since 90d
  tollgate ai usage --by day --only consumer=mobile --csv > mobile.csv
  tollgate ai usage --since 2026-11-01 --until 2026-12-01 --by team --json

It reads the data directory of a gateway, which may run meanwhile. Calls are summed by the hour, so a time counts from
the begin of its hour. A call's cost is rounded up to a billionth of a dollar, and sums are exact. `unpriced` are calls
of models whose price is not known; they are in no cost.

Exit codes: 0 good, 1 there is nothing to read, 2 bad usage.";

const MODELS: &str = "\
Examples:
  tollgate ai models gpt-5
  tollgate ai models --provider anthropic
  tollgate ai models gemini flash --json
  tollgate ai models --catalog prices.json own

Each word must be in `provider/model`. Prices are US dollars for a million tokens; of what is charged otherwise --json
says all. A dash is what is not known.";

#[derive(Args)]
pub(super) struct UsageArgs {
    /// What to sum by, the coarsest first; `all` for one sum
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_values = ["consumer", "model"],
        value_parser = PossibleValuesParser::new(By::ALL.map(By::as_str).into_iter().chain(["all"])).map(|name| By::named(&name)))]
    by: Vec<Option<By>>,
    /// From when: a time ago such as 7d or 12h, a day, or a moment
    #[arg(long, value_name = "WHEN", default_value = "7d")]
    since: String,
    /// Up to when; now when not given
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Only calls of this consumer, model, … (may be repeated)
    #[arg(long, value_name = "WHAT=VALUE")]
    only: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// The data directory; the configuration's `store.directory` when not given, else `data` beside the configuration
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

const PAYLOADS: &str = "\
Examples:
  tollgate ai payloads --request 0198c7a1-…         one call, by the request_id of the access log
  tollgate ai payloads --consumer mobile --last 5
  tollgate ai payloads --model smart --last 100 --folder /var/lib/tollgate/payloads

A JSON object a line, the youngest first. It reads the files that the policy `payload_log` writes.

Exit codes: 0 something was found, 1 nothing was, 2 bad usage.";

#[derive(Args)]
pub(super) struct PayloadsArgs {
    /// Only the call of this request id
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only calls of this consumer
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Only calls of this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// The folder; `payloads` in the configuration's data directory when not given
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args)]
pub(super) struct ModelsArgs {
    /// Words of the model's or its provider's name
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Only those of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// A file of models and prices that replace ours
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &AiCommand) -> anyhow::Result<u8> {
    match command {
        AiCommand::Usage(args) => usage::usage(args),
        AiCommand::Payloads(args) => payloads::payloads(args),
        AiCommand::Models(args) => models::models(args),
    }
}
