//! How a provider is shown who asks: a key in a field or in the query, a signature, or an access token.

use bytes::Bytes;
use http::{HeaderName, Uri, request};
use model::load::Spanned;
use model::resource::Provider as Written;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::calls::{ServiceTokens, Signer};
use proxy::clock::Clock;
use proxy::exchange::{Error, codes};
use proxy::program::Compile;

use super::key::Key;
use crate::providers::Auth;

/// What a token of a service account is good for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How it is shown.
pub(super) enum Show {
    /// By one of the keys.
    Key(Auth),
    /// By a signature of each call.
    Signed {
        /// What signs.
        signer: Box<Signer>,
        /// Says when.
        clock: Clock,
    },
    /// By access tokens.
    Tokens(Box<ServiceTokens>),
}

impl Show {
    pub(super) fn compile(written: &Written, auth: Auth, cx: &mut Compile<'_>) -> Option<Self> {
        let misplaced = match (auth, &written.aws, &written.service_account) {
            (Auth::SigV4(_), _, None) | (Auth::ServiceAccount, None, _) | (_, None, None) => None,
            (_, Some(keys), _) => Some((keys.access_key.span, "aws")),
            (_, None, Some(account)) => Some((account.span, "service_account")),
        };
        if let Some((span, what)) = misplaced {
            let message = format!("provider `{}` has no use for `{what}`", *written.name);
            cx.problem(span, message, "take it out, or take the preset of the cloud that is meant");
            return None;
        }
        match (auth, &written.aws, &written.service_account) {
            (Auth::SigV4(service), Some(keys), _) => {
                let Some(region) = &written.region else {
                    super::place::needs("region", written, cx);
                    return None;
                };
                let service = Spanned::new(service.to_owned(), keys.access_key.span);
                let signer = Signer::compile(keys, region, &service, cx)?;
                Some(Self::Signed { signer: Box::new(signer), clock: cx.clock.clone() })
            }
            (Auth::ServiceAccount, _, Some(account)) => {
                ServiceTokens::compile(account, SCOPE, cx).map(|tokens| Self::Tokens(Box::new(tokens)))
            }
            // Both clouds have keys too, for those who want neither.
            (Auth::SigV4(_), ..) if !written.keys.is_empty() => Some(Self::Key(Auth::Bearer)),
            (Auth::ServiceAccount, ..) if !written.keys.is_empty() => Some(Self::Key(Auth::Header("x-goog-api-key"))),
            (auth, ..) => Some(Self::Key(auth)),
        }
    }

    /// How keys are shown, where they are.
    pub(super) const fn auth(&self) -> Auth {
        match self {
            Self::Key(auth) => *auth,
            Self::Signed { .. } | Self::Tokens(_) => Auth::Bearer,
        }
    }

    /// Whether nothing is shown without a key.
    pub(super) const fn wants_key(&self) -> bool {
        matches!(self, Self::Key(_))
    }

    /// The project that a service account is of.
    pub(super) fn project(&self) -> Option<&str> {
        match self {
            Self::Tokens(tokens) => tokens.project(),
            Self::Key(_) | Self::Signed { .. } => None,
        }
    }

    /// Shows it in a call to this host.
    pub(super) async fn show(
        &self,
        key: Option<&Key>,
        worker: usize,
        head: &mut request::Parts,
        body: &Bytes,
        host: &str,
    ) -> Result<(), Error> {
        match (self, key) {
            (Self::Key(Auth::Query(name)), Some(key)) => {
                if let Some(uri) = with_query(&head.uri, name, key.value.to_str().unwrap_or_default()) {
                    head.uri = uri;
                }
            }
            (Self::Key(auth), Some(key)) => {
                let name = match auth {
                    Auth::Header(name) => HeaderName::from_static(name),
                    _ => http::header::AUTHORIZATION,
                };
                head.headers.insert(name, key.value.clone());
            }
            (Self::Key(_), None) => {}
            (Self::Signed { signer, clock }, _) => signer.sign(head, body, host, clock.wall().as_secs()),
            (Self::Tokens(tokens), _) => {
                let Some(token) = tokens.token(worker).await else {
                    return Err(Error::new(
                        &codes::NO_TARGET,
                        "There is no access token for the provider at this time.",
                    ));
                };
                head.headers.insert(http::header::AUTHORIZATION, token);
            }
        }
        Ok(())
    }

    /// The provider refused what was shown.
    pub(super) fn refused(&self) {
        if let Self::Tokens(tokens) = self {
            tokens.doubt();
        }
    }
}

/// The same with one more parameter.
fn with_query(uri: &Uri, name: &str, value: &str) -> Option<Uri> {
    let joint = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{joint}{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)).parse().ok()
}
