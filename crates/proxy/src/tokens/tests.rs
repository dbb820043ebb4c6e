//! What is good and every class of what is not, by the sections of RFC 8725.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::base64;
use super::key::{Key, thumbprint};
use super::keys::Keys;
use super::rules::{Broken, Rules};
use super::testing::Signer;
use super::token::{Token, Unreadable};
use super::verify::{Refusal, verify};

const ALL: [Algorithm; 13] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
];
const NOW: u64 = 1_800_000_000;

fn rsa() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new(Algorithm::RS256))
}

fn ec() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new(Algorithm::ES256))
}

fn claims() -> Value {
    json!({ "iss": "https://idp.test", "sub": "u1", "aud": ["api", "other"], "exp": NOW + 60, "nbf": NOW - 1, "iat": NOW - 1 })
}

fn rules() -> Rules {
    Rules {
        issuer: Some("https://idp.test".into()),
        audiences: vec!["api".into()],
        required: vec!["exp".into()],
        leeway: 30,
        ..Rules::default()
    }
}

fn keys(jwks: &[Value]) -> Arc<Keys> {
    let keys = jwks.iter().map(|jwk| Key::jwk(jwk.as_object().unwrap()).unwrap()).collect();
    Arc::new(Keys::new(keys).unwrap())
}

fn check(token: &str, keys: &Arc<Keys>, rules: &Rules) -> Result<u64, Refusal> {
    let token = Token::parse(token.as_bytes())?;
    verify(&token, keys, rules, NOW)
}

#[test]
fn every_algorithm_is_verified_by_jwk_and_by_pem() {
    for algorithm in ALL {
        let signer = match algorithm {
            _ if Algorithm::RSA.contains(&algorithm) => &Signer::Rsa(match rsa() {
                Signer::Rsa(_) => aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap(),
                _ => panic!("another"),
            }),
            _ => &Signer::new(algorithm),
        };
        let mut jwk = signer.jwk(Some("k1"));
        jwk["alg"] = algorithm.as_str().into();
        let by_jwk = keys(std::slice::from_ref(&jwk));
        let token = signer.token(algorithm, Some("k1"), &claims());
        assert_eq!(check(&token, &by_jwk, &rules()), Ok(NOW + 90), "{algorithm:?}");
        if !algorithm.is_symmetric() {
            let key = Key::pem(signer.pem().as_bytes(), Some(algorithm), None).unwrap();
            let by_pem = Arc::new(Keys::new(vec![key]).unwrap());
            assert_eq!(check(&token, &by_pem, &rules()), Ok(NOW + 90), "{algorithm:?}");
        }
        // One bit of each part.
        let parts: Vec<&str> = token.split('.').collect();
        let (head, body, signature) = (parts[0], parts[1], super::unbase64(parts[2]).unwrap());
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut bent = signature.clone();
            bent[at] ^= 1;
            let bent = format!("{head}.{body}.{}", base64(bent));
            assert_eq!(check(&bent, &by_jwk, &rules()), Err(Refusal::Signature), "{algorithm:?} at {at}");
        }
        for wrong in [vec![], signature[1..].to_vec(), [signature.as_slice(), &[0]].concat(), vec![0; signature.len()]]
        {
            let bent = format!("{head}.{body}.{}", base64(&wrong));
            assert_eq!(check(&bent, &by_jwk, &rules()), Err(Refusal::Signature), "{algorithm:?} {}", wrong.len());
        }
        let mut others = claims();
        others["sub"] = "admin".into();
        let bent = format!("{head}.{}.{}", base64(others.to_string()), parts[2]);
        assert_eq!(check(&bent, &by_jwk, &rules()), Err(Refusal::Signature), "{algorithm:?}");
    }
}

