//! Known crawlers: a table (`crawlers.txt`, with its source and date), made into one automaton for those that are plain
//! text and a set of regular expressions for the few others. Made once, when the first policy asks for it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};
use regex::RegexSet;
use regex_syntax::hir::literal::Extractor;

static TABLE: &str = include_str!("crawlers.txt");

/// Known crawlers.
pub(super) struct Crawlers {
    rows: Box<[Row]>,
    /// Finds plain texts; which row each is of.
    texts: Option<AhoCorasick>,
    text_rows: Box<[usize]>,
    /// The others; which row each is of.
    others: RegexSet,
    other_rows: Box<[usize]>,
}

struct Row {
    name: Arc<str>,
    categories: Box<[&'static str]>,
}

impl Crawlers {
    /// The table.
    pub(super) fn get() -> &'static Self {
        static CRAWLERS: LazyLock<Crawlers> = LazyLock::new(|| Crawlers::read(TABLE));
        &CRAWLERS
    }

    fn read(table: &'static str) -> Self {
        let (mut rows, mut texts, mut text_rows, mut others, mut other_rows) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut parts = line.splitn(3, '\t');
            let (Some(name), Some(categories), Some(pattern)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            match plain(pattern) {
                Some(plain) => {
                    text_rows.extend(plain.iter().map(|_| rows.len()));
                    texts.extend(plain);
                }
                None => {
                    other_rows.push(rows.len());
                    others.push(pattern);
                }
            }
            let categories = categories.split(',').filter(|category| *category != "-").collect();
            rows.push(Row { name: name.into(), categories });
        }
        let texts = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&texts).ok();
        // A table that cannot be compiled would know nobody; a test sees to that.
        let others = RegexSet::new(others).unwrap_or_else(|_| RegexSet::empty());
        Self { rows: rows.into(), texts, text_rows: text_rows.into(), others, other_rows: other_rows.into() }
    }

    /// The row of the crawler that says this of itself.
    pub(super) fn find(&self, text: &str) -> Option<usize> {
        let by_text = self.texts.as_ref().and_then(|texts| texts.find(text));
        if let Some(found) = by_text {
            return self.text_rows.get(found.pattern().as_usize()).copied();
        }
        let other = self.others.matches(text).iter().next()?;
        self.other_rows.get(other).copied()
    }

    /// A crawler's name.
    pub(super) fn name(&self, row: usize) -> Option<Arc<str>> {
        self.rows.get(row).map(|row| row.name.clone())
    }

    /// The categories of each.
    pub(super) fn each_categories(&self) -> impl Iterator<Item = &[&'static str]> {
        self.rows.iter().map(|row| &*row.categories)
    }

    /// All categories.
    pub(super) fn categories(&self) -> impl Iterator<Item = &'static str> {
        let all: BTreeSet<_> = self.rows.iter().flat_map(|row| row.categories.iter().copied()).collect();
        all.into_iter()
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        let texts = self.texts.as_ref().map_or(0, AhoCorasick::patterns_len);
        (self.rows.len(), texts, self.others.len(), self.other_rows.len())
    }
}

/// The few texts that a pattern stands for, where it is anchored nowhere and there are few.
fn plain(pattern: &str) -> Option<Vec<Vec<u8>>> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    if !parsed.properties().look_set().is_empty() {
        return None;
    }
    let found = Extractor::new().extract(&parsed);
    let literals = found.literals().filter(|_| found.is_exact())?;
    let texts: Vec<_> = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
    (!texts.is_empty() && texts.iter().all(|text| text.len() >= 3)).then_some(texts)
}
