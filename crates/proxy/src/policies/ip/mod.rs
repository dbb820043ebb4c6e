//! Lets clients in by their address: by networks, lists in files, country and network (ASN).

mod ranges;
mod spec;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use self::ranges::{Networks, Ranges};
use self::spec::{ClientsByKind, Spec};
use crate::exchange::{Blame, Code, Error, Exchange};
use crate::geo::Geo;
use crate::policies::denial::{Denial, Tally, Tell};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Lets clients in by their address.
pub(crate) struct Ip;

static DENIED: Code =
    Code { name: "ip.denied", status: 403, title: "Address denied", blame: Blame::Client, proxy_status: None };

impl Policy for Ip {
    type Spec = Spec;
    const KIND: &'static str = "ip";
    const ORDER: (Stage, u8) = (Stage::Admit, 20);
    const MERGE: Merge = Merge::Tighten;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        if spec.allow.0.is_empty() && spec.deny.0.is_empty() {
            let help = "give `allow` or `deny` an address such as `10.0.0.0/8`, or `{ countries: [DE] }`";
            cx.problem(cx.span, "the policy lets everyone in", help);
            return None;
        }
        let anyone = spec.allow.0.is_empty();
        let allow = Listed::compile(&spec.allow.0, cx);
        let deny = Listed::compile(&spec.deny.0, cx);
        let denial = Denial::new(&DENIED, spec.tell, spec.mode, cx);
        let tally = denial.tally("", cx);
        Some(Arc::new(Doorkeeper { anyone, allow: allow?, deny: deny?, denial, tally, tell: spec.tell }))
    }
}

impl ClientsByKind {
    /// Whether nothing is written. A file without a line is not nothing: it allows nobody.
    fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.files.is_empty() && self.countries.is_empty() && self.asns.is_empty()
    }
}

/// Clients by all that tells them.
struct Listed {
    ranges: Ranges,
    /// Where addresses are, where that matters.
    geo: Option<Arc<Geo>>,
    countries: HashSet<Box<str>, foldhash::fast::RandomState>,
    asns: HashSet<u32, foldhash::fast::RandomState>,
}

impl Listed {
    fn compile(written: &ClientsByKind, cx: &mut Compile<'_>) -> Option<Self> {
        let mut networks = Networks::default();
        let mut good = networks.add_all(&written.networks, cx);
        for file in written.files.iter() {
            good &= networks.add_file(file, cx);
        }
        let mut countries = HashSet::default();
        for country in &written.countries {
            if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
                let message = format!("`{}` is not a country", **country);
                cx.problem(country.span, message, "write its two letters (ISO 3166-1) in capitals, such as `DE`");
                good = false;
            }
            countries.insert(country.as_str().into());
        }
        let geo =
            match written.countries.first().map(|first| first.span).or(written.asns.first().map(|first| first.span)) {
                None => None,
                Some(at) => cx.geo(at),
            };
        let of = |lacks: bool, key: &str, cx: &mut Compile<'_>| {
            if lacks && geo.is_some() && !cx.env.offline {
                cx.problem(cx.span, format!("`geo` has no `{key}`"), format!("give `geo.{key}` a file"));
            }
        };
        let knows = |knows: fn(&Geo) -> bool| geo.as_deref().is_some_and(knows);
        of(!written.countries.is_empty() && !knows(Geo::knows_countries), "country_db", cx);
        of(!written.asns.is_empty() && !knows(Geo::knows_networks), "asn_db", cx);
        let asns = written.asns.iter().map(|asn| asn.value).collect();
        good.then(|| Self { ranges: networks.join(), geo, countries, asns })
    }

    /// Whether an address is among them. One that nobody knows the place of is in no country and no network.
    fn has(&self, address: IpAddr) -> bool {
        if !self.ranges.is_empty() && self.ranges.has(address) {
            return true;
        }
        let Some(geo) = &self.geo else { return false };
        (!self.countries.is_empty() && geo.country(address).is_some_and(|country| self.countries.contains(country)))
            || (!self.asns.is_empty() && geo.asn(address).is_some_and(|asn| self.asns.contains(&asn)))
    }
}

struct Doorkeeper {
    /// All are let in but those denied.
    anyone: bool,
    allow: Listed,
    deny: Listed,
    denial: Denial,
    tally: Tally,
    tell: Tell,
}

impl Step for Doorkeeper {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let allowed = self.anyone || self.allow.has(x.client);
        if allowed && !self.deny.has(x.client) {
            return Verdict::NEXT;
        }
        Verdict::Done(self.refuse(x, allowed))
    }
}

impl Doorkeeper {
    #[cold]
    fn refuse(&self, x: &mut Exchange, allowed: bool) -> Outcome {
        let mut why = format!("{} {}", x.client, if allowed { "is denied" } else { "is not among those allowed" });
        if let Some(geo) = self.allow.geo.as_ref().or(self.deny.geo.as_ref()) {
            let country = geo.country(x.client).unwrap_or("unknown");
            let asn = geo.asn(x.client).map_or_else(|| "unknown".to_owned(), |asn| asn.to_string());
            why.push_str(&format!(" (country {country}, ASN {asn})"));
        }
        self.denial.finish(x, &self.tally, why, |_, why, _| {
            let detail = match self.tell {
                Tell::Log => "Requests from this address are not let in.".to_owned(),
                Tell::Client => format!("Requests from this address are not let in: {why}."),
            };
            Error::new(&DENIED, detail).because(why)
        })
    }
}
