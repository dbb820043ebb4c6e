//! A caller's request. Model and stream are told by the path.

use serde_json::Value;

use super::RULES;
use crate::translate::canonical::{
    Cache, CacheTtl, Content, Effort, Media, Message, Output, Part, Reasoning, Role, Schema, Seal, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;

const FORMAT: Format = Format::BedrockConverse;

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let mut request = Request {
        model: told.model.unwrap_or_default().to_owned(),
        stream: told.stream.unwrap_or(false),
        include_usage: true,
        ..Request::default()
    };
    fields.take("modelId");
    let root = fields.at;
    request.system = blocks(fields.list("system")?.unwrap_or_default(), root.key("system"))?;
    if request.system.iter().any(|part| part.as_text().is_none()) {
        return Err(fields.wrong("system", "holds text alone"));
    }
    let at = root.key("messages");
    for (index, value) in fields.list("messages")?.unwrap_or_default().into_iter().enumerate() {
        let mut message = Fields::of(value, at.index(index))?;
        let role = match message.needed("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return Err(message.wrong("role", "must be user or assistant")),
        };
        let place = at.index(index);
        let parts = blocks(message.list("content")?.unwrap_or_default(), place.key("content"))?;
        request.messages.push(Message::new(role, parts));
    }
    if let Some(config) = fields.take("inferenceConfig") {
        let mut config = Fields::of(config, root.key("inferenceConfig"))?;
        request.max_tokens = config.count("maxTokens")?;
        request.sampling.temperature = config.number("temperature")?;
        request.sampling.top_p = config.number("topP")?;
        request.sampling.stop = config.strings("stopSequences")?;
        config.end(&mut request.unknown, &[]);
    }
    tools(&mut fields, &mut request)?;
    output(&mut fields, &mut request)?;
    if let Some(more) = fields.take("additionalModelRequestFields") {
        thinking(Fields::of(more, root.key("additionalModelRequestFields"))?, &mut request)?;
    }
    if let Some(Value::Object(map)) = fields.take("requestMetadata") {
        request.metadata = map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

/// A cache point is a block of its own here: it marks the one before.
fn blocks(list: Vec<Value>, at: At<'_>) -> Result<Vec<Part>, Refused> {
    let mut parts: Vec<Part> = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let mut block = Fields::of(value, at.index(index))?;
        if let Some(point) = block.take("cachePoint") {
            if let Some(last) = parts.last_mut() {
                last.cache = Some(cache(&point));
            }
            continue;
        }
        parts.push(Part::new(content(block)?));
    }
    Ok(parts)
}

fn cache(point: &Value) -> Cache {
    let ttl = match point.get("ttl").and_then(Value::as_str) {
        Some("1h") => CacheTtl::Hour,
        Some("5m") => CacheTtl::FiveMinutes,
        _ => CacheTtl::Default,
    };
    Cache { ttl }
}

fn content(mut block: Fields<'_>) -> Result<Content, Refused> {
    let at = block.at;
    if let Some(text) = block.string("text")? {
        return Ok(Content::Text(text));
    }
    if let Some(value) = block.take("json") {
        return Ok(Content::Text(value.to_string()));
    }
    for (key, family) in [("image", "image"), ("video", "video"), ("document", "")] {
        let Some(value) = block.take(key) else { continue };
        let media = held(Fields::of(value, at.key(key))?, family)?;
        return Ok(match key {
            "image" => Content::Image(media),
            "video" => Content::Video(media),
            _ => Content::File(media),
        });
    }
    if let Some(value) = block.take("toolUse") {
        let mut call = Fields::of(value, at.key("toolUse"))?;
        let arguments = call.take("input").map(|input| input.to_string()).unwrap_or_default();
        let (id, name) = (call.needed("toolUseId")?, call.needed("name")?);
        return Ok(Content::ToolCall(ToolCall { id, name, arguments, seal: None }));
    }
    if let Some(value) = block.take("toolResult") {
        let place = at.key("toolResult");
        let mut result = Fields::of(value, place)?;
        let id = result.needed("toolUseId")?;
        let failed = result.string("status")?.as_deref() == Some("error");
        let parts = blocks(result.list("content")?.unwrap_or_default(), place.key("content"))?;
        return Ok(Content::ToolResult(ToolResult { id, name: None, parts, failed }));
    }
    if let Some(value) = block.take("reasoningContent") {
        return Ok(Content::Reasoning(reasoning(Fields::of(value, at.key("reasoningContent"))?)));
    }
    Err(Refused::not_carried(at.spelled(), "a kind of block that is not translated"))
}

/// Thoughts in words with their signature, or sealed whole.
pub(super) fn reasoning(mut fields: Fields<'_>) -> Reasoning {
    if let Ok(Some(data)) = fields.string("redactedContent") {
        return Reasoning { seal: Some(Seal::read(FORMAT, data)), hidden: true, ..Reasoning::default() };
    }
    let mut text = Fields::lenient(fields.take("reasoningText").unwrap_or_default());
    let signature = text.string("signature").ok().flatten().filter(|signature| !signature.is_empty());
    Reasoning {
        text: text.string("text").ok().flatten().unwrap_or_default(),
        seal: signature.map(|data| Seal::read(FORMAT, data)),
        hidden: false,
        id: None,
    }
}

fn held(mut fields: Fields<'_>, family: &str) -> Result<Media, Refused> {
    let format = fields.needed("format")?;
    let kind = if family.is_empty() { document_type(&format).to_owned() } else { format!("{family}/{format}") };
    let name = fields.string("name")?;
    let source = fields.take("source").ok_or_else(|| fields.wrong("source", "is missing"))?;
    let at = fields.at;
    let mut source = Fields::of(source, at.key("source"))?;
    let mut media = if let Some(data) = source.string("bytes")? {
        media::held(data, Some(kind))
    } else if let Some(text) = source.string("text")? {
        media::text(text)
    } else {
        return Err(source.no_place("s3Location", "what is kept at AWS is not known elsewhere"));
    };
    media.name = name;
    Ok(media)
}

const TYPES: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
];

