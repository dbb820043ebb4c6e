//! A request in OpenAI's format, of a prompt and what its caller gave.

use serde_json::{Map, Value, json};

use super::{Given, Message, Version};
use crate::translate::{Format, MaxTokensField};

impl Version {
    /// The request. An error is a sentence for the caller.
    pub(crate) fn fill(&self, given: &Given) -> Result<Value, String> {
        let variables = self.variables(&given.variables)?;
        let filled = self.messages.iter().map(|message| message.fill(&variables));
        let mut messages = filled.collect::<Result<Vec<_>, _>>()?;
        messages.extend(given.messages.iter().cloned());
        let mut request = Map::new();
        request.insert("model".to_owned(), json!(&*self.model));
        request.insert("messages".to_owned(), Value::Array(messages));
        if given.stream {
            request.insert("stream".to_owned(), json!(true));
            request.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
        if let Some(output) = &self.output {
            let shape = json!({ "name": "output", "schema": output.written, "strict": true });
            request.insert("response_format".to_owned(), json!({ "type": "json_schema", "json_schema": shape }));
        }
        let mut request = Value::Object(request);
        if let Some(shape) = &self.shape {
            shape.request(Format::OpenAiChat, MaxTokensField::Completion, &mut request);
        }
        Ok(request)
    }

    /// The variables, with their defaults.
    fn variables(&self, given: &Map<String, Value>) -> Result<Value, String> {
        let mut variables = self.defaults.clone();
        variables.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
        let variables = Value::Object(variables);
        let faults = self.variables.faults(&variables);
        if faults.is_empty() { Ok(variables) } else { Err(format!("The variables: {}.", faults.join("; "))) }
    }
}

impl Message {
    fn fill(&self, variables: &Value) -> Result<Value, String> {
        let told = |why: String| format!("The prompt cannot be filled: {why}.");
        let text = self.content.render(variables).map_err(told)?;
        if self.images.is_empty() && self.files.is_empty() {
            return Ok(json!({ "role": self.role, "content": text }));
        }
        let mut parts = vec![json!({ "type": "text", "text": text })];
        for image in &self.images {
            let url = image.render(variables).map_err(told)?;
            if !url.starts_with("https://") && !url.starts_with("data:image/") {
                return Err("An image is neither an `https:` URL nor a `data:image/` URL.".to_owned());
            }
            parts.push(json!({ "type": "image_url", "image_url": { "url": url } }));
        }
        for (at, file) in self.files.iter().enumerate() {
            let data = file.render(variables).map_err(told)?;
            if !data.starts_with("data:") {
                return Err("A file is not a `data:` URL.".to_owned());
            }
            parts.push(json!({ "type": "file", "file": { "filename": format!("file-{at}"), "file_data": data } }));
        }
        Ok(json!({ "role": self.role, "content": parts }))
    }
}