/// Each header and claims, written as they stand, signed with the right key by ES256.
#[test]
fn what_is_no_good_token_is_refused() {
    use Refusal::{Broken as B, Unreadable as U};
    let by = keys(&[ec().jwk(Some("k1"))]);
    let good = claims().to_string();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims.to_string()
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims.to_string()
    };
    let es = r#"{"alg":"ES256","kid":"k1"}"#;
    let deep = format!(r#"{{"exp":{},"a":{}{}}}"#, NOW + 60, "[".repeat(500), "]".repeat(500));
    let cases: Vec<(&str, String, Refusal)> = vec![
        // Section 2.1, 3.1: the algorithm is the key's, not the token's.
        (r#"{"alg":"none","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"None","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"nOnE","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"es256","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"HS256","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"RS256","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"ES384","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"ES256K","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"alg":"RSA-OAEP","enc":"A128GCM","kid":"k1"}"#, good.clone(), Refusal::Algorithm),
        (r#"{"kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (r#"{"alg":null,"kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (r#"{"alg":["ES256"],"kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        // Two readers must not differ.
        (r#"{"alg":"ES256","alg":"none","kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (r#"{"alg":"none","alg":"ES256","kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (r#"{"alg":"ES256","kid":"k1","kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (r#"{"alg":"ES256","\u0061lg":"none","kid":"k1"}"#, good.clone(), U(Unreadable::Malformed)),
        (es, good.replacen('{', r#"{"sub":"admin","#, 1), U(Unreadable::Malformed)),
        (es, good.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1), U(Unreadable::Malformed)),
        (es, format!("{good} x"), U(Unreadable::Malformed)),
        (es, good.trim_end_matches('}').to_owned(), U(Unreadable::Malformed)),
        (es, "[]".to_owned(), U(Unreadable::Malformed)),
        (es, "\"text\"".to_owned(), U(Unreadable::Malformed)),
        (es, String::new(), U(Unreadable::Malformed)),
        (es, deep, U(Unreadable::Malformed)),
        ("[]", good.clone(), U(Unreadable::Malformed)),
        ("", good.clone(), U(Unreadable::Malformed)),
        // RFC 7515 section 4.1.11: an extension that is not known.
        (r#"{"alg":"ES256","kid":"k1","crit":["exp"]}"#, good.clone(), U(Unreadable::Critical)),
        (r#"{"alg":"ES256","kid":"k1","crit":[]}"#, good.clone(), U(Unreadable::Critical)),
        (r#"{"alg":"ES256","kid":"k1","b64":false}"#, good.clone(), U(Unreadable::Critical)),
        // Section 3.10: what `kid` says is a name and nothing else.
        (r#"{"alg":"ES256","kid":"k2"}"#, good.clone(), Refusal::UnknownKey),
        (r#"{"alg":"ES256","kid":"../k1"}"#, good.clone(), Refusal::UnknownKey),
        (r#"{"alg":"ES256","kid":"k1' OR '1'='1"}"#, good.clone(), Refusal::UnknownKey),
        (r#"{"alg":"ES256","kid":1}"#, good.clone(), U(Unreadable::Malformed)),
        // Section 3.11: another kind of token.
        (r#"{"alg":"ES256","kid":"k1","typ":"dpop+jwt"}"#, good.clone(), B(Broken::Kind)),
        (r#"{"alg":"ES256","kid":"k1","typ":"logout+jwt"}"#, good.clone(), B(Broken::Kind)),
        (r#"{"alg":"ES256","kid":"k1","typ":"application/secevent+jwt"}"#, good.clone(), B(Broken::Kind)),
        (r#"{"alg":"ES256","kid":"k1","typ":""}"#, good.clone(), B(Broken::Kind)),
        // Section 3.8: who made it.
        (es, with("iss", json!("https://idp.test/")), B(Broken::Issuer)),
        (es, with("iss", json!("HTTPS://idp.test")), B(Broken::Issuer)),
        (es, with("iss", json!(["https://idp.test"])), B(Broken::Issuer)),
        (es, without("iss"), B(Broken::Issuer)),
        // Section 3.9: for whom.
        (es, with("aud", json!("apis")), B(Broken::Audience)),
        (es, with("aud", json!([])), B(Broken::Audience)),
        (es, with("aud", json!([["api"]])), B(Broken::Audience)),
        (es, with("aud", json!({ "api": true })), B(Broken::Audience)),
        (es, without("aud"), B(Broken::Audience)),
        // When.
        (es, with("exp", json!(NOW - 30)), B(Broken::Expired)),
        (es, with("exp", json!(0)), B(Broken::Expired)),
        (es, with("exp", json!(-1)), B(Broken::Form)),
        (es, with("exp", json!("1900000000")), B(Broken::Form)),
        (es, with("exp", json!(1e300)), B(Broken::Form)),
        (es, with("exp", json!([NOW + 60])), B(Broken::Form)),
        (es, with("exp", Value::Null), B(Broken::Missing)),
        (es, without("exp"), B(Broken::Missing)),
        (es, with("nbf", json!(NOW + 31)), B(Broken::Early)),
        (es, with("nbf", json!(true)), B(Broken::Form)),
        (es, with("iat", json!(NOW + 31)), B(Broken::Early)),
        (es, with("iat", json!("yesterday")), B(Broken::Form)),
    ];
    for (header, claims, refusal) in cases {
        let token = ec().token_of(Algorithm::ES256, header, &claims);
        assert_eq!(check(&token, &by, &rules()), Err(refusal), "{header} {claims:.200}");
    }
}

#[test]
fn what_is_good_is_taken() {
    let by = keys(&[ec().jwk(Some("k1"))]);
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    for (header, claims, until) in [
        (r#"{"alg":"ES256","kid":"k1"}"#, claims(), NOW + 90),
        (r#"{"alg":"ES256"}"#, claims(), NOW + 90),
        (r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#, claims(), NOW + 90),
        (r#"{"alg":"ES256","kid":"k1","typ":"application/at+JWT"}"#, claims(), NOW + 90),
        // What a token brings along to be checked with is not looked at (section 3.10).
        (r#"{"alg":"ES256","kid":"k1","jku":"http://169.254.169.254/","x5u":"http://evil.test/"}"#, claims(), NOW + 90),
        (r#"{"alg":"ES256"}"#, with("aud", json!("api")), NOW + 90),
        (r#"{"alg":"ES256"}"#, with("exp", json!(NOW as f64 + 60.9)), NOW + 90),
        (r#"{"alg":"ES256"}"#, with("exp", json!(NOW - 29)), NOW + 1),
        (r#"{"alg":"ES256"}"#, with("nbf", json!(NOW + 30)), NOW + 90),
        (r#"{"alg":"ES256"}"#, with("iat", json!(NOW + 30)), NOW + 90),
    ] {
        let token = ec().token_of(Algorithm::ES256, header, &claims.to_string());
        assert_eq!(check(&token, &by, &rules()), Ok(until), "{header} {claims}");
    }
    let aged = Rules { max_age: Some(100), ..rules() };
    let token = |iat: Value| ec().token(Algorithm::ES256, None, &with("iat", iat));
    assert_eq!(check(&token(json!(NOW - 90)), &by, &aged), Ok(NOW + 40));
    assert_eq!(check(&token(json!(NOW - 130)), &by, &aged), Err(Refusal::Broken(Broken::TooOld)));
    let kinds = Rules { kinds: vec!["at+jwt".into()], ..rules() };
    assert_eq!(check(&token(json!(NOW)), &by, &kinds), Err(Refusal::Broken(Broken::Kind)));
    let bare = ec().token_of(Algorithm::ES256, r#"{"alg":"ES256"}"#, &claims().to_string());
    assert_eq!(check(&bare, &by, &kinds), Err(Refusal::Broken(Broken::Kind)), "a token without a kind is of none");
    let required = Rules { required: vec!["sub".into(), "tenant".into()], ..rules() };
    assert_eq!(check(&bare, &by, &required), Err(Refusal::Broken(Broken::Missing)));
}

#[test]
fn what_is_not_even_in_form_is_refused() {
    let by = keys(&[ec().jwk(Some("k1"))]);
    let good = ec().token(Algorithm::ES256, Some("k1"), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let no = Unreadable::NoJwt;
    let bad = Unreadable::Malformed;
    for (token, why) in [
        (String::new(), no),
        ("opaque-token".to_owned(), no),
        ("a.b".to_owned(), no),
        (format!("{good}.{}", parts[2]), no),
        (format!("{good}."), no),
        // A token that is encrypted has five parts.
        ("a.b.c.d.e".to_owned(), no),
        ("..".to_owned(), bad),
        (format!("{}.{}.{}=", parts[0], parts[1], parts[2]), bad),
        (format!("{}.{}.{}\n", parts[0], parts[1], parts[2]), bad),
        (format!(" {good}"), bad),
        (format!("{}.{}.a+/b", parts[0], parts[1]), bad),
        (format!("{}.{}.a", parts[0], parts[1]), bad),
        (format!("{}.{}.{}\0", parts[0], parts[1], parts[2]), bad),
    ] {
        assert_eq!(check(&token, &by, &rules()), Err(Refusal::Unreadable(why)), "{token:?}");
    }
    // A JSON serialization is not taken, whatever it says.
    let json = json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string();
    assert_eq!(check(&json, &by, &rules()), Err(Refusal::Unreadable(no)));
}

/// Section 2.1: the public key of an RSA signature is known to all, and must never be an HMAC secret.
#[test]
fn a_public_key_is_no_secret() {
    for (public, jwk) in [(rsa().pem(), rsa().jwk(Some("k1"))), (ec().pem(), ec().jwk(Some("k1")))] {
        for secret in [public.as_bytes().to_vec(), jwk.to_string().into_bytes(), public.trim().as_bytes().to_vec()] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let token = Signer::Secret(secret.clone()).token(algorithm, Some("k1"), &claims());
                let by = keys(std::slice::from_ref(&jwk));
                assert_eq!(check(&token, &by, &rules()), Err(Refusal::Algorithm));
                let pem = Arc::new(Keys::new(vec![Key::pem(public.as_bytes(), None, None).unwrap()]).unwrap());
                assert_eq!(check(&token, &pem, &rules()), Err(Refusal::Algorithm));
            }
        }
    }
    // A key that names its algorithm takes no other of its kind.
    let mut jwk = rsa().jwk(None);
    let token = rsa().token(Algorithm::RS256, None, &claims());
    assert!(check(&token, &keys(std::slice::from_ref(&jwk)), &rules()).is_ok());
    jwk["alg"] = "PS256".into();
    assert_eq!(check(&token, &keys(&[jwk]), &rules()), Err(Refusal::Algorithm));
}

/// Tokens with a key of their own, or signed by another's key of the same name.
#[test]
fn a_token_does_not_choose_its_key() {
    let by = keys(&[ec().jwk(Some("k1"))]);
    let other = Signer::new(Algorithm::ES256);
    let own = format!(r#"{{"alg":"ES256","kid":"k1","jwk":{}}}"#, other.jwk(Some("k1")));
    assert_eq!(
        check(&other.token_of(Algorithm::ES256, &own, &claims().to_string()), &by, &rules()),
        Err(Refusal::Signature)
    );
    let certificate = r#"{"alg":"ES256","kid":"k1","x5c":["MIIB"]}"#;
    let token = other.token_of(Algorithm::ES256, certificate, &claims().to_string());
    assert_eq!(check(&token, &by, &rules()), Err(Refusal::Signature));
    // CVE-2022-21449: zeros are a signature for some.
    let head = format!("{}.{}", base64(r#"{"alg":"ES256","kid":"k1"}"#), base64(claims().to_string()));
    assert_eq!(check(&format!("{head}.{}", base64([0; 64])), &by, &rules()), Err(Refusal::Signature));
    // The ASN.1 form of a signature is not the one of RFC 7518 section 3.4.
    assert_eq!(check(&format!("{head}.{}", base64([0x30; 70])), &by, &rules()), Err(Refusal::Signature));
    // A signature with nothing in it.
    assert_eq!(check(&format!("{head}."), &by, &rules()), Err(Refusal::Signature));
}

#[test]
fn weak_and_wrong_keys_are_refused() {
    let weak_rsa = json!({ "kty": "RSA", "n": base64([0xc5; 128]), "e": "AQAB" });
    let big = [&[0xc5; 255][..], &[1]].concat();
    let mut private = ec().jwk(None);
    private["d"] = base64([7; 32]).into();
    let with = |mut jwk: Value, name: &str, value: Value| {
        jwk[name] = value;
        jwk
    };
    for (jwk, says) in [
        (json!({}), "`kty` is missing"),
        (json!({ "kty": "none" }), "not a kind of key"),
        (json!({ "kty": "oct", "k": base64("short"), "alg": "HS256" }), "at least 32 bytes, and this one 5"),
        (json!({ "kty": "oct", "k": base64([1; 32]), "alg": "HS512" }), "at least 64 bytes, and this one 32"),
        (json!({ "kty": "oct", "k": base64([1; 32]) }), "needs `alg`"),
        (json!({ "kty": "oct", "k": base64([1; 32]), "alg": "ES256" }), "not signed with a secret"),
        (json!({ "kty": "oct", "k": "+/+/", "alg": "HS256" }), "not base64url"),
        (weak_rsa, "from 2048 to 8192 bits, and this one 1024"),
        (json!({ "kty": "RSA", "n": base64(&big), "e": base64([1]) }), "exponent"),
        (json!({ "kty": "RSA", "n": base64(&big), "e": base64([2]) }), "exponent"),
        (json!({ "kty": "RSA", "n": base64(&big), "e": "" }), "exponent"),
        (json!({ "kty": "RSA", "n": base64([]), "e": "AQAB" }), "and this one 0"),
        (with(rsa().jwk(None), "alg", json!("HS256")), "not for an RSA key"),
        (with(rsa().jwk(None), "alg", json!("none")), "`none` is not an algorithm"),
        (with(ec().jwk(None), "alg", json!("ES384")), "is for ES256, not ES384"),
        (with(ec().jwk(None), "crv", json!("secp256k1")), "curve `secp256k1` is not taken"),
        (with(ec().jwk(None), "x", json!(base64([1; 32]))), "not usable"),
        (with(ec().jwk(None), "x", json!(base64([1; 31]))), "32 bytes"),
        (with(ec().jwk(None), "use", json!("enc")), "not for signatures"),
        (with(ec().jwk(None), "key_ops", json!(["sign"])), "not for verifying"),
        (private, "private key"),
        (json!({ "kty": "OKP", "crv": "X25519", "x": base64([9; 32]) }), "curve `X25519` is not taken"),
        (json!({ "kty": "OKP", "crv": "Ed25519", "x": base64([9; 31]) }), "not usable"),
    ] {
        let refused = Key::jwk(jwk.as_object().unwrap()).unwrap_err();
        assert!(refused.contains(says), "{jwk}: {refused}");
    }
    let certified = rcgen::generate_simple_self_signed(vec!["idp.test".to_owned()]).unwrap();
    assert!(Key::pem(certified.cert.pem().as_bytes(), None, None).is_ok());
    for (pem, says) in [
        (String::new(), "not PEM"),
        ("0123456789abcdef0123456789abcdef".to_owned(), "not PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned(), "cannot be read"),
        (certified.signing_key.serialize_pem(), "private key"),
    ] {
        let refused = Key::pem(pem.as_bytes(), None, None).unwrap_err();
        assert!(refused.contains(says), "{pem}: {refused}");
    }
    assert!(Key::pem(ec().pem().as_bytes(), Some(Algorithm::RS256), None).is_err());
}

#[test]
fn a_set_has_what_can_be_used_of_it() {
    let good = ec().jwk(Some("k1"));
    let set = |keys: &[Value]| json!({ "keys": keys }).to_string();
    let encryption = json!({ "kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB" });
    let read = Keys::jwks(set(&[good.clone(), encryption.clone(), json!({ "kty": "new" }), json!(1)]).as_bytes(), &[]);
    assert_eq!(read.unwrap().len(), 1);
    let secret = Signer::new(Algorithm::HS256);
    for (body, algorithms, says) in [
        ("[]".to_owned(), vec![], "not a JSON object"),
        ("{}".to_owned(), vec![], "no `keys`"),
        ("{\"keys\":[],\"keys\":[]}".to_owned(), vec![], "not a JSON object"),
        (set(&[]), vec![], "no key to use"),
        (set(&[encryption]), vec![], "not for signatures"),
        (set(&[secret.jwk(None)]), vec![], "no secrets"),
        (set(std::slice::from_ref(&good)), vec![Algorithm::RS256], "no key to use"),
        (set(&vec![good.clone(); 101]), vec![], "101 keys"),
    ] {
        let refused = Keys::jwks(body.as_bytes(), &algorithms).unwrap_err();
        assert!(refused.contains(says), "{refused}");
    }
    // Two keys: the old and the new one of a rotation.
    let next = Signer::new(Algorithm::ES256);
    let both = Arc::new(Keys::jwks(set(&[good, next.jwk(Some("k2"))]).as_bytes(), &[]).unwrap());
    for (signer, id) in [(ec(), Some("k1")), (&next, Some("k2")), (ec(), None), (&next, None)] {
        assert!(check(&signer.token(Algorithm::ES256, id, &claims()), &both, &rules()).is_ok(), "{id:?}");
    }
    assert_eq!(check(&next.token(Algorithm::ES256, Some("k1"), &claims()), &both, &rules()), Err(Refusal::Signature));
}

/// RFC 7638 section 3.1.
#[test]
fn a_thumbprint_is_that_of_the_rfc() {
    let jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"
    });
    assert_eq!(thumbprint(jwk.as_object().unwrap()).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    assert_eq!(thumbprint(json!({ "kty": "oct", "k": "AQAB" }).as_object().unwrap()), None);
}

/// RFC 7515 appendix A.3: a signature that somebody else made.
#[test]
fn a_token_of_the_rfc_is_verified() {
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    });
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let token = Token::parse(token.as_bytes()).unwrap();
    assert_eq!(verify(&token, &keys(std::slice::from_ref(&jwk)), &Rules::default(), 1_300_000_000), Ok(1_300_819_380));
    assert_eq!(
        verify(&token, &keys(&[jwk]), &Rules::default(), NOW),
        Err(Refusal::Broken(Broken::Expired)),
        "and it is long over"
    );
}
