//! What a token says as what the gateway knows of its caller: subject, scopes, groups, consumer, header fields. The same
//! for tokens that are verified here and for those that somebody else explains.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use model::load::Spanned;
use model::resource::Pairs;
use model::value::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::exchange::Learnt;
use crate::policies::FieldNames;
use crate::program::{Compile, ConsumerSlot, Consumers};
use crate::terminals::may_set;

/// The longest value that goes into a header field.
const MOST_VALUE: usize = 4096;

/// Which consumer a token stands for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConsumerByClaim")]
pub(crate) struct ConsumerSpec {
    /// The claim that tells: the first of these that is there. `a.b` is the member `b` of the claim `a`, unless a claim
    /// has the whole name.
    pub(crate) claim: OneOrMany<Spanned<String>>,
    /// The key in the consumers' `metadata` that has the claim's value; the consumer's name when not given.
    pub(crate) metadata: Option<Spanned<String>>,
    /// What becomes of a token that stands for no consumer.
    #[serde(default)]
    pub(crate) missing: Missing,
}

/// What becomes of a token that stands for no consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "NoConsumer")]
pub(crate) enum Missing {
    /// The request is refused with 403.
    #[default]
    Refuse,
    /// The request goes on; its caller is known by the token alone.
    Allow,
}

/// What is read of a token, as users write it.
pub(crate) struct Written<'a> {
    /// Which consumer it stands for.
    pub(crate) consumer: Option<&'a ConsumerSpec>,
    /// The claim of its subject.
    pub(crate) subject: &'a Spanned<String>,
    /// Claims with scopes.
    pub(crate) scopes: &'a OneOrMany<Spanned<String>>,
    /// Claims with groups.
    pub(crate) groups: &'a OneOrMany<Spanned<String>>,
    /// Header fields and the claims that fill them.
    pub(crate) headers: &'a Pairs<Spanned<String>>,
}

/// What is read of a token.
pub(crate) struct Mapping {
    subject: Path,
    scopes: Box<[Path]>,
    groups: Box<[Path]>,
    headers: Box<[(HeaderName, Path)]>,
    consumer: Option<ByClaim>,
}

struct ByClaim {
    claims: Box<[Path]>,
    /// Consumers by the value of a metadata key; by name where there is none.
    index: Option<HashMap<Box<str>, ConsumerSlot>>,
    missing: Missing,
}

/// What a token means for an exchange.
#[derive(Clone, Debug)]
pub(crate) struct Meaning {
    /// The consumer it stands for.
    pub(crate) consumer: Option<ConsumerSlot>,
    /// What it says.
    pub(crate) learnt: Arc<Learnt>,
    /// Fields for the upstream; the place of each is that of its name in the mapping.
    pub(crate) headers: Box<[Option<HeaderValue>]>,
}

/// It stands for no consumer, and has to.
pub(crate) struct NoConsumer;

/// A claim's name, or the way to a member of it.
pub(crate) struct Path {
    whole: Box<str>,
}

impl Path {
    /// Compiles a name.
    pub(crate) fn compile(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Self> {
        if written.is_empty() || written.len() > 256 {
            cx.problem(written.span, "a claim's name has from 1 to 256 characters", "mend the name");
            return None;
        }
        Some(Self { whole: written.as_str().into() })
    }

    /// The claim.
    pub(crate) fn get<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        if let Some(value) = claims.get(&*self.whole) {
            return Some(value);
        }
        let (first, rest) = self.whole.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, name| value.get(name))
    }
}

