//! The proxies that are compared: how each is found, configured and started. A new one is a row of `PEERS`.

pub(crate) mod certificate;
pub(crate) mod config;
mod policies;
pub(crate) mod process;
pub(crate) mod token;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::cli::Suite;

use Setup::{
    Bare, Breaker, Chat, FirstToken, Full, HashBalance, Jwt, KeyAuth, Plain, RateLimit, RedisLimit, Retries, Routes,
    Split, Streams, Tls, Translate,
};

/// What a proxy is configured to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Proxy everything over plain HTTP/1.1.
    Plain,
    /// The same over TLS, with HTTP/2 by ALPN.
    Tls,
    /// Tollgate's policies and access log.
    Full,
    /// Many routes; answers carry the revision.
    Routes,
    /// As with one of the policies and settings that follow, without it.
    Bare,
    /// Keys.
    KeyAuth,
    /// Three limits in memory.
    RateLimit,
    /// The same in Redis.
    RedisLimit,
    /// Tokens signed with ES256.
    Jwt,
    /// Two upstreams, by weight.
    Split,
    /// Two targets, by a header.
    HashBalance,
    /// Retries that nothing needs.
    Retries,
    /// A breaker that stays closed.
    Breaker,
    /// Calls of a model whose provider speaks the callers' format.
    Chat,
    /// Calls of a model whose provider speaks another one.
    Translate,
    /// Short streams whose first token comes at once.
    FirstToken,
    /// Long streams.
    Streams,
}

impl Setup {
    /// Whether policies are measured one by one.
    pub(crate) fn is_step(self) -> bool {
        matches!(self, Bare | KeyAuth | RateLimit | RedisLimit | Jwt | Split | HashBalance | Retries | Breaker)
    }

    /// Whether models are called.
    pub(crate) fn is_ai(self) -> bool {
        self.provider_path().is_some()
    }

    /// Where the provider of streams is at the upstream: a path that says how they go.
    pub(crate) fn provider_path(self) -> Option<&'static str> {
        match self {
            Chat | Translate => Some(""),
            FirstToken => Some("/stream/8/5"),
            Streams => Some("/stream/250/20"),
            _ => None,
        }
    }
}

/// One proxy that can be measured.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    program: &'static str,
    /// Arguments to be told the version; where there are none, it stands in the `package.json` of the program.
    version: &'static [&'static str],
    /// Arguments to start it, with `{config}`, `{dir}` and `{port}`.
    pub(crate) args: &'static [&'static str],
    /// Environment to start it with.
    pub(crate) env: &'static [(&'static str, &'static str)],
    /// The most connections that it is asked over: one that takes milliseconds a request would not answer on each of
    /// many within a window.
    pub(crate) connections: usize,
    /// For each setup the files it needs, as (name, template); the first is `{config}`. One named `headers` has the
    /// fields that callers send to this peer.
    files: &'static [(Setup, Files)],
}

type Files = &'static [(&'static str, &'static str)];

macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../peers/", $path))
    };
}

/// Tollgate with one policy.
const STEPS: Files = &[("tollgate.yaml", template!("tollgate/steps.yaml"))];

/// Tollgate with models.
const MODELS: Files = &[("tollgate.yaml", template!("tollgate/ai.yaml"))];
/// LiteLLM with models.
const LITELLM: Files = &[("config.yaml", template!("litellm/ai.yaml"))];
/// Portkey, which is told with each request what to do.
const PORTKEY: Files = &[("headers", template!("portkey/headers"))];

/// Tollgate's program, if it is found.
pub(crate) fn find_tollgate(said: Option<&Path>) -> Option<PathBuf> {
    PEERS.iter().find(|spec| spec.name == "tollgate")?.find(said)
}

