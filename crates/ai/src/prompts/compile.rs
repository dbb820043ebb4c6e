//! What was written of prompts, compiled once a program.

use std::collections::HashMap;
use std::sync::Arc;

use model::load::{Node, Span, Spanned};
use model::problem::did_you_mean;
use model::resource::{Pairs, Prompt as Written, PromptMessage, PromptRole};
use proxy::expr::Form;
use proxy::program::Compile;
use serde_json::{Map, Value, json};

use super::{Message, Prompts, Schema, Version};
use crate::call::Shape;
use crate::fleet::Fleet;

/// The most messages of a prompt, and the most variables.
const MOST: usize = 200;

pub(super) fn all(cx: &mut Compile<'_>) -> Prompts {
    let snapshot = cx.snapshot;
    let fleet = Fleet::of(cx);
    let mut by_name: HashMap<Box<str>, Vec<Arc<Version>>> = HashMap::new();
    for (at, written) in snapshot.prompts.iter().enumerate().filter(|(_, written)| written.enabled) {
        let Some(version) = cx.at(format!("ai.prompts[{at}]"), |cx| version(written, &fleet, cx)) else { continue };
        let versions = by_name.entry(written.name.as_str().into()).or_default();
        if versions.iter().any(|other| other.version == version.version) {
            let message = format!("two versions of prompt `{}` are named `{}`", *written.name, version.version);
            cx.problem(written.name.span, message, "give one of them another `version`");
        }
        versions.push(Arc::new(version));
    }
    Prompts { by_name }
}

fn version(written: &Written, fleet: &Fleet, cx: &mut Compile<'_>) -> Option<Version> {
    if fleet.model(&written.model).is_none() {
        let near = did_you_mean(&written.model, fleet.names());
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        cx.problem(written.model.span, format!("unknown model `{}`{hint}", *written.model), "name one of `ai.models`");
    }
    if written.messages.len() > MOST || written.variables.iter().count() > MOST {
        cx.problem(written.name.span, format!("more than {MOST} messages or variables"), "take some out");
        return None;
    }
    if written.system.is_none() && written.messages.is_empty() {
        cx.problem(written.name.span, format!("prompt `{}` asks nothing", *written.name), "add `messages` or `system`");
    }
    let names: Vec<&str> = written.variables.iter().map(|(name, _)| name.as_str()).collect();
    let system = written.system.as_ref().map(|content| {
        let content = form(content, &names, cx)?;
        Some(Message { role: "system", content, images: Vec::new(), files: Vec::new() })
    });
    let said: Vec<_> = written.messages.iter().map(|message| self::message(message, &names, cx)).collect();
    let messages = system.into_iter().chain(said).collect::<Option<Vec<_>>>();
    let (variables, defaults) = variables(&written.variables, cx)?;
    let output = match &written.output {
        None => None,
        Some(written) => Some(Arc::new(schema(written.to_json(), written.span, cx)?)),
    };
    if let Some(top_k) = &written.parameters.top_k {
        cx.problem(top_k.span, "a prompt has no `top_k`", "let its model have it in `force`");
    }
    Some(Version {
        name: written.name.as_str().into(),
        version: written.version.as_str().into(),
        told: format!("{}@{}", *written.name, *written.version).into(),
        labels: written.labels.iter().map(|label| label.as_str().into()).collect(),
        weight: u32::from(*written.weight),
        model: written.model.as_str().into(),
        description: written.description.as_str().into(),
        shape: Shape::forced(&written.parameters, cx),
        messages: messages?,
        variables,
        defaults,
        output,
    })
}

fn message(written: &PromptMessage, names: &[&str], cx: &mut Compile<'_>) -> Option<Message> {
    let content = form(&written.content, names, cx);
    let images: Option<Vec<_>> = written.images.iter().map(|image| form(image, names, cx)).collect();
    let files: Option<Vec<_>> = written.files.iter().map(|file| form(file, names, cx)).collect();
    let role = match written.role {
        PromptRole::System => "system",
        PromptRole::User => "user",
        PromptRole::Assistant => "assistant",
    };
    Some(Message { role, content: content?, images: images?, files: files? })
}

fn form(text: &Spanned<String>, names: &[&str], cx: &mut Compile<'_>) -> Option<Form> {
    let path = cx.path().to_owned();
    match Form::compile(text, names) {
        Ok(form) => Some(form),
        Err(problems) => {
            problems.into_iter().for_each(|problem| cx.problems().push(problem.path(path.clone())));
            None
        }
    }
}

/// The schema of all variables together, and their defaults.
fn variables(written: &Pairs<Spanned<Node>>, cx: &mut Compile<'_>) -> Option<(Schema, Map<String, Value>)> {
    let (mut properties, mut defaults) = (Map::new(), Map::new());
    for (name, one) in written.iter() {
        let mut one_json = one.to_json();
        if !one_json.is_object() {
            cx.problem(one.span, "a variable is a JSON Schema", "write such as `{ type: string }`");
            return None;
        }
        if let Some(default) = one_json.get("default") {
            defaults.insert(name.to_string(), default.clone());
        }
        // What is asked for is a text, unless it says what it is.
        if one_json.as_object().is_some_and(Map::is_empty) {
            one_json = json!({ "type": "string" });
        }
        properties.insert(name.to_string(), one_json);
    }
    let required: Vec<&String> = properties.keys().filter(|name| !defaults.contains_key(*name)).collect();
    let all = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let schema = schema(all, cx.span, cx)?;
    let given = Value::Object(defaults.clone());
    for fault in schema.faults(&given).iter().filter(|fault| !fault.starts_with("/:")) {
        cx.problem(cx.span, format!("a default is not what its variable may be: {fault}"), "mend the `default`");
    }
    Some((schema, defaults))
}

fn schema(written: Value, at: Span, cx: &mut Compile<'_>) -> Option<Schema> {
    match Schema::new(written) {
        Ok(schema) => Some(schema),
        Err(why) => {
            cx.problem(at, format!("not a JSON Schema: {why}"), "see json-schema.org; nothing is fetched");
            None
        }
    }
}
