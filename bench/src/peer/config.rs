//! Fills the committed templates in.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::certificate::Files as Certificate;
use super::policies::{care, policies, targets, to};
use super::token::{self, Token};
use super::{Setup, Spec};

/// The consumer's key in the `full` scenario.
pub(crate) const API_KEY: &str = "bench-1f0c7a52d94e4b6c8a3e";
/// The caller's key where models are called; LiteLLM asks for this beginning.
pub(crate) const CALLER_KEY: &str = "sk-bench-5d0b3f6a1c7e49e2";
/// Consumers beside the one that calls, in the `full` scenario.
const CONSUMERS: u32 = 100_000;
/// Routes of one api where there are many.
const ROUTES_PER_API: u32 = 10;

/// What a setup needs to know of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) upstream: SocketAddr,
    pub(crate) certificate: &'a Certificate,
    pub(crate) token: &'a Token,
    /// Redis's port.
    pub(crate) redis: u16,
}

/// What a proxy is to do, and on which scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    /// How many routes, where the setup has many.
    pub(crate) routes: u32,
}

/// The files of one proxy in a folder of its own.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) dir: PathBuf,
    /// The file that the proxy is started with.
    pub(crate) main: PathBuf,
    pub(crate) port: u16,
    /// Where the access log goes, if there is one.
    pub(crate) log: PathBuf,
    /// What callers send to this peer beside what they send to all.
    pub(crate) headers: Vec<(String, String)>,
    values: BTreeMap<&'static str, String>,
    template: &'static str,
}

impl Config {
    /// Chooses free ports and writes the files for `plan` into `dir`.
    pub(crate) fn write(spec: &Spec, plan: Plan, site: Site<'_>, dir: &Path) -> Result<Self> {
        let Some([(name, template), others @ ..]) = spec.files(plan.setup) else {
            bail!("{} has no configuration for {:?}", spec.name, plan.setup);
        };
        std::fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let (port, operations) = free_ports()?;
        let log = dir.join("access.log");
        let mut values = BTreeMap::from([
            ("port", port.to_string()),
            ("operations", operations.to_string()),
            ("upstream", site.upstream.to_string()),
            ("upstream_port", site.upstream.port().to_string()),
            ("dir", dir.display().to_string()),
            ("log", log.display().to_string()),
            ("certificate", site.certificate.chain.display().to_string()),
            ("key", site.certificate.key.display().to_string()),
            ("pem", site.certificate.both.display().to_string()),
            ("api_key", API_KEY.to_owned()),
            ("revision", revision(0)),
            ("routes", routes(spec.name, plan.routes)),
            ("policies", policies(plan.setup).to_owned()),
            ("targets", targets(plan.setup, site.upstream)),
            ("care", care(plan.setup).to_owned()),
            ("to", to(plan.setup).to_owned()),
            ("redis", redis(plan.setup, site.redis)),
            ("consumers", if plan.setup == Setup::Full { consumers() } else { String::new() }),
        ]);
        values.extend(provider(plan.setup, site.upstream));
        let (main, headers) = (dir.join(name), Vec::new());
        let mut config = Self { dir: dir.to_owned(), main, port, log, headers, values, template };
        if plan.setup.is_step() {
            token::write(site.token, dir)?;
        }
        for (name, template) in others {
            write(&dir.join(name), &render(template, &config.values)?)?;
        }
        let main = config.text(0)?;
        write(&config.main, &main)?;
        if *name == "headers" {
            let fields = main.lines().filter_map(|line| line.split_once(": "));
            config.headers = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        }
        Ok(config)
    }

    /// The main file's text as another revision.
    pub(crate) fn text(&self, number: u32) -> Result<String> {
        let mut values = self.values.clone();
        values.insert("revision", revision(number));
        render(self.template, &values)
    }
}

/// What answers carry in `x-revision`.
pub(crate) fn revision(number: u32) -> String {
    format!("r{number}")
}

/// The paths of a configuration with this many routes, one for each.
pub(crate) fn route_paths(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|at| format!("/a{}/r{}/42", at / ROUTES_PER_API, at % ROUTES_PER_API))
}

fn routes(peer: &str, count: u32) -> String {
    let mut text = String::new();
    for at in 0..count {
        let (api, route) = (at / ROUTES_PER_API, at % ROUTES_PER_API);
        let _ = match peer {
            "tollgate" => {
                if route == 0 {
                    let _ = write!(text, "  - name: a{api}\n    path: /a{api}\n    routes:\n");
                }
                writeln!(text, "      - {{ name: r{route}, match: {{ path: \"/r{route}/{{id}}\" }}, to: bench }}")
            }
            _ => writeln!(text, "        location /a{api}/r{route}/ {{ proxy_pass http://bench; }}"),
        };
    }
    text
}

/// A file of consumers, each with the hash of a key that nobody has.
fn consumers() -> String {
    let mut text = String::from("name,plan,sha256,apis\n");
    // A generator (splitmix64) rather than a hash: the file is the same in every run, and its hashes look like hashes.
    let mut state = 0u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for at in 0..CONSUMERS {
        let _ = writeln!(text, "c{at},,{:016x}{:016x}{:016x}{:016x},*", next(), next(), next(), next());
    }
    text
}

/// The models' provider, as the templates name it.
fn provider(setup: Setup, upstream: SocketAddr) -> BTreeMap<&'static str, String> {
    let Some(path) = setup.provider_path() else { return BTreeMap::new() };
    let (vendor, version, model) = match setup {
        Setup::Translate => ("anthropic", "", "claude-haiku-4-5"),
        _ => ("openai", "/v1", "gpt-4o-mini"),
    };
    BTreeMap::from([
        ("vendor", vendor.to_owned()),
        ("vendor_base", format!("http://{upstream}{version}")),
        ("stream_host", format!("http://{upstream}{path}")),
        ("stream_base", format!("http://{upstream}{path}{version}")),
        ("vendor_model", model.to_owned()),
        ("caller_key", CALLER_KEY.to_owned()),
    ])
}

fn redis(setup: Setup, port: u16) -> String {
    match setup {
        Setup::RedisLimit => format!("redis: {{ url: \"redis://127.0.0.1:{port}\", timeout: 50ms }}"),
        _ => String::new(),
    }
}

/// Replaces each `{{name}}`.
fn render(template: &str, values: &BTreeMap<&'static str, String>) -> Result<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("`{{` without `}}` in a template")?;
        text.push_str(before);
        text.push_str(values.get(name).with_context(|| format!("a template asks for an unknown `{name}`"))?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Two ports that nobody listens on just now.
pub(crate) fn free_ports() -> Result<(u16, u16)> {
    let (one, other) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}
