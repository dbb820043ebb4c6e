//! A caller's request.

use serde_json::Value;

use super::RULES;
use super::answer::reasoning;
use crate::translate::canonical::{
    Cache, CacheTtl, Content, Effort, Message, Output, Part, Role, Sampling, Schema, Seal, Thinking, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;

/// Reads a request.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(parse(body)?, At::ROOT)?;
    let model = fields.string("model")?.or_else(|| told.model.map(str::to_owned)).unwrap_or_default();
    let mut request = Request { model, ..Request::default() };
    messages(&mut fields, &mut request)?;
    tools(&mut fields, &mut request)?;
    request.sampling = sampling(&mut fields)?;
    let plain = fields.count("max_tokens")?;
    request.max_tokens = fields.count("max_completion_tokens")?.or(plain);
    request.output = output(&mut fields)?;
    request.reasoning = thinking(&mut fields)?;
    request.user = fields.string("user")?;
    request.cache_key = fields.string("prompt_cache_key")?;
    request.metadata = metadata(&mut fields)?;
    request.stream = fields.truth("stream")?.or(told.stream).unwrap_or(false);
    if let Some(options) = fields.take("stream_options") {
        let at = fields.at;
        request.include_usage = Fields::of(options, at.key("stream_options"))?.truth("include_usage")?.unwrap_or(false);
    }
    request.service_tier = fields.string("service_tier")?;
    let modalities = fields.strings("modalities")?;
    if modalities.iter().any(|kind| kind != "text") {
        return Err(fields.no_place("modalities", "answers other than text are not translated"));
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

fn messages(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let list = fields.list("messages")?.ok_or_else(|| fields.wrong("messages", "is missing"))?;
    let root = fields.at;
    let at = root.key("messages");
    for (index, value) in list.into_iter().enumerate() {
        let mut message = Fields::of(value, at.index(index))?;
        let role = message.needed("role")?;
        let (role, parts) = match role.as_str() {
            "system" | "developer" => (Role::System, content(&mut message, &mut request.unknown)?),
            "user" => (Role::User, content(&mut message, &mut request.unknown)?),
            "assistant" => (Role::Assistant, assistant(&mut message, &mut request.unknown)?),
            "tool" => (Role::User, vec![tool_result(&mut message, &mut request.unknown)?]),
            "function" => return Err(message.no_place("role", "`function` is of an older API: use `tool`")),
            _ => return Err(message.wrong("role", "must be system, developer, user, assistant or tool")),
        };
        if role == Role::System && parts.iter().any(|part| part.as_text().is_none()) {
            return Err(message.wrong("content", "a system message holds text alone"));
        }
        let name = message.string("name")?;
        message.end(&mut request.unknown, &["annotations"]);
        if role == Role::System && request.messages.is_empty() {
            request.system.extend(parts);
        } else {
            request.messages.push(Message { role, parts, name });
        }
    }
    Ok(())
}

/// `content`: a text or a list of parts.
fn content(message: &mut Fields<'_>, unknown: &mut Vec<String>) -> Result<Vec<Part>, Refused> {
    let root = message.at;
    let at = root.key("content");
    match message.take("content") {
        None => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::text(text)]),
        Some(Value::Array(items)) => {
            items.into_iter().enumerate().map(|(index, item)| part(item, at.index(index), unknown)).collect()
        }
        Some(_) => Err(message.wrong("content", "must be a string or a list of parts")),
    }
}

fn part(value: Value, at: At<'_>, unknown: &mut Vec<String>) -> Result<Part, Refused> {
    let mut fields = Fields::of(value, at)?;
    let kind = fields.needed("type")?;
    let mut inner =
        |key: &str| -> Result<Value, Refused> { fields.take(key).ok_or_else(|| fields.wrong(key, "is missing")) };
    let content = match kind.as_str() {
        "text" => Content::Text(fields.needed("text")?),
        "refusal" => Content::Refusal(fields.needed("refusal")?),
        "image_url" => {
            let mut image = Fields::of(inner("image_url")?, at.key("image_url"))?;
            let mut media = media::of_url(image.needed("url")?);
            media.detail = image.string("detail")?;
            image.end(unknown, &["format"]);
            Content::Image(media)
        }
        "input_audio" => {
            let mut audio = Fields::of(inner("input_audio")?, at.key("input_audio"))?;
            let format = media::audio_type(&audio.needed("format")?);
            Content::Audio(media::held(audio.needed("data")?, Some(format)))
        }
        "video_url" => {
            let mut video = Fields::of(inner("video_url")?, at.key("video_url"))?;
            Content::Video(media::of_url(video.needed("url")?))
        }
        "file" => {
            let mut file = Fields::of(inner("file")?, at.key("file"))?;
            let data = file.string("file_data")?;
            let id = file.string("file_id")?;
            let mut media = match (data, id) {
                (Some(data), _) if data.starts_with("data:") || data.starts_with("http") => media::of_url(data),
                (Some(data), _) => media::held(data, Some("application/pdf".to_owned())),
                (None, Some(id)) => media::uploaded(id),
                (None, None) => return Err(file.wrong("file_data", "is missing")),
            };
            media.name = file.string("filename")?;
            Content::File(media)
        }
        _ => return Err(fields.no_place("type", "a kind of part that is not translated")),
    };
    let cache = cache(&mut fields)?;
    fields.end(unknown, &["annotations"]);
    Ok(Part { content, cache })
}

