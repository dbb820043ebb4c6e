//! The description of a published prompt, as OpenAPI 3.1.

use serde_json::{Value, json};

use super::Version;

impl Version {
    /// The document, for a prompt that is published at this path.
    pub(crate) fn openapi(&self, path: &str) -> Value {
        let output = self.output.as_ref().map_or_else(|| json!({ "type": "string" }), |output| output.written.clone());
        let required = self
            .variables
            .written
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|required| !required.is_empty());
        let input = json!({
            "type": "object",
            "properties": {
                "variables": self.variables.written,
                "messages": {
                    "type": "array", "items": { "type": "object" },
                    "description": "Messages in the format of OpenAI's Chat Completions that follow the prompt's own.",
                },
                "stream": { "type": "boolean", "default": false, "description": "Answers with server-sent events." },
                "dry_run": { "type": "boolean", "default": false, "description": "Shows what would be asked." },
            },
            "required": if required { json!(["variables"]) } else { json!([]) },
            "additionalProperties": false,
        });
        let answer = json!({
            "type": "object",
            "properties": {
                "output": output,
                "finish": { "type": "string", "enum": ["stop", "length", "tool_calls", "refused", "error"] },
                "prompt": {
                    "type": "object",
                    "properties": { "name": { "type": "string" }, "version": { "type": "string" } },
                },
                "usage": {
                    "type": "object",
                    "properties": {
                        "input_tokens": { "type": "integer" }, "output_tokens": { "type": "integer" },
                    },
                },
            },
            "required": ["output"],
        });
        let problem = json!({ "description": "A problem (RFC 9457).", "content": {
            "application/problem+json": { "schema": { "type": "object" } } } });
        json!({
            "openapi": "3.1.0",
            "info": { "title": &*self.name, "version": &*self.version, "description": &*self.description },
            "paths": { path: { "post": {
                "operationId": &*self.name,
                "description": &*self.description,
                "requestBody": { "required": required, "content": { "application/json": { "schema": input } } },
                "responses": {
                    "200": { "description": "What the model answers.", "content": {
                        "application/json": { "schema": answer },
                        "text/event-stream": { "schema": { "type": "string" } },
                    } },
                    "default": problem,
                },
            } } },
        })
    }
}