fn document_type(format: &str) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == format).map_or("application/octet-stream", |(_, kind)| kind)
}

/// What AWS calls a document of this media type.
pub(super) fn document_format(kind: Option<&str>) -> &'static str {
    TYPES.iter().find(|(_, known)| Some(*known) == kind).map_or("pdf", |(format, _)| format)
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let Some(config) = fields.take("toolConfig") else { return Ok(()) };
    let root = fields.at;
    let at = root.key("toolConfig");
    let mut config = Fields::of(config, at)?;
    let list = at.key("tools");
    for (index, value) in config.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(value, list.index(index))?;
        if let Some(point) = tool.take("cachePoint") {
            if let Some(last) = request.tools.last_mut() {
                last.cache = Some(cache(&point));
            }
            continue;
        }
        let spec = tool.take("toolSpec");
        let spec =
            spec.ok_or_else(|| tool.no_place("systemTool", "a tool that the provider runs is not translated"))?;
        let mut spec = Fields::of(spec, list.index(index))?;
        request.tools.push(Tool {
            name: spec.needed("name")?,
            description: spec.string("description")?,
            schema: spec.take("inputSchema").and_then(|mut schema| Some(schema.get_mut("json")?.take())),
            strict: spec.truth("strict")?,
            cache: None,
        });
    }
    if let Some(choice) = config.take("toolChoice") {
        let mut choice = Fields::of(choice, at.key("toolChoice"))?;
        request.tool_choice = if choice.has("any") {
            Some(ToolChoice::Any)
        } else if let Some(tool) = choice.take("tool") {
            Some(ToolChoice::Tool(Fields::of(tool, at.key("toolChoice.tool"))?.needed("name")?))
        } else {
            Some(ToolChoice::Auto)
        };
    }
    Ok(())
}

fn output(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let schema = fields
        .take("outputConfig")
        .and_then(|mut config| Some(config.get_mut("textFormat")?.get_mut("structure")?.get_mut("jsonSchema")?.take()));
    let Some(schema) = schema else { return Ok(()) };
    let root = fields.at;
    let mut schema = Fields::of(schema, root.key("outputConfig.textFormat.structure.jsonSchema"))?;
    let text = schema.needed("schema")?;
    let tree = serde_json::from_str(&text).map_err(|_| schema.wrong("schema", "must be JSON, as a string"))?;
    let name = schema.string("name")?.unwrap_or_else(|| "answer".to_owned());
    let description = schema.string("description")?;
    request.output = Output::Schema(Schema { name, description, schema: tree, strict: Some(true) });
    Ok(())
}

/// Of the models' own fields, Anthropic's thinking is known.
fn thinking(mut more: Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let mut thinking = Thinking::default();
    if let Some(Value::Object(map)) = more.take("thinking") {
        match map.get("type").and_then(Value::as_str) {
            Some("disabled") => thinking.budget = Some(0),
            Some("adaptive") => thinking.effort = Some(Effort::High),
            _ => thinking.budget = map.get("budget_tokens").and_then(Value::as_u64),
        }
    }
    if let Some(config) = more.take("output_config") {
        let effort = config.get("effort").and_then(Value::as_str).and_then(Effort::of);
        thinking.effort = effort.or(thinking.effort);
    }
    request.reasoning = (thinking != Thinking::default()).then_some(thinking);
    more.end(&mut request.unknown, &[]);
    Ok(())
}
