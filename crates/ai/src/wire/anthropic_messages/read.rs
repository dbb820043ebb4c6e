//! A caller's request.

use serde_json::Value;

use super::RULES;
use crate::translate::canonical::{
    Cache, CacheTtl, Content, Effort, Media, Message, Output, Part, Reasoning, Role, Schema, Seal, Source, Thinking,
    Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;
use crate::wire::turns::read_call_seal;

const FORMAT: Format = Format::AnthropicMessages;

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let mut request = Request { include_usage: true, ..Request::default() };
    request.model = fields.string("model")?.or_else(|| told.model.map(str::to_owned)).unwrap_or_default();
    let root = fields.at;
    if let Some(system) = fields.take("system") {
        request.system = parts(system, root.key("system"), &mut request.unknown)?;
        if request.system.iter().any(|part| part.as_text().is_none()) {
            return Err(fields.wrong("system", "holds text alone"));
        }
    }
    let list = fields.list("messages")?.ok_or_else(|| fields.wrong("messages", "is missing"))?;
    let at = root.key("messages");
    for (index, value) in list.into_iter().enumerate() {
        let message = message(value, at.index(index), &mut request.unknown)?;
        request.messages.push(message);
    }
    tools(&mut fields, &mut request)?;
    request.max_tokens = fields.count("max_tokens")?;
    request.sampling.temperature = fields.number("temperature")?;
    request.sampling.top_p = fields.number("top_p")?;
    request.sampling.top_k = fields.count("top_k")?;
    request.sampling.stop = fields.strings("stop_sequences")?;
    request.stream = fields.truth("stream")?.or(told.stream).unwrap_or(false);
    thinking(&mut fields, &mut request)?;
    if let Some(metadata) = fields.take("metadata") {
        let mut metadata = Fields::of(metadata, root.key("metadata"))?;
        request.user = metadata.string("user_id")?;
        metadata.end(&mut request.unknown, &[]);
    }
    request.service_tier = fields.string("service_tier")?;
    if let Some(cache) = cache(&mut fields)? {
        mark_last(&mut request, cache);
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

/// `cache_control` of the whole request stands for one on its last block.
fn mark_last(request: &mut Request, cache: Cache) {
    let last = request.messages.iter_mut().rev().find_map(|message| message.parts.last_mut());
    if let Some(part) = last.or(request.system.last_mut()) {
        part.cache.get_or_insert(cache);
    }
}

fn message(value: Value, at: At<'_>, unknown: &mut Vec<String>) -> Result<Message, Refused> {
    let mut fields = Fields::of(value, at)?;
    let role = match fields.needed("role")?.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(fields.wrong("role", "must be user or assistant")),
    };
    let content = fields.take("content").ok_or_else(|| fields.wrong("content", "is missing"))?;
    let mut parts = parts(content, at.key("content"), unknown)?;
    if role == Role::Assistant {
        give_seals_back(&mut parts);
    }
    fields.end(unknown, &[]);
    Ok(Message::new(role, parts))
}

/// Joins the seals of tool calls that travelled as hidden thoughts to their calls.
fn give_seals_back(parts: &mut Vec<Part>) {
    let mut seal = None;
    parts.retain_mut(|part| match &mut part.content {
        Content::Reasoning(thought) if thought.hidden => {
            let of_call = thought.seal.as_ref().and_then(|seal| read_call_seal(&seal.data));
            let gone = of_call.is_some();
            seal = of_call;
            !gone
        }
        Content::ToolCall(call) => {
            call.seal = seal.take();
            true
        }
        _ => true,
    });
}

/// A text or a list of blocks.
fn parts(value: Value, at: At<'_>, unknown: &mut Vec<String>) -> Result<Vec<Part>, Refused> {
    match value {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![Part::text(text)]),
        Value::Array(blocks) => {
            blocks.into_iter().enumerate().map(|(index, block)| part(block, at.index(index), unknown)).collect()
        }
        _ => Err(Refused::malformed(at.spelled(), "must be a string or a list of blocks")),
    }
}

fn part(value: Value, at: At<'_>, unknown: &mut Vec<String>) -> Result<Part, Refused> {
    let mut fields = Fields::of(value, at)?;
    let kind = fields.needed("type")?;
    let content = match kind.as_str() {
        "text" => Content::Text(fields.needed("text")?),
        "image" => Content::Image(source(&mut fields, unknown)?),
        "document" => {
            let mut media = source(&mut fields, unknown)?;
            media.name = fields.string("title")?;
            Content::File(media)
        }
        "tool_use" => Content::ToolCall(ToolCall {
            id: fields.needed("id")?,
            name: fields.needed("name")?,
            arguments: match fields.take("input") {
                Some(input @ Value::Object(_)) => input.to_string(),
                None => String::new(),
                Some(_) => return Err(fields.wrong("input", "must be an object")),
            },
            seal: None,
        }),
        "tool_result" => Content::ToolResult(ToolResult {
            id: fields.needed("tool_use_id")?,
            name: None,
            failed: fields.truth("is_error")?.unwrap_or(false),
            parts: match fields.take("content") {
                Some(content) => parts(content, at.key("content"), unknown)?,
                None => Vec::new(),
            },
        }),
        "thinking" => {
            let text = fields.needed("thinking")?;
            let signature = fields.string("signature")?.filter(|signature| !signature.is_empty());
            let seal = signature.map(|signature| Seal::read(FORMAT, signature));
            Content::Reasoning(Reasoning { text, seal, hidden: false, id: None })
        }
        "redacted_thinking" => {
            let seal = Some(Seal::read(FORMAT, fields.needed("data")?));
            Content::Reasoning(Reasoning { text: String::new(), seal, hidden: true, id: None })
        }
        _ => return Err(fields.no_place("type", "a kind of block that is not translated")),
    };
    let cache = cache(&mut fields)?;
    fields.end(unknown, &["citations", "caller"]);
    Ok(Part { content, cache })
}

