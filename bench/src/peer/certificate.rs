//! One ECDSA P-256 key and certificate for every peer, made for the run.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

/// The name that clients ask for.
pub(crate) const HOST: &str = "bench.test";

/// Where the PEM files are.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Certificate and key in one file, as HAProxy wants it.
    pub(crate) both: PathBuf,
}

/// Makes them.
pub(crate) fn make(dir: &Path) -> Result<Files> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("generate a key")?;
    let certificate = CertificateParams::new([HOST.to_owned()])?.self_signed(&key).context("sign a certificate")?;
    let files = Files { chain: dir.join("certificate.pem"), key: dir.join("key.pem"), both: dir.join("both.pem") };
    std::fs::write(&files.chain, certificate.pem())?;
    std::fs::write(&files.key, key.serialize_pem())?;
    std::fs::write(&files.both, certificate.pem() + &key.serialize_pem())?;
    Ok(files)
}
