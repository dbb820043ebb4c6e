//! What a user writes: addresses as a list, or a map of all that tells them.

use std::borrow::Cow;
use std::fmt;

use model::load::Spanned;
use model::value::OneOrMany;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::policies::denial::{Mode, Tell};

/// Lets clients in by their address, which behind trusted proxies is the one that these tell: by networks, by lists in files,
/// by country, by the network (ASN) that it belongs to. Where several levels have such a policy, each must let the client in.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Ip")]
pub(crate) struct Spec {
    /// Who is let in: addresses and networks (CIDR), or a map of what tells them; nothing means all but those denied.
    pub(super) allow: Clients,
    /// Who is not let in, even if allowed too.
    pub(super) deny: Clients,
    /// Whether it denies.
    pub(super) mode: Mode,
    /// Who is told why a client is denied.
    pub(super) tell: Tell,
}

/// Clients by what tells them: who any of these tells is one.
#[derive(Clone, Default)]
pub(crate) struct Clients(pub(super) ClientsByKind);

/// Clients by what tells them: who any of these tells is one.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "IpClientsByKind")]
pub(crate) struct ClientsByKind {
    /// Addresses and networks (CIDR), at most 100000.
    pub(super) networks: Vec<Spanned<String>>,
    /// Files with an address or network a line; what stands behind `#` or `;` is left out. At most 1000000 lines together.
    /// A file is read anew when it changes.
    pub(super) files: OneOrMany<Spanned<String>>,
    /// Countries by their two letters (ISO 3166-1), such as `DE`, as `geo.country_db` tells them.
    pub(super) countries: Vec<Spanned<String>>,
    /// Numbers of networks (AS), as `geo.asn_db` tells them.
    pub(super) asns: Vec<Spanned<u32>>,
}

impl<'de> Deserialize<'de> for Clients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Clients;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of addresses and networks, or a map of `networks`, `files`, `countries`, `asns`")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Clients, A::Error> {
        let networks = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(Clients(ClientsByKind { networks, ..ClientsByKind::default() }))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Clients, A::Error> {
        ClientsByKind::deserialize(MapAccessDeserializer::new(map)).map(Clients)
    }
}

impl JsonSchema for Clients {
    fn schema_name() -> Cow<'static, str> {
        "IpClients".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let by_kind = generator.subschema_for::<ClientsByKind>();
        json_schema!({
            "description": "Clients: a list of addresses and networks, or a map of what tells them.",
            "oneOf": [{ "type": "array", "items": { "type": "string" } }, by_kind]
        })
    }
}
