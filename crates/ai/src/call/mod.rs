//! What a caller asks of a model: read once, before the first step that needs it, and then seen by steps and terminal alike.
//!
//! A step finds it with [`AiCall::of`]. It may read the request ([`AiCall::request`], [`AiCall::texts`]), change it in the
//! caller's own format ([`AiCall::edit`], so that what the gateway does not know stays as it is), send it to another model
//! ([`AiCall::model`]), and stand between provider and caller on the way back ([`AiCall::watch`]).

mod again;
mod asked;
mod form;
mod gist;
mod head;
mod hints;
mod listing;
mod shape;
mod system;
mod texts;
mod watch;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use model::resource::CacheKeyOf;
use proxy::exchange::{Cached, Exchange};
use proxy::expr::Value;
use proxy::terminals::{Call, CallFact, Ear};
use serde_json::Value as Json;

pub(crate) use self::again::{Again, Wanted};
pub(crate) use self::asked::{Asked, Other, Says, Tail, Turn, asked, format, sdk};
pub(crate) use self::form::boundary;
pub(crate) use self::gist::Gist;
pub(crate) use self::head::Head;
pub(crate) use self::hints::To;
pub use self::listing::{Listing, Names};
pub(crate) use self::shape::Shape;
pub use self::system::Place;
pub use self::texts::Voice;
pub(crate) use self::texts::visit as each_text;
pub use self::watch::Watch;
pub(crate) use self::watch::Watches;
use crate::fleet::Model;
use crate::meter::{self, CallMeter};
use crate::prompts::Plain;
use crate::providers::Capability;
use crate::translate::canonical::{Content, Message, Part, Role};
use crate::translate::{Refused, Request as Canonical, Told};

/// A call of a model, as it is being asked.
pub struct AiCall {
    /// How it came.
    pub(crate) turn: Turn,
    /// What is asked for: a turn of a conversation, in whichever format, or anything else.
    pub(crate) capability: Capability,
    pub(crate) head: Head,
    /// Who is to answer. A step may choose another.
    pub(crate) model: Arc<Model>,
    /// The prompt that made it, which also writes the answer.
    pub(crate) plain: Option<Plain>,
    /// Whether somebody granted a provider's own model, which nobody may use otherwise.
    pub(crate) granted: bool,
    /// Whether the answer will hold what was taken out of the request: it is for this caller alone, and must not be kept for
    /// others whose request looks the same.
    pub(crate) personal: bool,
    /// What a cache of answers had.
    pub(crate) cached: Option<Cached>,
    /// That a watch of the answer wants another one.
    pub(crate) again: Wanted,
    /// The request in the canonical form, once somebody asked for it.
    canonical: Option<Canonical>,
    /// What the request is like, once somebody asked.
    gist: OnceLock<Gist>,
    watches: Watches,
    /// What it takes.
    pub(crate) meter: Arc<CallMeter>,
}

impl Call for AiCall {
    fn cached(&self) -> Option<Cached> {
        self.cached
    }

    fn fact(&self, fact: CallFact) -> Value<'_> {
        let number = |number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        match fact {
            CallFact::Model => Value::Text(self.named().into()),
            CallFact::Stream => Value::Bool(self.stream()),
            CallFact::InputTokens => number(self.gist().tokens),
            CallFact::Images => number(self.gist().images),
            CallFact::Audio => number(self.gist().audio),
            CallFact::Files => number(self.gist().files),
            CallFact::Tools => number(self.gist().tools),
        }
    }

    fn ear(&mut self) -> Option<Ear> {
        (self.capability == Capability::Realtime).then(|| meter::ear(self.meter.clone()))
    }
}

impl AiCall {
    pub(crate) fn new(turn: Turn, head: Head, model: Arc<Model>) -> Self {
        let (canonical, gist, watches) = (None, OnceLock::new(), Watches::default());
        let again = Wanted::default();
        Self {
            turn,
            capability: Capability::Chat,
            head,
            model,
            plain: None,
            granted: false,
            personal: false,
            cached: None,
            again,
            canonical,
            gist,
            watches,
            meter: Arc::default(),
        }
    }

    /// The call of this exchange, if it is one.
    pub fn of(x: &mut Exchange) -> Option<&mut Self> {
        let call: &mut dyn std::any::Any = x.call.as_deref_mut()?;
        call.downcast_mut()
    }

    /// The call of an exchange that is over, if it was one.
    #[must_use]
    pub fn past(x: &Exchange) -> Option<&Self> {
        let call: &dyn std::any::Any = x.call.as_deref()?;
        call.downcast_ref()
    }

    /// The model, by the name that the caller used.
    #[must_use]
    pub fn named(&self) -> &str {
        &self.head.model
    }

    /// What is asked for: [`Capability::Chat`] for a turn of a conversation in whichever format.
    #[must_use]
    pub const fn capability(&self) -> Capability {
        self.capability
    }

    /// Whether the answer is to come as a stream.
    #[must_use]
    pub const fn stream(&self) -> bool {
        self.head.stream
    }

