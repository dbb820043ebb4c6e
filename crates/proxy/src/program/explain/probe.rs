//! A request that nobody sent.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use model::problem::did_you_mean;

use crate::exchange::{Connection, Exchange, Tls};
use crate::program::{ListenerPlan, ListenerSlot, Local, Program};

/// A request to be explained.
#[derive(Debug)]
pub struct Probe {
    request: Request<()>,
    https: bool,
    /// The port of the URL.
    port: Option<u16>,
    /// The name of the listener it comes by; the first that fits the URL when none.
    pub listener: Option<String>,
    /// Who sends it; the loopback address when none.
    pub client: Option<IpAddr>,
}

impl Probe {
    /// A request of this method for this URL (`https://host/path`, or a path alone) with these header lines
    /// (`name: value`). The error is for people.
    pub fn new(method: &str, url: &str, headers: &[String]) -> Result<Self, String> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("`{method}` is not a method: write one such as `GET`, then the URL"))?;
        let written = url;
        if url.is_empty() {
            return Err("the URL is empty: write one such as `https://host/path`".to_owned());
        }
        let (https, rest) = match url.split_once("://") {
            Some(("https", rest)) => (true, Some(rest)),
            Some(("http", rest)) => (false, Some(rest)),
            Some((scheme, _)) if !scheme.contains('/') => {
                return Err(format!("`{written}`: the scheme is http or https, as in `https://host/path`"));
            }
            _ => (false, None),
        };
        let (authority, target) = match rest {
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                rest.split_at_checked(end).ok_or_else(|| format!("`{written}` is not a URL"))?
            }
            None => ("localhost", url),
        };
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') || target == "*" { target.to_owned() } else { format!("/{target}") };
        let uri: Uri = target.parse().map_err(|error| {
            format!("`{written}` is not a URL: {error}; write `https://host/path`, with a space as `%20`")
        })?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for line in headers {
            let wrong = || format!("`{line}` is not a header: write `name: value`");
            let (name, value) = line.split_once(':').ok_or_else(wrong)?;
            let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
            let value = HeaderValue::try_from(value.trim()).map_err(|_| wrong())?;
            request.headers_mut().append(name, value);
        }
        let host = HeaderValue::try_from(authority)
            .map_err(|_| format!("`{authority}` is not a host: write one such as `api.example.com`"))?;
        request.headers_mut().entry(HOST).or_insert(host);
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        Ok(Self { request, https, port, listener: None, client: None })
    }

    /// The exchange of the request, come by its listener.
    pub(super) fn exchange(self, program: &Arc<Program>) -> Result<Box<Exchange>, String> {
        let (slot, listener) = self.listener(program)?;
        let bound: Option<SocketAddr> = listener.listener.address.parse().ok();
        let client = SocketAddr::new(self.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), 0);
        let tls = listener.tls.as_ref().map(|_| {
            let host = self.request.headers().get(HOST).and_then(|host| host.to_str().ok());
            let name = host.map(|host| host.split(':').next().unwrap_or(host).into());
            Box::new(Tls { version: "TLSv1.3", cipher: String::new(), server_name: name, client: None })
        });
        let local = bound.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        let connection = Connection::new(slot, client, local, tls);
        let local = Arc::new(Local { worker: 0, program: program.clone() });
        Ok(Exchange::probe(local, Arc::new(connection), self.request.into_parts().0))
    }

    /// The listener that was named; else the first at the URL's port, else the first of its scheme, else the first.
    fn listener<'p>(&self, program: &'p Program) -> Result<(ListenerSlot, &'p ListenerPlan), String> {
        let all = || {
            let slots = program.listeners.iter().enumerate();
            slots.filter_map(|(at, plan)| Some((ListenerSlot(u32::try_from(at).ok()?), plan.as_ref()?)))
        };
        if let Some(name) = &self.listener {
            return all().find(|(_, plan)| *plan.name == **name).ok_or_else(|| {
                let near = did_you_mean(name, all().map(|(_, plan)| &*plan.name));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                format!("there is no listener `{name}`{hint}")
            });
        }
        let port = self.port.unwrap_or(if self.https { 443 } else { 80 });
        let at_port = |plan: &ListenerPlan| {
            plan.listener.address.rsplit_once(':').is_some_and(|(_, bound)| bound.parse() == Ok(port))
        };
        all()
            .find(|(_, plan)| at_port(plan))
            .or_else(|| all().find(|(_, plan)| plan.tls.is_some() == self.https))
            .or_else(|| all().next())
            .ok_or_else(|| "no listener is configured, so no request can come".to_owned())
    }
}
