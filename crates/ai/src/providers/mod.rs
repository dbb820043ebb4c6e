//! Who serves models, and how each is spoken to.
