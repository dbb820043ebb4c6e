//! Where addresses are: which country and network (AS) one belongs to, by files in the MaxMind format.
//!
//! A file is read into memory as a whole when the configuration is compiled, so that what is asked for is there and no
//! file that changes under the gateway is read half. What a file does not know, or says in a form that nobody reads, is
//! not known.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;

use maxminddb::{PathElement, Reader};
use model::load::Spanned;
use model::problem::{Problem, Problems, Severity};
use model::resource::Geo as Written;

/// The largest file.
const MOST_BYTES: u64 = 1 << 30;

type Database = Reader<Vec<u8>>;

/// Which country and network addresses belong to.
#[derive(Default)]
pub struct Geo {
    countries: Option<Database>,
    networks: Option<Database>,
}

impl Geo {
    /// Reads the files. What cannot be read is a problem; a warning where `offline`, and then nothing is known.
    pub fn open(written: &Written, offline: bool, problems: &mut Problems) -> Self {
        if written.country_db.is_none() && written.asn_db.is_none() {
            let problem = Problem::error(CODE, None, "`geo` names no database").path("geo");
            problems.push(problem.help("give `country_db` or `asn_db` the path of an `.mmdb` file"));
        }
        let mut open = |path: &Option<Spanned<String>>, key: &str| {
            let path = path.as_ref()?;
            open(path)
                .map_err(|(message, missing)| {
                    let severity = if missing && offline { Severity::Warning } else { Severity::Error };
                    let message = format!("`{}` {message}", **path);
                    let problem = Problem { severity, ..Problem::error(CODE, path.span, message) };
                    problems
                        .push(problem.path(format!("geo.{key}")).help("name a file in the MaxMind format (`.mmdb`)"));
                })
                .ok()
        };
        Self { countries: open(&written.country_db, "country_db"), networks: open(&written.asn_db, "asn_db") }
    }

    /// The country of an address (ISO 3166-1, two letters), where it is known.
    pub fn country(&self, address: IpAddr) -> Option<&str> {
        let found = self.countries.as_ref()?.lookup(address).ok()?;
        let usual = found.decode_path(&[PathElement::Key("country"), PathElement::Key("iso_code")]);
        usual.ok().flatten().or_else(|| found.decode_path(&[PathElement::Key("country_code")]).ok().flatten())
    }

    /// The number of an address's network (AS), where it is known.
    pub fn asn(&self, address: IpAddr) -> Option<u32> {
        let found = self.networks.as_ref()?.lookup(address).ok()?;
        found.decode_path(&[PathElement::Key("autonomous_system_number")]).ok().flatten()
    }

    /// Whether there is a database of countries.
    pub fn knows_countries(&self) -> bool {
        self.countries.is_some()
    }

    /// Whether there is a database of networks.
    pub fn knows_networks(&self) -> bool {
        self.networks.is_some()
    }
}

const CODE: &str = "config.geo";
/// What is wrong where something asks for places and there is no `geo`, and how to mend it.
pub(crate) const MISSING: &str = "there is no database that says where addresses are";
pub(crate) const MISSING_HELP: &str = "add `geo: { country_db: FILE, asn_db: FILE }` at the top of the configuration";

/// A database; else what is wrong, and whether the file is missing.
fn open(path: &str) -> Result<Database, (String, bool)> {
    let read = |error: io::Error| (format!("cannot be read: {error}"), true);
    let file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(("is larger than 1 GiB".to_owned(), false));
    }
    Reader::from_source(bytes).map_err(|error| (format!("is no database of addresses: {error}"), false))
}

#[cfg(test)]
pub(crate) mod tests;
