//! What a call that is no turn of a conversation is charged for, as far as its request tells: before it is made, the most;
//! after it, where the answer does not say what it took, the usual.

use serde::de::IgnoredAny;

use super::{Scale, weigh};
use crate::call::AiCall;
use crate::catalog::Charged;
use crate::providers::Capability;

/// The most tokens of an image: one of 1536 x 1024 pixels in high quality has 6,208. (OpenAI's guide to images, read 2026-11.)
const IMAGE_TOKENS: u64 = 6_240;
/// The most images that one request can ask for.
const MOST_IMAGES: u64 = 64;
/// Characters of a second of speech: usually 15; slow speech and languages of few letters have 10.
const CHARACTERS_A_SECOND: (u64, u64) = (15, 10);
/// Tokens of a second of speech, given and made. (OpenAI's prices by the minute, divided by those by the token, read 2026-11.)
const HEARD_TOKENS: u64 = 17;
const SPOKEN_TOKENS: u64 = 21;
/// Tokens of the words of a second of speech.
const WORD_TOKENS: u64 = 5;
/// Bytes of a second of speech in a file: usual is MP3 at 128 kbit/s, and what is made for speech has a quarter of it.
const BYTES_A_SECOND: (u64, u64) = (16_000, 4_000);
/// Documents that one search ranks.
const DOCUMENTS: u64 = 100;

/// How careful a guess is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// What such a call usually takes.
    Usual,
    /// What it takes at most, as far as is known.
    Most,
}

impl Guess {
    const fn of(self, (usual, most): (u64, u64)) -> u64 {
        match self {
            Self::Usual => usual,
            Self::Most => most,
        }
    }
}

/// What this call is charged for at a target whose tokens weigh so much.
pub(crate) fn foreseen(call: &AiCall, scale: &Scale, guess: Guess) -> Charged {
    let text = || match guess {
        Guess::Usual => scale.usual_input(weigh(call.body())),
        Guess::Most => scale.most_input(weigh(call.body())),
    };
    match call.capability() {
        Capability::Embeddings | Capability::Moderations => Charged { input: text(), ..Charged::default() },
        Capability::Rerank => Charged { input: text(), calls: searches(call), ..Charged::default() },
        Capability::Images => images(call, text, guess),
        Capability::Speech => speech(call, guess),
        Capability::Transcription => {
            let ms = (call.body().len() as u64).saturating_mul(1000) / guess.of(BYTES_A_SECOND).max(1);
            let seconds = ms.div_ceil(1000);
            Charged {
                audio_in_ms: ms,
                audio_input: seconds * HEARD_TOKENS,
                output: seconds * WORD_TOKENS,
                ..Charged::default()
            }
        }
        // How long a session is nobody knows before: it begins where there is enough for a minute each way.
        Capability::Realtime if guess == Guess::Most => {
            Charged { audio_input: 60 * HEARD_TOKENS, audio_output: 60 * SPOKEN_TOKENS, ..Charged::default() }
        }
        // To count costs nothing, and what else passes is not known before.
        _ => Charged::default(),
    }
}

fn images(call: &AiCall, text: impl FnOnce() -> u64, guess: Guess) -> Charged {
    let is_form = !call.head.is_json();
    let asked = call.head.raw("n").and_then(|count| count.parse().ok());
    // A form's fields are not read: what it may ask for.
    let most = if is_form { guess.of((1, 10)) } else { 1 };
    let images: u64 = asked.unwrap_or(most).clamp(1, MOST_IMAGES);
    let given = if is_form { guess.of((1, 4)) * super::MEDIA_TOKENS } else { 0 };
    Charged {
        input: if is_form { 0 } else { text() },
        image_input: given,
        images,
        image_output: images * IMAGE_TOKENS,
        ..Charged::default()
    }
}

fn speech(call: &AiCall, guess: Guess) -> Charged {
    let characters = call.head.text("input").map_or(0, |text| text.chars().count()) as u64;
    let ms = characters.saturating_mul(1000) / guess.of(CHARACTERS_A_SECOND).max(1);
    Charged {
        input: characters.div_ceil(4),
        characters,
        audio_out_ms: ms,
        audio_output: ms.div_ceil(1000) * SPOKEN_TOKENS,
        ..Charged::default()
    }
}

/// A search ranks so many documents; where there are more, it is several.
fn searches(call: &AiCall) -> u64 {
    let documents = call.head.raw("documents").and_then(|raw| serde_json::from_str::<Vec<IgnoredAny>>(raw).ok());
    documents.map_or(1, |documents| (documents.len() as u64).div_ceil(DOCUMENTS).max(1))
}
