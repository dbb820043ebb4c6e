//! Every metric, every label and every log target, once. What is exposed is checked against this table, and the
//! reference in the docs is made from it.

use std::fmt::Write as _;

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name: `tollgate_<noun>_<unit>[_total]`, or Prometheus' own `process_…`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts in; none where it counts things.
    pub unit: Unit,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by bucket, with sum and count.
    Histogram,
    /// Always 1; the labels are what it says.
    Info,
}

impl Kind {
    /// Its name in docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

/// What a metric counts in. Base units only, so that no dashboard has to convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    None,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// Its name, as the metric's name ends.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        }
    }
}

macro_rules! metrics {
    ($($name:ident = $kind:ident $unit:ident $text:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub static $name: Metric = Metric {
            name: $text, kind: Kind::$kind, unit: Unit::$unit, labels: &[$($label),*], help: $help,
        };)*
        /// All of them, in the order they are exposed.
        pub static METRICS: &[&Metric] = &[$(&$name),*];
    };
}

metrics! {
    REQUESTS = Counter None "tollgate_requests_total" ["listener", "api", "route", "status"]
        "Requests that are over, by what answered them.";
    REQUEST_DURATION = Histogram Seconds "tollgate_request_duration_seconds" ["api", "route"]
        "From the request's head to the response's last byte. `route` is empty unless the api has `route_metrics: on`. Upgraded connections are left out.";
    REQUEST_OVERHEAD = Histogram Seconds "tollgate_request_overhead_seconds" ["api", "route"]
        "The gateway's own part of the time to the response's head: that time less the upstream's.";
    REQUEST_BYTES = Counter Bytes "tollgate_request_bytes_total" ["api", "route"]
        "Bytes of request bodies that were read.";
    RESPONSE_BYTES = Counter Bytes "tollgate_response_bytes_total" ["api", "route"]
        "Bytes of response bodies that were handed to clients' connections.";
    REQUESTS_IN_FLIGHT = Gauge None "tollgate_requests_in_flight" []
        "Requests whose response is not over yet.";
    REQUESTS_UNFINISHED = Counter None "tollgate_requests_unfinished_total" ["finish"]
        "Requests that did not end with a whole response.";
    ERRORS = Counter None "tollgate_errors_total" ["code", "blame"]
        "Errors that became answers or cut a response short, by code and by who is to blame.";
    PANICS = Counter None "tollgate_panics_total" []
        "Panics that were caught. Each is a defect.";

    CONNECTIONS = Gauge None "tollgate_connections_open" ["listener"]
        "Clients' connections that are open.";
    CONNECTIONS_ACCEPTED = Counter None "tollgate_connections_accepted_total" ["listener"]
        "Clients' connections that were accepted.";
    CONNECTIONS_REFUSED = Counter None "tollgate_connections_refused_total" ["listener", "reason"]
        "Clients' connections that were closed before a request.";

    UPSTREAM_ADDRESSES = Gauge None "tollgate_upstream_addresses" ["upstream", "target"]
        "Addresses of a target; 0 while its name does not resolve.";
    UPSTREAM_AVAILABLE = Gauge None "tollgate_upstream_address_available" ["upstream", "target", "address"]
        "1 where an address takes requests, 0 while it is passed over.";
    UPSTREAM_IN_FLIGHT = Gauge None "tollgate_upstream_requests_in_flight" ["upstream", "target", "address"]
        "Requests to an address whose response is not over yet.";
    UPSTREAM_REQUESTS = Counter None "tollgate_upstream_requests_total" ["upstream", "target", "address"]
        "Requests that were sent to an address, retries included.";
    UPSTREAM_ERRORS = Counter None "tollgate_upstream_errors_total" ["upstream", "target", "address"]
        "Requests that failed for the sake of an address.";
    UPSTREAM_CONNECTIONS = Gauge None "tollgate_upstream_connections" ["upstream", "target", "address", "state"]
        "Connections to an address that are open. Upstreams with the same address share them.";
    UPSTREAM_CONNECTS = Counter None "tollgate_upstream_connects_total" ["upstream", "target", "address", "result"]
        "Connections to an address that were opened, or could not be.";
    UPSTREAM_EJECTED = Gauge None "tollgate_upstream_address_ejected" ["upstream", "target", "address"]
        "1 while an address is passed over for what became of its requests.";
    UPSTREAM_RETRIES = Counter None "tollgate_upstream_retries_total" ["upstream"]
        "Tries that were made again.";
    UPSTREAM_HEDGES = Counter None "tollgate_upstream_hedges_total" ["upstream"]
        "Second tries beside a first that had not answered yet.";
    UPSTREAM_HELD_BACK = Counter None "tollgate_upstream_held_back_total" ["upstream"]
        "Retries and hedges that a budget or a bound held back.";
    UPSTREAM_BREAKER = Gauge None "tollgate_upstream_breaker_state" ["upstream"]
        "How the breaker of an upstream stands that has one: 0 closed, 1 half open, 2 open.";

    DENIED = Counter None "tollgate_denied_total" ["policy", "rule", "mode"]
        "Requests that an access policy denied, or would have in `mode: shadow`.";
    GUARDED = Counter None "tollgate_guardrail_findings_total" ["check", "action"]
        "What checks of `guardrail` found in calls of models and in their answers; `shadow` is what was only noted.";
    AI_CACHE = Counter None "tollgate_ai_cache_lookups_total" ["result"]
        "Calls of models that were looked for in a cache of answers.";
    AI_CACHE_SIMILARITY = Counter None "tollgate_ai_cache_similarity_total" ["similarity"]
        "How near the nearest question was where a cache looked for the same in other words, found near enough or not.";
    LIMIT_REFUSED = Counter None "tollgate_limit_refused_total" ["policy", "limit", "mode"]
        "Requests that a limit refused, or would have in `mode: shadow`.";
    QUOTA_WARNINGS = Counter None "tollgate_quota_warnings_total" ["limit", "threshold"]
        "How often a key of a quota or a budget passed a threshold that it warns at.";
    AI_TOKENS = Counter None "tollgate_ai_tokens_total" ["model", "provider", "direction"]
        "Tokens that calls of a model took, `input` or `output`.";
    AI_COST = Counter None "tollgate_ai_cost_usd_total" ["model", "provider"]
        "What calls of a model cost in US dollars, where its price is known.";
    PAYLOADS = Counter None "tollgate_payload_log_records_total" ["result"]
        "Calls of models that `payload_log` kept, or dropped as its queue was full or the disk did not take them.";
    REDIS_UP = Gauge None "tollgate_redis_up" []
        "1 while Redis answers, 0 while limits on it are decided as `on_error` says.";
    REDIS_GATEWAYS = Gauge None "tollgate_redis_gateways" []
        "Gateways that were last seen to share the limits on Redis, this one included.";
    REDIS_CALLS = Counter None "tollgate_redis_calls_total" ["result"]
        "Calls that Redis answered in time, and that were decided without it.";
    STORE_METERS = Gauge None "tollgate_store_meters" []
        "Totals of the data directory that still count, in memory.";
    STORE_UNSAVED = Gauge None "tollgate_store_unsaved_meters" []
        "Totals with changes that are not on the disk yet.";
    STORE_FAILING = Gauge Seconds "tollgate_store_failing_seconds" []
        "How long saving has failed; 0 while it does not.";

    AI_ATTEMPTS = Counter None "tollgate_ai_attempts_total" ["provider", "model", "outcome"]
        "Attempts to have a model answered, by how they went.";
    AI_FIRST_TOKEN = Histogram Seconds "tollgate_ai_time_to_first_token_seconds" ["provider", "model"]
        "From an attempt's request until its stream said something.";

    RELOADS = Counter None "tollgate_reloads_total" ["result"]
        "Configurations that were applied or refused, the first one included.";
    RELOAD_TIME = Gauge Seconds "tollgate_reload_timestamp_seconds" ["result"]
        "When a configuration was last applied or refused, since 1970.";
    RELOAD_DURATION = Gauge Seconds "tollgate_reload_duration_seconds" []
        "How long it took to read, compile and apply the running configuration.";
    CONFIG_REVISION = Gauge None "tollgate_config_revision" []
        "Number of the running configuration, counted from the process's start.";
    CONFIG = Info None "tollgate_config_info" ["hash"]
        "Content hash of the running configuration.";

    ACCESS_LOG_RECORDS = Counter None "tollgate_access_log_records_total" []
        "Records that were written to the access log.";
    ACCESS_LOG_BYTES = Counter Bytes "tollgate_access_log_bytes_total" []
        "Bytes that were written to the access log.";
    ACCESS_LOG_DROPPED = Counter None "tollgate_access_log_dropped_total" ["reason"]
        "Records that were lost, as nothing here waits for a log.";
    LOG_DROPPED = Counter None "tollgate_log_dropped_total" []
        "Lines of the gateway's own log that were lost.";

    WORKERS = Gauge None "tollgate_workers" []
        "Worker threads that carry traffic.";
    BUILD = Info None "tollgate_build_info" ["version"]
        "Version of this program.";
    PROCESS_CPU = Counter Seconds "process_cpu_seconds_total" []
        "User and system CPU time of the process.";
    PROCESS_START = Gauge Seconds "process_start_time_seconds" []
        "When the process started, since 1970.";
    PROCESS_RESIDENT = Gauge Bytes "process_resident_memory_bytes" []
        "Resident memory of the process.";
    PROCESS_VIRTUAL = Gauge Bytes "process_virtual_memory_bytes" []
        "Virtual memory of the process.";
    PROCESS_FDS = Gauge None "process_open_fds" []
        "File descriptors that are open.";
    PROCESS_MAX_FDS = Gauge None "process_max_fds" []
        "File descriptors that may be open.";
}

