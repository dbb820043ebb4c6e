//! The access log: one record a request, made by hand into the worker's buffer and written by a thread of its own.
//!
//! [`AccessLog`] belongs to a program: what a line holds, how it looks, which requests are sampled. The [`Sink`] it
//! writes to belongs to the process and outlives programs, so that a reload neither loses nor mixes lines: requests of
//! the old program write the old lines to the old destination until the last of them is over.

mod fields;
mod file;
mod plan;
mod redact;
mod sink;
mod sinks;
mod stamp;
mod write;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use model::problem::{Problem, Problems};
use model::resource::{AccessLog as Written, LogDestination, LogFormat};

pub use fields::reference;
pub use file::{Destination, Rotation};
pub use redact::{HIDDEN, Redact};
pub use sink::{Sink, Tally};
pub use sinks::Sinks;

use crate::exchange::{AttemptOutcome, Error, Exchange, Finish, Guarded, Record};
use crate::program::RoutePlan;
use fields::Field;
use plan::{Plan, Show, Source};
use sink::Buffer;
use write::Line;

/// The access log of a program.
pub struct AccessLog {
    plan: Plan,
    /// Out of a million, how many are written.
    sample: u32,
    sink: Arc<Sink>,
    rotation: Option<Rotation>,
}

/// Headers that a log wants, kept while the heads themselves move on: the request's, then the response's.
pub type Kept = Option<Box<[Option<HeaderValue>]>>;

/// Compiles the access log; none where it is off. Nothing is opened yet.
pub(crate) fn compile(
    written: &Written,
    sensitive: &BTreeSet<String>,
    sinks: &Sinks,
    problems: &mut Problems,
) -> Option<Arc<AccessLog>> {
    let standard = LogDestination::default();
    let written = match written {
        Written::Off => return None,
        Written::Standard => &standard,
        Written::To(written) => written,
    };
    let redact = Redact::new(written.redact.iter().chain(sensitive).map(String::as_str));
    let plan = Plan::compile(written, redact, problems);
    let rotation = written.rotate.as_ref().map(|rotate| Rotation {
        size: rotate.size.get(),
        every: rotate.every.map(|every| every.get()),
        keep: *rotate.keep,
    });
    check(written, problems);
    let destination = match &written.path {
        Some(path) => Destination::File(PathBuf::from(path.as_str())),
        None => Destination::Standard,
    };
    Some(Arc::new(AccessLog {
        plan,
        sample: written.sample.map_or(1_000_000, |share| share.millionths()),
        sink: sinks.get(destination),
        rotation,
    }))
}

/// What the schema alone cannot say.
fn check(written: &LogDestination, problems: &mut Problems) {
    let mut wrong = |at, path: &str, message: &str, help: &str| {
        problems.push(Problem::error("config.access_log", at, message).path(path).help(help));
    };
    if let Some(rotate) = &written.rotate {
        if !(1..=100).contains(&*rotate.keep) {
            wrong(rotate.keep.span, "access_log.rotate.keep", "`keep` is from 1 to 100", "keep 5, for example");
        }
        if rotate.size.get() < Rotation::LEAST {
            wrong(rotate.keep.span, "access_log.rotate.size", "`size` is at least 64KiB", "write `size: 100MiB`");
        }
        if rotate.every.is_some_and(|every| !Rotation::EVERY.contains(&every.get())) {
            wrong(rotate.keep.span, "access_log.rotate.every", "`every` is from 1m to 366d", "write `every: 1d`");
        }
        if written.path.is_none() {
            let help = "name a file with `path:`, or take `rotate` out";
            wrong(rotate.keep.span, "access_log.rotate", "standard output is not rotated", help);
        }
    }
    if let Some(path) = written.path.as_ref().filter(|path| path.is_empty()) {
        wrong(path.span, "access_log.path", "the path is empty", "take `path` out for standard output");
    }
}

impl AccessLog {
    /// Opens the destination, if it is not open. To be called before the program carries traffic, so that what is wrong
    /// with the destination is known by then.
    pub(crate) fn open(&self) -> std::io::Result<()> {
        self.sink.start(self.rotation)
    }

    /// From now on this program's rotation applies.
    pub(crate) fn publish(&self) {
        self.sink.rotate_by(self.rotation);
    }

    /// Whether the log wants any header, and so [`keep_request`](Self::keep_request) and
    /// [`keep_response`](Self::keep_response) have something to do.
    fn wants_headers(&self) -> bool {
        !(self.plan.request_headers.is_empty() && self.plan.response_headers.is_empty())
    }

