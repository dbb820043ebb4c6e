//! A caller's request.

use serde_json::Value;

use super::RULES;
use super::schema::{camel, json_schema};
use crate::translate::canonical::{
    Content, Effort, Media, Message, Output, Part, Reasoning, Role, Schema, Seal, Source, Thinking, Tool, ToolCall,
    ToolChoice, ToolResult,
};
use crate::translate::{Format, Refused, Request, Told};
use crate::wire::json::{At, Fields, parse};
use crate::wire::media;

/// Reads a request. Model and stream are told by the path.
pub(crate) fn read_request(body: &[u8], told: &Told<'_>) -> Result<Request, Refused> {
    let mut fields = Fields::of(camel(parse(body)?), At::ROOT)?;
    let mut request = Request {
        model: told.model.unwrap_or_default().to_owned(),
        stream: told.stream.unwrap_or(false),
        include_usage: true,
        ..Request::default()
    };
    fields.take("model");
    let root = fields.at;
    if let Some(system) = fields.take("systemInstruction") {
        let mut system = Fields::of(system, root.key("systemInstruction"))?;
        request.system = parts(&mut system, &mut Ids::default(), &mut request.unknown)?;
        if request.system.iter().any(|part| part.as_text().is_none()) {
            return Err(system.wrong("parts", "hold text alone"));
        }
    }
    let list = fields.list("contents")?.ok_or_else(|| fields.wrong("contents", "is missing"))?;
    let at = root.key("contents");
    let mut ids = Ids::default();
    for (index, value) in list.into_iter().enumerate() {
        let mut content = Fields::of(value, at.index(index))?;
        let role = match content.string("role")?.as_deref() {
            None | Some("user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(content.wrong("role", "must be user or model")),
        };
        let parts = parts(&mut content, &mut ids, &mut request.unknown)?;
        content.end(&mut request.unknown, &[]);
        request.messages.push(Message::new(role, parts));
    }
    tools(&mut fields, &mut request)?;
    if let Some(config) = fields.take("generationConfig") {
        let config = Fields::of(config, root.key("generationConfig"))?;
        generation(config, &mut request)?;
    }
    if let Some(Value::Object(labels)) = fields.take("labels") {
        request.metadata =
            labels.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    }
    fields.end_by(&RULES, &mut request.unknown)?;
    Ok(request)
}

/// Calls without ids are numbered; results join them by name, in order.
#[derive(Default)]
struct Ids {
    made: usize,
    waiting: Vec<(String, String)>,
}

impl Ids {
    fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.unwrap_or_else(|| {
            self.made += 1;
            format!("call_{}", self.made)
        });
        self.waiting.push((name.to_owned(), id.clone()));
        id
    }

    fn result(&mut self, id: Option<String>, name: &str) -> Option<String> {
        let at = match &id {
            Some(id) => self.waiting.iter().position(|(_, known)| known == id),
            None => self.waiting.iter().position(|(known, _)| known == name),
        };
        at.map(|at| self.waiting.remove(at).1).or(id)
    }
}

fn parts(content: &mut Fields<'_>, ids: &mut Ids, unknown: &mut Vec<String>) -> Result<Vec<Part>, Refused> {
    let root = content.at;
    let at = root.key("parts");
    let mut parts = Vec::new();
    // A part alone stands for a list of one.
    let list = match content.take("parts") {
        Some(Value::Array(items)) => items,
        Some(one @ Value::Object(_)) => vec![one],
        None => Vec::new(),
        Some(_) => return Err(content.wrong("parts", "must be a list")),
    };
    for (index, value) in list.into_iter().enumerate() {
        part(Fields::of(value, at.index(index))?, ids, unknown, &mut parts)?;
    }
    Ok(parts)
}

