//! Embeddings, asked for in OpenAI's or Gemini's words, of providers that have others.
//! Sources: OpenAI's API reference, "Create embeddings"; the Gemini API's "embedContent" and "batchEmbedContents"; Vertex AI's
//! "Text embeddings API"; Amazon Bedrock's user guide, "Amazon Titan Text Embeddings" and "Cohere Embed"; Cohere's API
//! reference, "Embed (v2)".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Row, Told, kept, of, set};
use crate::translate::Fate::{Carried, Changed, Dropped, Refused as No};
use crate::translate::{Losses, Refused, Usage};

/// How a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbedWords {
    /// OpenAI's.
    OpenAi,
    /// Gemini's, a list at once.
    Gemini,
    /// Vertex'.
    Vertex,
    /// Amazon's models on Bedrock: one text a call.
    Titan,
    /// Cohere's models on Bedrock.
    BedrockCohere,
    /// Cohere's own.
    Cohere,
}

pub(super) const TITLES: [&str; 6] = ["OpenAI", "Gemini", "Vertex", "Titan", "Cohere on Bedrock", "Cohere"];

const TASK: &str = "`taskType`, of the same meaning";
const TYPE: &str = "`input_type`; what it does not know is `search_document`";
const ONE_MAKER: &str = "it has no such field";

/// What becomes of what a request says beside its texts, by OpenAI's names; `input_type` and `title` are Gemini's `taskType`
/// and `title`, and callers in OpenAI's words may send them too.
pub(super) const ROWS: &[Row<6>] = &[
    Row {
        field: "dimensions",
        fates: [
            Carried("`dimensions`"),
            Carried("`outputDimensionality`"),
            Carried("`outputDimensionality`"),
            Carried("`dimensions`"),
            Carried("`output_dimension`"),
            Carried("`output_dimension`"),
        ],
    },
    Row { field: "encoding_format", fates: [Carried("the gateway writes what was asked for"); 6] },
    Row {
        field: "input_type",
        fates: [Dropped(ONE_MAKER), Changed(TASK), Changed(TASK), Dropped(ONE_MAKER), Changed(TYPE), Changed(TYPE)],
    },
    Row {
        field: "title",
        fates: [
            Dropped(ONE_MAKER),
            Carried("`title`"),
            Carried("`title`"),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
        ],
    },
    Row {
        field: "user",
        fates: [
            Carried("`user`"),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
            Dropped(ONE_MAKER),
        ],
    },
    Row {
        field: "truncate",
        fates: [
            Dropped(ONE_MAKER),
            No("whether long texts are cut is not its to be told"),
            No("whether long texts are cut is not its to be told"),
            No("it cuts nothing"),
            Carried("`truncate`"),
            Carried("`truncate`"),
        ],
    },
];

/// Gemini's purposes and Cohere's.
const PURPOSES: [(&str, &str); 4] = [
    ("RETRIEVAL_QUERY", "search_query"),
    ("RETRIEVAL_DOCUMENT", "search_document"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
];

/// In whose words it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    OpenAi {
        base64: bool,
    },
    /// One of Gemini's, or several at once.
    Gemini {
        several: bool,
    },
}

/// What is asked.
pub struct Embed {
    texts: Vec<String>,
    fields: Map<String, Value>,
    asked: Asked,
}

