//! Who serves models.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use model::load::Spanned;
use model::resource::{AiTimeouts, Provider as Written};
use proxy::exchange::{Body, Error};
use proxy::program::Compile;
use proxy::upstream::CallLimits;

use super::key::{Key, Resting, keys};
use super::place::{Base, Places, Settings, needs};
use super::show::Show;
use super::speech::{default_auth, dialect, fields, format, preset, quirks};
use super::way::{Way, ways};
use crate::providers::{Auth, Dialect, presets};
use crate::translate::{Format, Quirks};

/// Who serves.
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    /// Under which name the catalog has its models.
    vendor: Option<&'static str>,
    /// How it is spoken to: its dialect first, then what else it takes.
    ways: Vec<Way>,
    dialect: Dialect,
    pub(crate) quirks: Quirks,
    pub(crate) timeouts: AiTimeouts,
    /// Header fields of every call.
    pub(crate) fields: HeaderMap,
    show: Show,
    keys: Box<[Key]>,
    next: AtomicU64,
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
        for call in crate::providers::Capability::ALL {
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
        let ways = ways(dialect, format(dialect), preset, &places, cx);
        if ways.is_empty() {
            let message = format!("provider `{}` serves no conversations", *written.name);
            cx.problem(written.name.span, message, "take another preset, or give `dialect` and `base_url`");
            return None;
        }
        let keys = keys(written, show.auth(), cx)?;
        if keys.is_empty() && show.wants_key() && preset.is_some_and(|preset| preset.key == presets::Key::Required) {
            let message = format!("provider `{}` has no key", *written.name);
            cx.problem(written.name.span, message, show.help());
        }
        Some(Self {
            name: written.name.as_str().into(),
            vendor: preset.map(|preset| preset.id),
            ways,
            dialect,
            quirks: quirks(preset),
            timeouts: written.timeouts,
            fields: fields(written, preset, cx)?,
            show,
            keys,
            next: AtomicU64::new(0),
        })
    }

    /// Under which name the catalog has its models: its preset's, or its own.
    pub(super) fn vendor(&self) -> &str {
        self.vendor.unwrap_or(&self.name)
    }

    /// The next key that does not rest. A provider without keys is asked without.
    pub(crate) fn key(&self, now: u64) -> Result<Option<&Key>, Resting> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let start = self.next.fetch_add(1, Relaxed) as usize % self.keys.len();
        let mut all = Resting { until: u64::MAX, refused: true };
        for key in self.keys.iter().cycle().skip(start).take(self.keys.len()) {
            let until = key.rest.until.load(Relaxed);
            if until <= now {
                return Ok(Some(key));
            }
            all = Resting { until: all.until.min(until), refused: all.refused && key.rest.refused.load(Relaxed) };
        }
        Err(all)
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

    /// Whether one does not rest.
    pub(crate) fn has_key(&self, now: u64) -> bool {
        self.keys.iter().any(|key| key.rest.until.load(Relaxed) <= now)
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
        let (mut head, body) = request.into_parts();
        let (remote, body) = (way.remote(stream), way.fit(body));
        self.show.show(key, worker, &mut head, &body, remote.host()).await?;
        let response = remote.open(worker, &Request::from_parts(head, body), limits).await?;
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
