//! Words and patterns of the user's own: compiled into one automaton that is stepped byte by byte, so that a match may be
//! followed over the borders of pieces, and time is linear whatever the pattern.

use std::fmt;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_syntax::hir::{self, Hir, HirKind, Look as At};

use super::text::Look;

/// The most bytes that a match takes; a longer one is found up to here or not at all.
pub const LONGEST: usize = 512;
/// The most words and patterns of a list.
pub const MOST: usize = 1000;
/// The longest pattern as it is written.
pub const PATTERN: usize = 1024;
/// The most memory for the automaton.
const SIZE: usize = 8 << 20;

/// Words and patterns, ready to be found.
pub struct Words {
    automaton: dense::DFA<Vec<u32>>,
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("terms", &self.automaton.pattern_len()).finish()
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub enum Term<'a> {
    /// A word or phrase as it is, in any case, from the border of a word to the border of a word.
    Word(&'a str),
    /// A regular expression in the syntax of the `regex` crate. `\b` knows the letters of ASCII.
    Pattern(&'a str),
}

impl Words {
    /// Compiles them; findings name them by their number.
    ///
    /// # Errors
    ///
    /// The number of the one that is wrong, and why.
    pub fn compile(terms: &[Term<'_>]) -> Result<Self, (usize, String)> {
        if terms.len() > MOST {
            return Err((MOST, format!("there are more than {MOST}")));
        }
        let mut expressions = Vec::with_capacity(terms.len());
        for (n, term) in terms.iter().enumerate() {
            expressions.push(term.hir().map_err(|why| (n, why))?);
        }
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(SIZE)).shrink(false))
            .build_many_from_hir(&expressions)
            .map_err(|why| (0, why.to_string()))?;
        let config = dense::Config::new()
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(SIZE))
            .determinize_size_limit(Some(2 * SIZE));
        let automaton = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|_| (0, "they take too much together: shorten repetitions and classes".to_owned()))?;
        Ok(Self { automaton })
    }

    /// The one that matches at a place, and how many bytes.
    pub(super) fn at(&self, look: &Look<'_>) -> Option<(u16, usize)> {
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(look.before(1));
        let mut state = self.automaton.start_state(&config).ok()?;
        let mut found = None;
        for at in 0..=LONGEST {
            let Some(byte) = look.byte(at) else {
                state = self.automaton.next_eoi_state(state);
                if self.automaton.is_match_state(state) {
                    found = Some((self.automaton.match_pattern(state, 0), at));
                }
                break;
            };
            state = self.automaton.next_state(state, byte);
            // A match is told one byte late.
            if self.automaton.is_match_state(state) {
                found = Some((self.automaton.match_pattern(state, 0), at));
            } else if self.automaton.is_dead_state(state) || self.automaton.is_quit_state(state) {
                break;
            }
        }
        let (pattern, length) = found?;
        Some((u16::try_from(pattern.as_usize()).ok()?, length))
    }
}

impl Term<'_> {
    fn hir(&self) -> Result<Hir, String> {
        let (Self::Word(text) | Self::Pattern(text)) = self;
        if text.trim().is_empty() || text.len() > PATTERN {
            return Err(format!("it is empty or longer than {PATTERN} bytes"));
        }
        let pattern = match self {
            Self::Word(word) => {
                let border =
                    |edge: Option<char>| if edge.is_some_and(|edge| edge.is_ascii_alphanumeric()) { r"\b" } else { "" };
                let word = word.trim();
                let (first, last) = (border(word.chars().next()), border(word.chars().last()));
                format!("(?i){first}{}{last}", regex_syntax::escape(word))
            }
            Self::Pattern(pattern) => (*pattern).to_owned(),
        };
        let hir =
            regex_syntax::ParserBuilder::new().nest_limit(64).build().parse(&pattern).map_err(|why| why.to_string())?;
        if hir.properties().minimum_len().unwrap_or(0) == 0 {
            return Err("it matches nothing at all".to_owned());
        }
        Ok(ascii_borders(&hir))
    }
}

/// The same with borders of words by ASCII's letters, which an automaton can tell. The parser bounds the depth.
fn ascii_borders(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(look) => Hir::look(match look {
            At::WordUnicode => At::WordAscii,
            At::WordUnicodeNegate => At::WordAsciiNegate,
            At::WordStartUnicode => At::WordStartAscii,
            At::WordEndUnicode => At::WordEndAscii,
            At::WordStartHalfUnicode => At::WordStartHalfAscii,
            At::WordEndHalfUnicode => At::WordEndHalfAscii,
            other => *other,
        }),
        HirKind::Repetition(repeated) => {
            Hir::repetition(hir::Repetition { sub: Box::new(ascii_borders(&repeated.sub)), ..repeated.clone() })
        }
        HirKind::Capture(capture) => ascii_borders(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(ascii_borders).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(ascii_borders).collect()),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
    }
}
