//! How targets are watched, from what was written.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Uri};
use model::load::Span;
use model::resource::{ActiveHealth, HealthKind, PassiveHealth};

use super::super::compile::Compiling;
use super::{Active, Health, Passive};

/// The method of gRPC's checks.
const GRPC: &str = "/grpc.health.v1.Health/Check";

impl Compiling<'_> {
    /// How targets are watched.
    pub(in crate::upstream) fn health(&mut self) -> Option<Health> {
        let written = &self.written.health;
        let active = match &written.active {
            Some(active) => Some(self.active(active)?),
            None => None,
        };
        let passive = match &written.passive {
            Some(passive) => Some(self.passive(passive)?),
            None => None,
        };
        Some(Health { active, passive })
    }

    /// Shares and times that leave nobody.
    pub(in crate::upstream) fn spill(&mut self) {
        if self.written.spill.below.millionths() == 0 {
            let help = "write a share such as `70%`, or leave it out";
            self.refuse::<()>(
                Span::default(),
                "spill.below",
                "a tier that is never under `below` gives nothing away",
                help,
            );
        }
    }

    fn active(&mut self, written: &ActiveHealth) -> Option<Active> {
        if written.interval.is_zero() || written.timeout.is_zero() {
            let help = "`interval: 10s, timeout: 2s` is usual";
            return self.refuse(
                written.interval.span,
                "health.active",
                "checks have an `interval` and a `timeout`",
                help,
            );
        }
        if written.healthy == 0 || written.unhealthy == 0 {
            let help = "one answer is the fewest";
            return self.refuse(
                written.interval.span,
                "health.active",
                "`healthy` and `unhealthy` are 1 or more",
                help,
            );
        }
        let path = if written.kind == HealthKind::Grpc { GRPC } else { written.path.as_str() };
        let Some(uri) = path.parse::<Uri>().ok().filter(|uri| path.starts_with('/') && uri.authority().is_none())
        else {
            let message = format!("`{path}` is no path");
            return self.refuse(written.path.span, "health.active.path", message, "write one such as `/healthz`");
        };
        let host = match &written.host {
            None => None,
            Some(host) => {
                let Some(host) = HeaderValue::from_str(host).ok().zip(host.parse::<Authority>().ok()) else {
                    let message = format!("`{}` is not a host", **host);
                    return self.refuse(host.span, "health.active.host", message, "write a host with an optional port");
                };
                Some(host)
            }
        };
        let mut headers = HeaderMap::new();
        for (name, value) in written.headers.iter() {
            let (Ok(field), Ok(text)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            else {
                let message = format!("`{}` is no header field", **name);
                return self.refuse(name.span, "health.active.headers", message, "mend its name or its value");
            };
            headers.append(field, text);
        }
        let service = written.service.clone().unwrap_or_default();
        if service.len() > 127 {
            let at = written.interval.span;
            return self.refuse(at, "health.active.service", "a service has at most 127 bytes", "shorten it");
        }
        Some(Active {
            kind: written.kind,
            uri,
            host,
            headers,
            service,
            interval: written.interval.get(),
            jitter: written.jitter.fraction(),
            timeout: written.timeout.get(),
            healthy: written.healthy,
            unhealthy: written.unhealthy,
            expect: written.expect.iter().copied().collect(),
            body: written.body.as_ref().map(|body| body.as_bytes().into()),
        })
    }

    fn passive(&mut self, written: &PassiveHealth) -> Option<Passive> {
        let at = written.window.span;
        if written.window.is_zero() || written.ejected_for.is_zero() || written.requests == 0 {
            let message = "`window`, `ejected_for` and `requests` are above 0";
            return self.refuse(at, "health.passive", message, "leave them out for what is usual");
        }
        if written.slow.is_some_and(|times| !(1.5..=1000.0).contains(&times)) {
            return self.refuse(at, "health.passive.slow", "`slow` is from 1.5 to 1000", "3 is usual");
        }
        Some(Passive {
            consecutive: (written.consecutive_errors > 0).then_some(written.consecutive_errors),
            error_rate: written.error_rate.map(model::value::Percent::fraction),
            slow: written.slow,
            window: written.window.get(),
            requests: u64::from(written.requests),
            first: written.ejected_for.get(),
            most: written.ejected_at_most.get().max(written.ejected_for.get()),
            share: written.max_ejected.fraction(),
        })
    }
}
