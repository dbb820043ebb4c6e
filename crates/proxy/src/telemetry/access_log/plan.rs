//! What a line is made of, compiled once from what was written.

use http::header::{HeaderName, REFERER, USER_AGENT};
use model::load::Spanned;
use model::problem::{Problem, Problems, did_you_mean};
use model::resource::{LogDestination, LogFormat};

use super::fields::{FIELDS, Field, REQUEST_HEADER, RESPONSE_HEADER};
use super::redact::Redact;

/// What a line is made of.
pub(super) struct Plan {
    pub(super) format: LogFormat,
    pub(super) segments: Box<[Segment]>,
    /// What follows the last segment.
    pub(super) tail: Box<[u8]>,
    /// Request headers to be kept, as the head moves on to the upstream.
    pub(super) request_headers: Vec<HeaderName>,
    /// Response headers to be kept.
    pub(super) response_headers: Vec<HeaderName>,
    pub(super) redact: Redact,
}

/// A value with the text before it.
pub(super) struct Segment {
    pub(super) before: Box<[u8]>,
    pub(super) source: Source,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The exchange.
    Field(Field),
    /// The kept header of this number.
    Header(usize, Show),
}

/// How a header's value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// As it is.
    Plain,
    /// Not at all.
    Hidden,
    /// A URL, whose query may hold credentials.
    Url,
}

impl Plan {
    /// Compiles what was written. Problems are of `access_log`.
    pub(super) fn compile(written: &LogDestination, redact: Redact, problems: &mut Problems) -> Self {
        let mut plan = Self {
            format: written.format,
            segments: Box::default(),
            tail: Box::default(),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            redact,
        };
        let mut chosen = Chosen { segments: Vec::new(), problems };
        match (written.format, &written.template, &written.fields) {
            (LogFormat::Json, None, fields) => {
                plan.json(fields.as_deref(), &mut chosen);
                plan.tail = Box::from(*b"}\n");
            }
            (LogFormat::Template, Some(template), None) => plan.template(template, &mut chosen),
            (LogFormat::Json, Some(template), _) => chosen.wrong(
                "access_log.template",
                template,
                "JSON lines have no template",
                "write `format: template`, or choose `fields`",
            ),
            (LogFormat::Template, None, _) => {
                let problem = Problem::error("config.access_log", None, "`format: template` needs a template");
                chosen
                    .problems
                    .push(problem.path("access_log").help("add `template: '{client} {method} {path} {status}'`"));
            }
            (LogFormat::Template, Some(template), Some(_)) => chosen.wrong(
                "access_log.fields",
                template,
                "a template names its fields itself",
                "take `fields` out, or write `format: json`",
            ),
        }
        plan.segments = chosen.segments.into();
        let requested = plan.request_headers.len();
        for segment in &mut plan.segments {
            // Response headers are kept behind those of the request.
            if let Source::Header(at, _) = &mut segment.source
                && *at >= RESPONSE
            {
                *at = *at - RESPONSE + requested;
            }
        }
        plan
    }

    fn json(&mut self, fields: Option<&[Spanned<String>]>, chosen: &mut Chosen<'_>) {
        let defaults: Vec<Spanned<String>> =
            FIELDS.iter().filter(|row| row.default).map(|row| Spanned::from(row.name.to_owned())).collect();
        for (at, field) in fields.unwrap_or(&defaults).iter().enumerate() {
            let path = format!("access_log.fields[{at}]");
            let Some(source) = self.source(field, field, &path, chosen.problems) else { continue };
            if chosen.segments.iter().any(|segment| segment.source == source) {
                chosen.wrong(&path, field, &format!("field `{}` is there twice", **field), "take one of them out");
                continue;
            }
            let key = serde_json::Value::from(field.as_str());
            chosen.segments.push(Segment { before: format!("{key}:").into_bytes().into(), source });
        }
    }

