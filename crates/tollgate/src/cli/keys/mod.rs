//! `tollgate keys`: keys of callers that are made, changed and revoked while a gateway runs.

mod show;

use clap::{Args, Subcommand};
use http::Method;
use model::resource::{KeyChange, KeyModels, KeyTokens, NewKey, TokenCount};
use model::value::{Duration, Rate, Spending, Timestamp};
use serde_json::{Value, json};

use super::gateway::{Gateway, GatewayArgs, part};
use super::usage::Usage;
use super::{GOOD, PROBLEMS, style};

/// What is done with keys.
#[derive(Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key for a consumer; it is shown once
    #[command(after_help = CREATE)]
    Create(CreateArgs),
    /// List keys
    #[command(after_help = LIST)]
    List(ListArgs),
    /// Show a key, what it may be used for and what is spent
    Show(OneArgs),
    /// Change what a key may be used for; what is not said stays
    #[command(after_help = SET)]
    Set(SetArgs),
    /// Put another secret in the place of a key's; it is shown once
    #[command(after_help = ROTATE)]
    Rotate(RotateArgs),
    /// Take a key away for good
    #[command(
        after_help = "Examples:\n  tollgate keys revoke mobile/ci\n  tollgate keys revoke key_7h2m4n8p9q3r5s6t\n\nIt is no longer good when this returns. `tollgate keys set KEY --enabled false` can be taken back."
    )]
    Revoke(OneArgs),
}

const CREATE: &str = "\
Examples:
  tollgate keys create --consumer mobile --name ci
  tollgate keys create --consumer mobile --name intern --allow 'gpt-4o*' --deny gpt-4o-audio \\
      --budget '5 USD/day' --budget '50 USD/month' --tokens 200000/minute --expires 90d --tag trial
  tollgate keys create --consumer mobile --name ci --json | jq -r .key

The consumer is one of the configuration: the key may do what it may, within its plan, and no more than is said here. It
works from the moment this returns. It is kept as a SHA-256 alone, so nobody can see it again.

It asks the running gateway at `operations.socket` of the configuration, or at its operations port with the token in
TOLLGATE_TOKEN. Where no gateway runs, the data directory is changed.";

const LIST: &str = "\
Examples:
  tollgate keys list
  tollgate keys list --consumer mobile --tag trial --json";

const SET: &str = "\
Examples:
  tollgate keys set mobile/ci --budget '100 USD/month'
  tollgate keys set mobile/ci --enabled false             until it is set to true again
  tollgate keys set mobile/ci --expires never --no-models";

const ROTATE: &str = "\
Examples:
  tollgate keys rotate mobile/ci                  the old one is no longer good
  tollgate keys rotate mobile/ci --grace 24h      both are good for a day";

/// What a key is good for.
#[derive(Args)]
struct TermsArgs {
    /// A model that it may be used for, or the beginning of its name and `*` (may be repeated)
    #[arg(long, value_name = "MODEL")]
    allow: Vec<String>,
    /// A model that it may not be used for (may be repeated)
    #[arg(long, value_name = "MODEL")]
    deny: Vec<String>,
    /// What its calls may cost, such as '50 USD/month' (day, week, month, total; may be repeated)
    #[arg(long, value_name = "AMOUNT")]
    budget: Vec<Spending>,
    /// How many tokens its calls may take, such as 200000/minute or output=1000/hour (may be repeated)
    #[arg(long, value_name = "RATE", value_parser = tokens)]
    tokens: Vec<KeyTokens>,
    /// When it ends to be good: in a time such as 90d, at a moment, or never
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    expires: Option<Expiry>,
    /// A word to find it by (may be repeated)
    #[arg(long, value_name = "WORD")]
    tag: Vec<String>,
    /// Whether it is good
    #[arg(long, value_name = "BOOL")]
    enabled: Option<bool>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct CreateArgs {
    /// The consumer whose it is
    #[arg(long, value_name = "NAME")]
    consumer: String,
    /// Its name, unique within the consumer
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Args)]
pub(super) struct SetArgs {
    /// Its id, or CONSUMER/NAME
    #[arg(value_name = "KEY")]
    key: String,
    /// Another name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    terms: TermsArgs,
    /// Any model that its consumer may use
    #[arg(long, conflicts_with_all = ["allow", "deny"])]
    no_models: bool,
    /// No budget of its own
    #[arg(long, conflicts_with = "budget")]
    no_budget: bool,
    /// No limit of tokens of its own
    #[arg(long, conflicts_with = "tokens")]
    no_tokens: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only keys of this consumer
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Only keys with this tag
    #[arg(long, value_name = "WORD")]
    tag: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Args)]
pub(super) struct OneArgs {
    /// Its id, or CONSUMER/NAME
    #[arg(value_name = "KEY")]
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayArgs,
}

#[derive(Args)]
pub(super) struct RotateArgs {
    #[command(flatten)]
    one: OneArgs,
    /// How long the old one stays good, at most 30d
    #[arg(long, value_name = "TIME")]
    grace: Option<Duration>,
}

