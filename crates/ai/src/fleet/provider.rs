//! Who serves models.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use model::load::Spanned;
use model::resource::{AiTimeouts, Provider as Written, ProviderCooldown, ProviderPrefill};
use proxy::calls::Remote;
use proxy::exchange::{Body, Error, Exchange};
use proxy::program::Compile;
use proxy::upstream::CallLimits;

use super::key::{Key, Keys};
use super::place::{Base, Place, Places, Settings, needs};
use super::seats::Seats;
use super::show::Show;
use super::speech::{default_auth, dialect, fields, format, preset, quirks};
use super::way::{Way, others, ways};
use crate::catalog::{Ability, Entry};
use crate::providers::presets::Preset;
use crate::providers::{Auth, Capability, Dialect, Prefill, presets};
use crate::translate::{Format, Quirks};

/// Who serves.
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    /// Under which name the catalog has its models.
    vendor: Option<&'static str>,
    /// How it is spoken to: its dialect first, then what else it takes.
    ways: Vec<Way>,
    /// Where it takes other calls.
    places: Vec<(Capability, Place)>,
    dialect: Dialect,
    pub(crate) quirks: Quirks,
    pub(crate) timeouts: AiTimeouts,
    pub(crate) cooldown: ProviderCooldown,
    /// Its places, where it has only so many.
    pub(crate) seats: Option<Arc<Seats>>,
    /// How long a call waits for one.
    pub(crate) patience: Duration,
    /// How it goes on with what another began, and whether its user says so.
    prefill: (Prefill, bool),
    /// Header fields of every call.
    pub(crate) fields: HeaderMap,
    show: Show,
    pub(crate) keys: Keys,
}

impl Provider {
    pub(super) fn compile(written: &Written, cx: &mut Compile<'_>) -> Option<Self> {
        let preset = match &written.preset {
            None => None,
            Some(name) => Some(preset(name, cx)?),
        };
        let dialect = dialect(written, preset, cx)?;
        let auth = preset.map_or(default_auth(dialect), |preset| preset.auth);
        let show = Show::compile(written, auth, cx)?;
        let settings = Settings::of(written, preset, show.project());
        let template = base_url(written, preset, cx)?;
        let also = matches!(show, Show::Signed { .. }).then_some("region");
        let mut templates = vec![template.as_str(), preset.map_or("", |preset| preset.base_url)];
        for call in Capability::ALL {
            templates.extend(preset.map_or_else(|| dialect.path(call), |preset| preset.path(call)));
        }
        settings.unused(&templates, also, written, cx);
        let url = match settings.filled(&template) {
            // Google's own region has no name in the address.
            Ok(url) => url.replace("//global-", "//"),
            Err(missing) => {
                needs(&missing, written, cx);
                return None;
            }
        };
        let base = Base::new(&Spanned::new(url, template.span), written, cx)?;
        let places = Places { base, settings, written };
        let fields = fields(written, preset, cx)?;
        let ways = ways(dialect, format(dialect), preset, (&places, &fields), cx);
        let others = others(dialect, preset, &places, cx);
        if ways.is_empty() && others.is_empty() {
            let message = format!("provider `{}` serves nothing at a place that is known", *written.name);
            cx.problem(written.name.span, message, "take another preset, or give `dialect` and `base_url`");
            return None;
        }
        let keys = Keys::compile(written, show.auth(), cx)?;
        if keys.is_empty() && show.wants_key() && preset.is_some_and(|preset| preset.key == presets::Key::Required) {
            let message = format!("provider `{}` has no key", *written.name);
            cx.problem(written.name.span, message, show.help());
        }
        Some(Self {
            name: written.name.as_str().into(),
            vendor: preset.map(|preset| preset.id),
            ways,
            places: others,
            dialect,
            quirks: quirks(preset),
            timeouts: written.timeouts,
            cooldown: cooldown(written, cx),
            seats: seats(written, cx),
            patience: written.queue.timeout.get(),
            prefill: (prefill(written, preset), written.prefill.is_some()),
            fields,
            show,
            keys,
        })
    }

    /// Under which name the catalog has its models: its preset's, or its own.
    pub(super) fn vendor(&self) -> &str {
        self.vendor.unwrap_or(&self.name)
    }

    /// How a call of this model in this format reaches it: as it is where the provider takes it, else in its dialect.
    pub(crate) fn way(&self, format: Format, model: &str) -> Option<&Way> {
        let of = |format| self.ways.iter().find(|way| way.format == format);
        // On Vertex each maker's models are spoken to in the maker's own format.
        if self.dialect == Dialect::Vertex {
            let claude = model.starts_with("claude");
            return of(if claude { Format::AnthropicMessages } else { Format::Gemini });
        }
        of(format).or(self.ways.first())
    }

