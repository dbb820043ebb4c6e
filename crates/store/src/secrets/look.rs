//! Secrets that people put into a data directory, for who reads a configuration that names them: the directory may be in use
//! by another process, or not be there yet.

use std::path::Path;

use rusqlite::OptionalExtension as _;

use super::{Envelope, Keyring, Plain};
use crate::Result;
use crate::directory::DATABASE;
use crate::error::{Error, Kind};
use crate::sqlite::{check, open_to_read};

/// What names of such secrets begin with in the vault: the gateway's own are beside them.
const OWN: &str = "user/";
/// The longest name.
const MOST_NAME: usize = 200;
/// The schema that knows of secrets.
const SCHEMA: usize = 2;

/// What a secret of this name is called in the vault; an error where it is none.
pub fn name_in_vault(name: &str) -> Result<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    if name.is_empty() || name.len() > MOST_NAME || !name.bytes().all(good) {
        let message = format!("a secret's name has from 1 to {MOST_NAME} letters, digits, `_`, `-`, `.` and `/`");
        return Err(Error::new(Kind::Foreign, message));
    }
    Ok(format!("{OWN}{name}"))
}

/// The name of a secret that is called this in the vault; none where it is the gateway's own.
pub fn name_of(in_vault: &str) -> Option<&str> {
    in_vault.strip_prefix(OWN)
}

/// Opens the secret of this name in a data directory. None where there is none.
pub fn look(directory: &Path, keyring: &Keyring, name: &str) -> Result<Option<Plain>> {
    let name = name_in_vault(name)?;
    let database = directory.join(DATABASE);
    if !database.is_file() {
        return Ok(None);
    }
    let connection = open_to_read(&database)?;
    if check(&connection)? < SCHEMA {
        return Ok(None);
    }
    let query = connection.query_row("SELECT envelope FROM secret WHERE name = ?1", [&name], |row| row.get(0));
    let Some(bytes): Option<Vec<u8>> = query.optional()? else { return Ok(None) };
    keyring.open(&name, &Envelope::from_bytes(&bytes)?).map(Some)
}
