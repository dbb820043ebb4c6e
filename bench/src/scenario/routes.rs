//! A peer against itself, with few routes and with many.

use anyhow::Result;

use super::contest::Entry;
use super::{Traffic, steady};
use crate::peer::Setup;
use crate::peer::config::Plan;
use crate::report::thousands;
use crate::run::Bench;
use crate::sheet::Sheet;

/// Measures every peer that has a configuration with routes.
pub(super) fn measure(
    bench: &Bench,
    scenario: &'static str,
    (few, many): (u32, u32),
    traffic: &Traffic,
    sheet: &mut Sheet,
) -> Result<()> {
    for peer in bench.peers.iter().filter(|peer| peer.spec.files(Setup::Routes).is_some()) {
        let entries = [few, many].map(|routes| Entry {
            peer,
            subject: format!("{}, {} routes", peer.label, thousands(f64::from(routes))),
            plan: Plan { setup: Setup::Routes, routes },
        });
        steady::race(bench, scenario, &entries, traffic, sheet)?;
    }
    Ok(())
}