/// A label, and what bounds the number of its values.
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub help: &'static str,
}

/// Every label. None of them grows with what clients send: consumers, paths and addresses of clients are no labels.
pub static LABELS: &[Label] = &[
    Label { name: "listener", help: "The listener's name." },
    Label { name: "api", help: "The api's name; empty where no route matched." },
    Label {
        name: "route",
        help: "The route's name within its api; empty where no route matched or none is told apart.",
    },
    Label {
        name: "status",
        help: "The status code that was sent, 100 to 599; `0` where the client left before one was, `other` beyond.",
    },
    Label { name: "finish", help: "`aborted` (by the client), `truncated` (by the upstream or a bound), `panicked`." },
    Label { name: "code", help: "An error code; see the reference of errors." },
    Label { name: "blame", help: "`client`, `upstream` or `gateway`." },
    Label { name: "policy", help: "The policy's kind." },
    Label { name: "rule", help: "The rule's name, `default` where none decided; empty where a policy has no names." },
    Label { name: "limit", help: "The limit's name." },
    Label { name: "threshold", help: "`50`, `75`, `80`, `90`, `95` or `100`: hundredths of the quota." },
    Label { name: "mode", help: "`enforce` or `shadow`." },
    Label { name: "reason", help: "Why: one of the few reasons of the metric." },
    Label { name: "upstream", help: "The upstream's name." },
    Label { name: "target", help: "The target's URL, as written." },
    Label { name: "address", help: "One of the target's addresses, with the port." },
    Label { name: "state", help: "`active` or `idle`." },
    Label {
        name: "result",
        help: "`applied` or `refused`; of connects and calls, `ok` or `failed`; of caches, `hit`, `similar` or `miss`.",
    },
    Label {
        name: "similarity",
        help: "The least cosine of a step: `0.99`, `0.98`, `0.97`, `0.96`, `0.95`, `0.9`, `0.85`, `0.8`, or `lower`.",
    },
    Label { name: "provider", help: "The provider's name." },
    Label {
        name: "model",
        help: "What the provider calls the model, as a target names it; `*` where callers name it.",
    },
    Label {
        name: "outcome",
        help: "`ok`, `continued`, `connect`, `timeout`, `first_token`, `rate_limit`, `overloaded`, `server`, `broken`, \
               `refused`, `not_found`, `bad_request`, `context_window`, `content_policy`, `lost` (another was faster) or \
               `cancelled` (by the caller).",
    },
    Label { name: "direction", help: "`input` or `output`." },
    Label { name: "check", help: "The name of a check of `guardrail`." },
    Label { name: "action", help: "`block`, `mask`, `flag`, `route` or `shadow`." },
    Label { name: "hash", help: "16 hexadecimal digits." },
    Label { name: "version", help: "The version of Tollgate." },
    Label { name: "le", help: "Upper bound of a histogram's bucket, in seconds." },
];

