//! A caller's request. A stream is what comes unless told otherwise.

use serde_json::Value;

use super::RULES;
use crate::translate::canonical::{
    Content, Effort, Message, Output, Part, Reasoning, Role, Schema, Seal, Thinking, Tool, ToolCall, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let model = fields.string("model")?.or_else(|| told.model.map(str::to_owned)).unwrap_or_default();
    let stream = fields.truth("stream")?.or(told.stream).unwrap_or(true);
    let mut request = Request { model, stream, include_usage: true, ..Request::default() };
    let root = fields.at;
    let at = root.key("messages");
    let mut calls = Calls::default();
    for (index, value) in fields.list("messages")?.unwrap_or_default().into_iter().enumerate() {
        message(Fields::of(value, at.index(index))?, &mut calls, &mut request)?;
    }
    for value in fields.list("tools")?.unwrap_or_default() {
        let mut tool = Fields::of(value, root.key("tools"))?;
        let function = tool.take("function").ok_or_else(|| tool.wrong("function", "is missing"))?;
        let mut function = Fields::of(function, root.key("tools"))?;
        request.tools.push(Tool {
            name: function.needed("name")?,
            description: function.string("description")?,
            schema: function.take("parameters"),
            strict: None,
            cache: None,
        });
    }
    request.output = match fields.take("format") {
        None => Output::Text,
        Some(Value::String(word)) if word == "json" => Output::Json,
        Some(schema @ Value::Object(_)) => {
            Output::Schema(Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) })
        }
        Some(_) => return Err(fields.wrong("format", "must be `json` or a schema")),
    };
    request.reasoning = match fields.take("think") {
        None => None,
        Some(Value::Bool(true)) => Some(Thinking { effort: Some(Effort::Medium), ..Thinking::default() }),
        Some(Value::Bool(false)) => Some(Thinking { budget: Some(0), ..Thinking::default() }),
        Some(Value::String(word)) => Some(Thinking { effort: Effort::of(&word), ..Thinking::default() }),
        Some(_) => return Err(fields.wrong("think", "must be true, false, low, medium or high")),
    };
    if let Some(options) = fields.take("options") {
        self::options(Fields::of(options, root.key("options"))?, &mut request)?;
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

fn options(mut options: Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    // Below nothing means without end.
    request.max_tokens = options.integer("num_predict")?.and_then(|most| u64::try_from(most).ok());
    let sampling = &mut request.sampling;
    sampling.temperature = options.number("temperature")?;
    sampling.top_p = options.number("top_p")?;
    sampling.top_k = options.count("top_k")?;
    sampling.stop = options.strings("stop")?;
    sampling.seed = options.integer("seed")?;
    sampling.presence_penalty = options.number("presence_penalty")?;
    sampling.frequency_penalty = options.number("frequency_penalty")?;
    options.end(&mut request.unknown, &[]);
    Ok(())
}

/// Calls without ids are numbered; results join them by name or in order.
#[derive(Default)]
struct Calls {
    made: usize,
    waiting: Vec<(String, String)>,
}

fn message(mut fields: Fields<'_>, calls: &mut Calls, request: &mut Request) -> Result<(), Refused> {
    let role = fields.needed("role")?;
    let mut parts = Vec::new();
    if let Some(words) = fields.string("thinking")?.filter(|words| !words.is_empty()) {
        parts.push(thought(words));
    }
    parts.extend(fields.string("content")?.filter(|text| !text.is_empty()).map(Part::text));
    for data in fields.strings("images")? {
        parts.push(Part::new(Content::Image(media::held(data, Some("image/png".to_owned())))));
    }
    for value in fields.list("tool_calls")?.unwrap_or_default() {
        calls.made += 1;
        let call = read_call(Fields::lenient(value), || format!("call_{}", calls.made));
        calls.waiting.push((call.name.clone(), call.id.clone()));
        parts.push(Part::new(Content::ToolCall(call)));
    }
    match role.as_str() {
        "system" if request.messages.is_empty() => request.system.extend(parts),
        "system" => request.messages.push(Message::new(Role::System, parts)),
        "user" => request.messages.push(Message::new(Role::User, parts)),
        "assistant" => request.messages.push(Message::new(Role::Assistant, parts)),
        "tool" => {
            let name = fields.string("tool_name")?;
            let id = fields.string("tool_call_id")?;
            let at = calls.waiting.iter().position(|(known, call)| match (&id, &name) {
                (Some(id), _) => call == id,
                (None, Some(name)) => known == name,
                (None, None) => true,
            });
            let id = at.map(|at| calls.waiting.remove(at).1).or(id);
            let id = id.ok_or_else(|| fields.wrong("tool_name", "no call of this tool came before"))?;
            let result = ToolResult { id, name, parts, failed: false };
            request.messages.push(Message::new(Role::User, vec![Part::new(Content::ToolResult(result))]));
        }
        _ => return Err(fields.wrong("role", "must be system, user, assistant or tool")),
    }
    fields.end(&mut request.unknown, &[]);
    Ok(())
}

/// A thought of a model on Ollama.
pub(super) fn thought(text: String) -> Part {
    let seal = Some(Seal { origin: Format::OllamaChat, data: String::new() });
    Part::new(Content::Reasoning(Reasoning { text, seal, hidden: false, id: None }))
}

/// A call of a tool: its arguments are an object, and it seldom has an id.
pub(super) fn read_call(mut call: Fields<'_>, id: impl FnOnce() -> String) -> ToolCall {
    let own = call.string("id").ok().flatten().filter(|id| !id.is_empty());
    let mut function = Fields::lenient(call.take("function").unwrap_or_default());
    let arguments = match function.take("arguments") {
        Some(Value::String(text)) => text,
        Some(tree) => tree.to_string(),
        None => String::new(),
    };
    let name = function.string("name").ok().flatten().unwrap_or_default();
    ToolCall { id: own.unwrap_or_else(id), name, arguments, seal: None }
}
