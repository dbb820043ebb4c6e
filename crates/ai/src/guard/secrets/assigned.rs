//! Values that are assigned to something called a password, a token or a key: `api_key = "…"`, `password: …`,
//! `Authorization: Bearer …`.

use super::{entropy_of, is_filler};
use crate::guard::detect::Hit;
use crate::guard::text::Look;

/// The longest value.
const MOST: usize = 256;

/// What a secret is called, at the end of a name.
const NAMES: &str = "\
    password|passwd|pw|mot de passe|accountkey|sharedaccesskey|passwort|kennwort|passphrase|pwd|secret|token|apikey|\
    api_key|api-key|api key|accesskey|access_key|access-key|secretkey|secret_key|secret-key|private_key|auth_key|contraseña|密码";

/// What may be said to be something in words.
const SPOKEN: &str = "password|passwort|kennwort|passphrase|contraseña|mot de passe|api key|secret|token|密码";

pub(super) fn find(look: &Look<'_>, first: u8) -> Option<Hit> {
    if matches!(first, b'"' | b'\'' | b'`' | b'=' | b':' | b'>' | b',' | b';') {
        return None;
    }
    let how = assigned(look.behind())?;
    let length = look.run(0, MOST, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b';' | b',' | b'<' | b'>')
    });
    let mut value = look.slice(0, length);
    while let Some((b'.' | b')' | b'}' | b']', rest)) = value.split_last().filter(|_| how != How::Quoted) {
        value = rest;
    }
    let has = |of: fn(&u8) -> bool| value.iter().any(of);
    let looks = match how {
        How::Bearer => value.len() >= 16 && entropy_of(value) >= 300,
        How::Quoted | How::Plain => value.len() >= 8 && is_mixed(value) && entropy_of(value) >= 250,
        How::Beside => value.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic),
        How::Spoken => value.len() >= 6 && is_mixed(value) && has(u8::is_ascii_alphabetic),
    };
    let call = value.ends_with(b"()") || value.contains(&b'(');
    (looks && length <= MOST && !call && !is_filler(value) && !is_path(value))
        .then_some(Hit { length: value.len(), score: 88 })
}

/// How a value is assigned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// `name = "value"`
    Quoted,
    /// `name=value`, `name: value`
    Plain,
    /// `the password is value`
    Spoken,
    /// `password value`
    Beside,
    /// `Authorization: Bearer value`
    Bearer,
}

/// How what follows this text is assigned to a secret's name.
fn assigned(before: &[u8]) -> Option<How> {
    let last = *before.last()?;
    if last.is_ascii_alphanumeric() {
        return None;
    }
    let rest = trim(before);
    if last == b' ' && (ends_with(rest, "bearer") || ends_with(rest, "authorization: basic")) {
        return Some(How::Bearer);
    }
    // `curl -u name:value`
    if last == b':' && is_user(rest) {
        return Some(How::Plain);
    }
    let (rest, quoted) = match rest.split_last() {
        Some((b'"' | b'\'' | b'`', rest)) => (trim(rest), true),
        _ => (rest, false),
    };
    if let Some((b'=' | b':', mut rest)) = rest.split_last() {
        while let Some((b'=' | b':' | b' ' | b'"' | b'\'' | b'`' | b']' | b')', shorter)) = rest.split_last() {
            rest = shorter;
        }
        let named = ends_with_any(rest, NAMES);
        return named.then_some(if quoted { How::Quoted } else { How::Plain });
    }
    if let Some((b'>', rest)) = rest.split_last()
        && let Some((b'=', rest)) = rest.split_last()
    {
        let rest = trim(rest);
        let rest = rest.strip_suffix(b"\"").or_else(|| rest.strip_suffix(b"'")).unwrap_or(rest);
        return ends_with_any(rest, NAMES).then_some(How::Quoted);
    }
    // `<password>value</password>`
    if let Some((b'>', rest)) = rest.split_last() {
        return ends_with_any(rest, NAMES).then_some(How::Plain);
    }
    if !quoted && ends_with_any(rest, "password|passwd|passphrase") {
        return Some(How::Beside);
    }
    let verb =
        ["is", "ist", "es", "est", "to", "lautet", "was"].into_iter().find(|verb| ends_with(rest, &format!(" {verb}")));
    let rest = trim(rest.get(..rest.len() - verb?.len())?);
    ends_with_any(rest, SPOKEN).then_some(How::Spoken)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let Some((b' ', rest)) = text.split_last() {
        text = rest;
    }
    text
}

fn ends_with(text: &[u8], word: &str) -> bool {
    let tail = text.len().checked_sub(word.len()).and_then(|from| text.get(from..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(word.as_bytes()))
}

fn ends_with_any(text: &[u8], words: &str) -> bool {
    words.split('|').any(|word| ends_with(text, word))
}

/// Whether a text ends in `-u NAME:`.
fn is_user(text: &[u8]) -> bool {
    let from = text.iter().rposition(|byte| *byte == b' ').map_or(0, |at| at + 1);
    let (before, name) = (trim(text.get(..from).unwrap_or_default()), text.get(from..).unwrap_or_default());
    name.len() > 1 && (ends_with(before, " -u") || ends_with(before, "--user"))
}

/// Letters or signs beside digits, as words of a language do not have.
fn is_mixed(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let signs = value
        .iter()
        .filter(|byte| matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'?'))
        .count();
    digits + signs > 0 && value.iter().any(|byte| !byte.is_ascii_digit() && *byte != b'.')
}

/// A path, an address or an expression is where a secret is, not the secret.
fn is_path(value: &[u8]) -> bool {
    value.starts_with(b"/") || value.starts_with(b"./") || value.starts_with(b"http") || value.starts_with(b"vault:")
}
