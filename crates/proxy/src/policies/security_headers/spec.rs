//! What a user writes.

use model::load::Spanned;
use model::value::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells browsers what a page may do and who may hold it, on every answer, refusals and errors included. Every field has
/// a default and may be `off`. A site whose pages load scripts and images of others needs its own
/// `content_security_policy` and `cross_origin_resource_policy`; an api that answers with data alone is best off with
/// `default-src 'none'; frame-ancestors 'none'`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SecurityHeaders")]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// `Strict-Transport-Security`, over TLS alone: browsers come back by TLS only.
    pub(super) hsts: Hsts,
    /// `Content-Security-Policy`: where the parts of a page may come from.
    #[schemars(extend("default" = CSP))]
    pub(super) content_security_policy: Spanned<String>,
    /// `Content-Security-Policy-Report-Only`: the same, not enforced yet.
    #[schemars(extend("default" = "off"))]
    pub(super) content_security_policy_report_only: Spanned<String>,
    /// `X-Content-Type-Options`: whether a browser may guess content types.
    pub(super) content_type_options: ContentTypeOptions,
    /// `X-Frame-Options`: who may hold the page in a frame, for browsers that do not know `frame-ancestors`.
    pub(super) frame_options: FrameOptions,
    /// `Referrer-Policy`: what other sites learn of the address that a visitor comes from.
    pub(super) referrer_policy: ReferrerPolicy,
    /// `Permissions-Policy`: which abilities of the browser a page may use.
    #[schemars(extend("default" = PERMISSIONS))]
    pub(super) permissions_policy: Spanned<String>,
    /// `Cross-Origin-Opener-Policy`: whether the page shares its window group with those that opened it.
    pub(super) cross_origin_opener_policy: OpenerPolicy,
    /// `Cross-Origin-Embedder-Policy`: whether the page takes in what does not allow it.
    pub(super) cross_origin_embedder_policy: EmbedderPolicy,
    /// `Cross-Origin-Resource-Policy`: whose pages may take in the answer. Calls by CORS are not concerned.
    pub(super) cross_origin_resource_policy: ResourcePolicy,
    /// What becomes of fields that the upstream has set.
    pub(super) existing: Existing,
    /// Fields to be taken out, such as `server` and `x-powered-by`.
    #[schemars(extend("default" = []))]
    pub(super) remove: Vec<Spanned<String>>,
}

const CSP: &str = "base-uri 'self'; frame-ancestors 'none'; object-src 'none'";
const PERMISSIONS: &str = "camera=(), display-capture=(), geolocation=(), microphone=(), usb=()";

impl Default for Spec {
    fn default() -> Self {
        let text = |text: &str| Spanned::from(text.to_owned());
        Self {
            hsts: Hsts::default(),
            content_security_policy: text(CSP),
            content_security_policy_report_only: text("off"),
            content_type_options: ContentTypeOptions::default(),
            frame_options: FrameOptions::default(),
            referrer_policy: ReferrerPolicy::default(),
            permissions_policy: text(PERMISSIONS),
            cross_origin_opener_policy: OpenerPolicy::default(),
            cross_origin_embedder_policy: EmbedderPolicy::default(),
            cross_origin_resource_policy: ResourcePolicy::default(),
            existing: Existing::default(),
            remove: Vec::new(),
        }
    }
}

/// `Strict-Transport-Security` (RFC 6797).
#[derive(Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "Hsts")]
#[serde(deny_unknown_fields, default)]
pub(super) struct Hsts {
    /// When it is sent.
    pub(super) send: Send,
    /// How long a browser remembers it; `0s` makes it forget.
    #[schemars(extend("default" = "365d"))]
    pub(super) max_age: Spanned<Duration>,
    /// Whether it holds of all subdomains.
    pub(super) subdomains: Subdomains,
    /// Whether browsers may come with it built in: hard to take back. Asks for a year and all subdomains.
    pub(super) preload: Preload,
}

impl Default for Hsts {
    fn default() -> Self {
        Self {
            send: Send::default(),
            max_age: Spanned::from(Duration::from_secs(31_536_000)),
            subdomains: Subdomains::default(),
            preload: Preload::default(),
        }
    }
}

