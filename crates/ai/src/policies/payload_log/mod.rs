//! Keeps what was asked of models and what they said: opt-in, bounded, masked, for a time. It looks at what passes and never
//! holds it up: what is to be kept goes to a bounded queue, and a thread of its own masks and writes it.

mod record;
mod said;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use model::load::Spanned;
use model::value::{ByteSize, Duration, OneOrMany, Percent};
use proxy::exchange::Exchange;
use proxy::policies::{Merge, Needs, Policy, Scopes, Stage, Step, Verdict};
use proxy::program::Compile;
use proxy::random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::record::{Asked, Rules};
use self::said::Keeper;
use self::writer::{Retention, Writer};
use super::guardrail::Personal;
use crate::call::AiCall;
use crate::guard::Kind;

pub use writer::files;

/// Keeps what was asked and said.
pub(crate) struct PayloadLog;

/// Keeps what is asked of models and what they say, beside the access log and joined to it by `request_id`: a JSON object a
/// line, in files of a folder. Each side is kept up to a bound, streams as what they said. Secrets are always masked, and
/// personal data unless `mask` names less. No call waits for it: what does not fit the queue is dropped and counted in
/// `tollgate_payload_log_records_total`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PayloadLogPolicy")]
pub(crate) struct Spec {
    /// The folder (mode 0700), relative to the configuration's; `payloads` in the data directory when not given. One folder
    /// is for one gateway.
    folder: Option<Spanned<String>>,
    /// The most bytes of text of what is asked, up to 1 MiB; `0B` keeps none of it.
    max_request: Spanned<ByteSize>,
    /// The most bytes of text of what is said, up to 1 MiB; `0B` keeps none of it.
    max_response: Spanned<ByteSize>,
    /// Kinds of personal data that are masked, as of `guardrail`. Secrets are whatever it names.
    #[schemars(extend("default" = ["all"]))]
    mask: OneOrMany<Personal>,
    /// The share of calls that is kept.
    sample: Percent,
    /// How long and how much is kept.
    retention: RetentionSpec,
}

/// How long and how much is kept. The oldest goes first.
#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PayloadLogRetention")]
struct RetentionSpec {
    /// How old a record may become, from an hour.
    age: Duration,
    /// How many bytes all of them may take, from 1 MiB.
    size: ByteSize,
}

impl Default for RetentionSpec {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 86_400), size: ByteSize::mib(1024) }
    }
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            folder: None,
            max_request: Spanned::from(ByteSize::kib(16)),
            max_response: Spanned::from(ByteSize::kib(16)),
            mask: OneOrMany::from(Personal::All),
            sample: Percent::new(100),
            retention: RetentionSpec::default(),
        }
    }
}

const MOST_SIDE: u64 = 1 << 20;
const LEAST_AGE: std::time::Duration = std::time::Duration::from_secs(3600);
/// The folder in the data directory.
pub const FOLDER: &str = "payloads";

impl Policy for PayloadLog {
    type Spec = Spec;
    const KIND: &'static str = "payload_log";
    // Behind what alters a call, and before the cache, whose answers are answers too.
    const ORDER: (Stage, u8) = (Stage::Cache, 20);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::ALL;

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let side = |size: &Spanned<ByteSize>, cx: &mut Compile<'_>| {
            if size.get() > MOST_SIDE {
                cx.problem(size.span, "more than 1 MiB of each side is not kept", "write at most `1MiB`");
            }
            usize::try_from(size.get().min(MOST_SIDE)).unwrap_or(0)
        };
        let (request, response) = (side(&spec.max_request, cx), side(&spec.max_response, cx));
        let RetentionSpec { age, size } = spec.retention;
        if age.get() < LEAST_AGE || size.get() < 1 << 20 {
            cx.problem(cx.span, "`retention` is less than `1h` or `1MiB`", "keep at least as much");
            return None;
        }
        let folder = match (&spec.folder, &cx.snapshot.store) {
            (Some(folder), _) => cx.snapshot.folder.join(folder.as_str()),
            (None, Some(store)) => PathBuf::from(store.directory.as_str()).join(FOLDER),
            (None, None) => {
                let help = "add `store: { directory: data }`, or say `folder:`";
                cx.problem(cx.span, "payloads are kept in the data directory, and there is none", help);
                return None;
            }
        };
        let kinds = spec.mask.iter().flat_map(|kind| kind.kinds()).copied().chain([Kind::Secret]).collect();
        let counts = cx.env.telemetry.payloads();
        let writer = cx.keep_for_all(&format!("payloads {}", folder.display()), || Writer::new(folder, counts));
        writer.keep(Retention { age: age.get(), size: size.get() });
        cx.env.stores.flush_at_end(&writer);
        let rules = Arc::new(Rules { kinds, request, response });
        Some(Arc::new(Keeps { writer, rules, millionths: spec.sample.millionths() }))
    }
}

struct Keeps {
    writer: Arc<Writer>,
    rules: Arc<Rules>,
    /// The share of calls, in millionths.
    millionths: u32,
}

impl Step for Keeps {
    fn needs(&self) -> Needs {
        Needs { call: true, ..Needs::NONE }
    }

    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        if self.millionths < 1_000_000 && random::below(1_000_000) >= self.millionths {
            return Verdict::NEXT;
        }
        // What joins it to the access log.
        if x.notes.request_id.is_none() {
            x.notes.request_id = HeaderValue::try_from(format!("{:016x}{:016x}", random::next(), random::next())).ok();
        }
        let Some(asked) = Asked::of(x) else { return Verdict::NEXT };
        let Some(call) = AiCall::of(x) else { return Verdict::NEXT };
        call.watch(Box::new(Keeper::new(asked, self.rules.clone(), self.writer.clone())));
        Verdict::NEXT
    }
}
