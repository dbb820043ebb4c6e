//! What expressions and templates may name: variables and functions, as data. Checking, evaluation and the reference
//! docs all go by these tables.

use model::problem::did_you_mean;

use super::fact::{Fact, Group, Map};
use super::{Reads, Scope};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `null`: nothing.
    Null,
    /// A boolean.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A number with a fraction.
    Double,
    /// Text.
    Text,
    /// A list of values of one type.
    List(Item),
    /// A map from text to values of one type.
    Map(Item),
}

/// The type of what a list or map holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Nothing: an empty list.
    None,
    /// Booleans.
    Bool,
    /// Whole numbers.
    Int,
    /// Numbers with a fraction.
    Double,
    /// Texts.
    Text,
}

impl Type {
    /// Its name in messages and docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Null => "null",
            Type::Bool => "a boolean",
            Type::Int => "a whole number",
            Type::Double => "a number",
            Type::Text => "text",
            Type::List(Item::Text) => "a list of text",
            Type::List(_) => "a list",
            Type::Map(Item::Text) => "a map of text",
            Type::Map(_) => "a map",
        }
    }

    /// As something in a list or map; `None` for what those cannot hold.
    pub(super) fn as_item(self) -> Option<Item> {
        match self {
            Type::Bool => Some(Item::Bool),
            Type::Int => Some(Item::Int),
            Type::Double => Some(Item::Double),
            Type::Text => Some(Item::Text),
            Type::Null | Type::List(_) | Type::Map(_) => None,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }
}

impl Item {
    pub(super) fn as_type(self) -> Type {
        match self {
            Item::None => Type::Null,
            Item::Bool => Type::Bool,
            Item::Int => Type::Int,
            Item::Double => Type::Double,
            Item::Text => Type::Text,
        }
    }
}

/// A variable.
pub struct Variable {
    /// Its whole name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// From where on it is known.
    pub scope: Scope,
    /// What it is, in one line.
    pub about: &'static str,
    pub(super) source: Source,
}

impl Variable {
    /// Why it is not known yet, and how to mend that; `None` where it is known.
    pub(super) fn refusal(&self, scope: Scope) -> Option<(String, String)> {
        let name = self.name;
        let (message, help) = match self.scope {
            known if known <= scope => return None,
            Scope::Response => (
                format!("`{name}` is not known here: there is no answer yet"),
                "it is known from the response side of policies on",
            ),
            Scope::Request | Scope::Match => (
                format!("`{name}` is not known while a route is sought"),
                "it is known from the policies of a route on: `when` of a policy, arms of `to`",
            ),
        };
        Some((message, help.to_owned()))
    }

    /// What it reads that is not always at hand.
    pub(super) fn reads(&self) -> Reads {
        match self.source {
            Source::Map(Map::RequestHeaders | Map::Cookies) | Source::Fact(Fact::Size) => Reads::HEADERS,
            _ if self.name.starts_with("auth") => Reads::IDENTITY,
            _ if self.scope == Scope::Response => Reads::RESPONSE,
            _ => Reads::default(),
        }
    }
}

/// What is said of a name that nothing has, and how to mend it. `above` is what stands before it, dot included.
pub(super) fn unknown(above: &str, segment: &str) -> (String, String) {
    let mut message = format!("unknown name `{above}{segment}`");
    let elsewhere = VARIABLES.iter().find(|known| above.is_empty() && known.name.ends_with(&format!(".{segment}")));
    if let Some(near) = did_you_mean(segment, children(above)) {
        message = format!("{message}; did you mean `{above}{near}`?");
    } else if let Some(known) = elsewhere {
        message = format!("{message}; did you mean `{}`?", known.name);
    }
    let known: Vec<_> = children(above).map(|child| format!("`{above}{child}`")).collect();
    (message, format!("known are {}", known.join(", ")))
}

/// What is said of a group of names that stands for a value.
pub(super) fn is_group(name: &str) -> (String, String) {
    let under: Vec<_> = children(&format!("{name}.")).map(|child| format!("`{name}.{child}`")).collect();
    (format!("`{name}` is a group of names"), format!("name one of {}", under.join(", ")))
}

/// Where a variable's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Fact(Fact),
    Map(Map),
    /// Nothing but the names under it; `has(NAME)` says whether the exchange has any of them.
    Group(Group),
}

