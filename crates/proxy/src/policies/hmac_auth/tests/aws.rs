//! AWS Signature Version 4: cases of AWS's published test suite, and what bounds them.

use http::Request;

use super::{ask, gate, turn};

/// 2015-08-30T12:36:00Z, when the test suite was signed.
const SIGNED: u64 = 1_440_938_160;
const SCOPE: &str = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";

fn authorization(headers: &str, signature: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={headers}, Signature={signature}")
}

/// A request of the suite.
fn request(method: &str, uri: &str, fields: &[(&str, &str)]) -> http::request::Builder {
    let begun = Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "example.amazonaws.com")
        .header("x-amz-date", "20150830T123600Z");
    fields.iter().fold(begun, |request, (name, value)| request.header(*name, *value))
}

const VANILLA: &str = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

#[test]
fn the_published_cases_are_right() {
    let (program, _) = gate("{ required: [] }", SIGNED);
    for (name, request, headers, signature) in [
        ("get-vanilla", request("GET", "/", &[]), "host;x-amz-date", VANILLA),
        (
            "get-vanilla-query-order-key-case",
            request("GET", "/?Param2=value2&Param1=value1", &[]),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "post-vanilla",
            request("POST", "/", &[]),
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "get-header-value-trim",
            request("GET", "/", &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")]),
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
    ] {
        let signed = request.header("authorization", authorization(headers, signature));
        assert_eq!(ask(&program, signed, ""), "amazon", "{name}");
    }
    let form = request("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]).header(
        "authorization",
        authorization(
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    );
    assert_eq!(ask(&program, form, "Param1=value1"), "amazon", "post-x-www-form-urlencoded");
}

#[test]
fn what_is_not_signed_or_not_fresh_is_refused() {
    let vanilla =
        |signature: &str| request("GET", "/", &[]).header("authorization", authorization("host;x-amz-date", signature));
    let (program, hand) = gate("{}", SIGNED);
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "amazon");
    assert_eq!(ask(&program, vanilla(VANILLA).uri("/?a"), ""), "hmac_auth.invalid");
    assert_eq!(ask(&program, vanilla(VANILLA).method("PUT"), ""), "hmac_auth.invalid");
    assert_eq!(ask(&program, vanilla(VANILLA).method("PUT"), "body"), "hmac_auth.invalid");
    assert_eq!(ask(&program, vanilla(&VANILLA.replace('5', "6")), ""), "hmac_auth.invalid");
    assert_eq!(ask(&program, vanilla(""), ""), "hmac_auth.invalid");
    let alone = request("GET", "/", &[]).header("authorization", authorization("x-amz-date", VANILLA));
    assert_eq!(ask(&program, alone, ""), "hmac_auth.uncovered");
    let timeless = request("GET", "/", &[]).header("authorization", authorization("host", VANILLA));
    assert_eq!(ask(&program, timeless, ""), "hmac_auth.uncovered");
    for (from, to, expected) in [
        ("AKIDEXAMPLE", "AKIDOTHER", "hmac_auth.invalid"),
        ("20150830", "20150831", "hmac_auth.invalid"),
        ("us-east-1", "us-east-2", "hmac_auth.invalid"),
        ("aws4_request", "aws4", "hmac_auth.invalid"),
        ("Credential", "Credentials", "hmac_auth.invalid"),
        ("host;x-amz-date", "x-amz-date;host", "hmac_auth.invalid"),
        ("AKIDEXAMPLE", "test-key-ed25519", "hmac_auth.invalid"),
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512", "auth.missing"),
    ] {
        let field = authorization("host;x-amz-date", VANILLA).replace(from, to);
        assert_eq!(ask(&program, request("GET", "/", &[]).header("authorization", field), ""), expected, "{to}");
    }
    turn(&hand, SIGNED + 301);
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "hmac_auth.expired");
    let (program, _) = gate("{ required: ['@method', x-tenant] }", SIGNED);
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "hmac_auth.uncovered");
    let (program, _) = gate("{ nonce: required }", SIGNED);
    assert_eq!(ask(&program, vanilla(&VANILLA.replace('5', "6")), ""), "hmac_auth.invalid");
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "amazon");
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "hmac_auth.replayed");
    let (program, _) = gate("{ schemes: [signature] }", SIGNED);
    assert_eq!(ask(&program, vanilla(VANILLA), ""), "auth.missing");
}
