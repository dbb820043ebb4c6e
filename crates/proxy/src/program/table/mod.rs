//! Which route takes a request.

use http::HeaderValue;
use model::problem::Problems;
use model::resource::{Api, Route};

use super::RouteId;
use crate::exchange::{Captures, Exchange};

/// A route as the table is built from it.
pub struct Entry<'a> {
    /// Its plan.
    pub id: RouteId,
    /// Its api.
    pub api: &'a Api,
    /// Its name.
    pub name: &'a str,
    /// What was written.
    pub route: &'a Route,
    /// Where its `match` stands, for problems.
    pub path: String,
}

/// What the table found.
#[derive(Debug)]
pub enum Found {
    /// This route takes it.
    Route(RouteId, Captures),
    /// Routes match but for the method; the `Allow` field names theirs.
    Method(HeaderValue),
    /// None matches.
    None,
}

/// Which route takes a request.
#[derive(Default)]
pub struct Table {
    first: Option<RouteId>,
}

impl Table {
    /// Builds the table. Ambiguous pairs and impossible conditions are problems.
    pub fn build(entries: &[Entry<'_>], _problems: &mut Problems) -> Self {
        Self { first: entries.first().map(|entry| entry.id) }
    }

    /// Finds the route of a request.
    pub fn find(&self, _x: &Exchange) -> Found {
        self.first.map_or(Found::None, |id| Found::Route(id, Captures::default()))
    }
}
