//! A token by each algorithm: verified anew, and remembered.
//!
//! `cargo bench -p tollgate-proxy --bench tokens`
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark: what fails fails it")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::Request;
use proxy::exchange::{Body, testing};
use proxy::policies::{Outcome, Verdict};
use proxy::tokens::algorithm::Algorithm;
use proxy::tokens::key::Key;
use proxy::tokens::keys::Keys;
use proxy::tokens::rules::Rules;
use proxy::tokens::testing::Signer;
use proxy::tokens::token::Token;
use proxy::tokens::verify::verify;
use serde_json::{Value, json};

/// What an access token of a usual issuer says: about 900 bytes when signed.
fn claims() -> Value {
    json!({
        "iss": "https://id.example.com/realms/shop", "aud": ["users", "account"], "azp": "mobile", "typ": "Bearer",
        "sub": "7c2f9d9e-5b3c-4a44-9a2f-0b7e0e8a9b11", "sid": "b2c1a1f0-8d9e-4f3a-9b0c-1d2e3f405162",
        "exp": 4_000_000_000_u64, "iat": 0, "jti": "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "scope": "openid profile email",
        "realm_access": { "roles": ["offline_access", "uma_authorization", "buyer"] },
        "name": "A Person", "preferred_username": "person", "email": "person@example.com", "email_verified": true
    })
}

/// Parsing, signature and rules: all that a token costs the first time.
fn anew(c: &mut Criterion) {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let signer = Signer::new(algorithm);
        let mut jwk = signer.jwk(Some("k1"));
        jwk["alg"] = algorithm.as_str().into();
        let keys = Arc::new(Keys::new(vec![Key::jwk(jwk.as_object().unwrap()).unwrap()]).unwrap());
        let token = signer.token(algorithm, Some("k1"), &claims());
        let rules = Rules { audiences: vec!["users".into()], leeway: 30, ..Rules::default() };
        c.bench_function(&format!("tokens/anew/{}", algorithm.as_str()), |b| {
            b.iter(|| {
                let token = Token::parse(black_box(token.as_bytes())).unwrap();
                verify(&token, &keys, &rules, 1000).unwrap()
            });
        });
    }
}

/// The whole step with a token that was verified before: found in its field, known again, made the caller, taken out.
fn remembered(c: &mut Criterion) {
    let signer = Signer::new(Algorithm::ES256);
    let text = format!(
        "
version: 1
listeners: [{{ name: public, address: '127.0.0.1:0' }}]
consumers: [{{ name: mobile }}]
apis:
  - name: users
    policies:
      jwt:
        issuers:
          - issuer: https://id.example.com/realms/shop
            audience: users
            keys: {{ jwk: {} }}
        consumer: {{ claim: azp }}
    to: {{ echo: {{}} }}
",
        signer.jwk(Some("k1"))
    );
    let program = testing::program(&text);
    let bearer = format!("Bearer {}", signer.token(Algorithm::ES256, Some("k1"), &claims()));
    let exchange = || {
        let request = Request::get("/users/42").header("authorization", &bearer).body(Body::Empty).unwrap();
        testing::exchange_of(&program, request)
    };
    let step = &program.routes.iter().find(|plan| !plan.steps.is_empty()).unwrap().steps[0].step;
    c.bench_function("tokens/remembered", |b| {
        b.iter_batched(
            exchange,
            |mut x| {
                match step.request(black_box(&mut x)) {
                    Verdict::Done(Outcome::Next) => {}
                    _ => panic!("the token is refused"),
                }
                x
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(30); targets = anew, remembered }
criterion_main!(benches);
