//! A caller's request.

use serde_json::Value;

use super::RULES;
use crate::translate::canonical::{
    Content, Message, Output, Part, Reasoning, Role, Schema, Seal, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;

/// Marks a plan among thoughts: the two stand in different fields.
pub(super) const PLAN: &str = "plan";

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let model = fields.string("model")?.or_else(|| told.model.map(str::to_owned)).unwrap_or_default();
    let mut request = Request { model, include_usage: true, ..Request::default() };
    let root = fields.at;
    let at = root.key("messages");
    let list = fields.list("messages")?.ok_or_else(|| fields.wrong("messages", "is missing"))?;
    for (index, value) in list.into_iter().enumerate() {
        message(Fields::of(value, at.index(index))?, &mut request)?;
    }
    tools(&mut fields, &mut request)?;
    request.max_tokens = fields.count("max_tokens")?;
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("p")?;
    request.sampling.top_k = fields.count("k")?.filter(|k| *k > 0);
    request.sampling.stop = fields.strings("stop_sequences")?;
    request.sampling.seed = fields.integer("seed")?;
    request.sampling.presence_penalty = fields.number("presence_penalty")?;
    request.sampling.frequency_penalty = fields.number("frequency_penalty")?;
    request.sampling.logprobs = fields.truth("logprobs")?.filter(|wanted| *wanted).map(|_| 0);
    if let Some(format) = fields.take("response_format") {
        let mut format = Fields::of(format, root.key("response_format"))?;
        let schema = format.take("json_schema").or_else(|| format.take("schema"));
        request.output = match (format.needed("type")?.as_str(), schema) {
            ("text", _) => Output::Text,
            (_, Some(schema)) => {
                Output::Schema(Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) })
            }
            _ => Output::Json,
        };
    }
    if let Some(thinking) = fields.take("thinking") {
        let mut thinking = Fields::of(thinking, root.key("thinking"))?;
        let off = thinking.string("type")?.as_deref() == Some("disabled");
        let budget = if off { Some(0) } else { thinking.count("token_budget")? };
        request.reasoning = budget.map(|budget| Thinking { budget: Some(budget), ..Thinking::default() });
    }
    request.stream = fields.truth("stream")?.or(told.stream).unwrap_or(false);
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

fn message(mut fields: Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let role = fields.needed("role")?;
    let mut parts = Vec::new();
    if let Some(plan) = fields.string("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.push(thought(plan, PLAN));
    }
    let root = fields.at;
    match fields.take("content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => parts.push(Part::text(text)),
        Some(Value::Array(items)) => {
            let at = root.key("content");
            for (index, item) in items.into_iter().enumerate() {
                parts.push(part(Fields::of(item, at.index(index))?)?);
            }
        }
        Some(_) => return Err(fields.wrong("content", "must be a string or a list of parts")),
    }
    for call in fields.list("tool_calls")?.unwrap_or_default() {
        parts.push(Part::new(Content::ToolCall(read_call(Fields::of(call, root.key("tool_calls"))?)?)));
    }
    match role.as_str() {
        "system" | "developer" if request.messages.is_empty() => request.system.extend(parts),
        "system" | "developer" => request.messages.push(Message::new(Role::System, parts)),
        "user" => request.messages.push(Message::new(Role::User, parts)),
        "assistant" => request.messages.push(Message::new(Role::Assistant, parts)),
        "tool" => {
            let id = fields.needed("tool_call_id")?;
            let result = ToolResult { id, name: None, parts, failed: false };
            request.messages.push(Message::new(Role::User, vec![Part::new(Content::ToolResult(result))]));
        }
        _ => return Err(fields.wrong("role", "must be system, user, assistant or tool")),
    }
    fields.end(&mut request.unknown, &["citations"]);
    Ok(())
}

/// A thought of a model of Cohere's.
pub(super) fn thought(text: String, kind: &str) -> Part {
    let seal = Some(Seal { origin: Format::CohereChat, data: kind.to_owned() });
    Part::new(Content::Reasoning(Reasoning { text, seal, hidden: false, id: None }))
}

fn part(mut fields: Fields<'_>) -> Result<Part, Refused> {
    Ok(match fields.needed("type")?.as_str() {
        "text" => Part::text(fields.needed("text")?),
        "thinking" => thought(fields.needed("thinking")?, ""),
        "image_url" => {
            let at = fields.at;
            let image = fields.take("image_url").ok_or_else(|| fields.wrong("image_url", "is missing"))?;
            let mut image = Fields::of(image, at.key("image_url"))?;
            let mut media = media::of_url(image.needed("url")?);
            media.detail = image.string("detail")?;
            Part::new(Content::Image(media))
        }
        "document" => {
            let data = fields.take("document").and_then(|mut document| Some(document.get_mut("data")?.take()));
            match data {
                Some(Value::String(text)) => Part::text(text),
                Some(tree) => Part::text(tree.to_string()),
                None => return Err(fields.wrong("document", "is missing")),
            }
        }
        _ => return Err(fields.no_place("type", "a kind of part that is not translated")),
    })
}

/// A call of a tool.
pub(super) fn read_call(mut call: Fields<'_>) -> Result<ToolCall, Refused> {
    let id = call.needed("id")?;
    let mut function = Fields::lenient(call.take("function").unwrap_or_default());
    let name = function.string("name")?.unwrap_or_default();
    let arguments = function.string("arguments")?.unwrap_or_default();
    Ok(ToolCall { id, name, arguments, seal: None })
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let strict = fields.truth("strict_tools")?.filter(|strict| *strict);
    let root = fields.at;
    for value in fields.list("tools")?.unwrap_or_default() {
        let mut tool = Fields::of(value, root.key("tools"))?;
        let function = tool.take("function").ok_or_else(|| tool.wrong("function", "is missing"))?;
        let mut function = Fields::of(function, root.key("tools"))?;
        request.tools.push(Tool {
            name: function.needed("name")?,
            description: function.string("description")?,
            schema: function.take("parameters"),
            strict,
            cache: None,
        });
    }
    request.tool_choice = match fields.string("tool_choice")?.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Any),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(fields.wrong("tool_choice", "must be REQUIRED or NONE")),
    };
    Ok(())
}