/// When it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "HstsSend")]
#[serde(rename_all = "snake_case")]
pub(super) enum Send {
    /// To clients that came by TLS, to the gateway or to a trusted proxy before it.
    #[default]
    Tls,
    /// Never.
    Never,
}

/// Whether it holds of all subdomains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "HstsSubdomains")]
#[serde(rename_all = "snake_case")]
pub(super) enum Subdomains {
    /// Of the host alone.
    #[default]
    Exclude,
    /// Of all: each must speak TLS.
    Include,
}

/// Whether browsers may come with it built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "HstsPreload")]
#[serde(rename_all = "snake_case")]
pub(super) enum Preload {
    /// It is not asked for.
    #[default]
    No,
    /// It is.
    Ask,
}

/// What becomes of fields that the upstream has set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "SecurityHeadersExisting")]
#[serde(rename_all = "snake_case")]
pub(super) enum Existing {
    /// They stay: an application knows its pages best.
    #[default]
    Keep,
    /// They are replaced by those that are sent here.
    Replace,
}

/// A field that takes one of a few words, or is not sent.
macro_rules! words {
    ($(#[$about:meta])* $name:ident as $schema:literal { $($(#[$of:meta])* $word:ident = $text:expr,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
        #[schemars(rename = $schema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($(#[$of])* $word,)*
        }

        impl $name {
            /// What is sent.
            pub(super) fn value(self) -> Option<&'static str> {
                match self { $(Self::$word => $text,)* }
            }
        }
    };
}

words! {
    /// Whether a browser may guess content types.
    ContentTypeOptions as "ContentTypeOptions" {
        /// It may not.
        #[default] Nosniff = Some("nosniff"),
        /// Not sent.
        Off = None,
    }
}

words! {
    /// Who may hold the page in a frame.
    FrameOptions as "FrameOptions" {
        /// Nobody.
        #[default] Deny = Some("DENY"),
        /// Pages of the same origin.
        SameOrigin = Some("SAMEORIGIN"),
        /// Not sent.
        Off = None,
    }
}

words! {
    /// What other sites learn of the address that a visitor comes from (W3C Referrer Policy).
    ReferrerPolicy as "ReferrerPolicy" {
        /// Nothing.
        NoReferrer = Some("no-referrer"),
        /// All, but nothing when going from TLS to none.
        NoReferrerWhenDowngrade = Some("no-referrer-when-downgrade"),
        /// The origin.
        Origin = Some("origin"),
        /// The origin; the same origin learns all.
        OriginWhenCrossOrigin = Some("origin-when-cross-origin"),
        /// All within the origin, nothing outside.
        SameOrigin = Some("same-origin"),
        /// The origin, but nothing when going from TLS to none.
        StrictOrigin = Some("strict-origin"),
        /// The same; the same origin learns all.
        #[default] StrictOriginWhenCrossOrigin = Some("strict-origin-when-cross-origin"),
        /// Not sent.
        Off = None,
    }
}

words! {
    /// Whether the page shares its window group.
    OpenerPolicy as "CrossOriginOpenerPolicy" {
        /// With pages of the same origin.
        #[default] SameOrigin = Some("same-origin"),
        /// And with windows that it opens itself.
        SameOriginAllowPopups = Some("same-origin-allow-popups"),
        /// With all.
        UnsafeNone = Some("unsafe-none"),
        /// Not sent.
        Off = None,
    }
}

words! {
    /// Whether the page takes in what does not allow it.
    EmbedderPolicy as "CrossOriginEmbedderPolicy" {
        /// It does not.
        RequireCorp = Some("require-corp"),
        /// It does, without credentials.
        Credentialless = Some("credentialless"),
        /// It does.
        UnsafeNone = Some("unsafe-none"),
        /// Not sent.
        #[default] Off = None,
    }
}

words! {
    /// Whose pages may take in the answer.
    ResourcePolicy as "CrossOriginResourcePolicy" {
        /// Those of the same origin.
        #[default] SameOrigin = Some("same-origin"),
        /// Those of the same site.
        SameSite = Some("same-site"),
        /// All.
        CrossOrigin = Some("cross-origin"),
        /// Not sent.
        Off = None,
    }
}
