//! Who a limit does not apply to.

use std::net::IpAddr;

use ipnet::IpNet;
use model::load::Spanned;
use model::resolve::parse_network;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exchange::Exchange;
use crate::expr::{Expr, Scope};
use crate::program::Compile;

/// Whose requests pass uncounted: those to whom one of these applies.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LimitExempt")]
pub(crate) struct ExemptSpec {
    /// Client addresses and networks, such as `10.0.0.0/8`; at most 10000.
    clients: Vec<Spanned<String>>,
    /// A condition on the request.
    when: Option<Spanned<String>>,
}

const MOST: usize = 10_000;

/// Whose requests pass uncounted, compiled.
pub(crate) struct Exempt {
    clients: Box<[IpNet]>,
    when: Option<Expr>,
}

impl Exempt {
    pub(crate) fn compile(written: &ExemptSpec, cx: &mut Compile<'_>) -> Self {
        let mut clients = Vec::with_capacity(written.clients.len());
        for text in &written.clients {
            match parse_network(text) {
                Some(network) => clients.push(network),
                None => {
                    let message = format!("`{}` is not an address or a network", **text);
                    cx.problem(text.span, message, "write an address or CIDR such as `10.0.0.0/8`");
                }
            }
        }
        if written.clients.len() > MOST {
            cx.problem(cx.span, format!("`exempt.clients` has more than {MOST} entries"), "use larger networks");
        }
        let when = written.when.as_ref().and_then(|text| cx.condition(text, Scope::Request));
        Self { clients: clients.into(), when }
    }

    pub(crate) fn holds(&self, x: &Exchange) -> bool {
        let address: &IpAddr = &x.client;
        self.clients.iter().any(|network| network.contains(address))
            || self.when.as_ref().is_some_and(|when| when.test(x))
    }
}
