//! Builds the tree from what the readers of YAML and JSON find, within budgets.
use std::collections::HashMap;

use super::de::{push_index, push_key};
use super::reference::References;
use super::span::Sources;
use super::{Entry, Limits, Node, Span, Value, scalar};
use crate::problem::{Problem, Problems};
use crate::value::quote;

/// The text cannot be read any further; why is among the problems.
#[derive(Debug)]
pub(super) struct Stop;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// As YAML without quotes: it may be a number, a boolean or nothing.
    Plain,
    /// In quotes or as a block: it is text.
    Quoted,
}

/// Receives scalars, lists and maps in the order of the text.
pub(super) struct Builder<'a> {
    pub(super) problems: &'a mut Problems,
    sources: &'a Sources,
    references: References<'a>,
    limits: Limits,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    copied: Weight,
}

struct Frame {
    start: Span,
    anchor: usize,
    role: Role,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Map),
}

#[derive(Default)]
struct Map {
    entries: Vec<Entry>,
    key: Key,
    /// The keys so far and their places, once there are many of them.
    seen: HashMap<String, Span>,
    merged: Option<Node>,
}

/// What the next node of a map is.
#[derive(Default)]
enum Key {
    /// The next key.
    #[default]
    Awaited,
    /// The value of this key.
    Of(String, Span),
    /// What `<<` merges.
    Merge(Span),
    /// The value of a key that was refused.
    Refused,
}

/// What a list or map is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    /// It stands where a key should be.
    Key,
}

struct Anchored {
    node: Node,
    weight: Weight,
}

/// How much a copy of a tree takes.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    nodes: usize,
    bytes: usize,
}

/// Maps from this size on look their keys up in a set.
const MANY: usize = 16;

impl<'a> Builder<'a> {
    pub(super) fn new(
        problems: &'a mut Problems,
        sources: &'a Sources,
        references: References<'a>,
        limits: Limits,
    ) -> Self {
        Self {
            problems,
            sources,
            references,
            limits,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            nodes: 0,
            copied: Weight::default(),
        }
    }

    /// The finished tree; lists and maps that were not ended are dropped.
    pub(super) fn finish(self) -> Option<Node> {
        self.root
    }

    /// A scalar. Anchors are numbered from 1; 0 is none.
    pub(super) fn scalar(&mut self, text: String, written: Written, span: Span, anchor: usize) -> Result<(), Stop> {
        self.count(span)?;
        if self.awaits_key() {
            let key = self.key(&text, written, span);
            if anchor != 0 {
                let node = Node { span, value: Value::String(text), secret: false };
                self.remember(anchor, &node)?;
            }
            if let Some(Frame { content: Content::Map(map), .. }) = self.stack.last_mut() {
                map.key = key;
            }
            return Ok(());
        }
        let span = self.place_of_empty(&text, written, span);
        let node = self.scalar_node(text, written, span);
        self.place(node, anchor)
    }

    /// The value of a scalar that has a type by a tag or by JSON.
    pub(super) fn value(&mut self, value: Value, span: Span, anchor: usize) -> Result<(), Stop> {
        self.count(span)?;
        if self.awaits_key() {
            self.refuse_key(span, "a key must be text");
            return Ok(());
        }
        self.place(Node { span, value, secret: false }, anchor)
    }

    pub(super) fn start_list(&mut self, span: Span, anchor: usize) -> Result<(), Stop> {
        self.start(span, anchor, Content::List(Vec::new()))
    }

    pub(super) fn start_map(&mut self, span: Span, anchor: usize) -> Result<(), Stop> {
        self.start(span, anchor, Content::Map(Map::default()))
    }

    fn start(&mut self, start: Span, anchor: usize, content: Content) -> Result<(), Stop> {
        self.count(start)?;
        if self.stack.len() >= self.limits.depth {
            let message = format!("lists and maps are nested more than {} deep", self.limits.depth);
            return Err(self.stop("config.too_deep", start, message));
        }
        let role = if self.awaits_key() { Role::Key } else { Role::Value };
        self.stack.push(Frame { start, anchor, role, content });
        Ok(())
    }