impl Embed {
    /// Reads a request in OpenAI's words.
    ///
    /// # Errors
    /// When it is none, or has tokens in the place of text.
    pub fn read(body: &[u8]) -> Result<Self, Refused> {
        let mut fields = object(body)?;
        fields.remove("model");
        let texts = match fields.remove("input") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
                many.into_iter().filter_map(|one| if let Value::String(one) = one { Some(one) } else { None }).collect()
            }
            Some(Value::Array(_)) => {
                return Err(Refused::not_carried("input", "tokens mean nothing to another maker's model: send text"));
            }
            _ => return Err(Refused::malformed("input", "is a text or a list of texts")),
        };
        if texts.is_empty() {
            return Err(Refused::malformed("input", "has no text"));
        }
        let base64 = fields.get("encoding_format").and_then(Value::as_str) == Some("base64");
        Ok(Self { texts, fields, asked: Asked::OpenAi { base64 } })
    }

    /// Reads a request in Gemini's words: `embedContent`, or `batchEmbedContents`.
    ///
    /// # Errors
    /// When it is none, has more than texts, or wants several things at once.
    pub fn read_gemini(body: &[u8]) -> Result<Self, Refused> {
        let mut whole = object(body)?;
        let several = whole.contains_key("requests");
        let requests = match whole.remove("requests") {
            Some(Value::Array(requests)) => requests,
            Some(_) => return Err(Refused::malformed("requests", "is a list")),
            None => vec![Value::Object(whole)],
        };
        let mut texts = Vec::with_capacity(requests.len());
        let mut fields: Option<Map<String, Value>> = None;
        for (at, request) in requests.into_iter().enumerate() {
            let Value::Object(mut said) = request else {
                return Err(Refused::malformed(format!("requests[{at}]"), "is an object"));
            };
            said.remove("model");
            texts.push(said.remove("content").as_ref().and_then(text_of).ok_or_else(|| {
                Refused::not_carried(format!("requests[{at}].content"), "only text goes to another maker's model")
            })?);
            let said = openai_names(said);
            if fields.as_ref().is_some_and(|known| *known != said) {
                let why = "requests that want different things cannot be one for another maker's model";
                return Err(Refused::not_carried(format!("requests[{at}]"), why));
            }
            fields = Some(said);
        }
        if texts.is_empty() {
            return Err(Refused::malformed("requests", "is empty"));
        }
        Ok(Self { texts, fields: fields.unwrap_or_default(), asked: Asked::Gemini { several } })
    }

    /// The request for this model.
    ///
    /// # Errors
    /// When it says what these words cannot.
    pub fn write(&self, words: EmbedWords, model: &str, losses: Losses) -> Result<Bytes, Refused> {
        let title = TITLES.get(words as usize).copied().unwrap_or_default();
        let fields = kept(ROWS, &self.fields, (words as usize, title), losses)?;
        let dimensions = || of(&fields, "dimensions").cloned();
        let purpose = of(&fields, "input_type").and_then(Value::as_str);
        let cohere = || {
            let known = PURPOSES.iter().find(|(_, known)| Some(*known) == purpose);
            known.map_or("search_document", |(_, known)| known)
        };
        let google = || {
            let purpose = purpose?;
            let known = PURPOSES.iter().find(|(_, known)| *known == purpose);
            Some(known.map_or_else(|| purpose.to_ascii_uppercase(), |(google, _)| (*google).to_owned()))
        };
        let request = match words {
            EmbedWords::OpenAi => {
                let mut request = json!({ "model": model, "input": self.texts });
                set(&mut request, "dimensions", dimensions());
                set(&mut request, "user", of(&fields, "user").cloned());
                request
            }
            EmbedWords::Gemini => {
                let one = |text: &String| {
                    let mut one =
                        json!({ "model": format!("models/{model}"), "content": { "parts": [{ "text": text }] } });
                    set(&mut one, "outputDimensionality", dimensions());
                    set(&mut one, "taskType", google());
                    set(&mut one, "title", of(&fields, "title").cloned());
                    one
                };
                json!({ "requests": self.texts.iter().map(one).collect::<Vec<_>>() })
            }
            EmbedWords::Vertex => {
                let one = |text: &String| {
                    let mut one = json!({ "content": text });
                    set(&mut one, "task_type", google());
                    set(&mut one, "title", of(&fields, "title").cloned());
                    one
                };
                let mut parameters = json!({});
                set(&mut parameters, "outputDimensionality", dimensions());
                json!({ "instances": self.texts.iter().map(one).collect::<Vec<_>>(), "parameters": parameters })
            }
            EmbedWords::Titan => {
                let [text] = self.texts.as_slice() else {
                    return Err(Refused::not_carried("input", "this model takes one text a call"));
                };
                let mut request = json!({ "inputText": text });
                set(&mut request, "dimensions", dimensions());
                request
            }
            EmbedWords::BedrockCohere | EmbedWords::Cohere => {
                let mut request = json!({ "texts": self.texts, "input_type": cohere() });
                if words == EmbedWords::Cohere {
                    set(&mut request, "model", Some(model));
                    set(&mut request, "embedding_types", Some(json!(["float"])));
                }
                set(&mut request, "output_dimension", dimensions());
                set(&mut request, "truncate", of(&fields, "truncate").cloned());
                request
            }
        };
        Ok(request.to_string().into())
    }

    /// The answer in the caller's words, and what it took; tokens that are not told are estimated. None where it does not
    /// give a vector for each text.
    #[must_use]
    pub fn answer(&self, words: EmbedWords, model: &str, answer: &Value) -> Option<Told> {
        let vectors = vectors(words, answer)?;
        if vectors.len() != self.texts.len() {
            return None;
        }
        let input = tokens(words, answer).unwrap_or_else(|| self.estimate());
        let told = match self.asked {
            Asked::OpenAi { base64 } => {
                let shown = |vector: Value| if base64 { packed(&vector) } else { vector };
                let one =
                    |(index, vector)| json!({ "object": "embedding", "index": index, "embedding": shown(vector) });
                let data: Vec<Value> = vectors.into_iter().enumerate().map(one).collect();
                let usage = json!({ "prompt_tokens": input, "total_tokens": input });
                json!({ "object": "list", "data": data, "model": model, "usage": usage })
            }
            Asked::Gemini { several } => {
                let mut all: Vec<Value> = vectors.into_iter().map(|vector| json!({ "values": vector })).collect();
                let usage = json!({ "promptTokenCount": input });
                if several {
                    json!({ "embeddings": all, "usageMetadata": usage })
                } else {
                    json!({ "embedding": all.pop()?, "usageMetadata": usage })
                }
            }
        };
        Some(Told { text: told.to_string().into(), usage: Usage { input, ..Usage::default() }, images: 0 })
    }

    /// Four bytes are a token.
    fn estimate(&self) -> u64 {
        self.texts.iter().map(|text| text.len().div_ceil(4) as u64).sum()
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::malformed("", error.to_string()))
}