/// `cache_control`, which gateways take in this format as Anthropic has it.
pub(crate) fn cache(fields: &mut Fields<'_>) -> Result<Option<Cache>, Refused> {
    let Some(value) = fields.take("cache_control") else { return Ok(None) };
    let at = fields.at;
    let ttl = Fields::of(value, at.key("cache_control"))?.string("ttl")?;
    let ttl = match ttl.as_deref() {
        None => CacheTtl::Default,
        Some("5m") => CacheTtl::FiveMinutes,
        Some("1h") => CacheTtl::Hour,
        Some(_) => return Err(fields.wrong("cache_control.ttl", "must be `5m` or `1h`")),
    };
    Ok(Some(Cache { ttl }))
}

fn assistant(message: &mut Fields<'_>, unknown: &mut Vec<String>) -> Result<Vec<Part>, Refused> {
    if message.has("audio") {
        return Err(message.no_place("audio", "a spoken answer cannot be given back in another format"));
    }
    if message.has("function_call") {
        return Err(message.no_place("function_call", "is of an older API: use `tool_calls`"));
    }
    let mut parts = reasoning(message);
    parts.extend(content(message, unknown)?);
    if let Some(refusal) = message.string("refusal")? {
        parts.push(Part::new(Content::Refusal(refusal)));
    }
    let root = message.at;
    let at = root.key("tool_calls");
    for (index, value) in message.list("tool_calls")?.unwrap_or_default().into_iter().enumerate() {
        let mut call = Fields::of(value, at.index(index))?;
        if call.string("type")?.is_some_and(|kind| kind != "function") {
            return Err(call.no_place("type", "only functions are called in other formats"));
        }
        let id = call.needed("id")?;
        let seal = tool_seal(call.take("extra_content").as_ref());
        let function = call.take("function").ok_or_else(|| call.wrong("function", "is missing"))?;
        let place = at.index(index);
        let mut function = Fields::of(function, place.key("function"))?;
        let name = function.needed("name")?;
        let arguments = function.string("arguments")?.unwrap_or_default();
        call.end(unknown, &["index", "function"]);
        parts.push(Part::new(Content::ToolCall(ToolCall { id, name, arguments, seal })));
    }
    Ok(parts)
}

/// Google's thought signature, where its OpenAI compatibility puts it.
pub(super) fn tool_seal(extra: Option<&Value>) -> Option<Seal> {
    let signature = extra?.get("google")?.get("thought_signature")?.as_str()?;
    Some(Seal::read(Format::OpenAiChat, signature.to_owned()))
}

fn tool_result(message: &mut Fields<'_>, unknown: &mut Vec<String>) -> Result<Part, Refused> {
    let id = message.needed("tool_call_id")?;
    let parts = content(message, unknown)?;
    let name = message.string("name")?;
    let cache = cache(message)?;
    Ok(Part { content: Content::ToolResult(ToolResult { id, name, parts, failed: false }), cache })
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let at = root.key("tools");
    for (index, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(value, at.index(index))?;
        if tool.needed("type")? != "function" {
            return Err(tool.no_place("type", "only tools of type `function` are translated"));
        }
        let cache = cache(&mut tool)?;
        let function = tool.take("function").ok_or_else(|| tool.wrong("function", "is missing"))?;
        let mut function = Fields::of(function, at.index(index))?;
        request.tools.push(Tool {
            name: function.needed("name")?,
            description: function.string("description")?,
            schema: function.take("parameters"),
            strict: function.truth("strict")?,
            cache,
        });
        function.end(&mut request.unknown, &[]);
        tool.end(&mut request.unknown, &[]);
    }
    request.parallel_tools = fields.truth("parallel_tool_calls")?;
    request.tool_choice = match fields.take("tool_choice") {
        None => None,
        Some(Value::String(word)) => Some(match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Any,
            _ => return Err(fields.wrong("tool_choice", "must be none, auto, required or a function")),
        }),
        Some(value) => {
            let mut choice = Fields::of(value, root.key("tool_choice"))?;
            if choice.needed("type")? != "function" {
                return Err(choice.no_place("type", "only a function can be chosen in other formats"));
            }
            let function = choice.take("function").ok_or_else(|| choice.wrong("function", "is missing"))?;
            Some(ToolChoice::Tool(Fields::of(function, root.key("tool_choice.function"))?.needed("name")?))
        }
    };
    Ok(())
}

