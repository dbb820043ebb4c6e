//! `tollgate secrets`: what configurations refer to as `${store:NAME}`, sealed in the data directory.

use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::Value;

use super::gateway::{Gateway, GatewayArgs, part};
use super::table::{Side, table};
use super::usage::Usage;
use super::{GOOD, PROBLEMS, style};

/// What is done with secrets.
#[derive(Subcommand)]
pub(super) enum SecretsCommand {
    /// Put a secret into the store, or another in its place; it is read from standard input
    #[command(after_help = PUT)]
    Put(OneArgs),
    /// List the names of secrets
    List(ListArgs),
    /// Take a secret out of the store
    Remove(OneArgs),
}

const PUT: &str = "\
Examples:
  tollgate secrets put openai < key.txt
  printf %s \"$KEY\" | tollgate secrets put openai

A configuration refers to it as `${store:openai}`. A gateway that runs takes it up at once, without a restart. It is sealed
under the keys of `store.keys`; nobody can read it here again.";

/// Bytes of the longest secret.
const MOST: u64 = 64 << 10;

#[derive(Args)]
pub(super) struct OneArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(super) fn run(command: &SecretsCommand) -> anyhow::Result<u8> {
    match command {
        SecretsCommand::Put(args) => put(args),
        SecretsCommand::List(args) => list(args),
        SecretsCommand::Remove(args) => {
            let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
            told(&gateway.ask(Method::DELETE, &path(&args.name), None)?)
        }
    }
}

fn put(args: &OneArgs) -> anyhow::Result<u8> {
    let mut secret = String::new();
    let read = std::io::stdin().lock().take(MOST + 1).read_to_string(&mut secret);
    let read = read.context("the secret cannot be read from standard input")?;
    if read as u64 > MOST || secret.trim().is_empty() {
        return Err(Usage::error("a secret is text of up to 64 KiB, given on standard input"));
    }
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    told(&gateway.send_text(Method::PUT, &path(&args.name), secret)?)
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    let told = gateway.ask(Method::GET, "/secrets", None)?;
    if args.json {
        style::print(&format!("{told:#}"))?;
        return Ok(GOOD);
    }
    let names = ["name", "created", "replaced", "sealed_with"];
    let secrets = told.get("secrets").and_then(Value::as_array).cloned().unwrap_or_default();
    let cell = |secret: &Value, name: &str| secret.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let lines: Vec<Vec<String>> =
        secrets.iter().map(|secret| names.iter().map(|name| cell(secret, name)).collect()).collect();
    let head: Vec<(&str, Side)> =
        ["name", "created", "replaced", "sealed with"].into_iter().map(|name| (name, Side::Left)).collect();
    style::print(&if lines.is_empty() { "no secrets\n".to_owned() } else { table(&head, &lines) })?;
    Ok(GOOD)
}

fn path(name: &str) -> String {
    format!("/secrets/{}", part(name))
}

/// What became of the gateway that runs, if one does.
fn told(told: &Value) -> anyhow::Result<u8> {
    if told.get("reload").and_then(Value::as_str) == Some("refused") {
        style::complain(
            "the gateway keeps its old configuration: with this change it has problems; see its log, or `tollgate check`",
        );
        return Ok(PROBLEMS);
    }
    Ok(GOOD)
}
