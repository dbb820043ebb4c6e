//! Logins by a browser at a real provider: npm's `oidc-provider` under node.

mod browser;
mod flow;
mod forgeries;
mod liar;
mod logout;
mod provider;
mod sessions;
mod trouble;

use e2e::Upstream;
use e2e::client::Answer;

use crate::provider::Provider;

/// A gateway's configuration: an app that asks for a login at this provider.
fn configuration(upstream: &Upstream, provider: &Provider, client: &str, more: &str) -> String {
    issued(upstream, &provider.url(), client, more)
}

/// The same for an issuer of any kind.
fn issued(upstream: &Upstream, issuer: &str, client: &str, more: &str) -> String {
    format!(
        r#"
version: 1
workers: 2
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
upstreams: [{{ name: u, targets: [{{ url: "http://{}" }}] }}]
apis:
  - name: app
    path: /app
    policies:
      oidc_login:
        issuer: "{issuer}"
        client: {client}
        callback: /app/callback
        login: /app/login
        scope: [profile, email, groups]
        bypass: /app/public/*
        groups: groups
        headers: {{ x-user: sub, x-email: email, x-groups: groups }}
        calls: {{ timeout: 2s }}
        {more}
    to: u
"#,
        upstream.address
    )
}

/// A client of the provider, by its id, with its secret by `Authorization: Basic`.
fn client(id: &str) -> String {
    format!("{{ id: {id}, secret: \"the secret: of 100% & more\" }}")
}

/// Sessions that every gateway with this key takes.
const KEYED: &str = "session: { key: a-secret-of-at-least-32-characters }";
const APP: &str = "http://app.test/app";

fn code(answer: &Answer) -> (u16, String) {
    let code = if answer.body.starts_with(b"{") { answer.json()["code"].as_str().map(str::to_owned) } else { None };
    (answer.status, code.unwrap_or_default())
}
