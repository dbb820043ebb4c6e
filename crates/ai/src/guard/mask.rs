//! Placeholders in the place of what was found, and back: `[EMAIL_1]` for the first address of a call, the same for the same
//! address again. A call's map is bounded; what is past it is masked for good, as `[EMAIL]`.

use std::collections::HashMap;

use super::detect::{Finding, Kind, Scan};

/// The most that a call remembers.
pub const MOST: usize = 1000;
/// The most bytes of it.
const BYTES: usize = 256 << 10;
/// The longest placeholder: the longest label, `_` and four digits in brackets.
pub const LONGEST: usize = 24;

/// What a call has masked.
#[derive(Default)]
pub struct Masks {
    /// What stands behind each placeholder, by its label and number.
    held: HashMap<(&'static str, u16), Box<str>>,
    /// The number of each text.
    numbers: HashMap<(&'static str, Box<str>), u16>,
    /// The last number of each label.
    last: HashMap<&'static str, u16>,
    bytes: usize,
}

impl std::fmt::Debug for Masks {
    /// Never what is masked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masks").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// How a text is written where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Within {
    /// As it is.
    #[default]
    Text,
    /// Within a string of JSON text: what is put in is escaped.
    Json,
}

impl Masks {
    /// Whether nothing was masked that could be brought back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Keeps clear of placeholders that stand in a text of the caller's own: they are not ours to replace.
    pub fn reserve(&mut self, text: &str) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('[') {
            rest = after;
            if let Read::Placeholder { label, number, .. } = read(after) {
                let last = self.last.entry(label).or_default();
                *last = (*last).max(number);
            }
        }
    }

    /// The placeholder for a text that was found.
    pub fn placeholder(&mut self, kind: Kind, text: &str) -> String {
        let label = kind.label();
        if let Some(number) = self.numbers.get(&(label, Box::from(text))) {
            return format!("[{label}_{number}]");
        }
        let last = self.last.entry(label).or_default();
        if self.held.len() >= MOST || self.bytes + text.len() > BYTES || *last >= 9999 {
            return format!("[{label}]");
        }
        *last += 1;
        let number = *last;
        self.bytes += text.len();
        self.held.insert((label, number), Box::from(text));
        self.numbers.insert((label, Box::from(text)), number);
        format!("[{label}_{number}]")
    }

    /// A text with placeholders for what `scan` finds; what was found is appended to `found`. `None` where there is nothing.
    pub fn mask(&mut self, scan: &Scan<'_>, text: &str, found: &mut Vec<Finding>) -> Option<String> {
        let first = found.len();
        scan.scan(text, 0, true, found);
        let findings = found.get(first..).filter(|findings| !findings.is_empty())?;
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for finding in findings {
            masked.push_str(text.get(at..finding.range.start).unwrap_or_default());
            masked.push_str(&self.placeholder(finding.kind, text.get(finding.range.clone()).unwrap_or_default()));
            at = finding.range.end;
        }
        masked.push_str(text.get(at..).unwrap_or_default());
        Some(masked)
    }

    /// A text with what stood behind its placeholders.
    #[must_use]
    pub fn unmask(&self, text: &str, within: Within) -> String {
        let mut out = String::with_capacity(text.len());
        let left = self.pass(text, within, &mut out);
        out.push_str(text.get(left..).unwrap_or_default());
        out
    }

    /// Appends a text with what stood behind its placeholders, up to where one may have begun that is not whole; says where.
    pub(super) fn pass(&self, text: &str, within: Within, out: &mut String) -> usize {
        let mut at = 0;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let Some((before, after)) = rest.split_once('[') else {
                out.push_str(rest);
                return text.len();
            };
            out.push_str(before);
            at += before.len();
            match read(after) {
                Read::Part => return at,
                Read::Placeholder { label, number, length } if self.held.contains_key(&(label, number)) => {
                    let held = self.held.get(&(label, number)).map_or("", |held| held);
                    push(held, within, out);
                    at += 1 + length;
                }
                Read::Placeholder { .. } | Read::Other => {
                    out.push('[');
                    at += 1;
                }
            }
        }
    }
}

/// Appends what was masked, as it has to be written there.
fn push(held: &str, within: Within, out: &mut String) {
    match within {
        Within::Text => out.push_str(held),
        Within::Json => {
            let quoted = serde_json::Value::from(held).to_string();
            out.push_str(quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        }
    }
}

/// What stands after a `[`.
enum Read {
    /// A placeholder, `length` bytes with its `]`.
    Placeholder { label: &'static str, number: u16, length: usize },
    /// What may become one.
    Part,
    /// Anything else.
    Other,
}

const LABELS: [&str; 14] = [
    "EMAIL",
    "PHONE",
    "CARD",
    "IBAN",
    "IP",
    "SSN",
    "NINO",
    "CN_ID",
    "STEUER_ID",
    "NIR",
    "AADHAAR",
    "CPF",
    "SECRET",
    "TERM",
];

fn read(after: &str) -> Read {
    let end = after.bytes().position(|byte| !(byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'));
    let name = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
    if name.len() > LONGEST {
        return Read::Other;
    }
    let Some(end) = end else {
        let begun = LABELS.iter().any(|label| {
            label.starts_with(name)
                || name.strip_prefix(label).is_some_and(|rest| {
                    let digits = rest.strip_prefix('_').unwrap_or("x");
                    digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
                })
        });
        return if begun { Read::Part } else { Read::Other };
    };
    let Some((label, number)) = name.rsplit_once('_').filter(|_| after.as_bytes().get(end) == Some(&b']')) else {
        return Read::Other;
    };
    let label = LABELS.into_iter().find(|known| *known == label);
    match (label, number.parse::<u16>()) {
        (Some(label), Ok(number))
            if !number.to_string().is_empty() && number.to_string() == *name.rsplit('_').next().unwrap_or_default() =>
        {
            Read::Placeholder { label, number, length: end + 1 }
        }
        _ => Read::Other,
    }
}
