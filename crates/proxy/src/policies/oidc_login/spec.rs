//! What a user writes.

use model::load::Spanned;
use model::resource::Pairs;
use model::value::{ByteSize, Duration, OneOrMany, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calls::RemoteSpec;
use crate::policies::claims::ConsumerSpec;
use crate::policies::text::TextSpec;
use crate::tokens::algorithm::Algorithm;

/// Identifies people who use a browser: they log in at an OpenID provider (authorization code flow with PKCE), and a session
/// cookie knows them from then on. Pages are redirected to the provider and back; calls that want no page get 401. A
/// session that is over is as none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OidcLogin")]
pub(crate) struct Spec {
    /// The provider's issuer URL. The document at `/.well-known/openid-configuration` below it says the rest.
    pub(super) issuer: Spanned<String>,
    /// Who the gateway is to the provider.
    pub(super) client: ClientSpec,
    /// Where the provider sends people back to: a path that this policy sees (below the api's `path`), on the host that was
    /// asked; or a whole URL. It is what the provider must know as `redirect_uri`.
    pub(super) callback: Spanned<String>,
    /// A path that begins a login whoever asks, for applications that were told 401; `?return_to=/PATH` is where it ends.
    pub(super) login: Option<Spanned<String>>,
    /// What is asked for; `openid` always is. `offline_access` asks most providers for a refresh token.
    #[serde(default)]
    pub(super) scope: OneOrMany<Spanned<String>>,
    /// More parameters of the request to the provider, such as `{ prompt: consent, acr_values: mfa }`.
    #[serde(default)]
    pub(super) parameters: Pairs<Spanned<String>>,
    /// Which requests without a session are sent to the provider.
    #[serde(default)]
    pub(super) redirect: Redirect,
    /// What needs no session: paths (`/health`, or `/public/*` for all below), and expressions such as
    /// `{ cel: "request.method == 'OPTIONS'" }`. At most 64. There nobody is identified by this policy.
    #[serde(default)]
    pub(super) bypass: OneOrMany<TextSpec>,
    /// How sessions are kept.
    #[serde(default)]
    #[schemars(extend("default" = { "store": "cookie", "idle": "1h", "lifetime": "12h", "secure": "auto" }))]
    pub(super) session: SessionSpec,
    /// How sessions end. Without it they end by time alone.
    pub(super) logout: Option<LogoutSpec>,
    /// Whether more is asked of the user than the ID token says.
    #[serde(default)]
    pub(super) userinfo: Userinfo,
    /// The token that the upstream gets as `Authorization: Bearer`, in place of what the client sent.
    #[serde(default)]
    pub(super) bearer: Bearer,
    /// Which consumer a user stands for; none when not given, so that the caller is known by the claims alone.
    pub(super) consumer: Option<ConsumerSpec>,
    /// The claim of the subject. `a.b` is the member `b` of the claim `a`, unless a claim has the whole name.
    #[serde(default = "crate::policies::jwt::subject")]
    pub(super) subject: Spanned<String>,
    /// Claims with groups: the first that is there. They are added to those of the consumer.
    #[serde(default)]
    pub(super) groups: OneOrMany<Spanned<String>>,
    /// Header fields for the upstream, each with the claim that fills it: `{ x-user: sub }`. What a client sends in these
    /// fields is taken out wherever this policy runs.
    #[serde(default)]
    pub(super) headers: Pairs<Spanned<String>>,
    /// The algorithms of ID tokens that are taken; those of the provider's keys when not given.
    #[serde(default)]
    pub(super) algorithms: OneOrMany<Algorithm>,
    /// How far the provider's clock may be off, at most `10m`.
    #[serde(default = "leeway")]
    pub(super) leeway: Spanned<Duration>,
    /// How long a login may take, from `1m` to `1h`.
    #[serde(default = "login_timeout")]
    pub(super) login_timeout: Spanned<Duration>,
    /// How the provider is asked.
    #[serde(default)]
    #[schemars(extend("default" = { "timeout": "5s" }))]
    pub(super) calls: RemoteSpec,
    /// The realm of challenges; the name of the api (or listener) when not given.
    pub(super) realm: Option<Spanned<String>>,
}

/// Who the gateway is to a provider.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OidcClient")]
pub(super) struct ClientSpec {
    /// The client's id.
    pub(super) id: Spanned<String>,
    /// Its secret, best `${env:NAME}`. A public client has none: PKCE alone protects its codes.
    pub(super) secret: Option<Spanned<Secret<String>>>,
    /// How the secret is shown: `basic` when not given, and `none` where there is no secret.
    pub(super) method: Option<ClientMethod>,
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcClientMethod")]
pub(super) enum ClientMethod {
    /// In `Authorization: Basic` (`client_secret_basic`).
    Basic,
    /// In the form (`client_secret_post`).
    Post,
    /// By its id alone.
    None,
}

/// Which requests without a session are sent to the provider. The others get 401, unless another method identifies them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcRedirect")]
pub(super) enum Redirect {
    /// A GET by which a browser opens a page: it takes `text/html`, and neither `Sec-Fetch-Mode` nor `X-Requested-With` says
    /// that a script sent it.
    #[default]
    Navigation,
    /// Every GET.
    Get,
    /// None: logins begin at `login`.
    Never,
}

/// How sessions are kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "OidcSession")]
pub(super) struct SessionSpec {
    /// Where.
    pub(super) store: Store,
    /// What cookies are sealed with: secrets of at least 32 characters, best `${env:NAME}`. The first seals, all open, at most
    /// 8. Gateways with the same keys take each other's sessions. Not given, the gateway makes a key of its own: sessions
    /// then end with it, and no other gateway takes them.
    pub(super) key: OneOrMany<Spanned<Secret<String>>>,
    /// The cookie's name, without `__Host-`; made of the names of api and route when not given.
    pub(super) name: Option<Spanned<String>>,
    /// How long a session lives without being used, from `1s` on.
    pub(super) idle: Spanned<Duration>,
    /// How long it lives in all, from `1s` to `90d`.
    pub(super) lifetime: Spanned<Duration>,
    /// Which cookies are marked `Secure` and named `__Host-…`.
    pub(super) secure: Secure,
    /// The most sessions in memory, with `store: server`; the one that was used longest ago goes first.
    pub(super) sessions: Spanned<u32>,
    /// The most memory for them.
    pub(super) memory: Spanned<ByteSize>,
}

impl Default for SessionSpec {
    fn default() -> Self {
        Self {
            store: Store::default(),
            key: OneOrMany::default(),
            name: None,
            idle: Spanned::from(Duration::from_secs(3600)),
            lifetime: Spanned::from(Duration::from_secs(12 * 3600)),
            secure: Secure::default(),
            sessions: Spanned::from(100_000),
            memory: Spanned::from(ByteSize::mib(256)),
        }
    }
}

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcSessionStore")]
pub(super) enum Store {
    /// In the browser, sealed: any gateway with the key knows the session. About 11 KB at most, in up to 4 cookies.
    #[default]
    Cookie,
    /// In this gateway's memory, and nowhere else; the browser has a random id.
    Server,
}

/// Which cookies are marked `Secure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcSecure")]
pub(super) enum Secure {
    /// All but those for `localhost` and loopback addresses over HTTP.
    #[default]
    Auto,
    /// All.
    Always,
    /// None: for tests without TLS, as anybody on the way can take such a session.
    Never,
}

/// How sessions end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OidcLogout")]
pub(super) struct LogoutSpec {
    /// The path that ends the session here and at the provider (OpenID Connect RP-Initiated Logout).
    pub(super) path: Option<Spanned<String>>,
    /// Where people are then: a path, or a whole URL that the provider knows as `post_logout_redirect_uri`. Not given, they
    /// stay at the provider, or go to `/` where it has no page for it.
    pub(super) after: Option<Spanned<String>>,
    /// The path that the provider's pages load to end a session (OpenID Connect Front-Channel Logout).
    pub(super) front_channel: Option<Spanned<String>>,
    /// The path that the provider calls to end sessions (OpenID Connect Back-Channel Logout). It is this gateway's alone:
    /// another one does not hear of it.
    pub(super) back_channel: Option<Spanned<String>>,
}

/// Whether more is asked of the user than the ID token says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcUserinfo")]
pub(super) enum Userinfo {
    /// No.
    #[default]
    Skip,
    /// What the provider's userinfo endpoint says is added to the claims, at each login.
    Ask,
}

/// The token that the upstream gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OidcBearer")]
pub(super) enum Bearer {
    /// None: the field goes on as it came.
    #[default]
    None,
    /// The access token. When it is over and there is no other, so is the session.
    AccessToken,
    /// The ID token.
    IdToken,
}

fn leeway() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(30))
}
fn login_timeout() -> Spanned<Duration> {
    Spanned::from(Duration::from_secs(600))
}