/// When a key ends to be good.
#[derive(Clone, Copy)]
struct Expiry(Option<Timestamp>);

fn expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        return Ok(Expiry(None));
    }
    if let Ok(time) = text.parse::<Duration>() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let then = (now + time.get()).as_secs();
        return Ok(Expiry(Some(Timestamp::from_millis(then.saturating_mul(1000)))));
    }
    let moment = text.parse().map_err(|error| format!("{error}; or a time such as `90d`, or `never`"))?;
    Ok(Expiry(Some(moment)))
}

fn tokens(text: &str) -> Result<KeyTokens, String> {
    let (count, rate) = match text.split_once('=') {
        Some(("input", rate)) => (TokenCount::Input, rate),
        Some(("output", rate)) => (TokenCount::Output, rate),
        Some(("total", rate)) => (TokenCount::Total, rate),
        Some((other, _)) => return Err(format!("`{other}` is none of input, output, total")),
        None => (TokenCount::Total, text),
    };
    let limit = rate.parse::<Rate>().map_err(|error| error.to_string())?;
    Ok(KeyTokens { limit, count })
}

impl TermsArgs {
    fn models(&self) -> KeyModels {
        KeyModels { allow: self.allow.clone(), deny: self.deny.clone() }
    }
}

pub(super) fn run(command: &KeysCommand) -> anyhow::Result<u8> {
    match command {
        KeysCommand::Create(args) => create(args),
        KeysCommand::List(args) => list(args),
        KeysCommand::Show(args) => one(args, Method::GET, ""),
        KeysCommand::Set(args) => set(args),
        KeysCommand::Rotate(args) => rotate(args),
        KeysCommand::Revoke(args) => one(args, Method::DELETE, ""),
    }
}

fn create(args: &CreateArgs) -> anyhow::Result<u8> {
    let terms = &args.terms;
    let asked = NewKey {
        consumer: args.consumer.clone(),
        name: args.name.clone(),
        models: terms.models(),
        budgets: terms.budget.clone(),
        tokens: terms.tokens.clone(),
        tags: terms.tag.clone(),
        expires: terms.expires.and_then(|expiry| expiry.0),
        enabled: terms.enabled.unwrap_or(true),
    };
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    told(&gateway.ask(Method::POST, "/keys", Some(&json!(asked)))?, terms.json)
}

fn set(args: &SetArgs) -> anyhow::Result<u8> {
    let terms = &args.terms;
    let models = terms.models();
    let change = KeyChange {
        name: args.name.clone(),
        models: (args.no_models || models != KeyModels::default()).then_some(models),
        budgets: (args.no_budget || !terms.budget.is_empty()).then(|| terms.budget.clone()),
        tokens: (args.no_tokens || !terms.tokens.is_empty()).then(|| terms.tokens.clone()),
        tags: (!terms.tag.is_empty()).then(|| terms.tag.clone()),
        expires: terms.expires.map(|expiry| expiry.0),
        enabled: terms.enabled,
    };
    if change == KeyChange::default() {
        return Err(Usage::error("there is nothing to set; see `tollgate keys set --help`"));
    }
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    told(&gateway.ask(Method::PATCH, &path(&args.key), Some(&json!(change)))?, terms.json)
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    let mut keys: Vec<Value> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let wanted = [("consumer", &args.consumer), ("tag", &args.tag), ("after", &after)];
        let wanted = wanted.iter().filter_map(|(name, value)| Some(format!("{name}={}", part(value.as_ref()?))));
        let query = wanted.chain(["limit=1000".to_owned()]).collect::<Vec<_>>().join("&");
        let mut page = gateway.ask(Method::GET, &format!("/keys?{query}"), None)?;
        if let Some(Value::Array(found)) = page.get_mut("keys").map(Value::take) {
            keys.extend(found);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    let text = if args.json { format!("{:#}", json!({ "keys": keys })) } else { show::list(&keys) };
    style::print(&text)?;
    Ok(GOOD)
}

fn rotate(args: &RotateArgs) -> anyhow::Result<u8> {
    let Some(gateway) = Gateway::open(&args.one.gateway)? else { return Ok(PROBLEMS) };
    let body = json!({ "grace": args.grace });
    told(&gateway.ask(Method::POST, &format!("{}/rotate", path(&args.one.key)), Some(&body))?, args.one.json)
}

fn one(args: &OneArgs, method: Method, more: &str) -> anyhow::Result<u8> {
    let Some(gateway) = Gateway::open(&args.gateway)? else { return Ok(PROBLEMS) };
    told(&gateway.ask(method, &format!("{}{more}", path(&args.key)), None)?, args.json)
}

fn path(key: &str) -> String {
    format!("/keys/{}", part(key))
}

fn told(key: &Value, as_json: bool) -> anyhow::Result<u8> {
    style::print(&if as_json { format!("{key:#}") } else { show::one(key) })?;
    if key.get("key").is_some() {
        style::say("the key is shown this once; only its hash is kept");
    }
    Ok(GOOD)
}