fn part(mut fields: Fields<'_>, ids: &mut Ids, unknown: &mut Vec<String>, out: &mut Vec<Part>) -> Result<(), Refused> {
    let at = fields.at;
    let seal = fields.string("thoughtSignature")?.map(|data| Seal::read(Format::Gemini, data));
    let thought = fields.truth("thought")?.unwrap_or(false);
    if let Some(text) = fields.string("text")? {
        said(text, thought, seal, out);
    } else if let Some(data) = fields.take("inlineData") {
        let mut data = Fields::of(data, at.key("inlineData"))?;
        let kind = data.needed("mimeType")?;
        let mut media = media::held(data.needed("data")?, Some(kind));
        media.name = data.string("displayName")?;
        out.push(Part::new(of_kind(media)));
    } else if let Some(data) = fields.take("fileData") {
        let mut data = Fields::of(data, at.key("fileData"))?;
        let source = Source::Url(data.needed("fileUri")?);
        let media = Media { source, media_type: data.string("mimeType")?, name: None, detail: None };
        out.push(Part::new(of_kind(media)));
    } else if let Some(call) = fields.take("functionCall") {
        let mut call = Fields::of(call, at.key("functionCall"))?;
        let name = call.needed("name")?;
        let id = ids.call(call.string("id")?, &name);
        let arguments = call.take("args").map(|args| args.to_string()).unwrap_or_default();
        out.push(Part::new(Content::ToolCall(ToolCall { id, name, arguments, seal })));
    } else if let Some(result) = fields.take("functionResponse") {
        let mut result = Fields::of(result, at.key("functionResponse"))?;
        let name = result.needed("name")?;
        let id = ids.result(result.string("id")?, &name);
        let id = id.ok_or_else(|| result.wrong("name", "no call of this function came before"))?;
        let (text, failed) = outcome(result.take("response").unwrap_or_default());
        result.end(unknown, &["willContinue", "scheduling"]);
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
        out.push(Part::new(Content::ToolResult(ToolResult { id, name: Some(name), parts, failed })));
    } else {
        return Err(Refused::not_carried(at.spelled(), "a kind of part that is not translated"));
    }
    fields.end(unknown, &[]);
    Ok(())
}

/// Text, or a thought. A signature beside text is a thought without words after it.
pub(super) fn said(text: String, thought: bool, seal: Option<Seal>, out: &mut Vec<Part>) {
    if thought {
        return out.push(Part::new(Content::Reasoning(Reasoning { text, seal, hidden: false, id: None })));
    }
    if !text.is_empty() {
        out.push(Part::text(text));
    }
    if seal.is_some() {
        out.push(Part::new(Content::Reasoning(Reasoning { text: String::new(), seal, hidden: true, id: None })));
    }
}

fn of_kind(media: Media) -> Content {
    let kind = media.media_type.as_deref().unwrap_or_default();
    match kind.split('/').next() {
        Some("image") => Content::Image(media),
        Some("audio") => Content::Audio(media),
        Some("video") => Content::Video(media),
        _ => Content::File(media),
    }
}

/// What a function gave back: Google's SDKs put plain results under `result` or `output` and failures under `error`.
fn outcome(response: Value) -> (String, bool) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match &response {
        Value::Object(map) if map.len() == 1 => match map.iter().next() {
            Some((key, value)) if key == "result" || key == "output" => (text(value), false),
            Some((key, value)) if key == "error" => (text(value), true),
            _ => (response.to_string(), false),
        },
        Value::Null => (String::new(), false),
        other => (text(other), false),
    }
}

