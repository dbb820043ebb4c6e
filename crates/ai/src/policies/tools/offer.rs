//! The tools that a request gives to a model, in each of the formats that callers speak.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::translate::Format;

/// What a request gives, once it was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Those that are granted.
    pub(super) left: HashSet<Box<str>>,
    /// Those that are not, which were taken out.
    pub(super) out: Vec<String>,
    /// One that is not, and that the request insists on.
    pub(super) insists: Option<String>,
}

type Grants<'a> = &'a dyn Fn(&str) -> bool;

impl Offer {
    /// Leaves only what is granted in a request.
    pub(super) fn only(format: Format, request: &mut Value, grants: Grants<'_>) -> Self {
        let mut offer = Self::default();
        let Some(fields) = request.as_object_mut() else { return offer };
        match format {
            Format::Gemini => offer.gemini(fields, grants),
            _ => {
                let had = fields.contains_key("tools");
                for list in ["tools", "functions", "mcp_servers"] {
                    let Some(Value::Array(tools)) = fields.get_mut(list) else { continue };
                    tools.retain(|tool| offer.keeps(&name(list, tool), grants));
                    if tools.is_empty() {
                        fields.remove(list);
                    }
                }
                if fields.contains_key("web_search_options") && !offer.keeps("web_search", grants) {
                    fields.remove("web_search_options");
                }
                offer.choice(fields, grants);
                // To choose where there is nothing to choose from is an error with most.
                if had && !fields.contains_key("tools") {
                    fields.remove("tool_choice");
                    fields.remove("parallel_tool_calls");
                }
                if !fields.contains_key("functions") {
                    fields.remove("function_call");
                }
            }
        }
        offer
    }

    fn keeps(&mut self, name: &str, grants: Grants<'_>) -> bool {
        let granted = grants(name);
        if granted {
            self.left.insert(name.into());
        } else {
            self.out.push(name.to_owned());
        }
        granted
    }

    /// The tool that must be called, or those that may.
    fn choice(&mut self, fields: &mut Map<String, Value>, grants: Grants<'_>) {
        for key in ["tool_choice", "function_call"] {
            let Some(choice) = fields.get_mut(key).filter(|choice| choice.is_object()) else { continue };
            let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind == "allowed_tools" {
                let within =
                    if choice.get("allowed_tools").is_some() { choice.get_mut("allowed_tools") } else { Some(choice) };
                let tools = within.and_then(|within| within.get_mut("tools")).and_then(Value::as_array_mut);
                self.choose_from(tools, &|tool| name("tools", tool).into_owned(), grants);
                continue;
            }
            let chosen = match kind {
                // Anthropic's, with nothing to say but that.
                "auto" | "any" | "none" => continue,
                "tool" => name("functions", choice),
                _ if key == "function_call" => name("functions", choice),
                _ => name("tools", choice),
            };
            if !grants(&chosen) {
                self.insists = Some(chosen.into_owned());
            }
        }
    }

    fn choose_from(&mut self, tools: Option<&mut Vec<Value>>, name: &dyn Fn(&Value) -> String, grants: Grants<'_>) {
        let Some(tools) = tools.filter(|tools| !tools.is_empty()) else { return };
        let first = tools.first().map(name);
        tools.retain(|tool| grants(&name(tool)));
        if tools.is_empty() {
            self.insists = first;
        }
    }

    fn gemini(&mut self, fields: &mut Map<String, Value>, grants: Grants<'_>) {
        let Some(tools) = fields.get_mut("tools") else { return };
        // One is taken without the list around it.
        let list = match &mut *tools {
            Value::Array(list) => list.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for tool in list.iter_mut().filter_map(Value::as_object_mut) {
            tool.retain(|key, value| match key.as_str() {
                "functionDeclarations" | "function_declarations" => match value {
                    Value::Array(functions) => {
                        functions.retain(|function| self.keeps(&name("functions", function), grants));
                        !functions.is_empty()
                    }
                    one => self.keeps(&name("functions", one), grants),
                },
                own => self.keeps(&snake(own), grants),
            });
        }
        let empty = |tool: &Value| tool.as_object().is_some_and(Map::is_empty);
        if let Value::Array(list) = tools {
            list.retain(|tool| !empty(tool));
        }
        if empty(tools) || tools.as_array().is_some_and(Vec::is_empty) {
            fields.remove("tools");
        }
        for (config, calling, allowed) in [
            ("toolConfig", "functionCallingConfig", "allowedFunctionNames"),
            ("tool_config", "function_calling_config", "allowed_function_names"),
        ] {
            let names =
                fields.get_mut(config).and_then(|config| config.get_mut(calling)?.get_mut(allowed)?.as_array_mut());
            self.choose_from(names, &|name| name.as_str().unwrap_or_default().to_owned(), grants);
            if !fields.contains_key("tools") {
                fields.remove(config);
            }
        }
    }
}

/// What a tool is called: as it is named, or by its type.
fn name<'v>(list: &str, tool: &'v Value) -> Cow<'v, str> {
    let text = |value: &'v Value, key: &str| value.get(key).and_then(Value::as_str);
    let kind = text(tool, "type").unwrap_or_default();
    let server = if list == "mcp_servers" { text(tool, "name") } else { None };
    let server = server.or_else(|| match kind {
        "mcp" => text(tool, "server_label"),
        "mcp_toolset" => text(tool, "mcp_server_name"),
        _ => None,
    });
    if let Some(server) = server {
        return Cow::Owned(format!("mcp:{server}"));
    }
    let within = |key: &str| tool.get(key).and_then(|within| text(within, "name"));
    let named = within("function").or_else(|| within("custom")).or_else(|| text(tool, "name"));
    Cow::Borrowed(named.unwrap_or(kind))
}

/// `googleSearch` as `google_search`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
