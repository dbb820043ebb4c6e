//! Lets clients in by their address.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use model::load::Spanned;
use model::resolve::parse_network;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::exchange::{Blame, Code, Error, Exchange};
use crate::policies::{Merge, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Lets clients in by their address.
pub(crate) struct Ip;

/// Lets clients in by their address, which behind trusted proxies is the one that these tell. Where several levels have
/// such a policy, each must let the client in.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Spec {
    /// Addresses and networks (CIDR) that are let in, at most 100000; none means all but those denied.
    allow: Vec<Spanned<String>>,
    /// Addresses and networks (CIDR) that are not let in, even if they are allowed too; at most 100000.
    deny: Vec<Spanned<String>>,
}

static DENIED: Code =
    Code { name: "ip.denied", status: 403, title: "Address denied", blame: Blame::Client, proxy_status: None };

const MOST: usize = 100_000;

impl Policy for Ip {
    type Spec = Spec;
    const KIND: &'static str = "ip";
    const ORDER: (Stage, u8) = (Stage::Admit, 20);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.allow.is_empty() && spec.deny.is_empty() {
            cx.problem(
                cx.span,
                "the policy lets everyone in",
                "give `allow` or `deny` an address such as `10.0.0.0/8`",
            );
            return None;
        }
        let allow = Ranges::compile(&spec.allow, cx);
        let deny = Ranges::compile(&spec.deny, cx);
        Some(Arc::new(Doorkeeper { allow: allow?, deny: deny? }))
    }
}

/// Ranges of addresses that neither meet nor touch, in order, so that a search halves them.
#[derive(Default)]
struct Ranges {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Ranges {
    fn compile(written: &[Spanned<String>], cx: &mut Compile<'_>) -> Option<Self> {
        if let Some(over) = written.get(MOST) {
            cx.problem(over.span, format!("more than {MOST} networks"), "join some of them");
            return None;
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut wrong = false;
        for text in written {
            match parse_network(text) {
                Some(IpNet::V4(net)) => v4.push((net.network().to_bits(), net.broadcast().to_bits())),
                Some(IpNet::V6(net)) => v6.push((net.network().to_bits(), net.broadcast().to_bits())),
                None => {
                    let message = format!("`{}` is not an address or a network", **text);
                    cx.problem(text.span, message, "write an address or CIDR such as `10.0.0.0/8`");
                    wrong = true;
                }
            }
        }
        (!wrong).then(|| Self { v4: join(v4, |end| end.checked_add(1)), v6: join(v6, |end| end.checked_add(1)) })
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => within(&self.v4, address.to_bits()),
            IpAddr::V6(address) => within(&self.v6, address.to_bits()),
        }
    }
}

/// Joins ranges that meet or touch.
fn join<N: Copy + Ord>(mut ranges: Vec<(N, N)>, next: fn(N) -> Option<N>) -> Box<[(N, N)]> {
    ranges.sort_unstable();
    let mut joined: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (start, end) in ranges {
        match joined.last_mut() {
            Some((_, last)) if next(*last).is_none_or(|next| start <= next) => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    joined.into()
}

fn within<N: Copy + Ord>(ranges: &[(N, N)], address: N) -> bool {
    let after = ranges.partition_point(|(start, _)| *start <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, end)| address <= *end)
}

struct Doorkeeper {
    allow: Ranges,
    deny: Ranges,
}

impl Step for Doorkeeper {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let allowed = self.allow.is_empty() || self.allow.has(x.client);
        if allowed && !self.deny.has(x.client) {
            return Verdict::NEXT;
        }
        Verdict::fail(Error::new(&DENIED, "Requests from this address are not let in."))
    }
}
