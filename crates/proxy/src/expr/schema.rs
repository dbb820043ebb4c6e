//! What expressions and templates may name: variables and functions, as data. Checking, evaluation and the reference
//! docs all go by these tables.

use model::problem::did_you_mean;

use super::fact::{Fact, Group, Map};
use super::{Reads, Scope};
use crate::terminals::CallFact;

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
    /// What only a request tells: text, a number, a boolean, a list.
    Any,
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
    /// Values of any type.
    Any,
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
            Type::Any => "a value of any type",
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
            Type::Any => Some(Item::Any),
            Type::Null | Type::List(_) | Type::Map(_) => None,
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }

    /// Whether a value of this type may turn out to be what is asked for.
    pub(super) fn may_be(self, asked: Type) -> bool {
        match (self, asked) {
            (Type::Any, Type::Map(_)) => false,
            (Type::Any, _) | (Type::List(Item::None | Item::Any), Type::List(_)) => true,
            (known, asked) => known == asked,
        }
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
            Item::Any => Type::Any,
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
    /// An expression with it.
    pub example: &'static str,
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

    /// From where on it is known, in a word of the docs.
    pub(super) fn known_from(&self) -> &'static str {
        if self.reads().has(Reads::IDENTITY) { "authorize" } else { self.scope.as_str() }
    }

    /// Its type in docs.
    pub(super) fn type_name(&self) -> &'static str {
        match self.source {
            Source::Group(_) => "group",
            _ => self.kind.as_str().trim_start_matches("a "),
        }
    }

    /// What it reads that is not always at hand.
    pub(super) fn reads(&self) -> Reads {
        match self.source {
            Source::Map(Map::RequestHeaders | Map::Cookies) | Source::Fact(Fact::Size) => Reads::HEADERS,
            Source::Fact(Fact::Country | Fact::Asn) => Reads::GEO,
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

type Text = &'static str;

const fn fact(name: Text, kind: Type, scope: Scope, fact: Fact, about: Text, example: Text) -> Variable {
    Variable { name, kind, scope, about, example, source: Source::Fact(fact) }
}

const fn map(name: Text, scope: Scope, map: Map, about: Text, example: Text) -> Variable {
    Variable { name, kind: Type::Map(Item::Text), scope, about, example, source: Source::Map(map) }
}

const fn claims(name: Text, scope: Scope, about: Text, example: Text) -> Variable {
    Variable { name, kind: Type::Map(Item::Any), scope, about, example, source: Source::Map(Map::Claims) }
}

const fn group(name: Text, scope: Scope, group: Group, about: Text, example: Text) -> Variable {
    Variable { name, kind: Type::Null, scope, about, example, source: Source::Group(group) }
}

const TEXT: Type = Type::Text;
const INT: Type = Type::Int;
const TEXTS: Type = Type::List(Item::Text);
use Scope::{Match, Request, Response};

/// Every variable.
#[rustfmt::skip]
pub static VARIABLES: &[Variable] = &[
    fact("request.method", TEXT, Match, Fact::Method, "The method, such as `GET`.", r#"request.method in ["GET", "HEAD"]"#),
    fact("request.path", TEXT, Match, Fact::Path, "The path in its plain form, as it is matched; after a rewrite, the new one.", r#"request.path.startsWith("/v2/")"#),
    fact("request.raw_path", TEXT, Match, Fact::RawPath, "The path as the client sent it.", r#"request.raw_path.contains("//")"#),
    map("request.query", Match, Map::Query, "Query parameters, decoded. Of several with one name the first.", r#"request.query.page == "2""#),
    fact("request.query_string", TEXT, Match, Fact::QueryString, "The query as it stands, without `?`; empty when there is none.", r#"size(request.query_string) > 1000"#),
    map("request.headers", Match, Map::RequestHeaders, "Header fields; case does not matter in their names. Several lines are joined by `, `.", r#"request.headers["x-tier"] == "gold""#),
    map("request.cookies", Match, Map::Cookies, "Cookies. Of several with one name the first.", r#"has(request.cookies.session)"#),
    fact("request.host", TEXT, Match, Fact::Host, "The host without port, in lower case.", r#"request.host.endsWith(".example.com")"#),
    fact("request.scheme", TEXT, Match, Fact::Scheme, "`http` or `https`, as the client used it.", r#"request.scheme == "https""#),
    fact("request.version", TEXT, Match, Fact::Version, "The HTTP version: `1.0`, `1.1`, `2` or `3`.", r#"request.version == "2""#),
    fact("request.size", INT, Match, Fact::Size, "Bytes of the body as `Content-Length` says; absent when it does not.", r#"request.size > 1048576"#),
    fact("request.id", TEXT, Request, Fact::RequestId, "The request id, once the `request_id` policy set one.", r#"request.id"#),
    fact("client.address", TEXT, Match, Fact::ClientAddress, "The client's address, after trusted proxies.", r#"inNetwork(client.address, "10.0.0.0/8")"#),
    fact("client.port", INT, Match, Fact::ClientPort, "The port at the other end of the connection.", r#"client.port < 1024"#),
    fact("client.country", TEXT, Match, Fact::Country, "The client's country (ISO 3166), by `geo.country_db`; absent where it is not known.", r#"client.country in ["DE", "FR"]"#),
    fact("client.asn", INT, Match, Fact::Asn, "The number of the client's network (AS), by `geo.asn_db`; absent where it is not known.", r#"client.asn == 64500"#),
    fact("client.bot", TEXT, Request, Fact::Bot, "The bot that the `bot` policy told by its user agent; absent where it told none.", r#"client.bot == "Googlebot""#),
    fact("connection.listener", TEXT, Match, Fact::Listener, "The listener's name.", r#"connection.listener == "internal""#),
    fact("connection.local_address", TEXT, Match, Fact::LocalAddress, "The address the connection came to.", r#"connection.local_address == "127.0.0.1""#),
    fact("connection.local_port", INT, Match, Fact::LocalPort, "The port the connection came to.", r#"connection.local_port == 8443"#),
    group("connection.tls", Match, Group::Tls, "What TLS agreed on; absent in the clear.", r#"has(connection.tls)"#),
    fact("connection.tls.version", TEXT, Match, Fact::TlsVersion, "`TLSv1.2` or `TLSv1.3`.", r#"connection.tls.version == "TLSv1.3""#),
    fact("connection.tls.cipher", TEXT, Match, Fact::TlsCipher, "The cipher suite by its IANA name.", r#"connection.tls.cipher.contains("_GCM_")"#),
    fact("connection.tls.server_name", TEXT, Match, Fact::ServerName, "The name the client asked for (SNI).", r#"connection.tls.server_name != request.host"#),
    group("connection.tls.client", Match, Group::Certificate, "The client's verified certificate; absent when it showed none.", r#"has(connection.tls.client)"#),
    fact("connection.tls.client.subject", TEXT, Match, Fact::Subject, "The certificate's subject (RFC 4514).", r#"connection.tls.client.subject == "CN=robot""#),
    fact("connection.tls.client.issuer", TEXT, Match, Fact::Issuer, "The certificate's issuer (RFC 4514).", r#"connection.tls.client.issuer.contains("O=Example")"#),
    fact("connection.tls.client.serial", TEXT, Match, Fact::Serial, "The certificate's serial number, hexadecimal.", r#"connection.tls.client.serial in ["0a", "0b"]"#),
    fact("connection.tls.client.fingerprint", TEXT, Match, Fact::Fingerprint, "SHA-256 of the certificate, hexadecimal.", r#"connection.tls.client.fingerprint.startsWith("9f86d081")"#),
    fact("connection.tls.client.names", TEXTS, Match, Fact::Names, "DNS, URI, email and IP names of the certificate's subject.", r#""robot.example.com" in connection.tls.client.names"#),
    map("params", Request, Map::Params, "What the route's path captured, decoded.", r#"params.id != "me""#),
    fact("route.api", TEXT, Request, Fact::Api, "The api's name.", r#"route.api"#),
    fact("route.name", TEXT, Request, Fact::Route, "The route's name within the api.", r#"route.name == "read""#),
    group("auth", Request, Group::Auth, "Who calls; absent while nobody is identified.", r#"has(auth)"#),
    group("auth.consumer", Request, Group::Consumer, "The consumer that calls.", r#"has(auth.consumer)"#),
    fact("auth.consumer.name", TEXT, Request, Fact::Consumer, "The consumer's name.", r#"auth.consumer.name"#),
    fact("auth.consumer.groups", TEXTS, Request, Fact::Groups, "The consumer's groups.", r#""beta" in auth.consumer.groups"#),
    fact("auth.consumer.tags", TEXTS, Request, Fact::Tags, "The consumer's tags.", r#"auth.consumer.tags.exists(tag, tag.startsWith("eu-"))"#),
    map("auth.consumer.metadata", Request, Map::Metadata, "The consumer's metadata.", r#"auth.consumer.metadata.region == "eu""#),
    fact("auth.plan", TEXT, Request, Fact::Plan, "The name of the plan that applies.", r#"auth.plan == "gold""#),
    fact("auth.credential", TEXT, Request, Fact::Credential, "The name of the credential that was shown.", r#"auth.credential"#),
    fact("auth.method", TEXT, Request, Fact::AuthMethod, "The policy that identified the caller, such as `key_auth`.", r#"auth.method == "key_auth""#),
    fact("auth.subject", TEXT, Request, Fact::AuthSubject, "Whom the credential stands for, such as the `sub` of a token.", r#"auth.subject == params.id"#),
    fact("auth.scopes", TEXTS, Request, Fact::Scopes, "The scopes of the credential.", r#""users.write" in auth.scopes"#),
    fact("auth.groups", TEXTS, Request, Fact::AllGroups, "The consumer's groups, and those that the credential tells.", r#""staff" in auth.groups"#),
    claims("auth.claims", Request, "What the credential says, with entries of any type and depth: `auth.claims.realm_access.roles`.", r#"auth.claims.level >= 3"#),
    fact("ai.model", TEXT, Request, Fact::Call(CallFact::Model), "The model that is called, by the name the caller used; `ai.*` is known where a target of a model is chosen, and absent before.", r#"ai.model.startsWith("gpt-")"#),
    fact("ai.stream", Type::Bool, Request, Fact::Call(CallFact::Stream), "Whether the model's answer is to come as a stream.", r#"ai.stream"#),
    fact("ai.input_tokens", INT, Request, Fact::Call(CallFact::InputTokens), "About how many tokens the request's texts have: a quarter of their bytes.", r#"ai.input_tokens > 100000"#),
    fact("ai.images", INT, Request, Fact::Call(CallFact::Images), "How many images the request has.", r#"ai.images > 0"#),
    fact("ai.audio", INT, Request, Fact::Call(CallFact::Audio), "How many pieces of sound the request has.", r#"ai.audio == 0"#),
    fact("ai.files", INT, Request, Fact::Call(CallFact::Files), "How many documents the request has, by value, by URL or by id.", r#"ai.files > 0"#),
    fact("ai.tools", INT, Request, Fact::Call(CallFact::Tools), "How many tools the model may call.", r#"ai.tools > 0"#),
    fact("response.status", INT, Response, Fact::Status, "The status of the answer.", r#"response.status >= 500"#),
    fact("response.reason", TEXT, Response, Fact::Reason, "The usual phrase of the status, such as `Not Found`.", r#"response.reason"#),
    map("response.headers", Response, Map::ResponseHeaders, "Header fields of the answer.", r#"response.headers["content-type"].startsWith("text/")"#),
    group("error", Response, Group::Error, "The gateway's own error that is the answer; absent where something else answered.", r#"has(error)"#),
    fact("error.status", INT, Response, Fact::ErrorStatus, "Its HTTP status.", r#"error.status == 429"#),
    fact("error.code", TEXT, Response, Fact::ErrorCode, "Its stable code, such as `rate_limit.exceeded`.", r#"error.code == "rate_limit.exceeded""#),
    fact("error.title", TEXT, Response, Fact::ErrorTitle, "What happened, the same for every occurrence.", r#"error.title"#),
    fact("error.detail", TEXT, Response, Fact::ErrorDetail, "What happened this time.", r#"error.detail.orValue("fine")"#),
    fact("now", INT, Match, Fact::Now, "Seconds since 1970.", r#"now > 1767225600"#),
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
    /// A call of it.
    pub example: &'static str,
    /// What that gives.
    pub gives: &'static str,
}

const fn function(name: Text, form: Text, about: Text, example: Text, gives: Text) -> Function {
    Function { name, form, about, example, gives }
}

/// Every function. The operators are CEL's: `== != < <= > >= in && || ! + - * / % ?: [] .`.
#[rustfmt::skip]
pub static FUNCTIONS: &[Function] = &[
    function("startsWith", "text.startsWith(text)", "Whether it begins so.", r#""/v2/users".startsWith("/v2/")"#, "true"),
    function("endsWith", "text.endsWith(text)", "Whether it ends so.", r#""a.png".endsWith(".png")"#, "true"),
    function("contains", "text.contains(text)", "Whether it holds that.", r#""text/html".contains("json")"#, "false"),
    function("matches", "text.matches(\"^/v[0-9]+/\")", "Whether the regular expression matches anywhere in it. The expression is a literal.", r#""/v12/users".matches("^/v[0-9]+/")"#, "true"),
    function("size", "size(text), text.size()", "Characters of a text, items of a list, different keys of a map (of header fields: their names).", r#"size("añb")"#, "3"),
    function("lowerAscii", "text.lowerAscii()", "With `A` to `Z` in lower case.", r#""GET".lowerAscii()"#, "\"get\""),
    function("upperAscii", "text.upperAscii()", "With `a` to `z` in upper case.", r#""eu".upperAscii()"#, "\"EU\""),
    function("trim", "text.trim()", "Without white space at its ends.", r#"" a ".trim()"#, "\"a\""),
    function("replace", "text.replace(\"a\", \"b\")", "With each occurrence replaced.", r#""a-b-c".replace("-", "_")"#, "\"a_b_c\""),
    function("split", "text.split(\",\")", "The parts between a separator.", r#""a,b".split(",")"#, "[\"a\", \"b\"]"),
    function("join", "list.join(\",\")", "A list of text with a separator in between.", r#"["a", "b"].join("+")"#, "\"a+b\""),
    function("substring", "text.substring(1), text.substring(1, 3)", "Characters from a place on, counted from 0, up to but without another.", r#""abcd".substring(1, 3)"#, "\"bc\""),
    function("orValue", "request.headers[\"x-tier\"].orValue(\"free\")", "The value, or this one where it is absent.", r#"request.query.none.orValue("free")"#, "\"free\""),
    function("int", "int(value)", "As a whole number; absent when it is none.", r#"int("42") + 1"#, "43"),
    function("double", "double(value)", "As a number with a fraction; absent when it is none.", r#"double("1.5") * 2.0"#, "3.0"),
    function("string", "string(value)", "As text.", r#""v" + string(2)"#, "\"v2\""),
    function("inNetwork", "inNetwork(client.address, \"10.0.0.0/8\", \"fd00::/8\")", "Whether an address is in one of the networks. These are literals.", r#"inNetwork("10.1.2.3", "10.0.0.0/8")"#, "true"),
];

/// Every macro: what looks like a function and gets an expression instead of its value.
#[rustfmt::skip]
pub static MACROS: &[Function] = &[
    function("has", "has(request.headers.accept)", "Whether there is one: a value, an entry, a group of names.", "has(request.headers.none)", "false"),
    function("exists", "list.exists(item, condition)", "Whether the condition holds for an item of a list, or a key of a map.", r#"["a", "b"].exists(item, item == "b")"#, "true"),
    function("all", "list.all(item, condition)", "Whether it holds for all.", "[1, 2].all(item, item > 1)", "false"),
    function("exists_one", "list.exists_one(item, condition)", "Whether it holds for exactly one.", r#"["a", "b", "a"].exists_one(item, item == "a")"#, "false"),
    function("filter", "list.filter(item, condition)", "The items for which it holds.", r#"["a", "ab"].filter(item, item.endsWith("b"))"#, "[\"ab\"]"),
    function("map", "list.map(item, value)", "A value for each item.", "[1, 2].map(item, item * 10)", "[10, 20]"),
];

/// Every function and macro.
pub(super) fn callable() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().chain(MACROS)
}
