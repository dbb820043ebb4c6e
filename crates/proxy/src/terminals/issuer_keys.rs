//! The keys of an issuer whose tokens the gateway signs, as the terminal that publishes them says.

use model::load::Spanned;
use model::value::{Duration, OneOrMany, Secret};

use crate::program::Compile;
use crate::tokens::signing::{Schedule, Signing};

/// Keys of the gateway's own that there may be at a time: a set above it is one that clients refuse.
const MOST_KEYS: u64 = 50;

/// What a user writes of them.
pub(super) struct Written {
    pub(super) issuer: Spanned<String>,
    pub(super) keys: OneOrMany<Spanned<Secret<String>>>,
    pub(super) rotate: Spanned<Duration>,
    /// How long the longest token lives, in seconds.
    pub(super) life: u64,
}

/// How old a key of the gateway's own becomes unless it is said.
pub(super) fn rotate() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(7 * 86_400))
}

/// Whether this is an issuer's name: a URL without query, fragment and slash at the end. Otherwise there is a problem.
pub(super) fn is_issuer(issuer: &Spanned<String>, cx: &mut Compile<'_>) -> bool {
    let url = issuer.parse::<http::Uri>().ok().filter(|url| url.query().is_none() && url.scheme().is_some());
    let good = url.is_some() && !issuer.contains('#') && !issuer.ends_with('/');
    if !good {
        let help = "write `https://HOST/PATH`, without a slash at the end";
        cx.problem(issuer.span, format!("`{}` is not an issuer's URL", **issuer), help);
    }
    good
}

impl Written {
    /// Declares the issuer with these keys.
    pub(super) fn compile(self, cx: &mut Compile<'_>) -> std::sync::Arc<crate::tokens::issue::OwnIssuer> {
        let every = self.rotate.get().as_secs();
        if every < 3600 {
            cx.problem(self.rotate.span, "a key lives for `1h` at least", "mend `rotate`");
        } else if self.life / every >= MOST_KEYS {
            let message = format!("more than {MOST_KEYS} keys would be good at a time, as each stays for its tokens");
            cx.problem(self.rotate.span, message, "rotate less often, or let tokens live shorter");
        }
        let own = cx.declare_issuer(&self.issuer);
        let mut keys = Vec::new();
        for key in self.keys.iter().filter(|key| !key.expose().contains(model::load::STAND_IN)) {
            match Signing::pem(key.expose().as_bytes()) {
                Ok(key) => keys.push(key),
                Err(why) => cx.problem(key.span, why, "make one with `openssl ecparam -name prime256v1 -genkey`"),
            }
        }
        if self.keys.is_empty() {
            own.make(Schedule { every: every.max(3600), life: self.life });
        } else if keys.len() == self.keys.len() {
            own.give(keys);
        }
        own
    }
}
