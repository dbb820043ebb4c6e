//! A conversation as turns that alternate, for formats that ask it.

use crate::translate::canonical::{Content, Message, Part, Role, Seal, ToolCall};
use crate::translate::{Answer, Format, Refused, Request};
use crate::wire::json::is_object;

/// A turn: the parts of neighbours with one role, results of tools first, as they must follow their calls at once.
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Said<'a>>,
}

/// A part of a turn.
pub(crate) enum Said<'a> {
    Part(&'a Part),
    /// A system message within the conversation.
    System(&'a str),
}

/// The conversation as turns. Parts that have no words here are left out, and turns that are empty then.
pub(crate) fn turns(request: &Request, format: Format) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        let role = if message.role == Role::Assistant { Role::Assistant } else { Role::User };
        let parts: Vec<Said<'_>> = message.parts.iter().filter_map(|part| said(message, part, format)).collect();
        if parts.is_empty() {
            continue;
        }
        match turns.last_mut().filter(|turn| turn.role == role) {
            Some(turn) => turn.parts.extend(parts),
            None => turns.push(Turn { role, parts }),
        }
    }
    for turn in &mut turns {
        turn.parts.sort_by_key(|said| !matches!(said, Said::Part(Part { content: Content::ToolResult(_), .. })));
    }
    turns
}

fn said<'a>(message: &Message, part: &'a Part, format: Format) -> Option<Said<'a>> {
    match &part.content {
        // Text of nothing but white space says nothing, and is refused by those who ask for turns.
        Content::Text(text) | Content::Refusal(text) if text.trim().is_empty() => None,
        Content::Text(text) if message.role == Role::System => Some(Said::System(text)),
        Content::Reasoning(thought) => {
            let own = thought.seal.as_ref().is_some_and(|seal| seal.origin == format);
            own.then_some(Said::Part(part))
        }
        _ => Some(Said::Part(part)),
    }
}

/// A system message within the conversation, as text of the user.
pub(crate) fn marked(system: &str) -> String {
    format!("<system>\n{system}\n</system>")
}

/// Arguments of tool calls stand as objects in most formats, so they must be such.
pub(crate) fn arguments_hold(request: &Request) -> Result<(), Refused> {
    for (at, message) in request.messages.iter().enumerate() {
        if let Some(index) = message.parts.iter().position(|part| !holds(part)) {
            let field = format!("messages[{at}].content[{index}].arguments");
            return Err(Refused::malformed(field, "the arguments of a tool call must be a JSON object"));
        }
    }
    Ok(())
}

/// The same of an answer: a model may call a tool with what is no JSON.
pub(crate) fn answer_holds(answer: &Answer) -> Result<(), Refused> {
    if answer.choices.iter().flat_map(|choice| &choice.parts).all(holds) {
        return Ok(());
    }
    Err(Refused::malformed("content", "the model called a tool with arguments that are no JSON object"))
}

fn holds(part: &Part) -> bool {
    let Content::ToolCall(call) = &part.content else { return true };
    call.arguments.trim().is_empty() || is_object(&call.arguments)
}

/// The arguments as an object.
pub(crate) fn arguments(call: &ToolCall) -> &str {
    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }
}

/// The name of the tool that was called by this id, for formats that join results to calls by name. The latest counts.
pub(crate) fn called<'a>(request: &'a Request, id: &str) -> Option<&'a str> {
    request.messages.iter().rev().flat_map(|message| &message.parts).find_map(|part| match &part.content {
        Content::ToolCall(call) if call.id == id => Some(call.name.as_str()),
        _ => None,
    })
}

/// Marks the seal of a tool call. Formats that have no place for one carry it as a hidden thought beside the call, which
/// clients give back untouched.
const CALL: &str = "tollgate:call:";

/// A tool call's seal, as a hidden thought says it.
pub(crate) fn marked_call(seal: &Seal) -> String {
    format!("{CALL}{}:{}", seal.origin.name(), seal.data)
}

/// The seal of a tool call, if that is what a hidden thought is.
pub(crate) fn read_call_seal(data: &str) -> Option<Seal> {
    let (origin, data) = data.strip_prefix(CALL)?.split_once(':')?;
    Some(Seal { origin: Format::named(origin)?, data: data.to_owned() })
}
