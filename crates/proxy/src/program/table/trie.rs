//! The trie of path segments. A node has literal children (one hash lookup, however many there are), one child for a
//! capture, and the routes of each kind of tail. All hosts share one arena; each has its own root.

use std::hash::BuildHasher;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use model::problem::did_you_mean;
use smallvec::SmallVec;

/// A node's place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

/// A rule's place in the table.
pub(super) type RuleId = u32;

/// Kinds of tail, in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Leaf {
    /// Nothing follows.
    End,
    /// A regular expression over the rest.
    Regex,
    /// At least one character.
    Rest,
    /// Anything.
    Prefix,
}

#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: u32,
    end: u32,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The child of a captured segment.
    param: Option<u32>,
    /// Whether there are literal children.
    literals: bool,
    /// Where the rules of each [`Leaf`] stand in `Trie::order`.
    leaves: [Range; 4],
}

/// An edge of a literal segment, whose text stands in `Trie::texts`.
struct Edge {
    parent: u32,
    child: u32,
    text: Range,
}

/// The trie, ready to be walked.
#[derive(Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    edges: HashTable<Edge>,
    texts: String,
    order: Vec<RuleId>,
    hasher: RandomState,
}

/// A rule whose path has been met on a walk.
pub(super) struct Met<'w> {
    /// The rule.
    pub(super) rule: RuleId,
    /// Start and end of each captured segment.
    pub(super) params: &'w [(u32, u32)],
    /// Where the tail begins.
    pub(super) tail: usize,
}

/// Puts rules into a trie.
#[derive(Default)]
pub(super) struct Builder {
    trie: Trie,
    placed: Vec<(NodeId, Leaf, RuleId)>,
}

impl Builder {
    /// A new root.
    pub(super) fn root(&mut self) -> NodeId {
        let id = u32::try_from(self.trie.nodes.len()).unwrap_or(u32::MAX);
        self.trie.nodes.push(Node::default());
        NodeId(id)
    }

    /// The child of a literal segment.
    pub(super) fn literal(&mut self, parent: NodeId, segment: &str) -> NodeId {
        let Trie { nodes, edges, texts, hasher, .. } = &mut self.trie;
        let hash = hash(hasher, parent.0, segment);
        let known = |edge: &Edge| edge.parent == parent.0 && text(texts, edge.text) == segment;
        let rehash = |edge: &Edge| hasher.hash_one((edge.parent, text(texts, edge.text)));
        match edges.entry(hash, known, rehash) {
            Entry::Occupied(edge) => NodeId(edge.get().child),
            Entry::Vacant(place) => {
                let child = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                let start = u32::try_from(texts.len()).unwrap_or(u32::MAX);
                let end = start.saturating_add(u32::try_from(segment.len()).unwrap_or(u32::MAX));
                place.insert(Edge { parent: parent.0, child, text: Range { start, end } });
                texts.push_str(segment);
                nodes.push(Node::default());
                if let Some(node) = nodes.get_mut(parent.0 as usize) {
                    node.literals = true;
                }
                NodeId(child)
            }
        }
    }

    /// The child of a captured segment.
    pub(super) fn param(&mut self, parent: NodeId) -> NodeId {
        if let Some(known) = self.trie.nodes.get(parent.0 as usize).and_then(|node| node.param) {
            return NodeId(known);
        }
        let child = self.root();
        if let Some(node) = self.trie.nodes.get_mut(parent.0 as usize) {
            node.param = Some(child.0);
        }
        child
    }

    /// Puts a rule at a leaf of a node.
    pub(super) fn place(&mut self, node: NodeId, leaf: Leaf, rule: RuleId) {
        self.placed.push((node, leaf, rule));
    }

    /// Orders the rules of each leaf by `rank`, the foremost first, and shows each leaf of more than one.
    pub(super) fn finish<R: Ord>(mut self, rank: impl Fn(RuleId) -> R, mut leaf: impl FnMut(Leaf, &[RuleId])) -> Trie {
        self.placed.sort_by_cached_key(|&(node, leaf, rule)| (node, leaf, rank(rule)));
        self.placed.dedup();
        self.trie.order = self.placed.iter().map(|placed| placed.2).collect();
        let mut start = 0;
        for group in self.placed.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let end = start + group.len();
            if let Some(&(node, kind, _)) = group.first() {
                let range = Range {
                    start: u32::try_from(start).unwrap_or(u32::MAX),
                    end: u32::try_from(end).unwrap_or(u32::MAX),
                };
                let node = self.trie.nodes.get_mut(node.0 as usize);
                if let Some(place) = node.and_then(|node| node.leaves.get_mut(kind as usize)) {
                    *place = range;
                }
                if group.len() > 1 {
                    leaf(kind, self.trie.order.get(start..end).unwrap_or_default());
                }
            }
            start = end;
        }
        self.trie
    }
}