    /// How a model of it goes on with what another began. Where a last message is all it takes, the catalog says which models
    /// do.
    pub(super) fn prefill_of(&self, entry: Option<&Entry>) -> Prefill {
        match self.prefill {
            (Prefill::LastMessage, false) if entry.is_some_and(|entry| !entry.can.has(Ability::Prefill)) => {
                Prefill::None
            }
            (prefill, _) => prefill,
        }
    }

    /// Asks for a turn by this way, with this key where there are keys. The request has path, fields and body as the
    /// dialect wants them; what shows who asks is put in here.
    pub(crate) async fn open(
        &self,
        (way, stream): (&Way, bool),
        key: Option<&Key>,
        worker: usize,
        request: Request<Bytes>,
        limits: &CallLimits,
    ) -> Result<Response<Body>, Error> {
        let (head, body) = request.into_parts();
        let request = Request::from_parts(head, way.fit(body));
        self.send(way.remote(stream), key, worker, request, limits).await
    }

    /// Where it takes calls other than conversations.
    pub(crate) fn place(&self, call: Capability) -> Option<&Place> {
        self.places.iter().find(|(known, _)| *known == call).map(|(_, place)| place)
    }

    /// What it speaks.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Asks for something else at this place; as [`Self::open`].
    pub(crate) async fn call(
        &self,
        place: &Place,
        key: Option<&Key>,
        worker: usize,
        request: Request<Bytes>,
        limits: &CallLimits,
    ) -> Result<Response<Body>, Error> {
        self.send(&place.remote, key, worker, request, limits).await
    }

    /// Hands the exchange's request on as it is now, its body as it comes.
    pub(crate) async fn forward(&self, place: &Place, key: Option<&Key>, x: &mut Exchange) -> Result<(), Error> {
        let worker = x.local.worker;
        self.show.show(key, worker, &mut x.request, &Bytes::new(), place.remote.host()).await?;
        place.remote.forward(x).await
    }

    async fn send(
        &self,
        remote: &Remote,
        key: Option<&Key>,
        worker: usize,
        request: Request<Bytes>,
        limits: &CallLimits,
    ) -> Result<Response<Body>, Error> {
        let (mut head, body) = request.into_parts();
        self.show.show(key, worker, &mut head, &body, remote.host()).await?;
        let response = remote.open(worker, Request::from_parts(head, body), limits).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.show.refused();
        }
        Ok(response)
    }
}

/// Where it is, with the names of settings in braces.
fn base_url(written: &Written, preset: Option<&presets::Preset>, cx: &mut Compile<'_>) -> Option<Spanned<String>> {
    let url = written.base_url.clone();
    let url = url.or_else(|| preset.map(|preset| Spanned::new(preset.base_url.to_owned(), written.name.span)));
    if url.is_none() {
        let message = format!("provider `{}` has no `base_url`", *written.name);
        cx.problem(written.name.span, message, "write where it is, such as `base_url: https://api.example.com/v1`");
    }
    url
}

impl Show {
    /// What to write where there is no key.
    fn help(&self) -> &'static str {
        match self.auth() {
            Auth::SigV4(_) => {
                "add `aws: { access_key: …, secret_key: … }` and `region`, or a Bedrock API key in `keys`"
            }
            Auth::ServiceAccount => "add `service_account: \"${file:PATH}\"`",
            _ => "add `keys: [\"${env:NAME}\"]`",
        }
    }
}

/// When it rests, in bounds.
fn cooldown(written: &Written, cx: &mut Compile<'_>) -> ProviderCooldown {
    if !(1..=1000).contains(&written.cooldown.failures) {
        let message = format!("`cooldown` of provider `{}` has no 1 to 1000 failures", *written.name);
        cx.problem(written.name.span, message, "write `cooldown: { failures: 5 }`");
    }
    written.cooldown
}

/// Its places, where it has only so many.
fn seats(written: &Written, cx: &mut Compile<'_>) -> Option<Arc<Seats>> {
    let most = written.max_concurrent.as_ref()?;
    if **most == 0 || written.queue.length > 10_000 {
        let message = format!("provider `{}` takes no call at all, or too many wait", *written.name);
        cx.problem(most.span, message, "write `max_concurrent` from 1 and `queue: { length: … }` up to 10000");
        return None;
    }
    let seats = cx.keep_for_all(&format!("ai seats {}", *written.name), Seats::default);
    seats.set(**most, written.queue.length);
    Some(seats)
}

fn prefill(written: &Written, preset: Option<&Preset>) -> Prefill {
    match written.prefill {
        Some(ProviderPrefill::None) => Prefill::None,
        Some(ProviderPrefill::LastMessage) => Prefill::LastMessage,
        Some(ProviderPrefill::ContinueFinalMessage) => Prefill::ContinueFinalMessage,
        None => preset.map_or(Prefill::None, |preset| preset.quirks.prefill),
    }
}
