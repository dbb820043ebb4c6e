//! Asking another to go on where one broke off in the middle of its answer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::attempt::Attempt;
use super::{Begun, Frame, MOST_ATTEMPTS, ask, body, to};
use crate::call::{AiCall, Head, Turn};
use crate::fleet::{Model, Target};
use crate::providers::Prefill;
use crate::translate::canonical::{Message, Part, Role};
use crate::translate::{Format, Refused};

/// How often an answer may change hands.
const MOST: u8 = 3;

/// What it takes to ask once more: the request, and who has not broken off.
pub(in crate::terminal) struct Again {
    turn: Turn,
    body: Bytes,
    model: Arc<Model>,
    others: VecDeque<Arc<Target>>,
    frame: Frame,
    left: u8,
}

/// What was said before it broke off.
pub(in crate::terminal) enum Prefix {
    /// Nothing.
    Nothing,
    /// This text, without white space at its end.
    Text(String),
}

/// Asking another.
pub(in crate::terminal) type Asked = Pin<Box<dyn Future<Output = (Again, Option<Begun>)> + Send>>;

impl Again {
    /// Of this call; none where nobody could go on with it.
    pub(in crate::terminal) fn of(call: &AiCall, others: Vec<Arc<Target>>, frame: Frame) -> Option<Self> {
        let (turn, body) = (call.turn.clone(), call.body().clone());
        let model = call.model.clone();
        (!others.is_empty()).then(|| Self { turn, body, model, others: others.into(), frame, left: MOST })
    }

    /// Whether anybody is left who could go on with a text.
    pub(in crate::terminal) fn may_continue(&self) -> bool {
        self.left > 0 && self.others.iter().any(|other| other.prefill != Prefill::None)
    }

    /// Whether anybody is left to ask.
    pub(in crate::terminal) fn may_begin_anew(&self) -> bool {
        self.left > 0 && !self.others.is_empty()
    }

    /// Asks the others until one goes on.
    pub(in crate::terminal) fn ask(mut self, prefix: Prefix) -> Asked {
        self.left = self.left.saturating_sub(1);
        Box::pin(async move {
            let Ok(head) = Head::read(self.body.clone(), &self.turn) else { return (self, None) };
            let mut call = AiCall::new(self.turn.clone(), head, self.model.clone());
            while let Some(target) = self.others.pop_front() {
                if self.frame.attempts.begun() >= MOST_ATTEMPTS {
                    break;
                }
                let attempt = self.attempt(&mut call, target, &prefix);
                if let Some(attempt) = attempt
                    && let Ok(mut begun) = attempt.run().await
                {
                    begun.going.choose();
                    return (self, Some(begun));
                }
            }
            (self, None)
        })
    }

    fn attempt(&self, call: &mut AiCall, target: Arc<Target>, prefix: &Prefix) -> Option<Attempt> {
        let way = target.provider.way(self.turn.format, &target.model)?;
        let format = way.format;
        let body = match prefix {
            Prefix::Nothing => body(call, &target, way, format == self.turn.format).ok()?,
            Prefix::Text(_) if target.prefill == Prefill::None => return None,
            Prefix::Text(text) => continued(call, &target, format, text).ok()?,
        };
        Some(Attempt {
            format,
            asked: self.turn.format,
            body,
            same: false,
            stream: true,
            holds: true,
            minds_refusals: false,
            glances: false,
            continues: matches!(prefix, Prefix::Text(_)),
            frame: self.frame.clone(),
            target,
        })
    }
}

/// The request, with what was said as the beginning of the answer.
fn continued(call: &mut AiCall, target: &Target, format: Format, said: &str) -> Result<Bytes, Refused> {
    let losses = call.model.terms.losses;
    let mut request = call.shaped(&to(target, format))?.into_owned();
    request.messages.push(Message::new(Role::Assistant, vec![Part::text(said)]));
    let written = format.write_request(&request, &ask(losses, target))?.bytes;
    marked(written, target.prefill)
}

/// With what it takes that the last message is gone on with, and not answered.
fn marked(written: Vec<u8>, prefill: Prefill) -> Result<Bytes, Refused> {
    if matches!(prefill, Prefill::None | Prefill::LastMessage) {
        return Ok(written.into());
    }
    let broken = |error: serde_json::Error| Refused::malformed("", error.to_string());
    let mut request: Value = serde_json::from_slice(&written).map_err(broken)?;
    match prefill {
        Prefill::Flag(name) => {
            let messages = request.get_mut("messages").and_then(Value::as_array_mut);
            if let Some(Value::Object(last)) = messages.and_then(|messages| messages.last_mut()) {
                last.insert(name.to_owned(), Value::Bool(true));
            }
        }
        _ => {
            if let Value::Object(fields) = &mut request {
                fields.insert("continue_final_message".to_owned(), Value::Bool(true));
                fields.insert("add_generation_prompt".to_owned(), Value::Bool(false));
            }
        }
    }
    Ok(serde_json::to_vec(&request).map_err(broken)?.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_host_is_told_in_its_own_way_to_go_on() {
        let request = json!({"messages": [{"role": "user"}, {"role": "assistant"}]});
        for (prefill, expected) in [
            (Prefill::LastMessage, request.clone()),
            (Prefill::Flag("prefix"), json!({"messages": [{"role": "user"}, {"role": "assistant", "prefix": true}]})),
            (
                Prefill::ContinueFinalMessage,
                json!({"messages": [{"role": "user"}, {"role": "assistant"}],
                    "continue_final_message": true, "add_generation_prompt": false}),
            ),
        ] {
            let marked = marked(request.to_string().into_bytes(), prefill).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&marked).unwrap(), expected, "{prefill:?}");
        }
    }
}
