//! What Anthropic asks of a request before it is written: thinking that agrees with the rest, ids of few letters.

use crate::translate::canonical::{Content, Effort, Part, Role, ToolChoice};
use crate::translate::{Ask, Fate, Note, Request, Slot, ThinkingStyle};
use crate::wire::turns::{Said, Turn};

/// How the model is to think.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Think {
    /// Nothing is said of it.
    Unsaid,
    /// It is told not to.
    Off,
    /// Within so many tokens.
    Budget(u64),
    /// As it likes, with this effort.
    Adaptive(Option<Effort>),
}

/// The least budget that is taken.
const LEAST: u64 = 1024;

/// How to think, and what had to give way for it.
pub(crate) fn think(request: &Request, ask: &Ask<'_>, turns: &[Turn<'_>], notes: &mut Vec<Note>) -> Think {
    let Some(wanted) = request.reasoning else { return Think::Unsaid };
    if wanted.off() {
        return Think::Off;
    }
    let mut give_up = |why: &'static str| {
        notes.push(Note { slot: Slot::ThinkingBudget, fate: Fate::Dropped(why) });
        Think::Unsaid
    };
    if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Tool(_))) && !request.tools.is_empty() {
        return give_up("a forced tool call cannot be thought about");
    }
    if !may_go_on(turns) {
        return give_up("the tool call that this continues was sent back without its signed thought");
    }
    if ask.quirks.thinking == ThinkingStyle::Adaptive {
        return Think::Adaptive(wanted.steps());
    }
    let Some(budget) = wanted.tokens() else { return Think::Unsaid };
    let limit = request.max_tokens.unwrap_or(ask.max_tokens);
    if limit <= LEAST {
        return give_up("the limit of tokens leaves no room for the least thought of 1024");
    }
    let fitted = budget.clamp(LEAST, limit - 1);
    if fitted != budget {
        let why = "the budget must be at least 1024 and below the limit of tokens";
        notes.push(Note { slot: Slot::ThinkingBudget, fate: Fate::Changed(why) });
    }
    Think::Budget(fitted)
}

/// A turn that continues tool calls must begin with the thought that led to them.
fn may_go_on(turns: &[Turn<'_>]) -> bool {
    let [.., before, last] = turns else { return true };
    let result = |said: &Said<'_>| matches!(said, Said::Part(Part { content: Content::ToolResult(_), .. }));
    if before.role != Role::Assistant || !last.parts.iter().any(result) {
        return true;
    }
    matches!(before.parts.first(), Some(Said::Part(Part { content: Content::Reasoning(_), .. })))
}

/// Temperature as it is taken: at most 1, and not beside thinking.
pub(crate) fn temperature(request: &Request, think: Think, notes: &mut Vec<Note>) -> Option<f64> {
    let wanted = request.sampling.temperature?;
    if matches!(think, Think::Budget(_) | Think::Adaptive(_)) {
        if wanted != 1.0 {
            notes.push(Note { slot: Slot::Temperature, fate: Fate::Dropped("a thinking model has its own") });
        }
        return None;
    }
    if wanted > 1.0 {
        notes.push(Note { slot: Slot::Temperature, fate: Fate::Changed("it ends at 1") });
    }
    Some(wanted.min(1.0))
}

/// Top k beside thinking is refused by the provider.
pub(crate) fn top_k(request: &Request, think: Think, notes: &mut Vec<Note>) -> Option<u64> {
    let wanted = request.sampling.top_k?;
    if matches!(think, Think::Budget(_) | Think::Adaptive(_)) {
        notes.push(Note { slot: Slot::TopK, fate: Fate::Dropped("a thinking model has its own") });
        return None;
    }
    Some(wanted)
}

/// Ids hold letters, digits, `_` and `-` alone.
pub(crate) fn id(id: &str) -> std::borrow::Cow<'_, str> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !id.is_empty() && id.chars().all(good) {
        return std::borrow::Cow::Borrowed(id);
    }
    let mapped: String = id.chars().map(|c| if good(c) { c } else { '_' }).collect();
    std::borrow::Cow::Owned(if mapped.is_empty() { "_".to_owned() } else { mapped })
}
