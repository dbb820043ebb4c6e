//! What a model asks of the calls that it takes: parameters that callers leave out, those that are not theirs to say, and
//! bounds. Written into the caller's own format where the bytes pass, and into the canonical form where they are written
//! anew: a format that has no place for a parameter has no provider that knows it.

use std::sync::Arc;

use model::load::Spanned;
use model::resource::{Model as Written, ModelParameters};
use proxy::program::Compile;
use serde_json::{Value, json};

use super::hints::Hints;
use crate::translate::{Format, MaxTokensField, Request};

/// What a model asks of calls.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    defaults: Parameters,
    force: Parameters,
    most_tokens: Option<u64>,
    pub(crate) hints: Option<Hints>,
}

#[derive(Debug, Default, PartialEq)]
struct Parameters {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    seed: Option<i64>,
    stop: Vec<String>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
}

impl Shape {
    /// Compiles it; none where the model asks for nothing.
    pub(crate) fn compile(written: &Written, cx: &mut Compile<'_>) -> Option<Arc<Self>> {
        let shape = Self {
            defaults: Parameters::compile(&written.defaults, cx),
            force: Parameters::compile(&written.force, cx),
            most_tokens: tokens(written.bounds.max_tokens.as_ref(), cx),
            hints: Hints::compile(written, cx),
        };
        let none = Parameters::default();
        let asks = shape.defaults != none || shape.force != none || shape.most_tokens.is_some();
        (asks || shape.hints.is_some()).then(|| Arc::new(shape))
    }

    /// What has these parameters, whatever is asked; none where there are none.
    pub(crate) fn forced(written: &ModelParameters, cx: &mut Compile<'_>) -> Option<Arc<Self>> {
        let force = Parameters::compile(written, cx);
        (force != Parameters::default()).then(|| Arc::new(Self { force, ..Self::default() }))
    }

    /// The most tokens a call may produce that asks for so many.
    pub(crate) fn max_tokens(&self, asked: Option<u64>) -> Option<u64> {
        let wanted = self.force.max_tokens.or(asked).or(self.defaults.max_tokens);
        match (wanted, self.most_tokens) {
            (Some(wanted), Some(most)) => Some(wanted.min(most)),
            (wanted, most) => wanted.or(most),
        }
    }

    /// Into the canonical form.
    pub(crate) fn canonical(&self, request: &mut Request) {
        request.max_tokens = self.max_tokens(request.max_tokens);
        let (force, defaults, sampling) = (&self.force, &self.defaults, &mut request.sampling);
        sampling.temperature = force.temperature.or(sampling.temperature).or(defaults.temperature);
        sampling.top_p = force.top_p.or(sampling.top_p).or(defaults.top_p);
        sampling.top_k = force.top_k.or(sampling.top_k).or(defaults.top_k);
        sampling.seed = force.seed.or(sampling.seed).or(defaults.seed);
        sampling.presence_penalty = force.presence_penalty.or(sampling.presence_penalty).or(defaults.presence_penalty);
        sampling.frequency_penalty =
            force.frequency_penalty.or(sampling.frequency_penalty).or(defaults.frequency_penalty);
        if !force.stop.is_empty() {
            sampling.stop.clone_from(&force.stop);
        } else if sampling.stop.is_empty() {
            sampling.stop.clone_from(&defaults.stop);
        }
    }

