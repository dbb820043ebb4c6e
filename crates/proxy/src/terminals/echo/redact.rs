//! Which values an echo hides: an answer may end up in a browser's history or a chat.

/// Names, or parts of them, whose values are credentials.
const SECRETIVE: [&str; 9] =
    ["authorization", "cookie", "key", "token", "secret", "password", "passwd", "credential", "signature"];

/// The value, or three stars where the name says that it is a credential.
pub(super) fn value(name: &str, value: &str) -> String {
    let name = name.to_ascii_lowercase();
    if SECRETIVE.iter().any(|part| name.contains(part)) && !name.starts_with("sec-websocket") {
        return "***".to_owned();
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn credentials_are_hidden() {
        for name in ["Authorization", "proxy-authorization", "cookie", "X-Api-Key", "api_key", "access_token"] {
            assert_eq!(value(name, "x"), "***", "{name}");
        }
        for name in ["accept", "x-request-id", "page", "sec-websocket-key"] {
            assert_eq!(value(name, "x"), "x", "{name}");
        }
    }
}