    /// Ends the innermost list or map. Without an `end` it ends where its last part does.
    pub(super) fn end(&mut self, end: Option<u32>) -> Result<(), Stop> {
        let Some(Frame { start, anchor, role, content }) = self.stack.pop() else { return Ok(()) };
        let (value, last) = match content {
            Content::List(items) => {
                let last = items.last().map(|node| node.span);
                (Value::List(items), last)
            }
            Content::Map(map) => {
                let last = map.entries.last().map(|entry| entry.value.span);
                (Value::Map(self.merge(map)), last)
            }
        };
        let end = end.or_else(|| last.filter(|span| span.file == start.file).map(|span| span.end));
        let span = Span::new(start.file, start.start, end.unwrap_or(start.end));
        if role == Role::Key {
            self.refuse_key(span, "a key must be text, not a list or a map");
            return Ok(());
        }
        self.place(Node { span, value, secret: false }, anchor)
    }

    /// A repetition of an anchored node.
    pub(super) fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stop> {
        if self.awaits_key() {
            self.refuse_key(span, "a key must be text, not an alias");
            return Ok(());
        }
        let Some(Anchored { node, weight }) = self.anchors.get(&anchor) else {
            self.problem(Problem::error("config.bad_alias", span, "an alias must not be inside of what it repeats"));
            return self.place(Node { span, ..Node::default() }, 0);
        };
        let (node, weight) = (node, *weight);
        self.copied.nodes = self.copied.nodes.saturating_add(weight.nodes);
        self.copied.bytes = self.copied.bytes.saturating_add(weight.bytes);
        if self.copied.nodes > self.limits.alias_nodes || self.copied.bytes > self.limits.alias_bytes {
            return Err(self.stop("config.too_large", span, "the aliases repeat too much"));
        }
        let node = node.clone();
        self.place(node, 0)
    }

    /// Adds a problem about the place that is being read.
    pub(super) fn problem(&mut self, problem: Problem) {
        let path = self.path();
        self.problems.push(problem.path(path));
    }

