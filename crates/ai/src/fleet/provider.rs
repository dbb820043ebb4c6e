//! Who serves models.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use http::{HeaderMap, HeaderName};
use model::resource::{AiTimeouts, Provider as Written};
use proxy::calls::Remote;
use proxy::program::Compile;

use super::key::{Key, Resting, keys};
use super::speech::{base_url, default_auth, dialect, fields, format, preset, quirks};
use super::way::{Way, ways};
use crate::providers::{Auth, presets};
use crate::translate::{Format, Quirks};

/// Who serves.
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    /// Under which name the catalog has its models.
    vendor: Option<&'static str>,
    pub(crate) remote: Remote,
    /// How it is spoken to: its dialect first, then what else it takes.
    ways: Vec<Way>,
    pub(crate) quirks: Quirks,
    pub(crate) timeouts: AiTimeouts,
    /// Header fields of every call.
    pub(crate) fields: HeaderMap,
    auth: Auth,
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
        let format = format(dialect, written, cx)?;
        let base = base_url(written, preset, cx)?;
        let remote = Remote::streaming(&base, written.timeouts.connect, &written.tls, cx)?;
        let ways = ways(dialect, format, preset, remote.path().path().trim_end_matches('/'));
        if ways.is_empty() {
            let message = format!("provider `{}` serves no conversations at a path of its own", *written.name);
            cx.problem(written.name.span, message, "take another preset, or give `dialect` and `base_url`");
            return None;
        }
        let auth = preset.map_or(default_auth(dialect), |preset| preset.auth);
        let keys = keys(written, auth, cx)?;
        if keys.is_empty() && preset.is_some_and(|preset| preset.key == presets::Key::Required) {
            let message = format!("provider `{}` has no key", *written.name);
            cx.problem(written.name.span, message, "add `keys: [\"${env:NAME}\"]`");
        }
        Some(Self {
            name: written.name.as_str().into(),
            vendor: preset.map(|preset| preset.id),
            remote,
            ways,
            quirks: quirks(preset),
            timeouts: written.timeouts,
            fields: fields(written, preset, cx)?,
            auth,
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

    /// How a call in this format reaches it: as it is where the provider takes it, else in its dialect.
    pub(crate) fn way(&self, format: Format) -> Option<&Way> {
        self.ways.iter().find(|way| way.format == format).or(self.ways.first())
    }

    /// Whether one does not rest.
    pub(crate) fn has_key(&self, now: u64) -> bool {
        self.keys.iter().any(|key| key.rest.until.load(Relaxed) <= now)
    }

    /// Shows the key in the header fields of a call.
    pub(crate) fn show(&self, key: &Key, fields: &mut HeaderMap) {
        let name = match self.auth {
            Auth::Header(name) => HeaderName::from_static(name),
            _ => http::header::AUTHORIZATION,
        };
        fields.insert(name, key.value.clone());
    }
}
