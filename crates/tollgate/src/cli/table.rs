//! Columns for people: words to the left, numbers to the right.

use std::fmt::Write as _;

/// How a column is aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lines under a head, each column as wide as its widest cell.
pub(super) fn table(head: &[(&str, Side)], lines: &[Vec<String>]) -> String {
    let width = |at: usize, name: &str| {
        let cells = lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or(0)
    };
    let columns: Vec<(usize, Side)> =
        head.iter().enumerate().map(|(at, (name, side))| (width(at, name), *side)).collect();
    let mut text = String::new();
    let names = head.iter().map(|(name, _)| *name);
    write_line(&mut text, &columns, names);
    for line in lines {
        write_line(&mut text, &columns, line.iter().map(String::as_str));
    }
    text
}

fn write_line<'a>(text: &mut String, columns: &[(usize, Side)], cells: impl Iterator<Item = &'a str>) {
    let start = text.len();
    for (&(width, side), cell) in columns.iter().zip(cells) {
        let gap = if text.len() == start { "" } else { "  " };
        let _ = match side {
            Side::Left => write!(text, "{gap}{cell:<width$}"),
            Side::Right => write!(text, "{gap}{cell:>width$}"),
        };
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}
