//! A caller's request.

use serde_json::Value;

use super::RULES;
use super::answer::{read_reasoning, unpacked};
use crate::translate::canonical::{
    Content, Effort, Message, Output, Part, Role, Schema, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;
use crate::wire::turns::read_call_seal;

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let model = fields.string("model")?.or_else(|| told.model.map(str::to_owned)).unwrap_or_default();
    let mut request = Request { model, include_usage: true, ..Request::default() };
    request.system.extend(fields.string("instructions")?.filter(|text| !text.is_empty()).map(Part::text));
    input(&mut fields, &mut request)?;
    tools(&mut fields, &mut request)?;
    request.max_tokens = fields.count("max_output_tokens")?;
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("top_p")?;
    request.sampling.logprobs = fields.count("top_logprobs")?.filter(|top| *top > 0);
    text(&mut fields, &mut request)?;
    if let Some(value) = fields.take("reasoning") {
        let root = fields.at;
        let mut reasoning = Fields::of(value, root.key("reasoning"))?;
        let mut thinking = Thinking::default();
        if let Some(word) = reasoning.string("effort")? {
            let known = Effort::of(&word).ok_or_else(|| reasoning.wrong("effort", "is not known"))?;
            thinking.effort = Some(known);
        }
        thinking.shown = reasoning.string("summary")?.map(|_| true);
        request.reasoning = (thinking != Thinking::default()).then_some(thinking);
    }
    request.user = fields.string("user")?;
    request.cache_key = fields.string("prompt_cache_key")?;
    if let Some(Value::Object(map)) = fields.take("metadata") {
        request.metadata = map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    }
    request.stream = fields.truth("stream")?.or(told.stream).unwrap_or(false);
    fields.take("stream_options");
    request.service_tier = fields.string("service_tier")?;
    if fields.truth("background")? == Some(true) {
        return Err(fields.no_place("background", "what OpenAI keeps is not known elsewhere"));
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

fn input(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let at = root.key("input");
    let items = match fields.take("input") {
        Some(Value::String(text)) => {
            request.messages.push(Message::new(Role::User, vec![Part::text(text)]));
            return Ok(());
        }
        Some(Value::Array(items)) => items,
        Some(_) => return Err(fields.wrong("input", "must be a string or a list of items")),
        None => return Err(fields.wrong("input", "is missing")),
    };
    for (index, value) in items.into_iter().enumerate() {
        let mut item = Fields::of(value, at.index(index))?;
        let kind = item.string("type")?;
        match kind.as_deref() {
            None | Some("message") => message(&mut item, request)?,
            Some("function_call") => {
                let call = ToolCall {
                    id: item.needed("call_id")?,
                    name: item.needed("name")?,
                    arguments: item.string("arguments")?.unwrap_or_default(),
                    seal: None,
                };
                add(request, Role::Assistant, vec![Part::new(Content::ToolCall(call))]);
            }
            Some("function_call_output") => {
                let id = item.needed("call_id")?;
                let parts = match item.take("output") {
                    Some(Value::String(text)) if text.is_empty() => Vec::new(),
                    Some(Value::String(text)) => vec![Part::text(text)],
                    Some(Value::Array(list)) => content(list, at.index(index).key("output"))?,
                    _ => return Err(item.wrong("output", "must be a string or a list of parts")),
                };
                let result = ToolResult { id, name: None, parts, failed: false };
                add(request, Role::User, vec![Part::new(Content::ToolResult(result))]);
            }
            Some("reasoning") => {
                let thought = read_reasoning(&mut item);
                let of_call = thought.seal.as_ref().and_then(|seal| read_call_seal(unpacked(&seal.data).1));
                match (of_call, request.messages.last_mut().and_then(|last| last.parts.last_mut())) {
                    (Some(seal), Some(Part { content: Content::ToolCall(call), .. })) => call.seal = Some(seal),
                    (Some(_), _) => {}
                    (None, _) => add(request, Role::Assistant, vec![Part::new(Content::Reasoning(thought))]),
                }
            }
            Some("item_reference") => {
                return Err(item.no_place("type", "what OpenAI keeps is not known elsewhere; send the item itself"));
            }
            Some(_) => return Err(item.no_place("type", "a kind of item that is not translated")),
        }
        item.end(&mut request.unknown, &["id", "status", "content", "summary", "encrypted_content", "phase"]);
    }
    Ok(())
}

/// Items of one turn of the model are one message.
fn add(request: &mut Request, role: Role, parts: Vec<Part>) {
    match request.messages.last_mut().filter(|last| last.role == role && role == Role::Assistant) {
        Some(last) => last.parts.extend(parts),
        None => request.messages.push(Message::new(role, parts)),
    }
}

fn message(item: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let role = match item.needed("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" | "developer" => Role::System,
        _ => return Err(item.wrong("role", "must be user, assistant, system or developer")),
    };
    let root = item.at;
    let parts = match item.take("content") {
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![Part::text(text)],
        Some(Value::Array(list)) => content(list, root.key("content"))?,
        _ => return Err(item.wrong("content", "must be a string or a list of parts")),
    };
    if role == Role::System && parts.iter().any(|part| part.as_text().is_none()) {
        return Err(item.wrong("content", "a system message holds text alone"));
    }
    if role == Role::System && request.messages.is_empty() {
        request.system.extend(parts);
    } else {
        add(request, role, parts);
    }
    Ok(())
}

fn content(list: Vec<Value>, at: At<'_>) -> Result<Vec<Part>, Refused> {
    list.into_iter().enumerate().map(|(index, value)| part(Fields::of(value, at.index(index))?)).collect()
}

fn part(mut fields: Fields<'_>) -> Result<Part, Refused> {
    let content = match fields.needed("type")?.as_str() {
        "input_text" | "output_text" | "text" => Content::Text(fields.needed("text")?),
        "refusal" => Content::Refusal(fields.needed("refusal")?),
        "input_image" => {
            let mut media = match (fields.string("image_url")?, fields.string("file_id")?) {
                (Some(url), _) => media::of_url(url),
                (None, Some(id)) => media::uploaded(id),
                (None, None) => return Err(fields.wrong("image_url", "is missing")),
            };
            media.detail = fields.string("detail")?;
            Content::Image(media)
        }
        "input_file" => {
            let url = fields.string("file_url")?;
            let mut media = match (fields.string("file_data")?, url, fields.string("file_id")?) {
                (Some(data), ..) if data.starts_with("data:") => media::of_url(data),
                (Some(data), ..) => media::held(data, Some("application/pdf".to_owned())),
                (None, Some(url), _) => media::of_url(url),
                (None, None, Some(id)) => media::uploaded(id),
                _ => return Err(fields.wrong("file_data", "is missing")),
            };
            media.name = fields.string("filename")?;
            Content::File(media)
        }
        _ => return Err(fields.no_place("type", "a kind of part that is not translated")),
    };
    Ok(Part::new(content))
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let at = root.key("tools");
    for (index, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(value, at.index(index))?;
        if tool.needed("type")? != "function" {
            return Err(tool.no_place("type", "only tools of type `function` are translated"));
        }
        request.tools.push(Tool {
            name: tool.needed("name")?,
            description: tool.string("description")?,
            schema: tool.take("parameters"),
            strict: tool.truth("strict")?,
            cache: None,
        });
        tool.end(&mut request.unknown, &[]);
    }
    request.parallel_tools = fields.truth("parallel_tool_calls")?;
    request.tool_choice = match fields.take("tool_choice") {
        None => None,
        Some(Value::String(word)) => Some(match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Any,
            _ => return Err(fields.wrong("tool_choice", "must be none, auto, required or a function")),
        }),
        Some(value) => {
            let mut choice = Fields::of(value, root.key("tool_choice"))?;
            if choice.needed("type")? != "function" {
                return Err(choice.no_place("type", "only a function can be chosen in other formats"));
            }
            Some(ToolChoice::Tool(choice.needed("name")?))
        }
    };
    Ok(())
}

fn text(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let Some(value) = fields.take("text") else { return Ok(()) };
    let root = fields.at;
    let at = root.key("text");
    let mut text = Fields::of(value, at)?;
    if let Some(value) = text.take("format") {
        let mut format = Fields::of(value, at.key("format"))?;
        request.output = match format.needed("type")?.as_str() {
            "text" => Output::Text,
            "json_object" => Output::Json,
            "json_schema" => Output::Schema(Schema {
                name: format.needed("name")?,
                description: format.string("description")?,
                schema: format.take("schema").ok_or_else(|| format.wrong("schema", "is missing"))?,
                strict: format.truth("strict")?,
            }),
            _ => return Err(format.no_place("type", "must be text, json_object or json_schema")),
        };
    }
    text.end(&mut request.unknown, &[]);
    Ok(())
}
