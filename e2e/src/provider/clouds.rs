//! How clouds are shown who asks, checked as they check it: AWS's signatures, Google's tokens, keys in fields.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::PROVIDER_KEY;
use crate::Seen;

/// The access key that the fake of AWS knows.
pub const ACCESS_KEY: &str = "AKIDTOLLGATEEXAMPLE";
/// Its secret.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+tollgate/EXAMPLEKEY";
/// The region that it is.
pub const REGION: &str = "eu-central-1";
/// The tokens that the fake of Google gives begin so.
const TOKEN: &str = "ya29.token-";

/// A service account that the fake of Google knows.
pub struct ServiceAccount {
    public: Vec<u8>,
    /// The JSON file of its key.
    file: Value,
}

impl ServiceAccount {
    /// A new one, its tokens to be had from this address.
    pub fn new(token_uri: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der =
            aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("it is written");
        let lines: Vec<String> = STANDARD
            .encode(der.as_ref())
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let file = json!({
            "type": "service_account", "project_id": "p-1", "private_key_id": "key-1", "private_key": pem,
            "client_email": "gate@p-1.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_uri
        });
        Self { public: pair.public_key().as_ref().to_vec(), file }
    }

    /// The JSON file of its key.
    pub fn file(&self) -> String {
        self.file.to_string()
    }

    /// What the token server answers: a token for a good assertion.
    pub(super) fn token(&self, seen: &Seen) -> Result<String, String> {
        let form = String::from_utf8_lossy(&seen.body).into_owned();
        let value = |name: &str| {
            let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default().replace("%3A", ":").replace("%2D", "-").replace("%2E", ".").replace("%5F", "_")
        };
        if value("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return Err(format!("unsupported_grant_type: {form}"));
        }
        let assertion = value("assertion");
        let (signed, signature) = assertion.rsplit_once('.').ok_or("the assertion is no JWT")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "invalid_grant: Invalid JWT Signature.".to_owned())?;
        let part = |at: usize| -> Result<Value, String> {
            let text = signed.split('.').nth(at).ok_or("a part is missing")?;
            let text = URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())?;
            serde_json::from_slice(&text).map_err(|error| error.to_string())
        };
        let (head, claims) = (part(0)?, part(1)?);
        let life =
            claims["exp"].as_u64().unwrap_or_default().saturating_sub(claims["iat"].as_u64().unwrap_or(u64::MAX));
        let good = head == json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" })
            && claims["iss"] == self.file["client_email"]
            && claims["aud"] == self.file["token_uri"]
            && claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
            && (1..=3600).contains(&life);
        if !good {
            return Err(format!("invalid_grant: {head} {claims}"));
        }
        Ok(json!({ "access_token": format!("{TOKEN}1"), "expires_in": 3599, "token_type": "Bearer" }).to_string())
    }
}

/// Whether Google takes who asks.
pub(super) fn google(seen: &Seen, vertex: bool) -> Result<(), (u16, String)> {
    let good = if vertex {
        seen.header("authorization").is_some_and(|shown| shown.starts_with(&format!("Bearer {TOKEN}")))
    } else {
        seen.header("x-goog-api-key").is_some_and(|key| key.starts_with(PROVIDER_KEY))
    };
    let why = "API key not valid. Please pass a valid API key.";
    if good { Ok(()) } else { Err((if vertex { 401 } else { 400 }, why.to_owned())) }
}

/// Whether AWS takes who asks: by a signature of this request, or by an API key.
pub(super) fn aws(seen: &Seen) -> Result<(), (u16, String)> {
    let shown = seen.header("authorization").unwrap_or_default();
    if shown.strip_prefix("Bearer ").is_some_and(|key| key.starts_with(PROVIDER_KEY)) {
        return Ok(());
    }
    let refused = |why: &str| (403, format!("{why}: {shown}"));
    let date = seen.header("x-amz-date").ok_or_else(|| refused("Missing Authentication Token"))?;
    let scope = format!("{}/{REGION}/bedrock/aws4_request", &date[..8]);
    let rest = shown
        .strip_prefix(&format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders="))
        .ok_or_else(|| refused("The security token included in the request is invalid"))?;
    let (names, signature) = rest.split_once(", Signature=").ok_or_else(|| refused("IncompleteSignature"))?;
    if !names.split(';').any(|name| name == "host") || !names.split(';').any(|name| name == "x-amz-date") {
        return Err(refused("'Host' and 'X-Amz-Date' must be signed"));
    }
    let target = seen.line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let fields: String =
        names.split(';').map(|name| format!("{name}:{}\n", seen.header(name).unwrap_or_default())).collect();
    // The path is encoded once more than it is sent.
    let path = path.replace('%', "%25").replace(':', "%3A");
    let canonical = format!("POST\n{path}\n{query}\n{fields}\n{names}\n{}", sha256(&seen.body));
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in scope.split('/') {
        key = sign(&key, part.as_bytes());
    }
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    if hex(&sign(&key, text.as_bytes())) != signature {
        return Err(refused("The request signature we calculated does not match the signature you provided"));
    }
    if !is_now(date) {
        return Err(refused("Signature expired"));
    }
    Ok(())
}

/// Whether a date is of today, or of the day that begins or ended within the hour.
fn is_now(date: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let number = |from: usize, to: usize| date.get(from..to).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    // Days since 1970 of a date of the common calendar.
    let (shifted, from_march) = (year - i64::from(month <= 2), (month + 9) % 12);
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * from_march + 2) / 5 + day - 719_469;
    let seconds = days * 86_400 + number(9, 11) * 3600 + number(11, 13) * 60 + number(13, 15);
    seconds.abs_diff(i64::try_from(now).expect("it fits")) < 300
}

fn sign(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn sha256(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, data).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
