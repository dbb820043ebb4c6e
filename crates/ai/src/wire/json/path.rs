//! Where a value stands: a list of steps that lives on the stack and is spelled only when something is wrong.

/// A place in a document.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    up: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> At<'a> {
    /// The document itself.
    pub(crate) const ROOT: At<'static> = At { up: None, step: Step::Root };

    /// A member of an object.
    pub(crate) const fn key(&'a self, key: &'a str) -> Self {
        At { up: Some(self), step: Step::Key(key) }
    }

    /// An element of an array.
    pub(crate) const fn index(&'a self, index: usize) -> Self {
        At { up: Some(self), step: Step::Index(index) }
    }

    /// `messages[2].content`.
    pub(crate) fn spelled(&self) -> String {
        let mut path = self.up.map(At::spelled).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
        path
    }
}
