//! Tollgate against itself, with one policy and without.

use anyhow::Result;

use super::contest::Entry;
use super::{Traffic, steady};
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::run::Bench;
use crate::sheet::Sheet;

/// Measures every peer that has the setups.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    steps: &[(&str, Setup)],
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    for peer in bench.peers.iter().filter(|peer| steps.iter().all(|(_, setup)| peer.spec.files(*setup).is_some())) {
        let entry = |(name, setup): &(&str, Setup)| Entry {
            peer,
            subject: format!("{}, {name}", peer.label),
            plan: Plan { setup: *setup, routes: 0 },
        };
        let entries: Vec<Entry<'_>> = steps.iter().map(entry).collect();
        steady::race(bench, scenario, &entries, traffic, sheet)?;
    }
    Ok(())
}
