//! Counting by the vocabularies that OpenAI publishes (`o200k_base`, `cl100k_base`): exact for its models, where a provider
//! broke off or tells nothing. One thread does it, one text after the other; where more wait than may, the estimate stands.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::call::Uncounted;

/// Texts that wait to be counted.
const QUEUE: usize = 256;
/// Bytes of a text that are counted; of the rest the share that these had is taken.
const MOST: usize = 256 << 10;
/// Bytes that are counted in one go, so that nothing that is said takes long however it is made.
const PIECE: usize = 8 << 10;
/// What a message costs beside its text: its role and its frame. (Source: OpenAI's cookbook, "How to count tokens".)
const MESSAGE: u64 = 3;

/// A vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vocabulary {
    /// Of GPT-4o and what came after it.
    O200k,
    /// Of GPT-4 and GPT-3.5.
    Cl100k,
}

impl Vocabulary {
    /// The one of a model at a provider, where that is published.
    pub fn of(provider: &str, model: &str) -> Option<Self> {
        if !matches!(provider, "openai" | "azure_openai") {
            // Elsewhere a name says what it is only where the weights are OpenAI's own.
            let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
            return name.starts_with("gpt-oss").then_some(Self::O200k);
        }
        let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
        match get_tokenizer(name)? {
            Tokenizer::O200kBase | Tokenizer::O200kHarmony => Some(Self::O200k),
            Tokenizer::Cl100kBase => Some(Self::Cl100k),
            Tokenizer::P50kBase | Tokenizer::R50kBase | Tokenizer::P50kEdit | Tokenizer::Gpt2 => None,
        }
    }

    /// Loads it where it is not yet: half a second, and 58 MiB. Not for threads that carry traffic.
    fn load(self) -> &'static CoreBPE {
        match self {
            Self::O200k => tiktoken_rs::o200k_base_singleton(),
            Self::Cl100k => tiktoken_rs::cl100k_base_singleton(),
        }
    }

    /// How many tokens a text is. Not for threads that carry traffic.
    pub fn count(self, text: &Text) -> u64 {
        let vocabulary = self.load();
        let (counted, rest) = split(&text.text, MOST);
        let mut left = counted;
        let mut tokens = 0_u64;
        while !left.is_empty() {
            let (piece, after) = split(left, PIECE);
            tokens += vocabulary.count_ordinary(piece) as u64;
            left = after;
        }
        let beyond = text.beyond.saturating_add(rest.len() as u64);
        let share = u128::from(beyond) * u128::from(tokens) / u128::from((counted.len() as u64).max(1));
        tokens.saturating_add(u64::try_from(share).unwrap_or(u64::MAX)).saturating_add(MESSAGE * text.messages)
    }
}

/// The text up to about so many bytes, cut behind a blank where there is one, and the rest.
fn split(text: &str, most: usize) -> (&str, &str) {
    if text.len() <= most {
        return (text, "");
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (head, _) = text.split_at(end);
    // A blank goes with the word behind it.
    let at = head.rfind(' ').filter(|at| *at > 0).unwrap_or(end);
    text.split_at(at)
}

/// A text whose tokens are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What was said.
    pub text: String,
    /// Bytes that were said beyond it.
    pub beyond: u64,
    /// Messages that it is of.
    pub messages: u64,
}

impl Text {
    /// Adds what was said, keeping as much as is counted.
    pub fn push(&mut self, said: &str) {
        if self.beyond == 0 && self.text.len() + said.len() <= MOST {
            self.text.push_str(said);
        } else {
            self.beyond = self.beyond.saturating_add(said.len() as u64);
        }
    }

    /// How long it is.
    pub fn len(&self) -> u64 {
        self.beyond.saturating_add(self.text.len() as u64)
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Counts on the thread, which is started for the first. Where too many wait, the estimate stands.
pub(super) fn give(call: Uncounted) {
    static QUEUE_OF_CALLS: OnceLock<Option<SyncSender<Uncounted>>> = OnceLock::new();
    match QUEUE_OF_CALLS.get_or_init(start) {
        Some(queue) => {
            if let Err(TrySendError::Full(call) | TrySendError::Disconnected(call)) = queue.try_send(call) {
                call.estimate();
            }
        }
        None => call.estimate(),
    }
}

fn start() -> Option<SyncSender<Uncounted>> {
    let (queue, calls) = sync_channel::<Uncounted>(QUEUE);
    let thread = std::thread::Builder::new().name("tollgate-count".to_owned());
    match thread.spawn(move || run(&calls)) {
        Ok(_) => Some(queue),
        Err(error) => {
            tracing::warn!(target: "tollgate::ai", %error, "tokens cannot be counted; estimates stand");
            None
        }
    }
}

fn run(calls: &Receiver<Uncounted>) {
    while let Ok(call) = calls.recv() {
        // A text that breaks the counting breaks it alone; what the call held is then spent in full.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call.count())).is_err() {
            tracing::error!(target: "tollgate::ai", "counting the tokens of a call broke");
        }
    }
}
