//! On which terms a model is called.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::header::LINK;
use http::{HeaderName, HeaderValue};
use model::resource::{Model as Written, ModelDeprecation, Unsupported};
use proxy::program::Compile;

use crate::call::Shape;
use crate::translate::Losses;

static DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
static SUNSET: HeaderName = HeaderName::from_static("sunset");

/// On which terms a model is called.
#[derive(Default)]
pub(crate) struct Terms {
    /// What it asks of calls.
    pub(crate) shape: Option<Arc<Shape>>,
    /// What becomes of what a provider's format has no place for.
    pub(crate) losses: Losses,
    /// That it is to be used no more.
    pub(crate) retires: Option<Box<Retires>>,
}

/// A model that is to be used no more.
pub(crate) struct Retires {
    until: Option<Duration>,
    pub(crate) successor: Option<Box<str>>,
    /// What answers say of it.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
}

impl Terms {
    pub(super) fn compile(written: &Written, cx: &mut Compile<'_>) -> Self {
        Self {
            shape: Shape::compile(written, cx),
            losses: match written.unsupported {
                Unsupported::ByRule => Losses::ByRule,
                Unsupported::Refuse => Losses::Refuse,
                Unsupported::DropParams => Losses::DropParams,
            },
            retires: written.deprecated.as_ref().map(|written| Box::new(Retires::compile(written))),
        }
    }
}

impl Retires {
    fn compile(written: &ModelDeprecation) -> Self {
        let mut fields = Vec::new();
        let since = written.since.map(|since| format!("@{}", since.since_epoch().as_secs()));
        let until = written.until.map(|until| httpdate::fmt_http_date(UNIX_EPOCH + until.since_epoch()));
        for (name, value) in [(&DEPRECATION, since), (&SUNSET, until)] {
            fields.extend(value.and_then(|value| HeaderValue::try_from(value).ok()).map(|value| (name.clone(), value)));
        }
        let successor: Option<Box<str>> = written.successor.as_ref().map(|successor| successor.as_str().into());
        if let Some(successor) = &successor {
            let to = percent_encoding::utf8_percent_encode(successor, percent_encoding::NON_ALPHANUMERIC);
            let link = HeaderValue::try_from(format!("<models/{to}>; rel=\"successor-version\""));
            fields.extend(link.ok().map(|link| (LINK, link)));
        }
        Self { until: written.until.map(|until| until.since_epoch()), successor, fields }
    }

    /// Whether it is gone. `now` is asked for only where that depends on it.
    pub(crate) fn is_gone(&self, now: impl FnOnce() -> Duration) -> bool {
        self.until.is_some_and(|until| until <= now())
    }
}
