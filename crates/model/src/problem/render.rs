//! Problems as text for people and as JSON for machines.
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::load::{Position, Sources, Span};

use super::shown::Shown;
use super::{Problem, Problems, Severity};

/// How text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// No colour.
    #[default]
    Plain,
    /// ANSI colours.
    Colour,
}

/// Text for people, in the order of the files: each problem with file:line:column, the line and a caret, and how to
/// mend it. No shown line contains a secret. Empty when there are no problems.
#[must_use]
pub fn render(problems: &Problems, sources: &Sources, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let mut text = String::new();
    for problem in in_order(problems, sources) {
        let shown = problem.place(sources).and_then(|at| Shown::new(at, problems, sources));
        let drawn = renderer.render(&[group(problem, shown.as_ref(), sources)]);
        text.push_str(&match &shown {
            Some(shown) => with_column(drawn, shown, sources),
            None => drawn,
        });
        text.push_str("\n\n");
    }
    if problems.more() > 0 {
        text.push_str(&format!("and {} more\n", problems.more()));
    }
    text
}

fn group<'a>(problem: &'a Problem, shown: Option<&'a Shown>, sources: &'a Sources) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(printable(&problem.message)).id(problem.code));
    if let Some(shown) = shown {
        let snippet = Snippet::source(shown.text.as_str())
            .path(sources.name(shown.file))
            .line_start(shown.position.line as usize)
            .annotation(AnnotationKind::Primary.span(shown.range.clone()));
        group = group.element(snippet);
    }
    if !problem.path.is_empty() {
        group = group.element(Level::NOTE.with_name("at").message(printable(&problem.path)));
    }
    if let Some(part) = problem.part.as_ref().filter(|_| problem.exact_place(sources).is_none()) {
        let Position { line, column } = part.position();
        group = group.element(Level::NOTE.message(format!("line {line}, column {column} of this text")));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    group
}

/// Puts the file's column in the place of the shown line's, which differs where the line is cut or masked.
fn with_column(drawn: String, shown: &Shown, sources: &Sources) -> String {
    let Position { line, column } = shown.position;
    let before = shown.text.get(..shown.range.start).unwrap_or_default().chars().count() + 1;
    if before == column as usize {
        return drawn;
    }
    let place = format!("{}:{line}:", sources.name(shown.file));
    drawn.replacen(&format!("{place}{before}"), &format!("{place}{column}"), 1)
}

/// Text without what would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The problems by file and place; those without a place come first.
fn in_order<'p>(problems: &'p Problems, sources: &Sources) -> Vec<&'p Problem> {
    let mut ordered: Vec<&Problem> = problems.iter().collect();
    ordered.sort_by_cached_key(|problem| problem.place(sources).map(|at| (at.file, at.start)));
    ordered
}

/// One problem as machines read it.
#[derive(Serialize)]
struct Row<'a> {
    severity: Severity,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    #[serde(flatten)]
    place: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
struct Table<'a> {
    errors: usize,
    warnings: usize,
    /// How many of them are not listed.
    more: usize,
    problems: Vec<Row<'a>>,
}

/// `{"errors", "warnings", "more", "problems": [{"severity", "code", "message", "path", "file", "line", "column",
/// "end_line", "end_column", "help"}]}`, in the order of the files. Lines and columns count from 1, columns in
/// characters, and an end is after the last one. What a problem does not have is left out.
#[must_use]
pub fn render_json(problems: &Problems, sources: &Sources) -> serde_json::Value {
    let rows = in_order(problems, sources).into_iter().map(|problem| Row {
        severity: problem.severity,
        code: problem.code,
        message: &problem.message,
        path: &problem.path,
        place: problem.place(sources).and_then(|at| place(at, sources)),
        help: problem.help.as_deref(),
    });
    let table = Table {
        errors: problems.errors(),
        warnings: problems.warnings(),
        more: problems.more(),
        problems: rows.collect(),
    };
    serde_json::to_value(table).unwrap_or_default()
}

fn place(at: Span, sources: &Sources) -> Option<Place<'_>> {
    let Position { line, column } = sources.line_column(at)?;
    let end = sources.end_line_column(at)?;
    Some(Place { file: sources.name(at.file), line, column, end_line: end.line, end_column: end.column })
}