/// A target of the gateway's own log, by which lines are told apart.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// What it tells.
    pub help: &'static str,
}

/// Every log target.
pub static TARGETS: &[Target] = &[
    Target { name: "tollgate::run", help: "Start and stop." },
    Target { name: "tollgate::reload", help: "Configurations applied and refused." },
    Target { name: "tollgate::listen", help: "Listeners and clients' connections." },
    Target { name: "tollgate::panic", help: "Defects: where, and what without values." },
    Target { name: "tollgate::exchange", help: "Requests that ended badly." },
    Target { name: "tollgate::upstream", help: "Targets, their names and connections." },
    Target { name: "tollgate::ext_auth", help: "Authorization servers that do not decide." },
    Target {
        name: "tollgate::oidc_login",
        help: "Login providers that give nothing, and tokens of theirs that are not good.",
    },
    Target { name: "tollgate::ldap_auth", help: "Directories that do not tell." },
    Target { name: "tollgate::opa", help: "Policy servers that do not decide." },
    Target { name: "tollgate::tokens", help: "Keys of issuers, and tokens that nobody explains." },
    Target { name: "tollgate::ai", help: "Providers of models that fail." },
    Target { name: "tollgate::access_log", help: "The access log's own trouble." },
    Target { name: "tollgate::operations", help: "The operations port." },
    Target { name: "tollgate::limit", help: "Quotas that are nearly used up." },
    Target { name: "tollgate::store", help: "The data directory, and the connections to Redis." },
    Target { name: "tollgate::log", help: "This log: its level." },
];

/// The reference of metrics, labels and targets, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Metrics and log targets\n\nThe operations port gives these at `/metrics`, as Prometheus text or as OpenMetrics, \
         whichever the scraper asks for.\nA series appears with its first event.\n\n## Metrics\n\n\
         | name | kind | labels | what it says |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels, help) = (metric.name, metric.kind.as_str(), labels.join(", "), metric.help);
        let _ = writeln!(out, "| `{name}` | {kind} | {labels} | {help} |");
    }
    out.push_str("\n## Labels\n\n| name | values |\n|---|---|\n");
    for label in LABELS {
        let _ = writeln!(out, "| `{}` | {} |", label.name, label.help);
    }
    out.push_str("\n## Log targets\n\n| name | what it tells |\n|---|---|\n");
    for target in TARGETS {
        let _ = writeln!(out, "| `{}` | {} |", target.name, target.help);
    }
    out
}