    /// Keeps what the log wants of a request's head.
    pub(crate) fn keep_request(&self, headers: &HeaderMap) -> Kept {
        self.wants_headers().then(|| {
            let names = self.plan.request_headers.iter();
            let absent = self.plan.response_headers.iter().map(|_| None);
            names.map(|name| value(headers, name)).chain(absent).collect()
        })
    }

    /// Keeps what the log wants of a response's head.
    pub(crate) fn keep_response(&self, headers: &HeaderMap, kept: &mut Kept) {
        let Some(kept) = kept else { return };
        let places = kept.iter_mut().skip(self.plan.request_headers.len());
        for (place, name) in places.zip(&self.plan.response_headers) {
            *place = value(headers, name);
        }
    }

    /// Writes the record of an exchange that is over, or counts it as dropped.
    pub(crate) fn record(&self, x: &Exchange, plan: &RoutePlan) {
        if self.sample < 1_000_000 && x.record.status < 500 && crate::random::below(1_000_000) >= self.sample {
            return;
        }
        self.sink.append(x.local.worker, |buffer| self.line(x, plan, buffer));
    }

    /// The line of an exchange, wherever it may go.
    pub(crate) fn written(&self, x: &Exchange, plan: &RoutePlan) -> Vec<u8> {
        let mut buffer = Buffer::default();
        self.line(x, plan, &mut buffer);
        buffer.bytes
    }

    fn line(&self, x: &Exchange, plan: &RoutePlan, buffer: &mut Buffer) {
        let json = self.plan.format == LogFormat::Json;
        let Buffer { bytes, stamp } = buffer;
        let mut line = Line { out: bytes, format: self.plan.format };
        let mut before_value = b'{';
        for segment in &self.plan.segments {
            let begun = line.out.len();
            if json {
                line.out.push(before_value);
            }
            line.out.extend_from_slice(&segment.before);
            let written = match segment.source {
                Source::Field(Field::Time) => {
                    stamp.write(&x.local.program.clock, x.record.started, &mut line);
                    true
                }
                Source::Field(field) => put(field, x, plan, &self.plan.redact, &mut line).is_some(),
                Source::Header(at, show) => self.header(x, at, show, &mut line),
            };
            match (written, json) {
                (true, _) => before_value = b',',
                (false, true) => line.out.truncate(begun),
                (false, false) => line.out.push(b'-'),
            }
        }
        if json && before_value == b'{' {
            line.out.push(b'{');
        }
        line.out.extend_from_slice(&self.plan.tail);
    }

    fn header(&self, x: &Exchange, at: usize, show: Show, line: &mut Line<'_>) -> bool {
        let kept = x.record.kept.as_ref().and_then(|kept| kept.get(at));
        let Some(value) = kept.and_then(Option::as_ref) else { return false };
        match (show, value.to_str()) {
            (Show::Hidden, _) => line.word(HIDDEN),
            (Show::Url, Ok(url)) => self.plan.redact.url(url, line),
            // What is no text may hold anything.
            (Show::Url, Err(_)) => line.word(HIDDEN),
            (Show::Plain, _) => line.bytes(value.as_bytes()),
        }
        true
    }
}

/// A header's value, several lines of it as one.
fn value(headers: &HeaderMap, name: &http::HeaderName) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_none() {
        return Some(first.clone());
    }
    let all: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&all.join(&b", "[..])).ok()
}

