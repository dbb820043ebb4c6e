//! The commands. Exit codes: 0 good, 1 problems found, 2 bad usage.

mod ai;
mod authz;
mod backup;
mod check;
mod explain;
mod gateway;
mod key;
mod keys;
mod password;
mod secrets;
mod style;
mod table;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Good.
pub const GOOD: u8 = 0;
/// Problems were found, or something failed.
pub const PROBLEMS: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  tollgate run -c tollgate.yaml            start the gateway
  tollgate check -c tollgate.yaml          find every problem before it runs
  tollgate explain GET http://localhost:8080/users/7
                                           say which route takes a request, and why
  tollgate authz test cases.yaml           try who may do what
  tollgate key                             make an API key for the configuration
  tollgate keys create --consumer a --name b
                                           make one for a running gateway
  tollgate ai usage --by team --since 30d  sum up what calls of models cost
  tollgate backup --to tollgate.backup.db  copy the data directory's database while it is in use
  tollgate schema > tollgate.schema.json   completion in editors

Docs: docs/ in the repository; the configuration reference is docs/reference.md.";

/// An API gateway, an AI gateway and an API management platform in one binary.
#[derive(Parser)]
#[command(name = "tollgate", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the gateway
    #[command(
        after_help = "Examples:\n  tollgate run\n  tollgate run -c /etc/tollgate/\n  tollgate run -c tollgate.yaml --demo-upstream 9001 --demo-upstream 9002\n\nSignals: SIGTERM and SIGINT drain and leave, SIGHUP reloads, SIGUSR1 reopens the access log."
    )]
    Run(RunArgs),
    /// Find every problem of a configuration
    #[command(
        after_help = "Examples:\n  tollgate check -c tollgate.yaml\n  tollgate check -c conf.d/ --format json\n  tollgate check --offline        # absent variables and files are warnings\n\nExit codes: 0 good, 1 problems found, 2 bad usage."
    )]
    Check(CheckArgs),
    /// Say which route takes a request, why, and what will happen to it
    #[command(
        after_help = "Examples:\n  tollgate explain GET http://localhost:8080/users/7\n  tollgate explain POST https://api.example.com/orders -H 'x-tenant: a' --json\n  tollgate explain GET /users/7 --gateway http://127.0.0.1:9901   # ask a running gateway"
    )]
    Explain(ExplainArgs),
    /// Try who may do what, before it runs
    #[command(subcommand)]
    Authz(AuthzCommand),
    /// What calls of models cost, and what is known of models
    #[command(subcommand)]
    Ai(ai::AiCommand),
    /// Make an API key for a consumer of the configuration
    #[command(
        after_help = "Examples:\n  tollgate key\n  tollgate key --count 100 --json > keys.jsonl\n\nThe consumer gets the key, which nobody can see again; the configuration gets its hash:\n  consumers: [{ name: mobile, credentials: [{ key_sha256: HASH }] }]\n\nA key is `tg_`, 43 digits of base 62 (256 random bits) and 6 of a CRC-32, so that scanners find one that leaked\nand the gateway refuses a mistyped one without looking it up."
    )]
    Key(KeyArgs),
    /// Keys of callers that are made and revoked while a gateway runs, with models, budget and expiry of their own
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Secrets that the configuration refers to as `${store:NAME}`, sealed in the data directory
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Hash a password for a consumer's `basic` credential
    #[command(
        after_help = "Examples:\n  tollgate password < password.txt\n  printf %s \"$PASSWORD\" | tollgate password\n\nThe password is read from standard input, without the line's end. The hash is argon2id, as\n  consumers: [{ name: mobile, credentials: [{ basic: { username: mobile, password_hash: HASH } }] }]\ntakes it."
    )]
    Password,
    /// Copy the database of the data directory, in use or not, to a file
    #[command(
        after_help = "Examples:\n  tollgate backup --to tollgate.backup.db\n  tollgate backup -c /etc/tollgate/ --to /var/backups/tollgate-$(date +%F).db\n  tollgate backup --data /var/lib/tollgate --to backup.db\n\nThe copy is of one moment, checked, and on the disk when the command returns; FILE is never overwritten.\nTo restore it, copy it to tollgate.db in an empty directory and let `store.directory` name that."
    )]
    Backup(BackupArgs),
    /// Print the JSON Schema of the configuration
    #[command(
        after_help = "Example:\n  tollgate schema > tollgate.schema.json\n\nPoint an editor at it with a first line such as\n  # yaml-language-server: $schema=tollgate.schema.json"
    )]
    Schema,
    /// Serve a small upstream to try things with
    #[command(
        after_help = "Examples:\n  tollgate demo-upstream 9001\n  tollgate demo-upstream 9001 9002 9003\n\nIt answers /, /headers, /stream (server-sent events), /status/CODE, /bytes/N and /delay/MILLISECONDS."
    )]
    DemoUpstream(DemoArgs),
    /// Print shell completions
    #[command(after_help = "Example:\n  tollgate completions bash > /etc/bash_completion.d/tollgate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What is done with access policies.
