//! What an api says of hosts, and the finding of those that a request's host has.

use std::fmt;

use model::load::Spanned;

use super::report::Report;
use super::trie::NodeId;
use crate::exchange::host;

/// A host pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Host {
    /// This one.
    Exact(Box<str>),
    /// One or more labels before this.
    Wildcard(Box<str>),
    /// Whatever it is.
    Any,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Exact(host) => f.write_str(host),
            Host::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Host::Any => f.write_str("any host"),
        }
    }
}

impl Host {
    /// Reads the hosts of an api; none means any. What is wrong is a problem.
    pub(super) fn compile(written: &[Spanned<String>], report: &mut Report<'_>) -> Vec<Host> {
        if written.is_empty() {
            return vec![Host::Any];
        }
        let mut hosts: Vec<Host> = Vec::with_capacity(written.len());
        for text in written {
            match parse(text) {
                Ok(host) if hosts.contains(&host) => {
                    let message = format!("host `{host}` is given twice");
                    report.warn("config.duplicate_host", text.span, message, "take one of them out");
                }
                Ok(host) => hosts.push(host),
                Err(Wrong { message, help }) => report.error("config.host", text.span, message, help),
            }
        }
        hosts
    }
}

struct Wrong {
    message: String,
    help: String,
}

fn parse(text: &str) -> Result<Host, Wrong> {
    let wrong = |message: String, help: &str| Err(Wrong { message, help: help.to_owned() });
    if text == "*" {
        return Ok(Host::Any);
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or(rest);
        return wrong(format!("`{text}` is a URL: leave `{scheme}://` out"), &format!("write `{host}`"));
    }
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(suffix) => (true, suffix),
        None => (false, text),
    };
    if name.contains('*') {
        return wrong(
            format!("`{text}`: a wildcard stands for whole labels at the beginning"),
            "write `*.example.com`; leave `hosts` out for any host",
        );
    }
    if !name.is_ascii() {
        return wrong(format!("`{text}` is not ASCII"), "write the name in its `xn--` form (RFC 3492)");
    }
    let bare_v6 = name.parse::<std::net::Ipv6Addr>().ok();
    let parsed = match bare_v6 {
        None if name.ends_with(':') => {
            return wrong(format!("`{text}` ends in a colon"), "a host has no port: leave the colon out");
        }
        Some(address) => Ok((format!("[{address}]").into(), None)),
        None => host::parse(name),
    };
    let long = |name: &str| name.len() > 253 || name.split('.').any(|label| label.len() > 63);
    match parsed {
        Ok((_, Some(port))) => wrong(
            format!("`{text}` has a port"),
            &format!("a host has none; listeners have: `listeners:` binds an api to the one of port {port}"),
        ),
        Ok((name, None)) if long(&name) => {
            wrong(format!("`{text}` is too long for a host name"), "a label has up to 63 characters, a name up to 253")
        }
        Ok((name, None)) if wildcard && name.starts_with('[') => {
            wrong(format!("`{text}`: an address has no labels"), "write the address alone")
        }
        Ok((name, None)) => Ok(if wildcard { Host::Wildcard(name) } else { Host::Exact(name) }),
        Err(why) => wrong(format!("`{text}` is not a host: {why}"), "write a name such as `api.example.com`"),
    }
}

type Map<V> = hashbrown::HashMap<Box<str>, V, foldhash::fast::RandomState>;

/// Where the paths of each host begin. A request's host may have several: its own, wildcards, any.
#[derive(Default)]
pub(super) struct Hosts {
    exact: Map<NodeId>,
    wildcards: Map<NodeId>,
    any: Option<NodeId>,
    /// The most labels of a wildcard, so that a host of many labels costs no more lookups than that.
    labels: usize,
}

/// How a host was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By<'a> {
    /// As it is.
    Exact(&'a str),
    /// By the wildcard with this suffix.
    Wildcard(&'a str),
    /// Any host.
    Any,
}

impl Hosts {
    /// Says where the paths of a host begin.
    pub(super) fn insert(&mut self, host: &Host, root: NodeId) {
        match host {
            Host::Exact(name) => {
                self.exact.insert(name.clone(), root);
            }
            Host::Wildcard(suffix) => {
                self.labels = self.labels.max(labels(suffix));
                self.wildcards.insert(suffix.clone(), root);
            }
            Host::Any => self.any = Some(root),
        }
    }

    /// The roots of a request's host, the most specific first.
    pub(super) fn roots<'a>(&'a self, host: &'a str) -> impl Iterator<Item = (By<'a>, NodeId)> {
        let exact = if self.exact.is_empty() { None } else { self.exact.get(host) };
        let exact = exact.map(|root| (By::Exact(host), *root));
        let most = if self.wildcards.is_empty() { 0 } else { self.labels };
        let wildcards = suffixes(host, most)
            .filter_map(|suffix| self.wildcards.get(suffix).map(|root| (By::Wildcard(suffix), *root)));
        exact.into_iter().chain(wildcards).chain(self.any.map(|root| (By::Any, root)))
    }

    /// All roots with their hosts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Host, NodeId)> {
        let exact = self.exact.iter().map(|(name, root)| (Host::Exact(name.clone()), *root));
        let wildcards = self.wildcards.iter().map(|(suffix, root)| (Host::Wildcard(suffix.clone()), *root));
        exact.chain(wildcards).chain(self.any.map(|root| (Host::Any, root)))
    }
}

fn labels(name: &str) -> usize {
    name.split('.').count()
}

/// What follows each dot of a host, the longest first, of at most so many labels.
fn suffixes(host: &str, most: usize) -> impl Iterator<Item = &str> {
    let skipped = if most == 0 { usize::MAX } else { labels(host).saturating_sub(most + 1) };
    let dots = host.bytes().enumerate().filter(|(_, byte)| *byte == b'.').map(|(at, _)| at);
    dots.skip(skipped).filter_map(move |dot| host.get(dot + 1..))
}
