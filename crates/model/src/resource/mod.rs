//! The resources of a configuration, one file each, in the words of the file. What is written here is what a user may
//! say, not yet what is valid: names are checked in [`crate::resolve`], policies and terminals by the data plane.

mod access_log;
mod ai;
mod ai_care;
mod ai_key;
mod ai_model;
mod ai_prompt;
mod api;
mod caller_key;
mod consumer;
mod document;
mod geo;
mod listener;
mod matching;
mod pairs;
mod policies;
mod redis;
mod settings;
mod store;
mod to;
mod upstream;
mod upstream_balance;
mod upstream_care;

pub use access_log::{AccessLog, LogDestination, LogFormat, LogRotation};
pub use ai::{Ai, AiTimeouts, AwsKeys, Model, ModelTarget, Provider};
pub use ai_care::{
    FailureCause, ModelFallback, ModelHash, ModelHedge, ModelRetry, ModelStrategy, ProviderCooldown, ProviderPrefill,
    ProviderQueue,
};
pub use ai_key::ProviderKey;
pub use ai_model::{
    CacheKeyOf, CacheLife, CachePlace, ModelBounds, ModelCacheHints, ModelDeprecation, ModelParameters, Unsupported,
};
pub use ai_prompt::{Prompt, PromptMessage, PromptRole};
pub use api::{Access, Api, ApiVersion, Identify, IdentifyMode, PathMode, Route, RouteTimeouts, VersionIn};
pub use caller_key::{KeyChange, KeyModels, KeyTerms, KeyTokens, NewKey, TokenCount, check_key_name};
pub use consumer::{
    BasicCredential, CertificateCredential, Consumer, Credential, HmacCredential, Plan, PublicKeyCredential,
    SecretEncoding, Subscription,
};
pub use document::Document;
pub use geo::Geo;
pub use listener::{
    Certificate, ClientCertificateMode, ClientCertificates, EncodedSlashRule, HttpsRedirect, Listener, ListenerLimits,
    ListenerTls, PathHandling, PathRule, Protocol, SessionTickets, SlashRule, TlsVersion,
};
pub use matching::{Match, StringMatch};
pub use pairs::Pairs;
pub use policies::{Policies, PolicyUse};
pub use redis::{Redis, RedisMode, RedisOnError, RedisTls};
pub use settings::{Drain, Log, LogLevel, LogStyle, Operations, Switch, Workers};
pub use store::{Retention, Store, StoreKey};
pub use to::{Arm, To};
pub use upstream::{HostPolicy, Pool, Target, Timeouts, Upstream, UpstreamProtocol, UpstreamTls, VerifyServer};
pub use upstream_balance::{Balance, HashBalance, HashBy, Spill, StickyBalance};
pub use upstream_care::{
    ActiveHealth, Breaker, Fallback, FallbackAnswer, Health, HealthKind, Hedge, PassiveHealth, Retry, RetryWhen,
    StatusRange,
};