fn tools(fields: &mut Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    let root = fields.at;
    let at = root.key("tools");
    for (index, value) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let mut tool = Fields::of(value, at.index(index))?;
        let list = tool.list("functionDeclarations")?.unwrap_or_default();
        if let Some(other) = tool.left().next() {
            return Err(tool.no_place(other, "a tool that the provider runs is not translated"));
        }
        let place = tool.at;
        let declarations = place.key("functionDeclarations");
        for (number, value) in list.into_iter().enumerate() {
            let mut function = Fields::of(value, declarations.index(number))?;
            let schema = function.take("parametersJsonSchema");
            let older = function.take("parameters").map(json_schema);
            request.tools.push(Tool {
                name: function.needed("name")?,
                description: function.string("description")?,
                schema: schema.or(older),
                strict: None,
                cache: None,
            });
            function.end(&mut request.unknown, &["behavior"]);
        }
    }
    let Some(config) = fields.take("toolConfig") else { return Ok(()) };
    let mut config = Fields::of(config, root.key("toolConfig"))?;
    if let Some(calling) = config.take("functionCallingConfig") {
        let mut calling = Fields::of(calling, root.key("toolConfig"))?;
        let names = calling.strings("allowedFunctionNames")?;
        request.tool_choice = match calling.string("mode")?.unwrap_or_default().to_ascii_uppercase().as_str() {
            "NONE" => Some(ToolChoice::None),
            "ANY" => match names.as_slice() {
                [] => Some(ToolChoice::Any),
                [one] => Some(ToolChoice::Tool(one.clone())),
                _ => {
                    return Err(
                        calling.no_place("allowedFunctionNames", "one function or all can be chosen in other formats")
                    );
                }
            },
            "AUTO" | "VALIDATED" => Some(ToolChoice::Auto),
            _ => None,
        };
    }
    config.end(&mut request.unknown, &[]);
    Ok(())
}

fn generation(mut config: Fields<'_>, request: &mut Request) -> Result<(), Refused> {
    request.max_tokens = config.count("maxOutputTokens")?;
    request.sampling.temperature = config.number("temperature")?;
    request.sampling.top_p = config.number("topP")?;
    let top_k = config.number("topK")?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "Google's is a float; `as` saturates")]
    let top_k = top_k.map(|k| k.max(0.0) as u64);
    request.sampling.top_k = top_k;
    request.sampling.stop = config.strings("stopSequences")?;
    request.sampling.seed = config.integer("seed")?;
    request.sampling.n = config.count("candidateCount")?;
    request.sampling.presence_penalty = config.number("presencePenalty")?;
    request.sampling.frequency_penalty = config.number("frequencyPenalty")?;
    let wants = config.truth("responseLogprobs")?.unwrap_or(false);
    let top = config.count("logprobs")?;
    if wants {
        request.sampling.logprobs = Some(top.unwrap_or(0));
    }
    let modalities = config.strings("responseModalities")?;
    if modalities.iter().any(|kind| !kind.eq_ignore_ascii_case("text")) {
        return Err(config.no_place("responseModalities", "answers other than text are not translated"));
    }
    let json = config.take("responseJsonSchema");
    let older = config.take("responseSchema").map(json_schema);
    let kind = config.string("responseMimeType")?;
    request.output = match (json.or(older), kind.as_deref()) {
        (Some(schema), _) => {
            Output::Schema(Schema { name: "answer".to_owned(), description: None, schema, strict: Some(true) })
        }
        (None, Some("application/json")) => Output::Json,
        (None, None | Some("text/plain")) => Output::Text,
        (None, Some(_)) => return Err(config.no_place("responseMimeType", "must be text/plain or application/json")),
    };
    if let Some(thinking) = config.take("thinkingConfig") {
        let root = config.at;
        let mut more = Fields::of(thinking, root.key("thinkingConfig"))?;
        let level = more.string("thinkingLevel")?.map(|word| word.to_ascii_lowercase());
        // -1 leaves the budget to the model.
        let budget = more.integer("thinkingBudget")?.and_then(|budget| u64::try_from(budget).ok());
        let thinking =
            Thinking { effort: level.as_deref().and_then(Effort::of), budget, shown: more.truth("includeThoughts")? };
        request.reasoning = (thinking != Thinking::default()).then_some(thinking);
    }
    config.end(&mut request.unknown, &[]);
    Ok(())
}