/// Writes the value of a field; `None` where it has none.
fn put(field: Field, x: &Exchange, plan: &RoutePlan, redact: &Redact, line: &mut Line<'_>) -> Option<()> {
    let record = &x.record;
    let program = &x.local.program;
    match field {
        // These are written by the caller, which has what they need.
        Field::Time | Field::UserAgent | Field::Referer => return None,
        Field::RequestId => line.bytes(x.notes.request_id.as_ref()?.as_bytes()),
        Field::TraceId => line.word(trace_id(x.notes.traceparent.as_ref()?)?),
        // Most clients come by themselves, and their address is text already.
        Field::Client if x.client == x.connection.peer.ip() => line.bytes(x.connection.peer_text.as_bytes()),
        Field::Client => line.ip(x.client),
        Field::Peer => line.socket(x.connection.peer),
        Field::Listener => line.text(&program.listener(x.connection.listener)?.name),
        Field::Api => line.text(some(&plan.api)?),
        Field::Route => line.text(some(&plan.name)?),
        Field::Consumer => line.text(&program.consumers.get(x.identity.as_ref()?.consumer?)?.name),
        Field::Credential => line.text(x.identity.as_ref()?.credential.as_ref()?),
        Field::AuthMethod => line.word(x.identity.as_ref()?.method),
        Field::Subject => line.text(x.identity.as_ref()?.learnt.as_ref()?.subject.as_ref()?),
        Field::Method => line.text(record.method.as_str()),
        Field::Scheme => line.word(x.scheme.as_str()),
        Field::Host => line.text(some(&x.host)?),
        Field::Path => line.text(record.target.path()),
        Field::Query => {
            let query = record.target.query()?;
            line.quote();
            redact.query(query, line);
            line.quote();
        }
        Field::Protocol => line.word(protocol(record.version)),
        Field::Status => line.number(record.status),
        Field::Duration => line.seconds(record.ended.since(record.started)),
        Field::Overhead => line.seconds(record.overhead()?),
        Field::Upstream => line.text(&program.upstream(record.attempt?.upstream)?.name),
        Field::UpstreamAddress => line.socket(record.attempt?.address),
        Field::UpstreamTime => line.seconds(record.upstream_time()?),
        Field::UpstreamReused => put_bool(record.attempt?.reused, line),
        Field::Attempts => line.number(Some(record.attempts).filter(|&attempts| attempts > 0)?),
        Field::BytesIn => line.number(x.bytes_in()),
        Field::BytesOut => line.number(record.bytes_out),
        Field::TlsVersion => line.word(x.connection.tls.as_ref()?.version),
        Field::TlsCipher => line.text(&x.connection.tls.as_ref()?.cipher),
        Field::TlsServerName => line.text(x.connection.tls.as_ref()?.server_name.as_ref()?),
        Field::TlsClient => line.text(&x.connection.tls.as_ref()?.client.as_ref()?.subject),
        Field::Error => line.word(x.error.as_ref()?.code.name),
        Field::ErrorDetail => line.text(&x.error.as_ref()?.detail),
        Field::Rule => line.text(x.record.rule.as_ref()?),
        Field::Bot => line.text(x.record.bot.as_ref()?),
        Field::ShadowDenied => line.text(x.record.shadow_denied.as_ref()?),
        Field::Guarded => line.text(&guarded(&x.record.guarded)?),
        Field::AiCache => line.text(&x.call.as_ref()?.cached()?.to_string()),
        Field::Model => line.text(&x.record.model_call.as_ref()?.model),
        Field::Provider => line.text(&x.record.model_call.as_ref()?.provider),
        Field::ProviderModel => line.text(&x.record.model_call.as_ref()?.target),
        Field::ModelAttempts => line.text(&attempts(record)?),
        Field::TokensIn => line.number(x.record.model_call.as_ref()?.tokens()?.0),
        Field::TokensOut => line.number(x.record.model_call.as_ref()?.tokens()?.1),
        Field::Cost => line.billionths(x.record.model_call.as_ref()?.cost()?),
        Field::ErrorCause => line.text(&causes(x.error.as_ref()?)?),
        Field::Finish => line.word(finish(record.finish)),
        Field::Revision => line.number(program.revision),
        Field::Worker => line.number(x.local.worker),
    }
    Some(())
}

/// What guards found, joined.
fn guarded(guarded: &[Arc<Guarded>]) -> Option<String> {
    let found: Vec<String> = guarded.iter().filter(|found| !found.is_empty()).map(ToString::to_string).collect();
    (!found.is_empty()).then(|| found.join(", "))
}

/// The attempts at a model, where they tell more than the fields beside them.
fn attempts(record: &Record) -> Option<String> {
    let known = record.model_attempts.as_ref()?;
    let plain = matches!(known.done().as_slice(), [only] if only.outcome == AttemptOutcome::Ok);
    known.told().filter(|_| !plain)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn put_bool(value: bool, line: &mut Line<'_>) {
    line.out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "HTTP/0.9",
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2",
        http::Version::HTTP_3 => "HTTP/3",
        _ => "HTTP/1.1",
    }
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Probed => "probed",
        Finish::Aborted => "aborted",
        Finish::Complete => "complete",
        Finish::Truncated => "truncated",
        Finish::Panicked => "panicked",
    }
}

/// The second part of `00-TRACE-PARENT-FLAGS` (W3C Trace Context section 3.2).
fn trace_id(traceparent: &HeaderValue) -> Option<&str> {
    let id = traceparent.to_str().ok()?.split('-').nth(1)?;
    Some(id).filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The private cause of an error with its own causes.
fn causes(error: &Error) -> Option<String> {
    let first = error.cause.as_ref()?;
    let mut text = first.to_string();
    let mut next = first.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = cause.source();
    }
    Some(text)
}
