//! What a request says, whichever way it is written, and the checks that both vendors make.

use serde_json::Value;

/// A request as a model hears it.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The model's name.
    pub model: String,
    /// What the system says.
    pub system: Vec<String>,
    /// The text of the last message of the user.
    pub text: String,
    /// What the model is to go on with, where the last message is its own.
    pub begun: String,
    /// The images of the last message: `image/png of 70 bytes`, or a URL.
    pub images: Vec<String>,
    /// The names of the tools.
    pub tools: Vec<String>,
    /// Whether it may call several at once.
    pub parallel: bool,
    /// What the tools said since the last message of the user.
    pub results: Vec<String>,
    /// The schema by which it must answer.
    pub schema: Option<Value>,
    /// Where it must stop.
    pub stop: Vec<String>,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the usage is to stand in the stream.
    pub include_usage: bool,
}

impl Heard {
    /// It in words, up to where it must stop.
    pub fn told(&self) -> String {
        let mut told = format!("I heard: {}", self.text);
        for image in &self.images {
            told.push_str(&format!("; I saw {image}"));
        }
        for said in &self.system {
            told.push_str(&format!("; I must: {said}"));
        }
        match self.stopped(&told) {
            Some((at, _)) => told[..at].to_owned(),
            None => told,
        }
    }

    /// Where and by what it stops in this text.
    fn stopped<'a>(&'a self, told: &str) -> Option<(usize, &'a str)> {
        self.stop.iter().filter_map(|stop| Some((told.find(stop.as_str())?, stop.as_str()))).min()
    }

    /// What it would stop at.
    pub fn stops_at(&self) -> Option<&str> {
        let all = Self { stop: Vec::new(), ..self.clone() }.told();
        self.stopped(&all).map(|(_, stop)| stop)
    }
}

/// Refuses fields that are not known.
pub(super) fn only(known: &[&str], value: &Value) -> Result<(), String> {
    let fields = value.as_object().ok_or("an object is missing")?;
    fields.keys().find(|name| !known.contains(&name.as_str())).map_or(Ok(()), |name| Err(name.clone()))
}

/// The bytes behind base64 text, counted.
pub(super) fn decoded(data: &str) -> Result<usize, String> {
    let good = data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    if !good || data.is_empty() || !data.len().is_multiple_of(4) {
        return Err("the image is not base64".to_owned());
    }
    Ok(data.len() / 4 * 3 - data.bytes().rev().take_while(|byte| *byte == b'=').count())
}

/// A text that must be there.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Result<&'v str, String> {
    value[key].as_str().ok_or_else(|| format!("`{key}` is missing in {value}"))
}

/// A list, empty where it is not there.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
