//! The rows, by kind of vendor, and the few words in which a row is written.

mod china;
mod clouds;
mod hosts;
mod labs;
mod local;

use super::{CHECKED, Key, Preset, Source};
use crate::providers::{Auth, Capabilities, Capability, Dialect, Quirks};

/// All of them.
pub(super) const ROWS: &[&[Preset]] = &[labs::ROWS, clouds::ROWS, hosts::ROWS, china::ROWS, local::ROWS];

/// What a base URL was compared with.
const LITELLM: &str = "litellm 1.109.1 (PyPI)";
const LOBE: &str = "@lobehub/chat 1.143.3 (npm)";
const CLIENTS: &str = "public client code";
const DEFAULT: &str = "the server's documented default";

/// What a server that is compatible with OpenAI's serves at least.
const CHAT: &[Capability] = &[Capability::Chat, Capability::Models];

impl Preset {
    /// A vendor that speaks OpenAI's Chat Completions.
    const fn compatible(id: &'static str, title: &'static str, base_url: &'static str) -> Self {
        Self::native(id, title, base_url, Dialect::OpenaiChat).quirks(Quirks::COMPATIBLE)
    }

    /// A vendor that speaks a dialect of its own.
    const fn native(id: &'static str, title: &'static str, base_url: &'static str, dialect: Dialect) -> Self {
        Self {
            id,
            aliases: &[],
            title,
            base_url,
            dialect,
            auth: Auth::Bearer,
            key: Key::Required,
            serves: Capabilities::of(CHAT),
            paths: &[],
            headers: &[],
            defaults: &[],
            quirks: Quirks::NATIVE,
            source: Source { page: "", against: "", checked: CHECKED },
        }
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    const fn keyless(mut self) -> Self {
        self.key = Key::Optional;
        self
    }

    const fn serves(mut self, list: &[Capability]) -> Self {
        self.serves = Capabilities::of(list);
        self
    }

    const fn paths(mut self, paths: &'static [(Capability, &'static str)]) -> Self {
        self.paths = paths;
        self
    }

    const fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    const fn defaults(mut self, defaults: &'static [(&'static str, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    const fn quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    const fn source(mut self, page: &'static str, against: &'static str) -> Self {
        self.source = Source { page, against, checked: CHECKED };
        self
    }
}