    /// Into a request of the caller's own format. `limit` is how the provider calls the limit of tokens.
    pub(crate) fn request(&self, format: Format, limit: MaxTokensField, request: &mut Value) {
        let Some(names) = Names::of(format) else { return };
        let fields = match names.within {
            None => Some(&mut *request),
            Some((camel, snake)) => {
                let within = if request.get(snake).is_some() { snake } else { camel };
                request.as_object_mut().map(|fields| fields.entry(within).or_insert_with(|| json!({})))
            }
        };
        let Some(Value::Object(fields)) = fields else { return };
        let find = |fields: &serde_json::Map<String, Value>, names: &[&'static str]| {
            names.iter().copied().find(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
        };
        let known = find(fields, names.max_tokens);
        let asked = known.and_then(|name| fields.get(name)).and_then(Value::as_u64);
        if let Some(most) = self.max_tokens(asked)
            && asked != Some(most)
        {
            let usual = match (format, limit) {
                (Format::OpenAiChat, MaxTokensField::Completion) => "max_completion_tokens",
                (Format::OpenAiChat, MaxTokensField::Plain) => "max_tokens",
                _ => names.max_tokens.first().copied().unwrap_or_default(),
            };
            // One that stands twice would be read by some hosts here and by others there.
            names.max_tokens.iter().filter(|name| Some(**name) != known).for_each(|name| drop(fields.remove(*name)));
            fields.insert(known.unwrap_or(usual).to_owned(), json!(most));
        }
        for (name, forced, default) in names.rest(&self.force, &self.defaults) {
            let missing = fields.get(name).is_none_or(Value::is_null);
            if let Some(value) = forced.or(default.filter(|_| missing)) {
                fields.insert(name.to_owned(), value);
            }
        }
    }
}

/// What a format calls the parameters; empty where it has no such thing.
struct Names {
    /// The object in which they stand, in both spellings.
    within: Option<(&'static str, &'static str)>,
    max_tokens: &'static [&'static str],
    temperature: &'static str,
    top_p: &'static str,
    top_k: &'static str,
    seed: &'static str,
    stop: &'static str,
    presence_penalty: &'static str,
    frequency_penalty: &'static str,
}

impl Names {
    const fn of(format: Format) -> Option<&'static Self> {
        Some(match format {
            Format::OpenAiChat => &Self {
                within: None,
                max_tokens: &["max_completion_tokens", "max_tokens"],
                temperature: "temperature",
                top_p: "top_p",
                top_k: "",
                seed: "seed",
                stop: "stop",
                presence_penalty: "presence_penalty",
                frequency_penalty: "frequency_penalty",
            },
            Format::OpenAiResponses => &Self {
                within: None,
                max_tokens: &["max_output_tokens"],
                temperature: "temperature",
                top_p: "top_p",
                top_k: "",
                seed: "",
                stop: "",
                presence_penalty: "",
                frequency_penalty: "",
            },
            Format::AnthropicMessages => &Self {
                within: None,
                max_tokens: &["max_tokens"],
                temperature: "temperature",
                top_p: "top_p",
                top_k: "top_k",
                seed: "",
                stop: "stop_sequences",
                presence_penalty: "",
                frequency_penalty: "",
            },
            Format::Gemini => &Self {
                within: Some(("generationConfig", "generation_config")),
                max_tokens: &["maxOutputTokens", "max_output_tokens"],
                temperature: "temperature",
                top_p: "topP",
                top_k: "topK",
                seed: "seed",
                stop: "stopSequences",
                presence_penalty: "presencePenalty",
                frequency_penalty: "frequencyPenalty",
            },
            // Callers do not speak the others.
            _ => return None,
        })
    }

    /// All but the limit of tokens: name, forced value, default.
    fn rest<'p>(
        &self,
        force: &'p Parameters,
        defaults: &'p Parameters,
    ) -> impl Iterator<Item = (&'static str, Option<Value>, Option<Value>)> + use<'p> {
        fn list(texts: &[String]) -> Option<Value> {
            (!texts.is_empty()).then(|| json!(texts))
        }
        let both = |of: fn(&Parameters) -> Option<Value>| (of(force), of(defaults));
        [
            (self.temperature, both(|all| all.temperature.map(|value| json!(value)))),
            (self.top_p, both(|all| all.top_p.map(|value| json!(value)))),
            (self.top_k, both(|all| all.top_k.map(|value| json!(value)))),
            (self.seed, both(|all| all.seed.map(|value| json!(value)))),
            (self.stop, both(|all| list(&all.stop))),
            (self.presence_penalty, both(|all| all.presence_penalty.map(|value| json!(value)))),
            (self.frequency_penalty, both(|all| all.frequency_penalty.map(|value| json!(value)))),
        ]
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, (forced, default))| (name, forced, default))
    }
}

