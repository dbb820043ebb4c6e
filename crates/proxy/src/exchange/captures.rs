//! What a path template or regex captured: names from the program, values as ranges of the path that was matched.

use std::sync::Arc;

use http::uri::PathAndQuery;
use smallvec::SmallVec;

/// Captured parts of the matched path. The path is kept (its bytes are shared, not copied), so that a later rewrite of
/// the request does not change them.
#[derive(Clone, Debug)]
pub struct Captures {
    /// The names, in the order of the template.
    pub names: Option<Arc<[Box<str>]>>,
    /// The path they index.
    pub path: PathAndQuery,
    /// Start and end of each value in the path.
    pub ranges: SmallVec<[(u32, u32); 4]>,
}

impl Default for Captures {
    fn default() -> Self {
        Self { names: None, path: PathAndQuery::from_static("/"), ranges: SmallVec::new() }
    }
}

impl Captures {
    /// The raw (percent-encoded) value of a capture.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.names.as_ref()?.iter().position(|known| &**known == name)?;
        self.at(at)
    }

    /// The raw value of the capture at this place in the template.
    pub fn at(&self, index: usize) -> Option<&str> {
        let &(start, end) = self.ranges.get(index)?;
        self.path.path().get(start as usize..end as usize)
    }

    /// All captures, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.as_deref().unwrap_or_default();
        names.iter().enumerate().filter_map(|(index, name)| Some((&**name, self.at(index)?)))
    }
}
