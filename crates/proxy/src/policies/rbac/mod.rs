//! Lets callers do what their roles permit: roles have permissions on apis, routes and methods, and inherit from others.
//!
//! What every role may do on a route is found at compile: a request asks for the caller's roles, as a set of bits, and for
//! the few permissions of its route.

mod roles;
mod spec;

use std::sync::Arc;

use http::Method;

use self::roles::{Mask, Source};
use self::spec::Spec;
use crate::exchange::{Blame, Code, Exchange, Identity};
use crate::policies::denial::{Denial, Tally};
use crate::policies::{Merge, Outcome, Policy, Scopes, Stage, Step, Verdict};
use crate::program::Compile;

#[cfg(test)]
mod tests;

/// Lets callers do what their roles permit.
pub(crate) struct Rbac;

static DENIED: Code =
    Code { name: "rbac.denied", status: 403, title: "Not permitted", blame: Blame::Client, proxy_status: None };

impl Policy for Rbac {
    type Spec = Spec;
    const KIND: &'static str = "rbac";
    const ORDER: (Stage, u8) = (Stage::Authorize, 40);
    const MERGE: Merge = Merge::Replace;
    const SCOPES: Scopes = Scopes::PATH;
    const CODES: &'static [&'static Code] = &[&DENIED];

    fn compile(spec: Spec, cx: &mut Compile<'_>) -> Option<Arc<dyn Step>> {
        let roles = spec.roles(cx);
        let sources = spec.sources(cx);
        let grants = spec.grants(cx);
        let denial = Denial::new(&DENIED, spec.tell, spec.mode, cx);
        let tally = denial.tally("", cx);
        let roles = roles?;
        let grants = grants?;
        Some(Arc::new(Judge { names: roles.names, values: roles.values, sources: sources?, grants, denial, tally }))
    }
}

/// What may be done on an api, by route.
type OfApi = Box<[Box<[Grant]>]>;

/// What the roles of a set may do on a route.
#[derive(Clone, Debug)]
struct Grant {
    roles: Mask,
    /// All where there are none; `GET` comes with `HEAD`.
    methods: Box<[Method]>,
}

impl Grant {
    fn covers(&self, roles: Mask, method: &Method) -> bool {
        self.roles.meets(roles)
            && (self.methods.is_empty()
                || self.methods.contains(method)
                || (*method == Method::HEAD && self.methods.contains(&Method::GET)))
    }
}

struct Judge {
    names: Box<[Box<str>]>,
    /// The roles that a value means, those that they inherit from included.
    values: std::collections::HashMap<Box<str>, Mask, foldhash::fast::RandomState>,
    sources: Box<[Source]>,
    /// By api, then by route.
    grants: Box<[OfApi]>,
    denial: Denial,
    tally: Tally,
}

impl Step for Judge {
    fn request<'a>(&'a self, x: &'a mut Exchange) -> Verdict<'a> {
        let plan = x.plan();
        let Some((api, route)) = plan.place else {
            // No route takes it: there is nothing to be permitted.
            return Verdict::NEXT;
        };
        let Some(identity) = &x.identity else {
            return Verdict::Done(self.denial.nobody(x, &self.tally, "nobody is known, so there are no roles"));
        };
        let roles = self.roles(x, identity);
        let grants = self.grants.get(api as usize).and_then(|routes| routes.get(route as usize));
        if grants.is_some_and(|grants| grants.iter().any(|grant| grant.covers(roles, &x.request.method))) {
            return Verdict::NEXT;
        }
        Verdict::Done(self.refuse(x, roles))
    }
}

impl Judge {
    /// The roles of the caller.
    fn roles(&self, x: &Exchange, identity: &Identity) -> Mask {
        let mut roles = Mask::default();
        for source in &self.sources {
            source.each(x, identity, |value| {
                if let Some(more) = self.values.get(value) {
                    roles.add(*more);
                }
            });
        }
        roles
    }

    #[cold]
    fn refuse(&self, x: &mut Exchange, roles: Mask) -> Outcome {
        let held: Vec<&str> =
            self.names.iter().enumerate().filter(|(at, _)| roles.has(*at)).map(|(_, name)| &**name).collect();
        let whose = match held.as_slice() {
            [] => "the caller has no role".to_owned(),
            held => format!("the caller's roles ({})", held.join(", ")),
        };
        let plan = x.plan();
        let what = format!("{} on `{}/{}`", x.request.method, plan.api, plan.name);
        let why =
            if held.is_empty() { format!("{whose}, for {what}") } else { format!("{whose} do not permit {what}") };
        self.denial.deny(x, &self.tally, why.clone(), Some(&why))
    }
}
