//! Precision and recall of every kind on the committed set.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::LazyLock;

use crate::guard::{Kind, Kinds, Scan};

/// Where the tables of what was measured stand.
pub(super) const DOCS: &str = include_str!("../../../../../docs/guardrails.md");

const SET: &str = include_str!("../testdata/personal.txt");

pub(super) const SCAN: Scan<'static> = Scan { kinds: Kinds::ALL, words: None };

/// A line of the set: the text, and what is marked in it.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) marked: Vec<(Kind, Range<usize>)>,
}

pub(super) static LINES: LazyLock<Vec<Line>> =
    LazyLock::new(|| SET.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).map(line).collect());

fn line(line: &str) -> Line {
    let line = line.replace("\\n", "\n").replace('⁞', "");
    let (mut text, mut marked, mut rest) = (String::new(), Vec::new(), line.as_str());
    while let Some((before, after)) = rest.split_once('⟦') {
        let (inner, after) = after.split_once('⟧').expect("a mark is closed");
        let (name, value) = inner.split_once(':').expect("a mark has a kind");
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a known kind");
        text.push_str(before);
        marked.push((kind, text.len()..text.len() + value.len()));
        text.push_str(value);
        rest = after;
    }
    text.push_str(rest);
    Line { text, marked }
}

#[test]
fn precision_and_recall() {
    let mut counts = [[0_u32; 3]; Kind::ALL.len()];
    let place = |kind: Kind| Kind::ALL.iter().position(|known| *known == kind).unwrap();
    let mut wrong = String::new();
    for line in LINES.iter() {
        let found: Vec<_> = SCAN.all(&line.text).into_iter().map(|found| (found.kind, found.range)).collect();
        for mark in &line.marked {
            let hit = found.contains(mark);
            counts[place(mark.0)][usize::from(!hit)] += 1;
            if !hit {
                writeln!(wrong, "missed {} in {:?}: {found:?}", mark.0.name(), line.text).unwrap();
            }
        }
        for extra in found.iter().filter(|found| !line.marked.contains(found)) {
            counts[place(extra.0)][2] += 1;
            writeln!(
                wrong,
                "false {} {:?} in {:?}",
                extra.0.name(),
                line.text.get(extra.1.clone()).unwrap(),
                line.text
            )
            .unwrap();
        }
    }
    let mut table = String::new();
    let mut failed = Vec::new();
    for (kind, [hit, missed, extra]) in Kind::ALL.iter().zip(counts) {
        let (precision, recall) = (share(hit, hit + extra), share(hit, hit + missed));
        let marked = hit + missed;
        writeln!(table, "| `{}` | {marked} | {missed} | {extra} | {precision:.3} | {recall:.3} |", kind.name())
            .unwrap();
        assert!(marked >= 15, "{} has too few examples", kind.name());
        if precision < 0.9 || recall < 0.95 {
            failed.push(kind.name());
        }
    }
    println!("{table}{wrong}");
    assert!(failed.is_empty(), "{failed:?}\n{wrong}");
    assert!(DOCS.contains(&table), "docs/guardrails.md has another table than\n{table}");
}

pub(super) fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(part) / f64::from(whole) }
}
