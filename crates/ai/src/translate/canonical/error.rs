//! What goes wrong at a provider, said once for all formats.

/// A failure, as a provider tells it or as the gateway tells its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure: decides status, retry and fallback.
    pub kind: ErrorKind,
    /// In words, safe to show. At most 4,096 bytes.
    pub message: String,
    /// The provider's or the gateway's own code.
    pub code: Option<String>,
    /// The field that is at fault.
    pub param: Option<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is not one the provider takes.
    BadRequest,
    /// The prompt does not fit the model's context.
    ContextWindow,
    /// The provider will not treat of this.
    ContentPolicy,
    /// Who calls is not known.
    Authentication,
    /// Who calls may not.
    Permission,
    /// There is no money or quota left: waiting does not help.
    Quota,
    /// No such model or path.
    NotFound,
    /// The request has too many bytes.
    TooLarge,
    /// Too many calls or tokens for now.
    RateLimit,
    /// The provider took too long.
    Timeout,
    /// The provider has too much to do.
    Overloaded,
    /// The provider failed.
    Server,
}

/// Longest message kept of a provider's error, in bytes.
const MESSAGE: usize = 4096;

impl Error {
    /// A failure of this kind, its message cut to the bound.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE {
            let end = (0..=MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
        }
        Self { kind, message, code: None, param: None }
    }

    /// With a code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With the field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl ErrorKind {
    /// What a status says when the body says nothing. 529 is Anthropic's, 499 is a client that left.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Quota,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..=499 => Self::BadRequest,
            _ => Self::Server,
        }
    }

    /// The status a caller gets; see also `Format::error_status`.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::ContextWindow | Self::ContentPolicy => 400,
            Self::Authentication => 401,
            Self::Quota | Self::RateLimit => 429,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::Timeout => 504,
            Self::Overloaded => 503,
            Self::Server => 500,
        }
    }

    /// Whether the same call may succeed later or elsewhere.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(self, Self::RateLimit | Self::Timeout | Self::Overloaded | Self::Server)
    }
}
