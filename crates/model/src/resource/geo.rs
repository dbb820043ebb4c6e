//! Where addresses are.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::load::Spanned;

/// Databases in the MaxMind format (`.mmdb`) that say which country and network (ASN) an address belongs to, for the policy
/// `ip` and for `client.country` and `client.asn` in expressions. They are read anew when they change; at most 1 GiB each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Geo {
    /// The database of countries: of GeoLite2 or GeoIP2 `Country` or `City`, or another one with `country.iso_code` or
    /// `country_code`.
    pub country_db: Option<Spanned<String>>,
    /// The database of networks: GeoLite2 or GeoIP2 `ASN`, or another one with `autonomous_system_number`.
    pub asn_db: Option<Spanned<String>>,
}
