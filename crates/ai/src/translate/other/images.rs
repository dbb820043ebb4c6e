//! Images from text, asked for in OpenAI's words, of providers that have others.
//! Sources: OpenAI's API reference, "Create image"; Vertex AI's "Imagen API"; the Gemini API's guide "Image generation"; Amazon
//! Bedrock's user guide, "Amazon Titan Image Generator", "Amazon Nova Canvas" and "Stability AI models".

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Row, Told, kept, of, set};
use crate::translate::Fate::{self, Carried, Changed, Dropped, Refused as No};
use crate::translate::{Losses, Refused, Usage};

/// How a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawWords {
    /// Imagen's, at Gemini and Vertex.
    Imagen,
    /// Those of Gemini's own models, which draw within a conversation.
    Gemini,
    /// Amazon's models on Bedrock.
    Canvas,
    /// Stability's models on Bedrock.
    Stability,
}

pub(super) const TITLES: [&str; 4] = ["Imagen", "Gemini's own models", "Titan and Nova Canvas", "Stability on Bedrock"];

const RATIO: Fate = Changed("the aspect ratio that is nearest to it");
const OWN_LOOK: Fate = Dropped("it has no such field; say it in the prompt");
const BYTES: Fate = Carried("`b64_json`; `url` is refused, as these give bytes");

/// What becomes of what a request says beside its prompt.
pub(super) const ROWS: &[Row<4>] = &[
    Row {
        field: "n",
        fates: [
            Carried("`sampleCount`"),
            Carried("1; more is refused, as it draws one at a time"),
            Carried("`numberOfImages`"),
            Carried("1; more is refused, as it draws one at a time"),
        ],
    },
    Row { field: "size", fates: [RATIO, RATIO, Carried("`width`, `height`"), RATIO] },
    Row {
        field: "quality",
        fates: [OWN_LOOK, OWN_LOOK, Changed("`premium` for `high` and `hd`, else `standard`"), OWN_LOOK],
    },
    Row { field: "seed", fates: [Dropped("only without a watermark"), OWN_LOOK, Carried("`seed`"), Carried("`seed`")] },
    Row { field: "style", fates: [OWN_LOOK; 4] },
    Row { field: "background", fates: [No("it draws no transparency"); 4] },
    Row {
        field: "output_format",
        fates: [
            Carried("`outputOptions.mimeType`"),
            Dropped("it gives what it draws"),
            Dropped("it gives what it draws"),
            Carried("`output_format`"),
        ],
    },
    Row { field: "response_format", fates: [BYTES; 4] },
    Row { field: "stream", fates: [No("images come whole"); 4] },
    Row { field: "user", fates: [Dropped("it has no such field"); 4] },
];

/// What is asked.
pub struct Draw {
    prompt: String,
    n: u64,
    size: Option<(u64, u64)>,
    fields: Map<String, Value>,
}

