//! Where a provider is: addresses and paths, with the settings that stand in them.

use std::sync::Arc;

use http::Uri;
use model::load::{Span, Spanned};
use model::resource::Provider as Written;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::calls::Remote;
use proxy::program::Compile;

use crate::providers::presets::{Preset, braced, fill};

/// The version of Azure's API where no preset and no configuration says one.
const AZURE: &str = "2024-10-21";
/// What is not as it is in a segment of a path.
const NOT_IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The settings of a provider, by name: as configuration gives them, else as the preset has them.
pub(super) struct Settings<'w> {
    given: Vec<(&'static str, &'w str, Span)>,
    preset: Option<&'static Preset>,
}

impl<'w> Settings<'w> {
    /// Those that were written; `project` where the service account names one.
    pub(super) fn of(written: &'w Written, preset: Option<&'static Preset>, project: Option<&'w str>) -> Self {
        let named = [
            ("region", &written.region),
            ("project", &written.project),
            ("resource", &written.resource),
            ("account", &written.account),
            ("workspace", &written.workspace),
            ("api_version", &written.api_version),
        ];
        let mut given: Vec<_> = named
            .into_iter()
            .filter_map(|(name, value)| value.as_ref().map(|value| (name, value.as_str(), value.span)))
            .collect();
        if let (Some(project), None) = (project, &written.project) {
            given.push(("project", project, Span::default()));
        }
        Self { given, preset }
    }

    /// One of them.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let given = self.given.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| *value);
        let preset = || self.preset?.defaults.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        given.or_else(preset).or((name == "api_version").then_some(AZURE))
    }

    /// The template with the settings in it, or the name of the one that is missing.
    pub(super) fn filled(&self, template: &str) -> Result<String, String> {
        let mut out = String::with_capacity(template.len() + 32);
        fill(&mut out, template, &|name| self.value(name)).map_err(|missing| missing.0)?;
        Ok(out)
    }

    /// Says which of them nothing has a use for.
    pub(super) fn unused(&self, templates: &[&str], also: Option<&str>, written: &Written, cx: &mut Compile<'_>) {
        for (name, _, span) in &self.given {
            let used = templates.iter().flat_map(|template| braced(template)).any(|known| known == *name);
            if !used && also != Some(*name) && !span.is_none() {
                let message = format!("provider `{}` has no use for `{name}`", *written.name);
                cx.problem(*span, message, "take it out, or take the preset of the cloud that is meant");
            }
        }
    }
}

/// Whom calls go to, and what stands before their paths.
#[derive(Clone)]
pub(super) struct Base {
    pub(super) remote: Arc<Remote>,
    path: Box<str>,
}

impl Base {
    /// A URL as the base of calls.
    pub(super) fn new(url: &Spanned<String>, written: &Written, cx: &mut Compile<'_>) -> Option<Self> {
        let remote = Remote::streaming(url, written.timeouts.connect, &written.tls, cx)?;
        let path = remote.path().path().trim_end_matches('/').into();
        Some(Self { remote: Arc::new(remote), path })
    }
}

/// Where one kind of call goes: path and query, before and after the model's name where that stands in them.
pub(crate) struct Place {
    pub(super) remote: Arc<Remote>,
    before: Box<str>,
    after: Option<Box<str>>,
}

/// What makes places.
pub(super) struct Places<'w> {
    pub(super) base: Base,
    pub(super) settings: Settings<'w>,
    pub(super) written: &'w Written,
}

impl Places<'_> {
    /// Whether every setting of a template is known.
    pub(super) fn is_whole(&self, template: &str) -> bool {
        self.settings.filled(&template.replace("{model}", "")).is_ok()
    }

    /// The place of a template: a path from the base on, or a whole URL. Of a whole URL the path alone counts where
    /// configuration says where the provider is. None where a setting is missing; `cx` is told.
    pub(super) fn place(&self, template: &str, cx: &mut Compile<'_>) -> Option<Place> {
        let (before, after) = match template.split_once("{model}") {
            Some((before, after)) => (before, Some(after)),
            None => (template, None),
        };
        let mut fill = |part: &str| match self.settings.filled(part) {
            Ok(part) => Some(part),
            Err(missing) => {
                needs(&missing, self.written, cx);
                None
            }
        };
        let (before, after) = (fill(before)?, after.map(&mut fill));
        let after = match after {
            None => None,
            Some(after) => Some(after?.into()),
        };
        if before.starts_with('/') {
            let before = format!("{}{before}", self.base.path).into();
            return Some(Place { remote: self.base.remote.clone(), before, after });
        }
        let uri: Uri = before.parse().ok()?;
        let path: Box<str> = uri.path_and_query()?.as_str().into();
        if self.written.base_url.is_some() {
            return Some(Place { remote: self.base.remote.clone(), before: path, after });
        }
        let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let base = Base::new(&Spanned::new(origin, self.written.name.span), self.written, cx)?;
        Some(Place { remote: base.remote, before: path, after })
    }
}

/// A setting is missing.
pub(super) fn needs(name: &str, written: &Written, cx: &mut Compile<'_>) {
    let message = format!("provider `{}` needs `{name}`", *written.name);
    cx.problem(written.name.span, message, format!("write `{name}: …` beside its `preset`"));
}

impl Place {
    /// Path and query of a call of this model. A name cannot lead to another path.
    pub(crate) fn path(&self, model: &str) -> String {
        match &self.after {
            None => self.before.to_string(),
            Some(after) => format!("{}{}{after}", self.before, utf8_percent_encode(model, NOT_IN_SEGMENT)),
        }
    }
}