#[derive(Subcommand)]
enum AuthzCommand {
    /// Try cases of who may do what, from a file, on a configuration
    #[command(after_help = AUTHZ_TEST)]
    Test(AuthzTestArgs),
}

const AUTHZ_TEST: &str = "\
Examples:
  tollgate authz test cases.yaml
  tollgate authz test cases.yaml -c /etc/tollgate/ --json

A file of cases:
  cases:
    - name: staff may read
      request: { method: GET, path: /documents/7, host: api.example.com }
      auth: { consumer: mobile, groups: [staff], scopes: [read], claims: { level: 3 } }
      expect: allow
      rule: staff                    # the rule of `authz` that decides
    - name: nobody may export
      request: { path: /documents/7/export, query: { pages: 2 }, headers: { x-a: b }, client: 192.0.2.7 }
      at: 2026-12-24T08:00:00Z       # the moment; now when not given
      expect: deny
      code: auth.missing
      reason: a credential           # a part of it

The access policies of the route that takes the request run, and no others: `access`, those of the authorize stage, `ip`
and `bot`. Nothing is opened: `opa` is passed over, and the report says so. `auth` is the caller as if identified; without
it nobody calls.

Exit codes: 0 all passed, 1 one failed or problems were found, 2 bad usage.";

#[derive(Args)]
pub(crate) struct AuthzTestArgs {
    /// The cases: a YAML or JSON file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the configuration is.
#[derive(Args)]
pub(crate) struct ConfigArg {
    /// The configuration: a YAML or JSON file, or a folder of them
    #[arg(short, long, value_name = "PATH", default_value = "tollgate.yaml")]
    pub(crate) config: PathBuf,
}

#[derive(Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Also serve a demo upstream at this port of the loopback address (may be repeated)
    #[arg(long, value_name = "PORT")]
    demo_upstream: Vec<u16>,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// How problems are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Absent environment variables and files are warnings
    #[arg(long)]
    pub(crate) offline: bool,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For machines
    Json,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// The method, such as GET
    pub(crate) method: String,
    /// The URL, such as https://api.example.com/users/7
    pub(crate) url: String,
    /// A request header (may be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,
    /// The listener it comes by; the first that fits when not given
    #[arg(long, value_name = "NAME")]
    pub(crate) listener: Option<String>,
    /// The client's address
    #[arg(long, value_name = "IP")]
    pub(crate) client: Option<std::net::IpAddr>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Ask a running gateway at its operations port instead of reading a configuration
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    pub(crate) gateway: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// The file to make; it must not be there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// The data directory; the configuration's `store.directory` when not given, else `data` beside the configuration
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) count: u32,
    /// Print JSON, a line each
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
struct DemoArgs {
    /// Ports of the loopback address; 0 takes a free one
    #[arg(required = true, value_name = "PORT")]
    ports: Vec<u16>,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => crate::run::run(&args.config.config, &args.demo_upstream),
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Authz(AuthzCommand::Test(args)) => authz::test(&args),
        Command::Ai(command) => ai::run(&command),
        Command::Key(args) => key::key(&args),
        Command::Keys(command) => keys::run(&command),
        Command::Secrets(command) => secrets::run(&command),
        Command::Password => password::password(),
        Command::Backup(args) => backup::backup(&args),
        Command::Schema => style::print(&crate::schema::text()).map(|()| GOOD),
        Command::DemoUpstream(args) => crate::demo::run(&args.ports).map(|()| GOOD),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut text);
            style::print(&String::from_utf8_lossy(&text)).map(|()| GOOD)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            style::complain(&format!("{error:#}"));
            ExitCode::from(if error.is::<usage::Usage>() { USAGE } else { PROBLEMS })
        }
    }
}

pub(crate) use check::show_problems;
pub(crate) use style::{complain, say};
pub(crate) use usage::found;