/// The text of a content that is text alone.
fn text_of(content: &Value) -> Option<String> {
    let parts = content.get("parts")?.as_array()?;
    let texts: Option<Vec<&str>> = parts.iter().map(|part| part.get("text")?.as_str()).collect();
    texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join("\n"))
}

/// Gemini's fields by OpenAI's names.
fn openai_names(said: Map<String, Value>) -> Map<String, Value> {
    let named = |(name, value): (String, Value)| match (name.as_str(), &value) {
        ("outputDimensionality" | "output_dimensionality", _) => ("dimensions".to_owned(), value),
        ("taskType" | "task_type", Value::String(task)) => {
            let known = PURPOSES.iter().find(|(google, _)| *google == task.as_str());
            let purpose = known.map_or_else(|| task.to_ascii_lowercase(), |(_, known)| (*known).to_owned());
            ("input_type".to_owned(), purpose.into())
        }
        _ => (name, value),
    };
    said.into_iter().map(named).collect()
}

/// The vectors of an answer, in the order of the texts.
fn vectors(words: EmbedWords, answer: &Value) -> Option<Vec<Value>> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned();
    Some(match words {
        EmbedWords::OpenAi => {
            let mut data = list(answer.get("data"))?;
            data.sort_by_key(|one| one.get("index").and_then(Value::as_u64));
            data.iter().filter_map(|one| one.get("embedding").cloned()).collect()
        }
        EmbedWords::Gemini => {
            list(answer.get("embeddings"))?.iter().filter_map(|one| one.get("values").cloned()).collect()
        }
        EmbedWords::Vertex => {
            let one = |one: &Value| one.get("embeddings")?.get("values").cloned();
            list(answer.get("predictions"))?.iter().filter_map(one).collect()
        }
        EmbedWords::Titan => vec![answer.get("embedding")?.clone()],
        EmbedWords::BedrockCohere | EmbedWords::Cohere => {
            let given = answer.get("embeddings")?;
            list(Some(given.get("float").unwrap_or(given)))?
        }
    })
}

/// A vector as the bytes of 32-bit numbers.
fn packed(vector: &Value) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the form has 32 bits a number")]
    let number = |value: &Value| value.as_f64().unwrap_or_default() as f32;
    let bytes: Vec<u8> = vector.as_array().into_iter().flatten().flat_map(|one| number(one).to_le_bytes()).collect();
    STANDARD.encode(bytes).into()
}

/// The tokens that an answer tells.
fn tokens(words: EmbedWords, answer: &Value) -> Option<u64> {
    match words {
        EmbedWords::OpenAi => answer.get("usage")?.get("prompt_tokens")?.as_u64(),
        EmbedWords::Gemini => answer.get("usageMetadata")?.get("promptTokenCount")?.as_u64(),
        EmbedWords::Vertex => {
            let one = |one: &Value| one.get("embeddings")?.get("statistics")?.get("token_count")?.as_f64();
            let counts: Option<Vec<f64>> = answer.get("predictions")?.as_array()?.iter().map(one).collect();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of tokens")]
            counts.map(|counts| counts.iter().sum::<f64>() as u64)
        }
        EmbedWords::Titan => answer.get("inputTextTokenCount")?.as_u64(),
        EmbedWords::BedrockCohere => None,
        EmbedWords::Cohere => answer.get("meta")?.get("billed_units")?.get("input_tokens")?.as_u64(),
    }
}
