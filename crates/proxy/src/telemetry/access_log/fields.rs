//! What a record may hold: every field once, with its name, what it says, and whether it is there by default.

use std::fmt::Write as _;

/// A field that is not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    RequestId,
    TraceId,
    Client,
    Peer,
    Listener,
    Api,
    Route,
    Consumer,
    Credential,
    AuthMethod,
    Subject,
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Protocol,
    Status,
    Duration,
    Overhead,
    Upstream,
    UpstreamAddress,
    UpstreamTime,
    UpstreamReused,
    Attempts,
    BytesIn,
    BytesOut,
    UserAgent,
    Referer,
    TlsVersion,
    TlsCipher,
    TlsServerName,
    TlsClient,
    Error,
    ErrorDetail,
    ErrorCause,
    Rule,
    Bot,
    ShadowDenied,
    Guarded,
    AiCache,
    Model,
    Provider,
    ProviderModel,
    ModelAttempts,
    TokensIn,
    TokensOut,
    Cost,
    Finish,
    Revision,
    Worker,
}

/// A field's row in the table.
pub(super) struct Row {
    pub(super) field: Field,
    pub(super) name: &'static str,
    /// Whether it is in a record whose fields nobody chose.
    pub(super) default: bool,
    help: &'static str,
}

const fn row(field: Field, name: &'static str, help: &'static str) -> Row {
    Row { field, name, default: true, help }
}

const fn extra(field: Field, name: &'static str, help: &'static str) -> Row {
    Row { field, name, default: false, help }
}

/// Every field, in the order of the default record.
pub(super) static FIELDS: &[Row] = &[
    row(Field::Time, "time", "When the request's head was read: RFC 3339, UTC, microseconds"),
    row(Field::RequestId, "request_id", "The request's id"),
    row(Field::TraceId, "trace_id", "The trace id of `traceparent`"),
    row(Field::Client, "client", "The client's address, after trusted proxies"),
    extra(Field::Peer, "peer", "Address and port at the other end of the connection"),
    row(Field::Listener, "listener", "The listener's name"),
    row(Field::Api, "api", "The api's name"),
    row(Field::Route, "route", "The route's name"),
    row(Field::Consumer, "consumer", "The consumer's name"),
    extra(Field::Credential, "credential", "The name of the consumer's credential"),
    extra(Field::AuthMethod, "auth_method", "The policy that identified the caller, such as `key_auth`"),
    extra(Field::Subject, "subject", "Whom the credential stands for, such as the `sub` of a token"),
    row(Field::Method, "method", "The request's method"),
    row(Field::Scheme, "scheme", "`http` or `https`, after trusted proxies"),
    row(Field::Host, "host", "The host without port, lower case"),
    row(Field::Path, "path", "The path as it came"),
    row(Field::Query, "query", "The query as it came, values of credentials hidden"),
    row(Field::Protocol, "protocol", "`HTTP/1.1`, `HTTP/2`"),
    row(Field::Status, "status", "The status that was sent; 0 where the client left before"),
    row(Field::Duration, "duration", "Seconds from the request's head to the response's last byte"),
    row(Field::Overhead, "overhead", "Seconds to the response's head that were the gateway's own"),
    row(Field::Upstream, "upstream", "The upstream's name"),
    row(Field::UpstreamAddress, "upstream_address", "Address and port of the target that was last tried"),
    row(
        Field::UpstreamTime,
        "upstream_time",
        "Seconds to the response's head that were the upstream's, retries included",
    ),
    extra(Field::UpstreamReused, "upstream_reused", "Whether the upstream's connection had been used before"),
    row(Field::Attempts, "attempts", "How often a target was tried"),
    row(Field::BytesIn, "bytes_in", "Bytes of the request's body that were read"),
    row(Field::BytesOut, "bytes_out", "Bytes of the response's body that were sent"),
    row(Field::UserAgent, "user_agent", "The request's `User-Agent`"),
    extra(Field::Referer, "referer", "The request's `Referer`, credentials hidden"),
    extra(Field::TlsVersion, "tls_version", "`TLSv1.2` or `TLSv1.3`"),
    extra(Field::TlsCipher, "tls_cipher", "The cipher suite"),
    extra(Field::TlsServerName, "tls_server_name", "The name that the client asked for (SNI)"),
    extra(Field::TlsClient, "tls_client", "The subject of the client's certificate"),
    row(Field::Error, "error", "The error's code"),
    extra(Field::ErrorDetail, "error_detail", "What the client was told of the error"),
    row(Field::ErrorCause, "error_cause", "Why, as nobody but the operator may know"),
    extra(Field::Rule, "rule", "The rule of `authz` that decided"),
    row(Field::Bot, "bot", "The bot that `bot` told by its user agent"),
    row(Field::ShadowDenied, "shadow_denied", "Why a policy in `mode: shadow` would have denied it"),
    row(Field::Guarded, "guarded", "What checks of `guardrail` found: their names, what they did, how often"),
    extra(
        Field::AiCache,
        "ai_cache",
        "What `ai_cache` had: `miss`, `hit`, or `hit, similarity=0.97` for the same in other words",
    ),
    row(Field::Model, "model", "The model, by the name that callers use"),
    row(Field::Provider, "provider", "The provider that answered for the model"),
    extra(Field::ProviderModel, "provider_model", "What the provider calls the model"),
    row(
        Field::ModelAttempts,
        "model_attempts",
        "Attempts to have the model answered: `provider/model:outcome:time`, where there was more than one or none went well",
    ),
    row(Field::TokensIn, "tokens_in", "Tokens that the model read, as the provider counts"),
    row(Field::TokensOut, "tokens_out", "Tokens that the model wrote, as the provider counts"),
    row(Field::Cost, "cost", "What the call cost by the catalog, in US dollars, to nine decimals, rounded up"),
    row(
        Field::Finish,
        "finish",
        "`complete`, `aborted` by the client, `truncated` by the upstream or a bound, `panicked`",
    ),
    extra(Field::Revision, "revision", "Number of the configuration that served it"),
    extra(Field::Worker, "worker", "Number of the worker that served it"),
];

/// Begins the name of a request header's field.
pub(super) const REQUEST_HEADER: &str = "request.headers.";
/// Begins the name of a response header's field.
pub(super) const RESPONSE_HEADER: &str = "response.headers.";

/// The reference of the fields, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Access log fields\n\nA JSON record has those marked *default* unless `access_log.fields` chooses others. A field \
         without a value is left out\nof JSON and is `-` in a template.\n\n| name | default | what it says |\n|---|---|---|\n",
    );
    for row in FIELDS {
        let default = if row.default { "default" } else { "" };
        let _ = writeln!(out, "| `{}` | {default} | {} |", row.name, row.help);
    }
    for (prefix, whose) in [(REQUEST_HEADER, "request"), (RESPONSE_HEADER, "response")] {
        let _ = writeln!(out, "| `{prefix}NAME` | | A header of the {whose}; `***` where it is one to redact |");
    }
    out
}