const fn fact(name: &'static str, kind: Type, scope: Scope, fact: Fact, about: &'static str) -> Variable {
    Variable { name, kind, scope, about, source: Source::Fact(fact) }
}

const fn map(name: &'static str, scope: Scope, map: Map, about: &'static str) -> Variable {
    Variable { name, kind: Type::Map(Item::Text), scope, about, source: Source::Map(map) }
}

const fn group(name: &'static str, scope: Scope, group: Group, about: &'static str) -> Variable {
    Variable { name, kind: Type::Null, scope, about, source: Source::Group(group) }
}

const TEXT: Type = Type::Text;
const INT: Type = Type::Int;
const TEXTS: Type = Type::List(Item::Text);
use Scope::{Match, Request, Response};

/// Every variable.
#[rustfmt::skip]
pub static VARIABLES: &[Variable] = &[
    fact("request.method", TEXT, Match, Fact::Method, "The method, such as `GET`."),
    fact("request.path", TEXT, Match, Fact::Path, "The path in its plain form, as it is matched; after a rewrite, the new one."),
    fact("request.raw_path", TEXT, Match, Fact::RawPath, "The path as the client sent it."),
    map("request.query", Match, Map::Query, "Query parameters, decoded. Of several with one name the first."),
    fact("request.query_string", TEXT, Match, Fact::QueryString, "The query as it stands, without `?`; empty when there is none."),
    map("request.headers", Match, Map::RequestHeaders, "Header fields; case does not matter in their names. Several lines are joined by `, `."),
    map("request.cookies", Match, Map::Cookies, "Cookies. Of several with one name the first."),
    fact("request.host", TEXT, Match, Fact::Host, "The host without port, in lower case."),
    fact("request.scheme", TEXT, Match, Fact::Scheme, "`http` or `https`, as the client used it."),
    fact("request.version", TEXT, Match, Fact::Version, "The HTTP version: `1.0`, `1.1`, `2` or `3`."),
    fact("request.size", INT, Match, Fact::Size, "Bytes of the body as `Content-Length` says; absent when it does not."),
    fact("request.id", TEXT, Request, Fact::RequestId, "The request id, once the `request_id` policy set one."),
    fact("client.address", TEXT, Match, Fact::ClientAddress, "The client's address, after trusted proxies."),
    fact("client.port", INT, Match, Fact::ClientPort, "The port at the other end of the connection."),
    fact("connection.listener", TEXT, Match, Fact::Listener, "The listener's name."),
    fact("connection.local_address", TEXT, Match, Fact::LocalAddress, "The address the connection came to."),
    fact("connection.local_port", INT, Match, Fact::LocalPort, "The port the connection came to."),
    group("connection.tls", Match, Group::Tls, "What TLS agreed on; absent in the clear."),
    fact("connection.tls.version", TEXT, Match, Fact::TlsVersion, "`TLSv1.2` or `TLSv1.3`."),
    fact("connection.tls.cipher", TEXT, Match, Fact::TlsCipher, "The cipher suite by its IANA name."),
    fact("connection.tls.server_name", TEXT, Match, Fact::ServerName, "The name the client asked for (SNI)."),
    group("connection.tls.client", Match, Group::Certificate, "The client's verified certificate; absent when it showed none."),
    fact("connection.tls.client.subject", TEXT, Match, Fact::Subject, "The certificate's subject (RFC 4514)."),
    fact("connection.tls.client.issuer", TEXT, Match, Fact::Issuer, "The certificate's issuer (RFC 4514)."),
    fact("connection.tls.client.serial", TEXT, Match, Fact::Serial, "The certificate's serial number, hexadecimal."),
    fact("connection.tls.client.fingerprint", TEXT, Match, Fact::Fingerprint, "SHA-256 of the certificate, hexadecimal."),
    fact("connection.tls.client.names", TEXTS, Match, Fact::Names, "DNS, URI, email and IP names of the certificate's subject."),
    map("params", Request, Map::Params, "What the route's path captured, decoded."),
    fact("route.api", TEXT, Request, Fact::Api, "The api's name."),
    fact("route.name", TEXT, Request, Fact::Route, "The route's name within the api."),
    group("auth", Request, Group::Auth, "Who calls; absent while nobody is identified."),
    group("auth.consumer", Request, Group::Consumer, "The consumer that calls."),
    fact("auth.consumer.name", TEXT, Request, Fact::Consumer, "The consumer's name."),
    fact("auth.consumer.groups", TEXTS, Request, Fact::Groups, "The consumer's groups."),
    fact("auth.consumer.tags", TEXTS, Request, Fact::Tags, "The consumer's tags."),
    map("auth.consumer.metadata", Request, Map::Metadata, "The consumer's metadata."),
    fact("auth.plan", TEXT, Request, Fact::Plan, "The name of the plan that applies."),
    fact("auth.credential", TEXT, Request, Fact::Credential, "The name of the credential that was shown."),
    fact("auth.method", TEXT, Request, Fact::AuthMethod, "The policy that identified the caller, such as `key_auth`."),
    fact("response.status", INT, Response, Fact::Status, "The status of the answer."),
    fact("response.reason", TEXT, Response, Fact::Reason, "The usual phrase of the status, such as `Not Found`."),
    map("response.headers", Response, Map::ResponseHeaders, "Header fields of the answer."),
    group("error", Response, Group::Error, "The gateway's own error that is the answer; absent where something else answered."),
    fact("error.status", INT, Response, Fact::ErrorStatus, "Its HTTP status."),
    fact("error.code", TEXT, Response, Fact::ErrorCode, "Its stable code, such as `rate_limit.exceeded`."),
    fact("error.title", TEXT, Response, Fact::ErrorTitle, "What happened, the same for every occurrence."),
    fact("error.detail", TEXT, Response, Fact::ErrorDetail, "What happened this time."),
    fact("now", INT, Match, Fact::Now, "Seconds since 1970."),
];