    /// Adds a problem after which nothing more can be read.
    pub(super) fn stop(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Stop {
        self.problem(Problem::error(code, span, message));
        Stop
    }

    fn count(&mut self, span: Span) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let message = format!("there are more than {} values", self.limits.nodes);
            return Err(self.stop("config.too_large", span, message));
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Map(Map { key: Key::Awaited, .. }), .. }))
    }

    /// An empty value is shown at its key.
    fn place_of_empty(&self, text: &str, written: Written, span: Span) -> Span {
        match self.stack.last() {
            Some(Frame { content: Content::Map(Map { key: Key::Of(_, key), .. }), .. })
                if text.is_empty() && written == Written::Plain =>
            {
                *key
            }
            _ => span,
        }
    }

    fn scalar_node(&mut self, text: String, written: Written, span: Span) -> Node {
        let value = match written {
            Written::Quoted => Value::String(text),
            Written::Plain => match scalar::plain(&text) {
                Ok(Value::String(_)) => Value::String(text),
                Ok(value) => value,
                Err(refused) => {
                    self.problem(Problem::error("config.ambiguous_number", span, refused.message).help(refused.help));
                    // What was meant is not known, so nothing may follow from its type.
                    return Node { span, value: Value::String(super::STAND_IN.to_owned()), secret: true };
                }
            },
        };
        match value {
            Value::String(text) if text.contains("${") => {
                let path = self.path();
                let (text, secret) = self.references.replace(text, span, &path, self.problems);
                Node { span, value: Value::String(text), secret }
            }
            value => Node { span, value, secret: false },
        }
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.remember(anchor, &node)?;
        }
        match self.stack.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(map)) => match std::mem::take(&mut map.key) {
                Key::Of(key, key_span) => map.entries.push(Entry { key, key_span, value: node }),
                Key::Merge(span) => self.keep_merged(node, span),
                Key::Awaited | Key::Refused => {}
            },
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), Stop> {
        let weight = weight(node);
        self.copied.nodes = self.copied.nodes.saturating_add(weight.nodes);
        self.copied.bytes = self.copied.bytes.saturating_add(weight.bytes);
        if self.copied.nodes > self.limits.alias_nodes || self.copied.bytes > self.limits.alias_bytes {
            return Err(self.stop("config.too_large", node.span, "what is anchored is too much"));
        }
        self.anchors.insert(anchor, Anchored { node: node.clone(), weight });
        Ok(())
    }

    /// What a scalar in the place of a key means.
    fn key(&mut self, text: &str, written: Written, span: Span) -> Key {
        let Some(Frame { content: Content::Map(map), .. }) = self.stack.last_mut() else { return Key::Refused };
        if written == Written::Plain && text == "<<" {
            return Key::Merge(span);
        }
        if let Some(first) = map.find(text) {
            let first = self.sources.describe(first, span);
            let message = format!("{} is set twice; the first is at {first}", quote(text));
            self.problem(Problem::error("config.duplicate_key", span, message).help("remove one of them"));
            return Key::Refused;
        }
        map.note(text, span);
        let is_text = written == Written::Quoted || matches!(scalar::plain(text), Ok(Value::String(_)));
        if !is_text && text.is_empty() {
            self.problem(Problem::error("config.bad_key", span, "a key is missing before the `:`"));
        } else if !is_text {
            let help = format!("put it in quotes: \"{text}\"");
            self.problem(Problem::error("config.bad_key", span, format!("the key `{text}` is not text")).help(help));
        } else if ["${env:", "${file:", "${store:"].iter().any(|start| text.contains(start)) {
            let message = "references such as `${env:NAME}` are for values, not for keys";
            self.problem(Problem::error("config.bad_key", span, message));
        }
        Key::Of(text.to_owned(), span)
    }

    fn refuse_key(&mut self, span: Span, message: &str) {
        self.problem(Problem::error("config.bad_key", span, message));
        if let Some(Frame { content: Content::Map(map), .. }) = self.stack.last_mut() {
            map.key = Key::Refused;
        }
    }

    fn keep_merged(&mut self, node: Node, key: Span) {
        let mergeable = match &node.value {
            Value::Map(_) => true,
            Value::List(items) => items.iter().all(|item| matches!(item.value, Value::Map(_))),
            _ => false,
        };
        let Some(Frame { content: Content::Map(map), .. }) = self.stack.last_mut() else { return };
        let problem = if map.merged.is_some() {
            Problem::error("config.duplicate_key", key, "`<<` is set twice").help("merge a list: `<<: [*a, *b]`")
        } else if mergeable {
            map.merged = Some(node);
            return;
        } else {
            Problem::error("config.bad_merge", key, format!("`<<` merges a map or a list of maps, not {}", node.kind()))
        };
        self.problem(problem);
    }

    /// The entries of a map with those that `<<` adds: what the map says itself wins, then what is merged first.
    fn merge(&mut self, mut map: Map) -> Vec<Entry> {
        let Some(merged) = map.merged.take() else { return map.entries };
        let sources = match merged.value {
            Value::Map(entries) => vec![entries],
            Value::List(items) => items
                .into_iter()
                .filter_map(|item| if let Value::Map(entries) = item.value { Some(entries) } else { None })
                .collect(),
            _ => Vec::new(),
        };
        for entry in sources.into_iter().flatten() {
            if map.find(&entry.key).is_none() {
                map.note(&entry.key, entry.key_span);
                map.entries.push(entry);
            }
        }
        map.entries
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.stack {
            match &frame.content {
                Content::List(items) => push_index(&mut path, items.len()),
                Content::Map(Map { key: Key::Of(key, _), .. }) => push_key(&mut path, key),
                Content::Map(_) => {}
            }
        }
        path
    }
}

impl Map {
    /// Where a key was set.
    fn find(&self, key: &str) -> Option<Span> {
        if self.seen.is_empty() {
            return self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span);
        }
        self.seen.get(key).copied()
    }

    /// Remembers a key that is about to be set.
    fn note(&mut self, key: &str, span: Span) {
        if self.entries.len() == MANY && self.seen.is_empty() {
            self.seen = self.entries.iter().map(|entry| (entry.key.clone(), entry.key_span)).collect();
        }
        if !self.seen.is_empty() {
            self.seen.insert(key.to_owned(), span);
        }
    }
}

fn weight(node: &Node) -> Weight {
    let add = |a: Weight, b: Weight| Weight { nodes: a.nodes + b.nodes, bytes: a.bytes + b.bytes };
    let own = Weight { nodes: 1, bytes: 0 };
    match &node.value {
        Value::String(text) => Weight { bytes: text.len(), ..own },
        Value::List(items) => items.iter().map(weight).fold(own, add),
        Value::Map(entries) => entries.iter().fold(own, |sum, entry| {
            let key = Weight { nodes: 1, bytes: entry.key.len() };
            add(add(sum, key), weight(&entry.value))
        }),
        _ => own,
    }
}