    /// The body as it is now.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        self.head.body()
    }

    /// What the request is like.
    pub(crate) fn gist(&self) -> &Gist {
        self.gist.get_or_init(|| Gist::of(self.turn.format, self.body()))
    }

    /// The request in the canonical form.
    ///
    /// # Errors
    /// When it is not one in its format.
    pub fn request(&mut self) -> Result<&Canonical, Refused> {
        let request = match self.canonical.take() {
            Some(request) => request,
            None => {
                if self.capability == Capability::Chat {
                    let told = Told { model: self.turn.model.as_deref(), stream: self.turn.stream };
                    self.turn.format.read_request(self.head.body(), &told)?
                } else {
                    self.as_message()?
                }
            }
        };
        Ok(self.canonical.insert(request))
    }

    /// What another call says, as a message of the user.
    fn as_message(&mut self) -> Result<Canonical, Refused> {
        let mut said = Vec::new();
        self.texts(|_, text| {
            said.push(Part::new(Content::Text(text.clone())));
            false
        })?;
        let model = self.head.model.clone();
        Ok(Canonical { model, messages: vec![Message::new(Role::User, said)], ..Canonical::default() })
    }

    /// The request as the provider is to have it, in the canonical form: with what the model asks of calls.
    pub(crate) fn shaped(&mut self, to: &To<'_>) -> Result<Cow<'_, Canonical>, Refused> {
        let Some(shape) = self.model.terms.shape.clone() else { return self.request().map(Cow::Borrowed) };
        let key = self.cache_key(&shape);
        let mut request = self.request()?.clone();
        shape.canonical(&mut request);
        if let Some(hints) = shape.hints {
            hints.canonical(&mut request, to, key);
        }
        Ok(Cow::Owned(request))
    }

    /// The same in the caller's own format.
    pub(crate) fn shaped_body(&self, to: &To<'_>) -> Result<Option<Bytes>, Refused> {
        let Some(shape) = &self.model.terms.shape else { return Ok(None) };
        let broken = |error: serde_json::Error| Refused::malformed("", error.to_string());
        let mut value: Json = serde_json::from_slice(self.head.body()).map_err(broken)?;
        shape.request(self.turn.format, to.quirks.max_tokens, &mut value);
        if let Some(hints) = shape.hints {
            hints.request(&mut value, to, self.cache_key(shape));
        }
        serde_json::to_vec(&value).map(|text| Some(text.into())).map_err(broken)
    }

    /// What the model has providers told to cache together.
    fn cache_key(&self, shape: &Shape) -> Option<String> {
        match shape.hints.as_ref()?.key? {
            CacheKeyOf::Consumer => self.meter.consumer().map(|name| hints::key("consumer", &name)),
            CacheKeyOf::Conversation => self.gist().beginning.map(|begin| format!("conversation-{begin:016x}")),
        }
    }

    /// Changes the request in the caller's own format; `change` says whether it did.
    ///
    /// # Errors
    /// When it is no JSON, or what was made of it is no request any more.
    pub fn edit(&mut self, change: impl FnOnce(&mut Json) -> bool) -> Result<bool, Refused> {
        let broken = |error: serde_json::Error| Refused::malformed("", error.to_string());
        if !self.head.is_json() {
            return Ok(false);
        }
        let mut value: Json = serde_json::from_slice(self.head.body()).map_err(broken)?;
        let changed = change(&mut value);
        if changed {
            self.head.replace(serde_json::to_vec(&value).map_err(broken)?.into())?;
            self.canonical = None;
            self.gist = OnceLock::new();
        }
        Ok(changed)
    }

    /// Shows every text of the conversation, tools' results and arguments too, with who speaks; `see` may change it, and
    /// says whether it did.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn texts(&mut self, mut see: impl FnMut(Voice, &mut String) -> bool) -> Result<bool, Refused> {
        let format = self.turn.format;
        match self.capability {
            Capability::Chat | Capability::CountTokens => self.edit(|value| texts::visit(format, value, &mut see)),
            _ => self.edit(|value| texts::visit_other(value, &mut see)),
        }
    }

    /// Puts an instruction before those of the caller, or after what the caller says. What is no conversation takes none.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn instruct(&mut self, text: &str, place: Place) -> Result<bool, Refused> {
        if self.capability != Capability::Chat {
            return Ok(false);
        }
        let format = self.turn.format;
        self.edit(|value| system::add(format, value, text, place))
    }

    /// Lets this stand between provider and caller. The first that was given is nearest to the provider.
    pub fn watch(&mut self, watch: Box<dyn Watch>) {
        self.watches.push(watch);
    }

    /// Puts the watches back, of an answer that the caller does not get.
    pub(crate) fn put_watches(&mut self, watches: Watches) {
        self.watches = watches;
    }

    /// Makes of the request one that asks for another answer, where a watch wants that; says whether it did.
    pub(crate) fn ask_again(&mut self) -> bool {
        let format = self.turn.format;
        let Some(again) = again::take(&self.again) else { return false };
        self.edit(|request| again.append(format, request)).unwrap_or(false)
    }

    /// Whether anybody looks at the answer.
    pub(crate) fn is_watched(&self) -> bool {
        !self.watches.is_empty()
    }

    /// Whether the provider's bytes may not pass as they are.
    pub(crate) fn alters(&self) -> bool {
        self.watches.alter()
    }

    pub(crate) fn take_watches(&mut self) -> Watches {
        std::mem::take(&mut self.watches)
    }
}
