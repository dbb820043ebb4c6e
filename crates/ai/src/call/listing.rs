//! That a caller asks which models there are.

use std::sync::Arc;

use proxy::exchange::Exchange;
use proxy::terminals::Call;

/// Names of models, as patterns: `*` at the end stands for whatever follows.
#[derive(Debug, Default)]
pub struct Names {
    exact: Vec<Box<str>>,
    begin: Vec<Box<str>>,
}

impl Names {
    /// Adds a pattern; says whether it is one.
    pub fn add(&mut self, pattern: &str) -> bool {
        let (list, name) = match pattern.strip_suffix('*') {
            Some(begin) => (&mut self.begin, begin),
            None => (&mut self.exact, pattern),
        };
        let good = !name.contains('*') && !pattern.is_empty();
        if good {
            list.push(name.into());
        }
        good
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.begin.is_empty()
    }

    /// Whether one of them is this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.exact.iter().any(|exact| **exact == *name) || self.begin.iter().any(|begin| name.starts_with(&**begin))
    }
}

/// Says of a name whether it is shown.
type Shown = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The list of models, as it is being asked for. Steps say which are shown.
#[derive(Default)]
pub struct Listing {
    granted: Vec<Shown>,
}

impl Call for Listing {}

impl Listing {
    /// The list that this exchange asks for, if it does.
    pub fn of(x: &mut Exchange) -> Option<&mut Self> {
        let call: &mut dyn std::any::Any = x.call.as_deref_mut()?;
        call.downcast_mut()
    }

    /// Shows only those.
    pub fn only(&mut self, granted: Shown) {
        self.granted.push(granted);
    }

    /// Whether a model is shown.
    pub(crate) fn shows(&self, name: &str) -> bool {
        self.granted.iter().all(|granted| granted(name))
    }
}