impl Mapping {
    /// Compiles what was written.
    pub(crate) fn compile(written: &Written<'_>, cx: &mut Compile<'_>) -> Option<Self> {
        let paths = |names: &OneOrMany<Spanned<String>>, cx: &mut Compile<'_>| -> Option<Box<[Path]>> {
            let paths: Vec<_> = names.iter().map(|name| Path::compile(name, cx)).collect();
            paths.into_iter().collect()
        };
        let subject = Path::compile(written.subject, cx);
        let (scopes, groups) = (paths(written.scopes, cx), paths(written.groups, cx));
        let mut headers = Vec::new();
        for (name, claim) in written.headers.iter() {
            let path = Path::compile(claim, cx);
            let header = cx.header_name(name).filter(|header| may_set(header, name.span, cx));
            headers.push((header?, path?));
        }
        let consumer = match written.consumer {
            None => None,
            Some(spec) => Some(ByClaim::compile(spec, paths(&spec.claim, cx)?, cx)?),
        };
        Some(Self { subject: subject?, scopes: scopes?, groups: groups?, headers: headers.into(), consumer })
    }

    /// What claims mean.
    pub(crate) fn read(&self, claims: Map<String, Value>, consumers: &Consumers) -> Result<Meaning, NoConsumer> {
        let consumer = match &self.consumer {
            None => None,
            Some(by) => match (by.find(&claims, consumers), by.missing) {
                (Some(slot), _) => Some(slot),
                (None, Missing::Allow) => None,
                (None, Missing::Refuse) => return Err(NoConsumer),
            },
        };
        let headers = self.headers.iter().map(|(_, path)| path.get(&claims).and_then(field_value)).collect();
        let learnt = Learnt {
            subject: self.subject.get(&claims).and_then(Value::as_str).map(Into::into),
            scopes: words(&self.scopes, &claims),
            groups: words(&self.groups, &claims),
            claims,
        };
        Ok(Meaning { consumer, learnt: Arc::new(learnt), headers })
    }

    /// The fields that only a token fills.
    pub(crate) fn owns(&self) -> FieldNames {
        self.headers.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Fills the fields.
    pub(crate) fn fill(&self, meaning: &Meaning, headers: &mut HeaderMap) {
        for ((name, _), value) in self.headers.iter().zip(&meaning.headers) {
            if let Some(value) = value {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

impl ByClaim {
    fn compile(spec: &ConsumerSpec, claims: Box<[Path]>, cx: &mut Compile<'_>) -> Option<Self> {
        if claims.is_empty() {
            cx.problem(cx.span, "`consumer.claim` names no claim", "write `consumer: { claim: azp }`");
            return None;
        }
        let index = match &spec.metadata {
            None => None,
            Some(key) => {
                let mut index: HashMap<Box<str>, ConsumerSlot> = HashMap::new();
                let mut doubled = Vec::new();
                for consumer in cx.consumers.iter() {
                    let values = consumer.metadata.iter().filter(|(name, _)| *name == **key);
                    for (_, value) in values {
                        if index.insert(value.as_str().into(), consumer.slot).is_some() {
                            doubled.push(consumer.name.clone());
                        }
                    }
                }
                for name in doubled {
                    let message = format!("consumer `{name}` has a `metadata.{}` that another has too", **key);
                    cx.problem(key.span, message, "give each consumer a value of its own");
                }
                Some(index)
            }
        };
        Some(Self { claims, index, missing: spec.missing })
    }

    fn find(&self, claims: &Map<String, Value>, consumers: &Consumers) -> Option<ConsumerSlot> {
        let value = self.claims.iter().find_map(|path| path.get(claims)?.as_str())?;
        match &self.index {
            Some(index) => index.get(value).copied(),
            None => consumers.by_name(value).map(|consumer| consumer.slot),
        }
    }
}

/// The words of claims: a list of text, or text with spaces between (RFC 6749 section 3.3). The first claim that is there.
fn words(paths: &[Path], claims: &Map<String, Value>) -> Box<[Box<str>]> {
    match paths.iter().find_map(|path| path.get(claims)) {
        Some(Value::String(text)) => text.split_ascii_whitespace().map(Into::into).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(Into::into).collect(),
        _ => Box::default(),
    }
}

/// A claim as a field: text as it is, a list of text with commas between, anything else as JSON. Text that cannot be in a
/// field is none, as half of it would mean something else.
fn field_value(value: &Value) -> Option<HeaderValue> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            // A comma in an item would make it two.
            if items.iter().any(|item| item.contains(',')) {
                return None;
            }
            items.join(",")
        }
        other => other.to_string(),
    };
    if text.len() > MOST_VALUE { None } else { HeaderValue::try_from(text).ok() }
}
