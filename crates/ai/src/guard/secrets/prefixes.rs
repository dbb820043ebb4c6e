//! Secrets that say what they are: the prefixes that issuers give their keys so that they are found.

use super::{begins, entropy_of, is_filler};
use crate::guard::detect::Hit;
use crate::guard::text::Look;

/// What follows a prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    /// Letters and digits.
    Plain,
    /// Those with `-` and `_`.
    Url,
    /// Those with `.`.
    Dotted,
    /// Capitals and digits.
    Upper,
    /// Whatever a path of a web address may hold.
    Path,
}

/// A prefix, what follows, and at least and at most how much.
struct Prefix(&'static str, Body, usize, usize);

const PREFIXES: &[Prefix] = &[
    // models
    Prefix("sk-ant-", Body::Url, 24, 160),
    Prefix("sk-proj-", Body::Url, 32, 220),
    Prefix("sk-svcacct-", Body::Url, 32, 220),
    Prefix("sk-or-v1-", Body::Plain, 32, 80),
    Prefix("sk-", Body::Url, 20, 220),
    Prefix("gsk_", Body::Plain, 32, 80),
    Prefix("xai-", Body::Plain, 40, 120),
    Prefix("hf_", Body::Plain, 30, 60),
    Prefix("r8_", Body::Plain, 30, 60),
    Prefix("pplx-", Body::Plain, 32, 80),
    Prefix("nvapi-", Body::Url, 40, 120),
    Prefix("tgp_v1_", Body::Url, 30, 80),
    // clouds
    Prefix("AKIA", Body::Upper, 16, 16),
    Prefix("ASIA", Body::Upper, 16, 16),
    Prefix("ABSK", Body::Path, 60, 200),
    Prefix("AIza", Body::Url, 35, 35),
    Prefix("GOCSPX-", Body::Url, 24, 40),
    Prefix("ya29.", Body::Dotted, 30, 400),
    Prefix("dop_v1_", Body::Plain, 64, 64),
    Prefix("doo_v1_", Body::Plain, 64, 64),
    Prefix("dapi", Body::Plain, 32, 36),
    Prefix("hvs.", Body::Url, 24, 200),
    Prefix("pul-", Body::Plain, 40, 40),
    Prefix("tskey-", Body::Url, 20, 100),
    Prefix("fly_", Body::Url, 30, 200),
    Prefix("FlyV1 ", Body::Path, 60, 1000),
    // code and packages
    Prefix("ghp_", Body::Plain, 36, 80),
    Prefix("gho_", Body::Plain, 36, 80),
    Prefix("ghu_", Body::Plain, 36, 80),
    Prefix("ghs_", Body::Plain, 36, 80),
    Prefix("ghr_", Body::Plain, 36, 80),
    Prefix("github_pat_", Body::Url, 50, 100),
    Prefix("glpat-", Body::Dotted, 20, 60),
    Prefix("gldt-", Body::Url, 20, 40),
    Prefix("npm_", Body::Plain, 36, 40),
    Prefix("pypi-AgE", Body::Url, 50, 400),
    Prefix("rubygems_", Body::Plain, 48, 48),
    Prefix("cio", Body::Plain, 32, 32),
    Prefix("dckr_pat_", Body::Url, 24, 40),
    Prefix("ATATT3", Body::Path, 60, 250),
    Prefix("lin_api_", Body::Plain, 32, 60),
    Prefix("PMAK-", Body::Url, 40, 80),
    Prefix("NRAK-", Body::Upper, 27, 27),
    Prefix("glsa_", Body::Url, 32, 60),
    Prefix("sntrys_", Body::Path, 60, 300),
    Prefix("phx_", Body::Plain, 32, 60),
    Prefix("figd_", Body::Url, 36, 60),
    // messages and money
    Prefix("xoxb-", Body::Url, 20, 100),
    Prefix("xoxp-", Body::Url, 20, 120),
    Prefix("xoxa-", Body::Url, 20, 100),
    Prefix("xoxs-", Body::Url, 20, 100),
    Prefix("xoxr-", Body::Url, 20, 100),
    Prefix("xapp-", Body::Url, 30, 150),
    Prefix("https://hooks.slack.com/services/", Body::Path, 30, 120),
    Prefix("https://discord.com/api/webhooks/", Body::Path, 60, 140),
    Prefix("SG.", Body::Dotted, 60, 80),
    Prefix("sk_live_", Body::Plain, 20, 120),
    Prefix("sk_test_", Body::Plain, 20, 120),
    Prefix("rk_live_", Body::Plain, 20, 120),
    Prefix("rk_test_", Body::Plain, 20, 120),
    Prefix("whsec_", Body::Path, 24, 80),
    Prefix("sq0csp-", Body::Url, 40, 50),
    Prefix("shpat_", Body::Plain, 32, 32),
    Prefix("shpss_", Body::Plain, 32, 32),
    Prefix("EAAC", Body::Plain, 60, 300),
    Prefix("key-", Body::Plain, 32, 32),
    Prefix("AGE-SECRET-KEY-1", Body::Upper, 50, 70),
    Prefix("eyJ", Body::Dotted, 40, 4096),
];

/// The longest password within an address.
const PASSWORD: usize = 128;

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if let Some(hit) = in_address(look, first) {
        return Some(hit);
    }
    if !begins(look) {
        return None;
    }
    PREFIXES.iter().filter(|prefix| prefix.0.as_bytes().first() == Some(&first)).find_map(|prefix| prefix.find(look))
}

impl Prefix {
    fn find(&self, look: &Look<'_>) -> Option<Hit> {
        let Self(prefix, body, least, most) = *self;
        if !look.has(0, prefix.as_bytes()) {
            return None;
        }
        let mut length = look.run(prefix.len(), most, |byte| body.has(byte));
        while length > 0 && matches!(look.slice(prefix.len() + length - 1, prefix.len() + length), b"." | b"/") {
            length -= 1;
        }
        let value = look.slice(prefix.len(), prefix.len() + length);
        let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
        if length < least || length > most || digits == 0 || is_filler(value) {
            return None;
        }
        // A JSON Web Token has two dots, and nothing else begins so.
        if prefix == "eyJ" && value.iter().filter(|byte| **byte == b'.').count() < 2 {
            return None;
        }
        (entropy_of(value) >= 280).then_some(Hit { length: prefix.len() + length, score: 97 })
    }
}

impl Body {
    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b'+' | b'=' | b','),
        }
    }
}

/// The password of `scheme://user:password@host`.
fn in_address(look: &Look<'_>, first: u8) -> Option<Hit> {
    if look.before(1) != Some(b':') || first == b'/' {
        return None;
    }
    let before = look.behind();
    let scheme = before.windows(3).rposition(|three| three == b"://")?;
    let user = before.get(scheme + 3..before.len() - 1)?;
    if user.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'@' | b':')) {
        return None;
    }
    let length = look.run(0, PASSWORD, |byte| byte.is_ascii_graphic() && !matches!(byte, b'@' | b'/' | b'"' | b'\''));
    let value = look.slice(0, length);
    let told = (3..=PASSWORD).contains(&length) && look.byte(length) == Some(b'@') && !is_filler(value);
    (told && !value.iter().all(u8::is_ascii_digit)).then_some(Hit { length, score: 99 })
}