    fn template(&mut self, template: &Spanned<String>, chosen: &mut Chosen<'_>) {
        const PATH: &str = "access_log.template";
        const BRACES: &str = "fields stand in braces, as in `{status}`; write `{{` and `}}` for braces themselves";
        if template.contains(|c: char| c.is_control() && c != '\t') {
            chosen.wrong(PATH, template, "a template is one line", "take the control characters out");
            return;
        }
        let mut before = Vec::new();
        let mut rest = template.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (text, brace) = rest.split_at(at);
            before.extend_from_slice(text.as_bytes());
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                before.extend(brace.bytes().take(1));
                rest = after;
                continue;
            }
            let Some((name, after)) = brace.strip_prefix('{').and_then(|inside| inside.split_once('}')) else {
                chosen.wrong(PATH, template, "a brace without its other half", BRACES);
                return;
            };
            if let Some(source) = self.source(name, template, PATH, chosen.problems) {
                chosen.segments.push(Segment { before: std::mem::take(&mut before).into(), source });
            }
            rest = after;
        }
        before.extend_from_slice(rest.as_bytes());
        before.push(b'\n');
        self.tail = before.into();
        if chosen.segments.is_empty() && !chosen.problems.has_errors() {
            chosen.wrong(PATH, template, "every line would be the same", BRACES);
        }
    }

    /// Where the value of a field comes from.
    fn source(&mut self, name: &str, at: &Spanned<String>, path: &str, problems: &mut Problems) -> Option<Source> {
        if let Some(row) = FIELDS.iter().find(|row| row.name == name) {
            return Some(match row.field {
                Field::UserAgent => self.request_header(USER_AGENT),
                Field::Referer => self.request_header(REFERER),
                field => Source::Field(field),
            });
        }
        let header = |prefix| name.strip_prefix(prefix).map(|name| HeaderName::try_from(name).ok());
        match (header(REQUEST_HEADER), header(RESPONSE_HEADER)) {
            (Some(Some(name)), _) => return Some(self.request_header(name)),
            (_, Some(Some(name))) => return Some(self.response_header(name)),
            (Some(None), _) | (_, Some(None)) => {
                let problem = Problem::error("config.access_log", at.span, format!("`{name}` names no header"));
                problems.push(problem.path(path).help("a header's name has letters, digits and `-`"));
            }
            (None, None) => {
                let near = did_you_mean(name, FIELDS.iter().map(|row| row.name));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                let problem = Problem::error("config.unknown_name", at.span, format!("unknown field `{name}`{near}"));
                let names: Vec<_> = FIELDS.iter().map(|row| row.name).collect();
                problems.push(problem.path(path).help(format!(
                    "the fields are {}, `request.headers.NAME` and `response.headers.NAME`",
                    names.join(", ")
                )));
            }
        }
        None
    }

    fn request_header(&mut self, name: HeaderName) -> Source {
        let show = self.show(&name);
        Source::Header(place(&mut self.request_headers, name), show)
    }

    fn response_header(&mut self, name: HeaderName) -> Source {
        let show = self.show(&name);
        Source::Header(RESPONSE + place(&mut self.response_headers, name), show)
    }

    fn show(&self, name: &HeaderName) -> Show {
        match name.as_str() {
            name if self.redact.hides(name) => Show::Hidden,
            "referer" | "location" | "content-location" => Show::Url,
            _ => Show::Plain,
        }
    }
}

/// Marks the numbers of response headers until those of the request are all known.
const RESPONSE: usize = usize::MAX / 2;

fn place(names: &mut Vec<HeaderName>, name: HeaderName) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

struct Chosen<'a> {
    segments: Vec<Segment>,
    problems: &'a mut Problems,
}

impl Chosen<'_> {
    fn wrong(&mut self, path: &str, at: &Spanned<String>, message: &str, help: &str) {
        self.problems.push(Problem::error("config.access_log", at.span, message).path(path).help(help));
    }
}