/// Everything that can be measured, in the order of the table.
pub(crate) const PEERS: [Spec; 8] = [
    Spec {
        name: "tollgate",
        program: "tollgate",
        version: &["--version"],
        args: &["run", "-c", "{config}"],
        env: &[],
        connections: usize::MAX,
        files: &[
            (Plain, &[("tollgate.yaml", template!("tollgate/plain.yaml"))]),
            (Tls, &[("tollgate.yaml", template!("tollgate/tls.yaml"))]),
            (Full, &[("tollgate.yaml", template!("tollgate/full.yaml")), ("consumers.csv", "{{consumers}}")]),
            (Routes, &[("tollgate.yaml", template!("tollgate/routes.yaml"))]),
            (Bare, STEPS),
            (KeyAuth, STEPS),
            (RateLimit, STEPS),
            (RedisLimit, STEPS),
            (Jwt, STEPS),
            (Split, STEPS),
            (HashBalance, STEPS),
            (Retries, STEPS),
            (Breaker, STEPS),
            (Chat, MODELS),
            (Translate, MODELS),
            (FirstToken, MODELS),
            (Streams, MODELS),
        ],
    },
    Spec {
        name: "nginx",
        program: "nginx",
        version: &["-v"],
        args: &["-p", "{dir}", "-c", "{config}"],
        env: &[],
        connections: usize::MAX,
        files: &[
            (Plain, &[("nginx.conf", template!("nginx/plain.conf"))]),
            (Tls, &[("nginx.conf", template!("nginx/tls.conf"))]),
            (Routes, &[("nginx.conf", template!("nginx/routes.conf"))]),
        ],
    },
    Spec {
        name: "haproxy",
        program: "haproxy",
        version: &["-v"],
        args: &["-db", "-f", "{config}"],
        env: &[],
        connections: usize::MAX,
        files: &[
            (Plain, &[("haproxy.cfg", template!("haproxy/plain.cfg"))]),
            (Tls, &[("haproxy.cfg", template!("haproxy/tls.cfg"))]),
        ],
    },
    Spec {
        name: "envoy",
        program: "envoy",
        version: &["--version"],
        args: &["-c", "{config}", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
        env: &[],
        connections: usize::MAX,
        files: &[
            (Plain, &[("envoy.yaml", template!("envoy/plain.yaml"))]),
            (Tls, &[("envoy.yaml", template!("envoy/tls.yaml"))]),
        ],
    },
    Spec {
        name: "traefik",
        program: "traefik",
        version: &["version"],
        args: &["--configFile={config}"],
        env: &[("GOMAXPROCS", "1")],
        connections: usize::MAX,
        files: &[
            (
                Plain,
                &[("static.yaml", template!("traefik/static.yaml")), ("routes.yaml", template!("traefik/plain.yaml"))],
            ),
            (Tls, &[("static.yaml", template!("traefik/static.yaml")), ("routes.yaml", template!("traefik/tls.yaml"))]),
        ],
    },
    Spec {
        name: "caddy",
        program: "caddy",
        version: &["version"],
        args: &["run", "--adapter", "caddyfile", "--config", "{config}"],
        env: &[("GOMAXPROCS", "1"), ("XDG_DATA_HOME", "{dir}"), ("XDG_CONFIG_HOME", "{dir}")],
        connections: usize::MAX,
        files: &[
            (Plain, &[("Caddyfile", template!("caddy/plain.Caddyfile"))]),
            (Tls, &[("Caddyfile", template!("caddy/tls.Caddyfile"))]),
        ],
    },
    Spec {
        name: "litellm",
        program: "litellm",
        version: &["--version"],
        args: &["--config", "{config}", "--host", "127.0.0.1", "--port", "{port}", "--num_workers", "1"],
        // Neither a list of prices from the network nor reports to it.
        env: &[("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("LITELLM_TELEMETRY", "False"), ("LITELLM_LOG", "ERROR")],
        connections: 4,
        files: &[(Chat, LITELLM), (Translate, LITELLM), (FirstToken, LITELLM)],
    },
    Spec {
        name: "portkey",
        program: "gateway",
        version: &[],
        args: &["--headless", "--port={port}"],
        env: &[("NODE_ENV", "production")],
        connections: 16,
        // Not streams: 1.15.2 answers those of OpenAI's format with a 500 (Node 20).
        files: &[(Chat, PORTKEY), (Translate, PORTKEY)],
    },
];

/// A proxy that is here.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) spec: &'static Spec,
    /// Its name; `nginx #2` when it is measured against itself.
    pub(crate) label: String,
    pub(crate) program: PathBuf,
    /// The version that it says it has.
    pub(crate) version: String,
}

impl Spec {
    /// The files of a setup; `None` when the proxy has none for it.
    pub(crate) fn files(&self, setup: Setup) -> Option<Files> {
        self.files.iter().find(|(of, _)| *of == setup).map(|(_, files)| *files)
    }

    /// Whether it has a setup for one of the suite's scenarios.
    fn has(&self, suite: Suite) -> bool {
        self.files.iter().any(|(setup, _)| setup.is_ai() == (suite == Suite::Ai))
    }

    /// Where the program is: as said, or for Tollgate beside this program, or on PATH.
    fn find(&self, tollgate: Option<&Path>) -> Option<PathBuf> {
        if self.name == "tollgate" {
            if let Some(path) = tollgate {
                return Some(path.to_owned());
            }
            let target = std::env::current_exe().ok()?.parent()?.parent()?.join("dist/tollgate");
            if target.is_file() {
                return Some(target);
            }
        }
        let path = std::env::var_os("PATH")?;
        // Debian keeps servers where a plain user's PATH does not look.
        let folders =
            std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
        folders.map(|folder| folder.join(self.program)).find(|file| file.is_file())
    }

    fn version_of(&self, program: &Path) -> String {
        if self.version.is_empty() {
            return package_version(program).unwrap_or_else(|| number_in("").to_owned());
        }
        let mut command = Command::new(program);
        command.args(self.version).envs(self.env.iter().copied());
        let Ok(output) = command.output() else { return String::new() };
        let text = [output.stdout, output.stderr].concat();
        number_in(&String::from_utf8_lossy(&text)).to_owned()
    }
}

/// The version of the npm package that a program belongs to.
fn package_version(program: &Path) -> Option<String> {
    let program = program.canonicalize().ok()?;
    let text = program.ancestors().find_map(|folder| std::fs::read_to_string(folder.join("package.json")).ok())?;
    let (_, after) = text.split_once("\"version\":")?;
    after.split('"').nth(1).map(str::to_owned)
}

/// The first version number in what a program says of itself: `nginx version: nginx/1.22.1` is `1.22.1`.
fn number_in(text: &str) -> &str {
    let words = text.split([' ', '/', '\n', '\t']).map(|word| word.strip_prefix('v').unwrap_or(word));
    let mut words = words.filter(|word| word.contains('.'));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).unwrap_or("version unknown")
}

/// The peers named, or all of the suite that are found here; a name twice is a second instance of it.
pub(crate) fn find(suite: Suite, names: &[String], tollgate: Option<&Path>) -> Result<Vec<Peer>> {
    let wanted: Vec<&'static Spec> = if names.is_empty() {
        PEERS.iter().filter(|spec| spec.has(suite)).collect()
    } else {
        names.iter().map(|name| spec(name)).collect::<Result<_>>()?
    };
    let mut peers: Vec<Peer> = Vec::new();
    for spec in wanted {
        let Some(program) = spec.find(tollgate) else {
            if names.is_empty() {
                continue;
            }
            bail!(
                "{} is not on PATH{}",
                spec.program,
                if spec.name == "tollgate" { "; say where with --tollgate" } else { "" }
            );
        };
        let before = peers.iter().filter(|peer| peer.spec.name == spec.name).count();
        let label = if before == 0 { spec.name.to_owned() } else { format!("{} #{}", spec.name, before + 1) };
        let version = spec.version_of(&program);
        peers.push(Peer { spec, label, program, version });
    }
    Ok(peers)
}

fn spec(name: &str) -> Result<&'static Spec> {
    match PEERS.iter().find(|spec| spec.name == name) {
        Some(spec) => Ok(spec),
        None => bail!("no peer `{name}`; there are {}", PEERS.map(|spec| spec.name).join(", ")),
    }
}

#[cfg(test)]
mod tests;