impl Trie {
    /// Walks a path from a root and shows each rule whose path may take it (whether a regular expression does, is not
    /// asked here), in the order of precedence, until told to stop.
    pub(super) fn walk(
        &self,
        root: NodeId,
        path: &str,
        visit: &mut impl FnMut(Met<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !path.starts_with('/') {
            return ControlFlow::Continue(());
        }
        Walk { trie: self, path, params: SmallVec::new(), visit }.at(root.0, 0)
    }

    /// Paths in which a segment that no route has is what it may have been meant to be. Looks at every literal, so it is
    /// for explanations only.
    pub(super) fn meant(&self, root: NodeId, path: &str) -> Vec<String> {
        let mut meant = Vec::new();
        let mut node = root.0;
        let mut at = 0;
        while let Some(rest) = path.get(at + 1..) {
            let end = at + 1 + rest.find('/').unwrap_or(rest.len());
            let segment = path.get(at + 1..end).unwrap_or_default();
            if self.child(node, segment).is_none() {
                let siblings = self.edges.iter().filter(|edge| edge.parent == node);
                if let Some(near) = did_you_mean(segment, siblings.map(|edge| text(&self.texts, edge.text))) {
                    let (before, after) = (path.get(..at).unwrap_or_default(), path.get(end..).unwrap_or_default());
                    meant.push(format!("{before}/{near}{after}"));
                }
            }
            let param = || self.nodes.get(node as usize).and_then(|node| node.param);
            let Some(next) = self.child(node, segment).or_else(param) else { break };
            (node, at) = (next, end);
        }
        meant
    }

    fn child(&self, parent: u32, segment: &str) -> Option<u32> {
        let hash = hash(&self.hasher, parent, segment);
        let found = self.edges.find(hash, |edge| edge.parent == parent && text(&self.texts, edge.text) == segment);
        found.map(|edge| edge.child)
    }
}

/// What is walked, and the segments captured on the way.
struct Walk<'w, V> {
    trie: &'w Trie,
    path: &'w str,
    params: SmallVec<[(u32, u32); 4]>,
    visit: &'w mut V,
}

impl<V: FnMut(Met<'_>) -> ControlFlow<()>> Walk<'_, V> {
    /// Goes on at a node, with the path used up to `at`. What remains is empty or begins with a slash. Each node is met
    /// at most once a walk, as only one way leads to it.
    fn at(&mut self, node: u32, at: usize) -> ControlFlow<()> {
        let trie = self.trie;
        let Some(node_id) = trie.nodes.get(node as usize) else { return ControlFlow::Continue(()) };
        let rest = self.path.as_bytes().get(at..).unwrap_or_default();
        let Some(after) = rest.get(1..) else {
            self.show(node_id, Leaf::End, at)?;
            self.show(node_id, Leaf::Regex, at)?;
            return self.show(node_id, Leaf::Prefix, at);
        };
        if node_id.literals || node_id.param.is_some() {
            let start = at + 1;
            let end = start + memchr::memchr(b'/', after).unwrap_or(after.len());
            let segment = self.path.get(start..end).unwrap_or_default();
            if node_id.literals
                && let Some(child) = trie.child(node, segment)
            {
                self.at(child, end)?;
            }
            if let Some(child) = node_id.param
                && !segment.is_empty()
            {
                self.params.push((start as u32, end as u32));
                self.at(child, end)?;
                self.params.pop();
            }
        }
        self.show(node_id, Leaf::Regex, at)?;
        if !after.is_empty() {
            self.show(node_id, Leaf::Rest, at)?;
        }
        self.show(node_id, Leaf::Prefix, at)
    }

    fn show(&mut self, node: &Node, leaf: Leaf, tail: usize) -> ControlFlow<()> {
        let Range { start, end } = node.leaves.get(leaf as usize).copied().unwrap_or_default();
        let rules = self.trie.order.get(start as usize..end as usize).unwrap_or_default();
        for &rule in rules {
            (self.visit)(Met { rule, params: &self.params, tail })?;
        }
        ControlFlow::Continue(())
    }
}

fn hash(hasher: &RandomState, parent: u32, segment: &str) -> u64 {
    hasher.hash_one((parent, segment))
}

fn text(texts: &str, range: Range) -> &str {
    texts.get(range.start as usize..range.end as usize).unwrap_or_default()
}
