//! An access token (RFC 9068), signed with a key made for the run.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Longer than any run.
const GOOD_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// A token and the key that verifies it.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// The public key, in PEM.
    pub(crate) key: String,
}

/// Makes them.
pub(crate) fn make() -> Result<Token> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("generate a key")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let (issued, expires) = (now.as_secs(), (now + GOOD_FOR).as_secs());
    let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"at+jwt","kid":"bench"}"#);
    let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(
        r#"{{"iss":"bench","aud":"bench","sub":"5ba552d67","client_id":"s6BhdRkqt3","scope":"users.read users.write","iat":{issued},"exp":{expires},"jti":"dbe39bf3a3ba4238a513f51d6e1691c4"}}"#
    ));
    let signed = format!("{head}.{claims}");
    let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).context("sign a token")?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().context("write the key")?;
    Ok(Token {
        text: format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)),
        key: format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            BASE64_STANDARD.encode(der.as_ref())
        ),
    })
}

/// Writes the key where the configuration expects it.
pub(crate) fn write(token: &Token, dir: &Path) -> Result<()> {
    std::fs::write(dir.join("token.pem"), &token.key).context("write the token's key")
}