/// The variable of this whole name.
pub(super) fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// The next segments of names that begin with `prefix` (`""`, or a name with a dot behind it).
pub(super) fn children(prefix: &str) -> impl Iterator<Item = &'static str> {
    let mut last = None;
    VARIABLES
        .iter()
        .filter_map(move |variable| variable.name.strip_prefix(prefix)?.split('.').next())
        .filter(move |segment| last.replace(*segment) != Some(*segment))
}

/// A function, as docs show it.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is called.
    pub form: &'static str,
    /// What it gives, in one line.
    pub about: &'static str,
}

const fn function(name: &'static str, form: &'static str, about: &'static str) -> Function {
    Function { name, form, about }
}

/// Every function. The operators are CEL's: `== != < <= > >= in && || ! + - * / % ?: [] .`.
#[rustfmt::skip]
pub static FUNCTIONS: &[Function] = &[
    function("has", "has(request.headers.accept)", "Whether there is one."),
    function("startsWith", "text.startsWith(text)", "Whether it begins so."),
    function("endsWith", "text.endsWith(text)", "Whether it ends so."),
    function("contains", "text.contains(text)", "Whether it holds that."),
    function("matches", "text.matches(\"^/v[0-9]+/\")", "Whether the regular expression matches anywhere in it. The expression is a literal."),
    function("size", "size(text), text.size()", "Characters of a text, items of a list, keys of a map."),
    function("lowerAscii", "text.lowerAscii()", "With `A` to `Z` in lower case."),
    function("upperAscii", "text.upperAscii()", "With `a` to `z` in upper case."),
    function("trim", "text.trim()", "Without white space at its ends."),
    function("replace", "text.replace(\"a\", \"b\")", "With each occurrence replaced."),
    function("split", "text.split(\",\")", "The parts between a separator."),
    function("join", "list.join(\",\")", "A list of text with a separator in between."),
    function("substring", "text.substring(1), text.substring(1, 3)", "Characters from a place on, counted from 0, up to but without another."),
    function("orValue", "request.headers[\"x-tier\"].orValue(\"free\")", "The value, or this one where it is absent."),
    function("int", "int(value)", "As a whole number; absent when it is none."),
    function("double", "double(value)", "As a number with a fraction; absent when it is none."),
    function("string", "string(value)", "As text."),
    function("inNetwork", "inNetwork(client.address, \"10.0.0.0/8\", \"fd00::/8\")", "Whether an address is in one of the networks. These are literals."),
    function("exists", "list.exists(item, condition)", "Whether the condition holds for an item of a list, or a key of a map."),
    function("all", "list.all(item, condition)", "Whether it holds for all."),
    function("exists_one", "list.exists_one(item, condition)", "Whether it holds for exactly one."),
    function("filter", "list.filter(item, condition)", "The items for which it holds."),
    function("map", "list.map(item, value)", "A value for each item."),
];
