//! Personal data and secrets in a text: a file a kind, with its checksum.
//!
//! A detector is asked at a place where something may begin and says where it ends and how sure it is, in hundredths. What
//! only looks like a number of some kind is found where the words before it say so. Where several kinds begin at one place,
//! the surest is taken, then the longest; a finding inside another is not looked for.

mod aadhaar;
mod card;
mod cn_id;
mod cpf;
mod email;
mod iban;
mod ip;
mod nino;
mod nir;
mod numbers;
mod phone;
mod ssn;
mod steuer_id;

use std::ops::Range;

use super::secrets;
use super::text::Look;
use super::words::Words;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An address of e-mail.
    Email,
    /// A telephone number: international, or national where its shape or the words before it say so.
    Phone,
    /// A payment card's number (issuer's prefix, length, Luhn).
    Card,
    /// A bank account (ISO 13616: country's length, mod 97).
    Iban,
    /// An IPv4 or IPv6 address, but for loopback, masks and the unspecified.
    Ip,
    /// A social security number of the United States.
    Ssn,
    /// A national insurance number of the United Kingdom.
    Nino,
    /// A resident identity number of China (GB 11643: date, mod 11-2).
    CnId,
    /// A tax identification number of Germany (digits' rule, ISO 7064 mod 11,10).
    SteuerId,
    /// A social security number of France (NIR, key mod 97).
    Nir,
    /// An Aadhaar number of India (Verhoeff).
    Aadhaar,
    /// A taxpayer number of Brazil (CPF, two check digits).
    Cpf,
    /// A key, token or password: by its known prefix, by what it is assigned to, or by its entropy.
    Secret,
    /// A word or pattern of the user's own lists.
    Term(u16),
}

impl Kind {
    /// All that are found without a list.
    pub const ALL: [Self; 13] = [
        Self::Email,
        Self::Phone,
        Self::Card,
        Self::Iban,
        Self::Ip,
        Self::Ssn,
        Self::Nino,
        Self::CnId,
        Self::SteuerId,
        Self::Nir,
        Self::Aadhaar,
        Self::Cpf,
        Self::Secret,
    ];

    /// As it is written in configuration and told in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Ip => "ip",
            Self::Ssn => "ssn",
            Self::Nino => "nino",
            Self::CnId => "cn_id",
            Self::SteuerId => "steuer_id",
            Self::Nir => "nir",
            Self::Aadhaar => "aadhaar",
            Self::Cpf => "cpf",
            Self::Secret => "secret",
            Self::Term(_) => "term",
        }
    }

    /// As it stands in a placeholder.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Card => "CARD",
            Self::Iban => "IBAN",
            Self::Ip => "IP",
            Self::Ssn => "SSN",
            Self::Nino => "NINO",
            Self::CnId => "CN_ID",
            Self::SteuerId => "STEUER_ID",
            Self::Nir => "NIR",
            Self::Aadhaar => "AADHAAR",
            Self::Cpf => "CPF",
            Self::Secret => "SECRET",
            Self::Term(_) => "TERM",
        }
    }

    /// Its bit in [`Kinds`].
    const fn bit(self) -> u16 {
        match self {
            Self::Email => 1,
            Self::Phone => 1 << 1,
            Self::Card => 1 << 2,
            Self::Iban => 1 << 3,
            Self::Ip => 1 << 4,
            Self::Ssn => 1 << 5,
            Self::Nino => 1 << 6,
            Self::CnId => 1 << 7,
            Self::SteuerId => 1 << 8,
            Self::Nir => 1 << 9,
            Self::Aadhaar => 1 << 10,
            Self::Cpf => 1 << 11,
            Self::Secret => 1 << 12,
            Self::Term(_) => 0,
        }
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// None.
    pub const NONE: Self = Self(0);
    /// All of [`Kind::ALL`].
    pub const ALL: Self = Self((1 << 13) - 1);

    /// Whether a kind is among them.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<T: IntoIterator<Item = Kind>>(kinds: T) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | kind.bit()))
    }
}