impl Draw {
    /// Reads a request in OpenAI's words.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(body: &[u8]) -> Result<Self, Refused> {
        let mut fields: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| Refused::malformed("", error.to_string()))?;
        fields.remove("model");
        let Some(Value::String(prompt)) = fields.remove("prompt") else {
            return Err(Refused::malformed("prompt", "is a text"));
        };
        let n = match fields.get("n") {
            None | Some(Value::Null) => 1,
            Some(n) => n
                .as_u64()
                .filter(|n| (1..=10).contains(n))
                .ok_or(Refused::malformed("n", "is a number from 1 to 10"))?,
        };
        let size = match fields.get("size") {
            None | Some(Value::Null) => None,
            Some(Value::String(auto)) if auto == "auto" => None,
            Some(size) => Some(size.as_str().and_then(pixels).ok_or_else(|| {
                Refused::malformed("size", "is `auto`, or width and height in pixels such as `1024x1024`")
            })?),
        };
        if fields.get("stream") == Some(&Value::Bool(false)) {
            fields.remove("stream");
        }
        Ok(Self { prompt, n, size, fields })
    }

    /// The request, whose model stands in the path.
    ///
    /// # Errors
    /// When it says what these words cannot.
    pub fn write(&self, words: DrawWords, losses: Losses) -> Result<Bytes, Refused> {
        let title = TITLES.get(words as usize).copied().unwrap_or_default();
        let fields = kept(ROWS, &self.fields, (words as usize, title), losses)?;
        if of(&fields, "response_format").is_some_and(|format| format == "url") {
            return Err(Refused::not_carried(
                "response_format",
                format!("{title}: it gives bytes: ask for `b64_json`"),
            ));
        }
        if self.n > 1 && matches!(words, DrawWords::Gemini | DrawWords::Stability) {
            return Err(Refused::not_carried("n", format!("{title}: it draws one at a time")));
        }
        let format = of(&fields, "output_format").and_then(Value::as_str);
        let request = match words {
            DrawWords::Imagen => {
                let mut parameters = json!({ "sampleCount": self.n });
                set(&mut parameters, "aspectRatio", self.ratio(IMAGEN));
                set(
                    &mut parameters,
                    "outputOptions",
                    format.map(|format| json!({ "mimeType": format!("image/{format}") })),
                );
                json!({ "instances": [{ "prompt": self.prompt }], "parameters": parameters })
            }
            DrawWords::Gemini => {
                let mut config = json!({ "responseModalities": ["IMAGE"] });
                set(&mut config, "imageConfig", self.ratio(GEMINI).map(|ratio| json!({ "aspectRatio": ratio })));
                json!({ "contents": [{ "role": "user", "parts": [{ "text": self.prompt }] }], "generationConfig": config })
            }
            DrawWords::Canvas => {
                let mut config = json!({ "numberOfImages": self.n });
                set(&mut config, "width", self.size.map(|(width, _)| width));
                set(&mut config, "height", self.size.map(|(_, height)| height));
                let high = |quality: &Value| if quality == "high" || quality == "hd" { "premium" } else { "standard" };
                set(&mut config, "quality", of(&fields, "quality").map(high));
                set(&mut config, "seed", of(&fields, "seed").cloned());
                json!({ "taskType": "TEXT_IMAGE", "textToImageParams": { "text": self.prompt },
                        "imageGenerationConfig": config })
            }
            DrawWords::Stability => {
                let mut request = json!({ "prompt": self.prompt, "mode": "text-to-image" });
                set(&mut request, "aspect_ratio", self.ratio(STABILITY));
                set(&mut request, "output_format", format);
                set(&mut request, "seed", of(&fields, "seed").cloned());
                request
            }
        };
        Ok(request.to_string().into())
    }

    /// The answer in OpenAI's words. None where there is no image in it.
    #[must_use]
    pub fn answer(&self, words: DrawWords, now: u64, answer: &Value) -> Option<Told> {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let images: Vec<Value> = match words {
            DrawWords::Imagen => list(answer.get("predictions"))
                .iter()
                .filter_map(|one| one.get("bytesBase64Encoded").cloned())
                .collect(),
            DrawWords::Gemini => {
                let content = answer.get("candidates")?.get(0)?.get("content")?;
                let data = |part: &Value| part.get("inlineData")?.get("data").cloned();
                list(content.get("parts")).iter().filter_map(data).collect()
            }
            DrawWords::Canvas | DrawWords::Stability => list(answer.get("images")),
        };
        if images.is_empty() {
            return None;
        }
        let count = images.len() as u64;
        let data: Vec<Value> = images.into_iter().map(|image| json!({ "b64_json": image })).collect();
        let mut told = json!({ "created": now, "data": data });
        let mut usage = Usage::default();
        if let Some(counts) = answer.get("usageMetadata") {
            let number = |name: &str| counts.get(name).and_then(Value::as_u64).unwrap_or_default();
            (usage.input, usage.output) = (number("promptTokenCount"), number("candidatesTokenCount"));
            let total = usage.input + usage.output;
            let shown = json!({ "input_tokens": usage.input, "output_tokens": usage.output, "total_tokens": total,
                                "input_tokens_details": { "text_tokens": usage.input, "image_tokens": 0 } });
            set(&mut told, "usage", Some(shown));
        }
        Some(Told { text: told.to_string().into(), usage, images: count })
    }

    /// The ratio of these that is nearest to the size that was asked for.
    fn ratio(&self, known: &[(u64, u64)]) -> Option<String> {
        #[expect(clippy::cast_precision_loss, reason = "pixels")]
        let of = |(width, height): (u64, u64)| (width as f64 / height as f64).ln();
        let wanted = of(self.size?);
        let far = |one: &(u64, u64)| (of(*one) - wanted).abs();
        let (width, height) = known.iter().min_by(|one, other| far(one).total_cmp(&far(other)))?;
        Some(format!("{width}:{height}"))
    }
}

const IMAGEN: &[(u64, u64)] = &[(1, 1), (3, 4), (4, 3), (9, 16), (16, 9)];
const GEMINI: &[(u64, u64)] = &[(1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9)];
const STABILITY: &[(u64, u64)] = &[(1, 1), (2, 3), (3, 2), (4, 5), (5, 4), (9, 16), (16, 9), (9, 21), (21, 9)];

/// `1024x768`, in bounds.
fn pixels(size: &str) -> Option<(u64, u64)> {
    let (width, height) = size.split_once('x')?;
    let good = |text: &str| text.parse::<u64>().ok().filter(|pixels| (1..=16_384).contains(pixels));
    Some((good(width)?, good(height)?))
}
