//! What is said over a WebSocket is metered by what the provider tells on it: each answer's last event has its usage.
//! Source: OpenAI's API reference, Realtime, "response.done".

use std::sync::Arc;

use memchr::memmem;
use proxy::terminals::Ear;
use serde_json::Value;

use super::CallMeter;
use crate::catalog::Charged;
use crate::translate::Usage;
use crate::wire::websocket::Reader;

/// Hears what the provider says, and tells this meter what was taken.
pub(crate) fn ear(meter: Arc<CallMeter>) -> Ear {
    let (mut reader, mut usage, mut charged) = (Reader::default(), Usage::default(), Charged::default());
    Box::new(move |bytes| {
        reader.push(bytes, |text| {
            if memmem::find(text, b"\"response.done\"").is_none() {
                return;
            }
            let Ok(event) = serde_json::from_slice::<Value>(text) else { return };
            let told = event.get("response").and_then(|response| response.get("usage"));
            let Some(told) = told.filter(|told| told.is_object()) else { return };
            add(told, &mut usage, &mut charged);
            meter.took(&usage, charged);
        });
    })
}

fn add(told: &Value, usage: &mut Usage, charged: &mut Charged) {
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
    let none = Value::Null;
    let of = |value: &Value, name: &str| value.get(name).cloned().unwrap_or_default();
    let (input, output) = (number(told, "input_tokens"), number(told, "output_tokens"));
    let read = told.get("input_token_details").unwrap_or(&none);
    let cached = of(read, "cached_tokens_details");
    let (audio, image) = (number(read, "audio_tokens"), number(read, "image_tokens"));
    let cached_audio = number(&cached, "audio_tokens").min(audio);
    let cached_text = number(read, "cached_tokens").saturating_sub(cached_audio);
    let said = number(told.get("output_token_details").unwrap_or(&none), "audio_tokens").min(output);
    usage.input += input;
    usage.output += output;
    usage.cached_input += number(read, "cached_tokens");
    usage.audio_input += audio;
    usage.audio_output += said;
    charged.input += [audio, image, cached_text].into_iter().fold(input, u64::saturating_sub);
    charged.cached += cached_text;
    charged.audio_input += audio - cached_audio;
    charged.audio_cached += cached_audio;
    charged.image_input += image;
    charged.audio_output += said;
    charged.output += output - said;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_token_is_charged_once() {
        let told = json!({ "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
            "input_token_details": { "text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
                                     "cached_tokens_details": { "text_tokens": 60, "audio_tokens": 4 } },
            "output_token_details": { "text_tokens": 30, "audio_tokens": 91 } });
        let (mut usage, mut charged) = (Usage::default(), Charged::default());
        add(&told, &mut usage, &mut charged);
        let expected = Charged {
            input: 59,
            cached: 60,
            audio_input: 9,
            audio_cached: 4,
            output: 30,
            audio_output: 91,
            ..Charged::default()
        };
        assert_eq!((charged, charged.input_tokens(), charged.output_tokens()), (expected, 132, 121));
        // And each answer of a session.
        add(&told, &mut usage, &mut charged);
        assert_eq!((usage.input, usage.output, charged.input_tokens()), (264, 242, 264));
        add(&json!({}), &mut usage, &mut charged);
        assert_eq!(usage.input, 264);
    }
}
