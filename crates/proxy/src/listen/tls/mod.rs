//! TLS of listeners.

use std::sync::Arc;

use model::resource::{ListenerTls, Protocol};

use crate::program::Compile;

/// The TLS configuration of a listener, with certificates loaded.
pub fn server_config(
    _tls: &ListenerTls,
    _protocols: &[Protocol],
    _offline: bool,
    _cx: &mut Compile<'_>,
) -> Option<Arc<rustls::ServerConfig>> {
    None
}
