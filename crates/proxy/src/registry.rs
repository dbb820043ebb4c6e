//! What a gateway can do: the policies and terminals of this crate, and those that others add.

use crate::policies::registry::{POLICIES, Registered as Policy};
use crate::terminals::{Registered as Terminal, TERMINALS};

/// Every policy and every terminal but the upstream.
pub struct Registry {
    /// Lists of policies.
    pub policies: &'static [&'static [Policy]],
    /// Lists of terminals.
    pub terminals: &'static [&'static [Terminal]],
}

/// Those of this crate.
pub static OWN: Registry = Registry { policies: &[POLICIES], terminals: &[TERMINALS] };

impl Registry {
    /// Every policy, in running order.
    pub fn policies(&self) -> Vec<&'static Policy> {
        let mut all: Vec<_> = self.policies.iter().copied().flatten().collect();
        all.sort_by_key(|policy| policy.order);
        all
    }

    /// Every terminal.
    pub fn terminals(&self) -> impl Iterator<Item = &'static Terminal> + Clone {
        self.terminals.iter().copied().flatten()
    }

    /// The policy of this kind.
    pub fn policy(&self, kind: &str) -> Option<&'static Policy> {
        self.policies.iter().copied().flatten().find(|policy| policy.kind == kind)
    }

    /// The terminal of this kind.
    pub fn terminal(&self, kind: &str) -> Option<&'static Terminal> {
        self.terminals().find(|terminal| terminal.kind == kind)
    }
}
