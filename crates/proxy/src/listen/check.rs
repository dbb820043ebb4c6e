//! What is wrong with listeners before any is opened: addresses, bounds, combinations that cannot be.

use std::net::{IpAddr, SocketAddr};

use model::load::Span;
use model::problem::{Problem, Problems};
use model::resource::{Listener, ListenerLimits};

/// Checks all listeners of a configuration.
pub(crate) fn check(listeners: &[Listener], problems: &mut Problems) {
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    for (at, listener) in listeners.iter().enumerate() {
        let mut found = Found { path: format!("listeners[{at}]"), owner: listener.name.span, problems };
        if let Some(address) = found.address(listener) {
            match taken.iter().find(|(other, _)| *other == address && address.port() != 0) {
                Some((_, name)) => {
                    let message = format!("listener `{name}` has this address already");
                    found.push(listener.address.span, "address", message, "give each listener an address of its own");
                }
                None => taken.push((address, listener.name.as_str())),
            }
        }
        found.limits(&listener.limits);
        if listener.protocols.is_empty() {
            let help = "name `h1`, `h2` or both, or leave `protocols` out for both";
            found.push(Span::NONE, "protocols", "the listener speaks no protocol".to_owned(), help);
        }
        if let Some(redirect) = &listener.redirect_to_https {
            if listener.tls.is_some() {
                let message = "a listener with `tls` has no plain requests to redirect".to_owned();
                found.push(Span::NONE, "redirect_to_https", message, "move it to a listener without `tls`");
            }
            if !matches!(*redirect.status, 301 | 302 | 307 | 308) {
                let message = format!("{} is no status of a redirect", *redirect.status);
                found.push(redirect.status.span, "redirect_to_https.status", message, "write 301, 302, 307 or 308");
            }
        }
    }
}

struct Found<'a> {
    path: String,
    /// Where the listener stands, for what has no place of its own.
    owner: Span,
    problems: &'a mut Problems,
}

impl Found<'_> {
    fn push(&mut self, at: Span, key: &str, message: String, help: &str) {
        let at = if at.is_none() { self.owner } else { at };
        let path = format!("{}.{key}", self.path);
        self.problems.push(Problem::error("config.listener", at, message).path(path).help(help));
    }

    fn address(&mut self, listener: &Listener) -> Option<SocketAddr> {
        let written = &listener.address;
        if let Ok(address) = written.parse() {
            return Some(address);
        }
        let message = format!("`{}` is not an address with a port", **written);
        let help = match written.rsplit_once(':') {
            _ if written.parse::<u16>().is_ok() => format!("write `0.0.0.0:{}` or `[::]:{0}`", **written),
            _ if written.parse::<IpAddr>().is_ok() => "add the port, such as `0.0.0.0:8080` or `[::]:8080`".to_owned(),
            Some(("" | "*", port)) => format!("write `0.0.0.0:{port}` or `[::]:{port}`"),
            Some(("localhost", port)) => format!("write `127.0.0.1:{port}` or `[::1]:{port}`"),
            _ => "write an IP address and a port, such as `0.0.0.0:8080` or `[::]:8080`".to_owned(),
        };
        self.push(written.span, "address", message, &help);
        None
    }

    fn limits(&mut self, limits: &ListenerLimits) {
        let sizes = [
            ("header_bytes", limits.header_bytes.span, limits.header_bytes.get(), 1 << 10, 1 << 20),
            ("uri_bytes", limits.uri_bytes.span, limits.uri_bytes.get(), 1, 1 << 20),
        ];
        for (key, at, bytes, least, most) in sizes {
            if !(least..=most).contains(&bytes) {
                let message = format!("{bytes} bytes are out of bounds");
                let help = format!("write a size from {least} bytes to {most} bytes");
                self.push(at, &format!("limits.{key}"), message, &help);
            }
        }
        let counts = [
            ("headers", limits.headers.span, *limits.headers, 1000),
            ("streams_per_connection", limits.streams_per_connection.span, *limits.streams_per_connection, 10_000),
            ("connections", Span::NONE, limits.connections, u32::MAX),
        ];
        for (key, at, count, most) in counts {
            if !(1..=most).contains(&count) {
                let help = format!("write a number from 1 to {most}");
                self.push(at, &format!("limits.{key}"), format!("{count} is out of bounds"), &help);
            }
        }
        let times = [
            ("header_timeout", limits.header_timeout),
            ("idle_timeout", limits.idle_timeout),
            ("body_timeout", limits.body_timeout),
            ("handshake_timeout", limits.handshake_timeout),
        ];
        for (key, time) in times {
            if time.get().is_zero() {
                let help = "write a time such as `30s`; there is no connection without a bound";
                self.push(Span::NONE, &format!("limits.{key}"), format!("`{key}` is no time at all"), help);
            }
        }
    }
}
