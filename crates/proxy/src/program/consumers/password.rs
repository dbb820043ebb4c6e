//! Passwords as they are kept, and how one that is shown is checked.

use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use model::value::Secret;
use subtle::ConstantTimeEq;

/// The most memory that a hash may ask for, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// The most rounds.
const MOST_ROUNDS: u32 = 32;

/// What a password is checked against.
#[derive(Debug)]
pub enum Password {
    /// The password itself.
    Plain(Secret<Box<[u8]>>),
    /// Its argon2id hash (RFC 9106).
    Hashed(Arc<Hashed>),
}

/// An argon2id hash with what it was made from.
#[derive(Debug, Clone)]
pub struct Hashed {
    params: Params,
    salt: Box<[u8]>,
    hash: Secret<Box<[u8]>>,
}

impl Hashed {
    /// Reads the PHC string format; why not, where it cannot be.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        let Ok(read) = phc::PasswordHash::new(text) else { return Err("not a password hash in the PHC string format") };
        if read.algorithm.as_str() != "argon2id" || read.version.is_some_and(|version| version != 0x13) {
            return Err("not an argon2id hash of version 19");
        }
        let (Ok(params), Some(salt), Some(hash)) = (Params::try_from(&read), read.salt, read.hash) else {
            return Err("the hash lacks its parameters, salt or output");
        };
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_ROUNDS {
            return Err("the hash asks for more than 256 MiB or 32 rounds for each password that is checked");
        }
        Ok(Self { params, salt: salt.as_ref().into(), hash: Secret::new(hash.as_bytes().into()) })
    }

    /// Hashes a password with a random salt and the parameters that OWASP recommends, in the PHC string format. Nothing only
    /// where the system has no randomness or memory.
    pub fn make(password: &[u8]) -> Option<String> {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).ok()?;
        let mut hash = [0; 32];
        let params = Params::DEFAULT;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        argon2.hash_password_into(password, &salt, &mut hash).ok()?;
        let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
        let [salt, hash] = [&salt[..], &hash[..]].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        Some(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}"))
    }

    /// A hash that no password has and that takes as long: what is checked where there is no user of a name.
    pub fn decoy(&self) -> Self {
        Self { hash: Secret::new(vec![0; self.hash.expose().len()].into()), ..self.clone() }
    }

    /// The hash itself.
    pub fn bytes(&self) -> &[u8] {
        self.hash.expose()
    }

    /// Whether the password is the one. Takes as long as its parameters say, right or wrong, and asks for their memory.
    pub fn is_of(&self, password: &[u8]) -> bool {
        let mut made = vec![0; self.hash.expose().len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        argon2.hash_password_into(password, &self.salt, &mut made).is_ok() && made.ct_eq(self.hash.expose()).into()
    }

    /// Memory times rounds.
    pub fn cost(&self) -> u64 {
        u64::from(self.params.m_cost()) * u64::from(self.params.t_cost())
    }
}