fn sampling(fields: &mut Fields<'_>) -> Result<Sampling, Refused> {
    let logprobs = fields.truth("logprobs")?.unwrap_or(false);
    let top = fields.count("top_logprobs")?;
    Ok(Sampling {
        temperature: fields.number("temperature")?,
        top_p: fields.number("top_p")?,
        top_k: fields.count("top_k")?,
        stop: fields.strings("stop")?,
        seed: fields.integer("seed")?,
        n: fields.count("n")?,
        logprobs: if logprobs { Some(top.unwrap_or(0)) } else { None },
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        logit_bias: fields.take("logit_bias").filter(|bias| bias.as_object().is_none_or(|map| !map.is_empty())),
    })
}

fn output(fields: &mut Fields<'_>) -> Result<Output, Refused> {
    let Some(value) = fields.take("response_format") else { return Ok(Output::Text) };
    let root = fields.at;
    let at = root.key("response_format");
    let mut format = Fields::of(value, at)?;
    match format.needed("type")?.as_str() {
        "text" => Ok(Output::Text),
        "json_object" => Ok(Output::Json),
        "json_schema" => {
            let schema = format.take("json_schema").ok_or_else(|| format.wrong("json_schema", "is missing"))?;
            let mut schema = Fields::of(schema, at.key("json_schema"))?;
            Ok(Output::Schema(Schema {
                name: schema.needed("name")?,
                description: schema.string("description")?,
                schema: schema.take("schema").unwrap_or_else(|| Value::Object(serde_json::Map::new())),
                strict: schema.truth("strict")?,
            }))
        }
        _ => Err(format.no_place("type", "must be text, json_object or json_schema")),
    }
}

/// `reasoning_effort`; OpenRouter's `reasoning`; the `thinking` that gateways take as Anthropic has it.
fn thinking(fields: &mut Fields<'_>) -> Result<Option<Thinking>, Refused> {
    let mut thinking = Thinking::default();
    if let Some(word) = fields.string("reasoning_effort")? {
        thinking.effort = Some(Effort::of(&word).ok_or_else(|| fields.wrong("reasoning_effort", EFFORTS))?);
    }
    let root = fields.at;
    if let Some(value) = fields.take("reasoning") {
        let mut more = Fields::of(value, root.key("reasoning"))?;
        if let Some(word) = more.string("effort")? {
            thinking.effort = Some(Effort::of(&word).ok_or_else(|| more.wrong("effort", EFFORTS))?);
        }
        thinking.budget = more.count("max_tokens")?;
        thinking.shown = more.truth("exclude")?.map(|hidden| !hidden);
        match more.truth("enabled")? {
            Some(false) => thinking.budget = Some(0),
            Some(true) if thinking == Thinking::default() => thinking.effort = Some(Effort::Medium),
            _ => {}
        }
    }
    if let Some(value) = fields.take("thinking") {
        let mut more = Fields::of(value, root.key("thinking"))?;
        match more.string("type")?.as_deref() {
            Some("disabled") => thinking.budget = Some(0),
            _ => thinking.budget = more.count("budget_tokens")?.or(thinking.budget),
        }
        if thinking == Thinking::default() {
            thinking.effort = Some(Effort::Medium);
        }
    }
    Ok((thinking != Thinking::default()).then_some(thinking))
}

const EFFORTS: &str = "must be none, minimal, low, medium, high or xhigh";

fn metadata(fields: &mut Fields<'_>) -> Result<Vec<(String, String)>, Refused> {
    let Some(value) = fields.take("metadata") else { return Ok(Vec::new()) };
    let Value::Object(map) = value else { return Err(fields.wrong("metadata", "must be an object")) };
    map.into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
            _ => Err(fields.wrong("metadata", "its values must be strings")),
        })
        .collect()
}
