//! The formats, a folder each: their types, and their streams.