impl Parameters {
    fn compile(written: &ModelParameters, cx: &mut Compile<'_>) -> Self {
        if written.stop.len() > 4 {
            cx.problem(cx.span, "more than 4 texts to stop at", "take some out");
        }
        Self {
            max_tokens: tokens(written.max_tokens.as_ref(), cx),
            temperature: within(written.temperature.as_ref(), "temperature", (0.0, 2.0), cx),
            top_p: within(written.top_p.as_ref(), "top_p", (0.0, 1.0), cx),
            top_k: tokens(written.top_k.as_ref(), cx),
            seed: written.seed,
            stop: written.stop.iter().cloned().collect(),
            presence_penalty: within(written.presence_penalty.as_ref(), "presence_penalty", (-2.0, 2.0), cx),
            frequency_penalty: within(written.frequency_penalty.as_ref(), "frequency_penalty", (-2.0, 2.0), cx),
        }
    }
}

fn tokens(written: Option<&Spanned<u64>>, cx: &mut Compile<'_>) -> Option<u64> {
    let written = written?;
    if !(1..=100_000_000).contains(&**written) {
        cx.problem(written.span, format!("{} is not from 1 to 100000000", **written), "mend it");
    }
    Some(**written)
}

fn within(written: Option<&Spanned<f64>>, name: &str, (least, most): (f64, f64), cx: &mut Compile<'_>) -> Option<f64> {
    let written = written?;
    if !(least..=most).contains(&**written) {
        cx.problem(written.span, format!("`{name}` is not from {least} to {most}"), "mend it");
    }
    Some(**written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        Shape {
            defaults: Parameters {
                temperature: Some(0.5),
                top_k: Some(7),
                max_tokens: Some(10),
                ..Parameters::default()
            },
            force: Parameters { seed: Some(1), stop: vec!["x".into()], ..Parameters::default() },
            most_tokens: Some(100),
            hints: None,
        }
    }

    #[test]
    fn each_format_gets_what_it_has_a_place_for() {
        use Format::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
        let (plain, completion) = (MaxTokensField::Plain, MaxTokensField::Completion);
        for (format, limit, request, expected) in [
            (OpenAiChat, plain, json!({}), json!({"max_tokens": 10, "temperature": 0.5, "seed": 1, "stop": ["x"]})),
            (
                OpenAiChat,
                completion,
                json!({"temperature": 0, "seed": 5, "stop": "y"}),
                json!({"temperature": 0, "seed": 1, "stop": ["x"], "max_completion_tokens": 10}),
            ),
            (
                OpenAiChat,
                completion,
                json!({"max_tokens": 1000, "temperature": null}),
                json!({"max_tokens": 100, "temperature": 0.5, "seed": 1, "stop": ["x"]}),
            ),
            (
                OpenAiChat,
                plain,
                json!({"max_tokens": 5000, "max_completion_tokens": 2000, "temperature": 1}),
                json!({"max_completion_tokens": 100, "temperature": 1, "seed": 1, "stop": ["x"]}),
            ),
            (OpenAiResponses, plain, json!({}), json!({"max_output_tokens": 10, "temperature": 0.5})),
            (
                AnthropicMessages,
                plain,
                json!({"max_tokens": 50}),
                json!({"max_tokens": 50, "temperature": 0.5, "top_k": 7, "stop_sequences": ["x"]}),
            ),
            (
                Gemini,
                plain,
                json!({"generation_config": {"max_output_tokens": 101}}),
                json!({"generation_config": {"max_output_tokens": 100, "temperature": 0.5, "topK": 7, "seed": 1,
                    "stopSequences": ["x"]}}),
            ),
        ] {
            let mut shaped = request.clone();
            shape().request(format, limit, &mut shaped);
            assert_eq!(shaped, expected, "{format:?} {request}");
        }
    }

    #[test]
    fn the_canonical_form_gets_all_of_it() {
        let mut request = Request { max_tokens: Some(1000), ..Request::default() };
        request.sampling.temperature = Some(1.5);
        shape().canonical(&mut request);
        let sampling = &request.sampling;
        assert_eq!((request.max_tokens, sampling.temperature, sampling.top_k), (Some(100), Some(1.5), Some(7)));
        assert_eq!((sampling.seed, sampling.stop.as_slice()), (Some(1), &["x".to_owned()][..]));
    }
}
