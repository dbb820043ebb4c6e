//! What a client is told when a login comes to nothing: the class of the fault, and nothing that a provider wrote.

use http::HeaderValue;
use http::header::RETRY_AFTER;

use crate::exchange::{Error, codes as own};

/// The codes of this policy.
pub(super) mod codes {
    use crate::exchange::{Blame, Code};

    macro_rules! codes {
        ($($name:ident = $code:literal, $status:literal, $title:literal, $blame:ident;)*) => {
            $(pub(in crate::policies::oidc_login) static $name: Code =
                Code { name: $code, status: $status, title: $title, blame: Blame::$blame, proxy_status: None };)*
            pub(in crate::policies::oidc_login) const ALL: &[&Code] = &[$(&$name),*];
        };
    }

    codes! {
        REQUEST = "oidc_login.request", 400, "Malformed login response", Client;
        STATE = "oidc_login.state", 400, "Login was not begun here", Client;
        ISSUER = "oidc_login.issuer", 400, "Login response of another issuer", Client;
        CODE = "oidc_login.code", 400, "Login code refused", Client;
        LOOP = "oidc_login.loop", 400, "Login does not hold", Client;
        DENIED = "oidc_login.denied", 403, "Login denied", Client;
        REFUSED = "oidc_login.refused", 403, "Login refused", Client;
        NO_CONSUMER = "oidc_login.no_consumer", 403, "User of no consumer", Client;
        LOGOUT = "oidc_login.logout", 400, "Logout refused", Client;
        TOO_LARGE = "oidc_login.session_too_large", 500, "Session too large", Gateway;
        TOKEN = "oidc_login.token", 502, "Token of the provider refused", Gateway;
        PROVIDER = "oidc_login.provider", 502, "Invalid answer of the provider", Gateway;
        UNAVAILABLE = "oidc_login.unavailable", 503, "Login provider unavailable", Gateway;
        TIMEOUT = "oidc_login.timeout", 504, "Login provider timeout", Gateway;
    }
}

/// Why the provider gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It did not answer in time.
    Late,
    /// It could not be reached, or has trouble itself.
    Unreachable,
    /// What it answers makes no sense, or it does not know this gateway.
    Broken,
    /// It does not take the code or the refresh token.
    Grant,
    /// Its token is not good.
    Token,
}

impl Trouble {
    /// Why a call brought no answer.
    pub(super) fn of(error: &Error) -> Self {
        match error.code {
            code if code.status == 504 => Trouble::Late,
            code if *code == own::UPSTREAM_PROTOCOL || *code == own::RESPONSE_TOO_LARGE => Trouble::Broken,
            _ => Trouble::Unreachable,
        }
    }

    /// What the client is told.
    pub(super) fn into_error(self) -> Error {
        let retry = |error: Error| error.header(RETRY_AFTER, HeaderValue::from_static("5"));
        match self {
            Trouble::Late => Error::new(&codes::TIMEOUT, "The login provider did not answer in time."),
            Trouble::Unreachable => {
                retry(Error::new(&codes::UNAVAILABLE, "The login provider cannot be reached at this time."))
            }
            Trouble::Broken => Error::new(&codes::PROVIDER, "The login provider gave an answer that is of no use."),
            Trouble::Grant => Error::new(&codes::CODE, "The login provider does not take the code of this login."),
            Trouble::Token => Error::new(&codes::TOKEN, "The login provider gave a token that is not good."),
        }
    }
}
