//! What is asked: a document that is the same, byte by byte, for requests that are the same in what was chosen.

use std::collections::BTreeMap;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::exchange::{Exchange, Identity};
use crate::policies::{FieldNames, query};

/// What OPA sees of a request.
pub(super) struct Input {
    pub(super) headers: FieldNames,
    pub(super) claims: Claims,
    pub(super) query: bool,
}

/// Claims that it sees.
pub(super) enum Claims {
    All,
    Named(Box<[Box<str>]>),
}

impl Input {
    /// The question of a request.
    pub(super) fn of(&self, x: &Exchange) -> Bytes {
        let path = x.request.uri.path();
        let asked = x.request.uri.query().filter(|_| self.query);
        let mut input = Map::new();
        let http = json!({
            "method": x.request.method.as_str(),
            "scheme": x.scheme.as_str(),
            "host": &*x.host,
            "path": asked.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")),
            "headers": self.fields(x),
        });
        let source = json!({ "address": { "socketAddress": { "address": x.client.to_string() } } });
        input.insert("attributes".to_owned(), json!({ "source": source, "request": { "http": http } }));
        // Taken apart before it is decoded, so that a slash within a segment stays there.
        let segments = path.trim_start_matches('/').split('/');
        let segments: Vec<_> = segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect();
        input.insert("parsed_path".to_owned(), json!(segments));
        let mut parameters: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in query::pairs(asked.unwrap_or_default()) {
            parameters.entry(query::decode(name)).or_default().push(query::decode(value));
        }
        input.insert("parsed_query".to_owned(), json!(parameters));
        let plan = x.plan();
        input.insert("route".to_owned(), json!({ "api": &*plan.api, "name": &*plan.name }));
        input.insert("client".to_owned(), client(x));
        if let Some(identity) = &x.identity {
            input.insert("auth".to_owned(), self.auth(x, identity));
        }
        Bytes::from(json!({ "input": input }).to_string())
    }

    fn fields(&self, x: &Exchange) -> BTreeMap<String, String> {
        let mut fields = BTreeMap::<String, String>::new();
        for (name, value) in x.request.headers.iter().filter(|(name, _)| self.headers.has(name)) {
            let value = String::from_utf8_lossy(value.as_bytes());
            let field = fields.entry(name.as_str().to_owned()).or_default();
            if !field.is_empty() {
                field.push_str(", ");
            }
            field.push_str(&value);
        }
        fields
    }

    fn auth(&self, x: &Exchange, identity: &Identity) -> Value {
        let program = &x.local.program;
        let consumer = identity.consumer.and_then(|slot| program.consumers.get(slot));
        let plan = identity.plan.and_then(|plan| program.snapshot.plans.get(plan as usize));
        let learnt = identity.learnt.as_deref();
        let mut groups: Vec<&str> = consumer.iter().flat_map(|known| &known.groups).map(|group| &**group).collect();
        groups.extend(learnt.iter().flat_map(|learnt| &learnt.groups).map(|group| &**group));
        let claims = learnt.map(|learnt| match &self.claims {
            Claims::All => learnt.claims.clone(),
            Claims::Named(names) => {
                let chosen = names.iter().filter_map(|name| learnt.claims.get_key_value(&**name));
                chosen.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
        });
        json!({
            "consumer": consumer.map(|consumer| &*consumer.name),
            "plan": plan.map(|plan| plan.name.as_str()),
            "method": identity.method,
            "subject": learnt.and_then(|learnt| learnt.subject.as_deref()),
            "groups": groups,
            "scopes": learnt.map(|learnt| &learnt.scopes[..]).unwrap_or_default(),
            "claims": claims.unwrap_or_default(),
        })
    }
}

fn client(x: &Exchange) -> Value {
    let geo = x.local.program.geo.as_ref();
    let mut client = Map::new();
    client.insert("address".to_owned(), json!(x.client.to_string()));
    if let Some(country) = geo.and_then(|geo| geo.country(x.client)) {
        client.insert("country".to_owned(), json!(country));
    }
    if let Some(asn) = geo.and_then(|geo| geo.asn(x.client)) {
        client.insert("asn".to_owned(), json!(asn));
    }
    Value::Object(client)
}