/// Something in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// How sure that is, in hundredths.
    pub score: u8,
}

/// What a detector says of a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// How many bytes it takes.
    pub(crate) length: usize,
    /// How sure it is, in hundredths.
    pub(crate) score: u8,
}

/// What is looked for.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// Personal data and secrets.
    pub kinds: Kinds,
    /// The user's own words and patterns.
    pub words: Option<&'a Words>,
}

/// A detector of a kind that may begin with any byte: this one.
type Detector = fn(&Look<'_>, u8) -> Option<Hit>;

/// A detector of a kind that begins with a digit.
type Number = fn(&Look<'_>, &numbers::Numbers) -> Option<Hit>;

const NUMBERS: [(Kind, Number); 8] = [
    (Kind::Card, card::find),
    (Kind::CnId, cn_id::find),
    (Kind::Nir, nir::find),
    (Kind::Ssn, ssn::find),
    (Kind::Cpf, cpf::find),
    (Kind::SteuerId, steuer_id::find),
    (Kind::Aadhaar, aadhaar::find),
    (Kind::Ip, ip::v4),
];

impl Scan<'_> {
    /// All that is in a text.
    #[must_use]
    pub fn all(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        self.scan(text, 0, true, &mut found);
        found
    }

    /// Appends what is found from `from` on, and says up to where that is decided: what stands there needs more text.
    /// With `whole` nothing comes after the text, and all is decided.
    pub fn scan(&self, text: &str, from: usize, whole: bool, out: &mut Vec<Finding>) -> usize {
        let mut at = from;
        while at < text.len() {
            let look = Look::new(text, at, whole);
            let best = self.best(&look);
            if look.is_short() {
                return at;
            }
            if let Some((kind, hit)) = best {
                out.push(Finding { kind, range: at..at + hit.length, score: hit.score });
                at += hit.length;
            } else {
                at += 1;
                while !text.is_char_boundary(at) {
                    at += 1;
                }
            }
        }
        text.len()
    }

    /// What begins at a place: the surest, then the longest.
    fn best(&self, look: &Look<'_>) -> Option<(Kind, Hit)> {
        let first = look.byte(0)?;
        let mut best: Option<(Kind, Hit)> = None;
        let mut take = |kind: Kind, hit: Option<Hit>| {
            if let Some(hit) = hit
                && best.is_none_or(|(_, held)| (hit.score, hit.length) > (held.score, held.length))
            {
                best = Some((kind, hit));
            }
        };
        if let Some(words) = self.words
            && let Some((term, length)) = words.at(look)
        {
            take(Kind::Term(term), Some(Hit { length, score: 100 }));
        }
        // In the middle of a word nothing else begins.
        let inside =
            first.is_ascii_alphanumeric() && look.before(1).is_some_and(|before| before.is_ascii_alphanumeric());
        if inside || self.kinds == Kinds::NONE {
            return best;
        }
        let detectors: [(Kind, Detector); 6] = [
            (Kind::Email, email::find),
            (Kind::Secret, secrets::find),
            (Kind::Phone, phone::find),
            (Kind::Iban, iban::find),
            (Kind::Nino, nino::find),
            (Kind::Ip, ip::v6),
        ];
        for (kind, find) in detectors {
            if self.kinds.has(kind) {
                take(kind, find(look, first));
            }
        }
        if first.is_ascii_digit() && look.joined() {
            // `192.0.2.5-192.0.2.9`
            let range = look.before(1) == Some(b'-') && look.before(2).is_some_and(|byte| byte.is_ascii_digit());
            if range && self.kinds.has(Kind::Ip) {
                take(Kind::Ip, ip::v4(look, &numbers::Numbers::none()));
            }
        } else if first.is_ascii_digit() {
            let numbers = numbers::Numbers::read(look);
            for (kind, find) in NUMBERS {
                if self.kinds.has(kind) {
                    take(kind, find(look, &numbers));
                }
            }
        }
        best
    }
}
