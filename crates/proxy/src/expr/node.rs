//! What an expression is lowered to: a tree in which names are facts, header names and regular expressions are made,
//! lists of literals are sets, and nothing is left to look up by name.

use std::collections::HashMap;

use http::HeaderName;
use ipnet::IpNet;
use regex::Regex;

use super::fact::{Fact, Group, Map};

/// What gives a value.
#[derive(Debug)]
pub(super) enum Node {
    /// `null`.
    Null,
    Int(i64),
    Double(f64),
    Text(Box<str>),
    Fact(Fact),
    /// A field of the request's head, or the answer's.
    Field(Head, HeaderName),
    /// What stands under a known key.
    Entry(Map, Box<str>),
    /// What stands under a computed key.
    EntryAt(Map, Box<Node>),
    /// The claim under these names, one inside of the other.
    Claim(Box<[Box<str>]>),
    /// The keys of a map.
    Keys(Map),
    /// The item of the comprehension around it.
    Item,
    Test(Box<Test>),
    List(Box<[Node]>),
    /// An entry of a map of literals.
    Pick(Box<(HashMap<Box<str>, Node>, Node)>),
    If(Box<(Test, Node, Node)>),
    Join(Box<[Node]>),
    Arithmetic(Sign, Box<(Node, Node)>),
    Call(Call, Box<[Node]>),
    /// The first, or the second where it is absent.
    Or(Box<(Node, Node)>),
    /// An item of a list, by its place.
    At(Box<(Node, Node)>),
    Filter(Box<(Node, Test)>),
    Each(Box<(Node, Node)>),
}

/// What holds or does not. Nothing here fails: what cannot be compared does not hold.
#[derive(Debug)]
pub(super) enum Test {
    Known(bool),
    /// A value that is a boolean, and true.
    Is(Node),
    Not(Box<Test>),
    All(Box<[Test]>),
    Any(Box<[Test]>),
    If(Box<(Test, Test, Test)>),
    /// There is a value.
    Given(Node),
    GroupGiven(Group),
    /// A text that is this very one.
    TextIs(Node, Box<str>),
    Same(Node, Node),
    Order(Order, Node, Node),
    Begins(Node, Node),
    Ends(Node, Node),
    Holds(Node, Node),
    Matches(Node, Regex),
    /// A value among literals.
    Among(Node, Set),
    /// A value in a list.
    In(Node, Node),
    /// A text in a list of the exchange.
    Listed(Node, Fact),
    Network(Address, Box<[IpNet]>),
    Exists(Node, Box<Test>),
    Every(Node, Box<Test>),
    One(Node, Box<Test>),
}

/// Whose fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Functions that give a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Lower,
    Upper,
    Trim,
    Replace,
    Split,
    Concat,
    Substring,
    Size,
    Int,
    Double,
    String,
    Negate,
}

/// Literals to look among.
#[derive(Debug)]
pub(super) enum Set {
    Texts(foldhash::HashSet<Box<str>>),
    Ints(foldhash::HashSet<i64>),
}

/// Where an address comes from.
#[derive(Debug)]
pub(super) enum Address {
    Client,
    Local,
    Text(Node),
}
