//! How a target is chosen, from what was written.

use aws_lc_rs::hmac;
use model::load::Span;
use model::problem::Problem;
use model::resource::{Balance as Written, StickyBalance};

use super::super::compile::Compiling;
use super::{Balance, Key, Sticky};

/// The cookie of clients that stay, where none is named.
const COOKIE: &str = "tollgate_target";

impl Compiling<'_> {
    /// How a target is chosen.
    pub(in crate::upstream) fn balance(&mut self) -> Option<Balance> {
        Some(match &self.written.balance {
            Written::RoundRobin => Balance::RoundRobin,
            Written::LeastRequest => Balance::LeastRequest,
            Written::PeakEwma => Balance::PeakEwma,
            Written::Random => Balance::Random,
            Written::Hash(hash) => {
                if let Some(bound) = hash.bound.as_ref().filter(|bound| !(1.05..=10.0).contains(&***bound)) {
                    let message = format!("a bound of {} is not from 1.05 to 10", **bound);
                    return self.refuse(bound.span, "balance.hash.bound", message, "1.25 is usual");
                }
                let (name, path) = (self.written.name.span, format!("{}.balance.hash", self.path));
                let problem = |message: &str| {
                    let help = "such as `{ hash: { header: x-user } }`";
                    Problem::error("config.upstream", name, message).path(path.clone()).help(help)
                };
                match Key::compile(hash, problem) {
                    Ok(key) => Balance::Hash(key, hash.bound.as_ref().map(|bound| **bound)),
                    Err(found) => {
                        found.into_iter().for_each(|problem| self.problems.push(problem));
                        return None;
                    }
                }
            }
            Written::Sticky(sticky) => Balance::Sticky(Box::new(self.sticky(sticky)?)),
        })
    }

    fn sticky(&mut self, written: &StickyBalance) -> Option<Sticky> {
        let cookie = written.cookie.as_ref().map_or(COOKIE, |name| name.as_str());
        let key = match &written.key {
            Some(key) if key.expose().len() < 16 => {
                let help = "such as `${env:STICKY_KEY}`, made by `openssl rand -hex 16`";
                return self.refuse(key.span, "balance.sticky.key", "the key has fewer than 16 bytes", help);
            }
            Some(key) => key.expose().as_bytes().to_vec(),
            // Of this process, and the same over its reloads.
            None => {
                let kept = self.env.keep.get("sticky key", || {
                    let mut key = [0_u8; 32];
                    aws_lc_rs::rand::fill(&mut key).map(|()| key)
                });
                match *kept {
                    Ok(key) => key.to_vec(),
                    Err(_) => {
                        let message = "the system gives no random key";
                        return self.refuse(Span::default(), "balance.sticky", message, "give one as `key`");
                    }
                }
            }
        };
        let age = written.ttl.get().as_secs();
        let age = if age == 0 { String::new() } else { format!("; Max-Age={age}") };
        Some(Sticky {
            cookie: cookie.into(),
            attributes: format!("; Path=/; HttpOnly; SameSite=Lax{age}").into(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }
}
