//! Typed values from the tree.
use serde::de::DeserializeOwned;

use super::Node;
use crate::problem::Problems;

/// Gives a tree a type. `path` is what the tree is about (empty for a whole document). Every problem is added to
/// `problems`; the value is made of what is right, so check `problems` before it is used to run anything.
pub fn from_node<T: DeserializeOwned>(node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
    let _ = (node, path, problems);
    None
}