fn source(block: &mut Fields<'_>, unknown: &mut Vec<String>) -> Result<Media, Refused> {
    let value = block.take("source").ok_or_else(|| block.wrong("source", "is missing"))?;
    let root = block.at;
    let mut source = Fields::of(value, root.key("source"))?;
    let media = match source.needed("type")?.as_str() {
        "base64" => media::held(source.needed("data")?, source.string("media_type")?),
        "url" => {
            let url = source.needed("url")?;
            Media { source: Source::Url(url), media_type: None, name: None, detail: None }
        }
        "file" => media::uploaded(source.needed("file_id")?),
        "text" => {
            source.take("media_type");
            media::text(source.needed("data")?)
        }
        _ => return Err(source.no_place("type", "a kind of source that is not translated")),
    };
    source.end(unknown, &[]);
    Ok(media)
}

fn cache(fields: &mut Fields<'_>) -> Result<Option<Cache>, Refused> {
    let Some(value) = fields.take("cache_control") else { return Ok(None) };
    let root = fields.at;
    let mut control = Fields::of(value, root.key("cache_control"))?;
    let ttl = match control.string("ttl")?.as_deref() {
        None => CacheTtl::Default,
        Some("5m") => CacheTtl::FiveMinutes,
        Some("1h") => CacheTtl::Hour,
        Some(_) => return Err(control.wrong("ttl", "must be `5m` or `1h`")),
    };
    Ok(Some(Cache { ttl }))
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let at = root.key("tools");
    for (index, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(value, at.index(index))?;
        if tool.string("type")?.is_some_and(|kind| kind != "custom") {
            return Err(tool.no_place("type", "a tool that the provider runs is not translated"));
        }
        let cache = cache(&mut tool)?;
        request.tools.push(Tool {
            name: tool.needed("name")?,
            description: tool.string("description")?,
            schema: tool.take("input_schema"),
            strict: tool.truth("strict")?,
            cache,
        });
        tool.end(&mut request.unknown, &[]);
    }
    if let Some(value) = fields.take("tool_choice") {
        let mut choice = Fields::of(value, root.key("tool_choice"))?;
        request.tool_choice = Some(match choice.needed("type")?.as_str() {
            "auto" => ToolChoice::Auto,
            "any" => ToolChoice::Any,
            "none" => ToolChoice::None,
            "tool" => ToolChoice::Tool(choice.needed("name")?),
            _ => return Err(choice.wrong("type", "must be auto, any, tool or none")),
        });
        request.parallel_tools = choice.truth("disable_parallel_tool_use")?.map(|disabled| !disabled);
    }
    Ok(())
}

/// `thinking`, and of `output_config` (and its older spelling `output_format`) effort and format.
fn thinking(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let mut thinking = Thinking::default();
    let mut adaptive = false;
    if let Some(value) = fields.take("thinking") {
        let mut more = Fields::of(value, root.key("thinking"))?;
        match more.needed("type")?.as_str() {
            "enabled" => thinking.budget = more.count("budget_tokens")?,
            "disabled" => thinking.budget = Some(0),
            "adaptive" => adaptive = true,
            _ => return Err(more.wrong("type", "must be enabled, adaptive or disabled")),
        }
        thinking.shown = more.string("display")?.map(|word| word != "omitted");
        more.end(&mut request.unknown, &[]);
    }
    if let Some(value) = fields.take("output_config") {
        let mut config = Fields::of(value, root.key("output_config"))?;
        if let Some(word) = config.string("effort")? {
            thinking.effort = Some(Effort::of(&word).ok_or_else(|| config.wrong("effort", "is not known"))?);
        }
        if let Some(format) = config.take("format") {
            request.output = output(format, root.key("output_config"))?;
        }
        config.end(&mut request.unknown, &[]);
    }
    if let Some(format) = fields.take("output_format") {
        request.output = output(format, root.key("output_format"))?;
    }
    if adaptive && thinking.effort.is_none() {
        thinking.effort = Some(Effort::High);
    }
    request.reasoning = (thinking != Thinking::default()).then_some(thinking);
    Ok(())
}

fn output(value: Value, at: At<'_>) -> Result<Output, Refused> {
    let mut format = Fields::of(value, at)?;
    if format.needed("type")? != "json_schema" {
        return Err(format.no_place("type", "must be json_schema"));
    }
    let schema = format.take("schema").ok_or_else(|| format.wrong("schema", "is missing"))?;
    let name = format.string("name")?.unwrap_or_else(|| "answer".to_owned());
    Ok(Output::Schema(Schema { name, description: None, schema, strict: Some(true) }))
}
