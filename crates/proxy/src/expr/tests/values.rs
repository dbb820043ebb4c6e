//! What expressions give.

use http::HeaderValue;

use super::super::schema::{Source, VARIABLES, callable};
use super::super::{Expr, Scope, Value};
use super::{compile, full, plain, text};
use crate::terminals::CallFact;

/// The value as a literal would be written, for tables.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "absent".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => format!("{value:?}"),
        Value::Text(text) => format!("'{text}'"),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
    }
}

pub(super) fn check(x: &crate::exchange::Exchange, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (source, expected) in table {
        let found = shown(&compile(source).value(x));
        if found != *expected {
            wrong.push((source, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A call of a model.
struct Call;

impl crate::terminals::Call for Call {
    fn fact(&self, fact: CallFact) -> Value<'_> {
        match fact {
            CallFact::Model => Value::Text("smart".into()),
            CallFact::Stream => Value::Bool(true),
            CallFact::InputTokens => Value::Int(7),
            CallFact::Images => Value::Int(1),
            CallFact::Audio => Value::Int(3),
            CallFact::Files => Value::Int(4),
            CallFact::Tools => Value::Int(2),
        }
    }
}

#[test]
fn every_variable_has_its_value() {
    let mut x = full();
    x.record.target = "/raw//path".parse().unwrap();
    x.call = Some(Box::new(Call));
    let table = [
        ("request.method", "'POST'"),
        ("request.path", "'/users/a%20b'"),
        ("request.raw_path", "'/raw//path'"),
        ("request.query.page", "'2'"),
        ("request.query['q']", "'x y+z'"),
        ("request.query.flag", "''"),
        ("request.query_string", "'page=2&q=x+y%2Bz&page=3&flag'"),
        ("request.headers['X-User']", "'ann'"),
        ("request.headers['x-roles']", "'admin, ops'"),
        // Each name counts once, however often it came, as one key is one entry.
        ("size(request.headers)", "4"),
        ("size(request.query)", "3"),
        ("size(request.cookies)", "2"),
        ("request.headers.cookie", "'sid=abc; theme=\"dark\"; sid=second'"),
        ("request.cookies.sid", "'abc'"),
        ("request.cookies.theme", "'dark'"),
        ("request.host", "'api.example.com'"),
        ("request.scheme", "'https'"),
        ("request.version", "'1.1'"),
        ("request.size", "12"),
        ("request.id", "'r-1'"),
        ("client.address", "'192.0.2.7'"),
        ("client.port", "40000"),
        ("client.country", "absent"),
        ("client.asn", "absent"),
        ("client.bot", "absent"),
        ("connection.listener", "'public'"),
        ("connection.local_address", "'192.0.2.1'"),
        ("connection.local_port", "8080"),
        ("has(connection.tls)", "true"),
        ("connection.tls.version", "'TLSv1.3'"),
        ("connection.tls.cipher", "'TLS_AES_128_GCM_SHA256'"),
        ("connection.tls.server_name", "'api.example.com'"),
        ("connection.tls.client != null", "true"),
        ("connection.tls.client.subject", "'CN=robot'"),
        ("connection.tls.client.issuer", "'CN=ca'"),
        ("connection.tls.client.serial", "'0a'"),
        ("connection.tls.client.fingerprint", "'ff'"),
        ("connection.tls.client.names[0]", "'robot.example.com'"),
        ("params.id", "'a b'"),
        ("route.api", "'users'"),
        ("route.name", "'read'"),
        ("has(auth)", "true"),
        ("has(auth.consumer)", "true"),
        ("auth.consumer.name", "'mobile'"),
        ("auth.consumer.groups.join('+')", "'apps+beta'"),
        ("auth.consumer.tags[0]", "'mine'"),
        ("auth.consumer.metadata['region']", "'eu'"),
        ("auth.plan", "'gold'"),
        ("auth.credential", "'first'"),
        ("auth.method", "'key_auth'"),
        ("auth.subject", "'ann'"),
        ("auth.scopes.join(' ')", "'users.read users.write'"),
        ("auth.groups.join(' ')", "'apps beta staff'"),
        ("auth.claims.sub", "'ann'"),
        ("ai.model", "'smart'"),
        ("ai.stream", "true"),
        ("ai.input_tokens", "7"),
        ("ai.images", "1"),
        ("ai.audio", "3"),
        ("ai.files", "4"),
        ("ai.tools", "2"),
        ("response.status", "404"),
        ("response.reason", "'Not Found'"),
        ("response.headers.server", "'demo'"),
        ("has(error)", "true"),
        ("error.status", "404"),
        ("error.code", "'route.not_found'"),
        ("error.title", "'No route'"),
        ("error.detail", "'Nothing is here.'"),
        ("now", "0"),
    ];
    check(&x, &table);
    for variable in VARIABLES {
        let asked = table.iter().any(|(source, _)| source.contains(variable.name));
        assert!(asked, "{} is not in the table", variable.name);
    }
}

#[test]
fn what_an_exchange_lacks_is_absent() {
    let x = plain("/a", &[]);
    for variable in VARIABLES.iter().filter(|variable| variable.name.starts_with("connection.tls")) {
        assert!(!compile(&format!("has({})", variable.name)).test(&x), "{}", variable.name);
    }
    check(
        &x,
        &[
            ("request.headers.accept", "absent"),
            ("request.query.page", "absent"),
            ("request.query_string", "''"),
            ("request.cookies.sid", "absent"),
            ("request.size", "absent"),
            ("request.id", "absent"),
            ("params.id", "absent"),
            ("route.api", "absent"),
            ("has(auth)", "false"),
            ("has(error)", "false"),
            ("error.status", "absent"),
            ("error.detail", "absent"),
            ("response.reason", "absent"),
            ("auth.consumer == null", "true"),
            ("auth.consumer.name", "absent"),
            ("auth.consumer.groups.exists(g, true)", "false"),
            ("auth.consumer.groups.all(g, true)", "false"),
            ("size(auth.consumer.groups)", "absent"),
            ("'a' in auth.consumer.groups", "false"),
            ("auth.plan", "absent"),
            ("response.status", "absent"),
            ("response.headers.server", "absent"),
        ],
    );
}

/// What is absent equals nothing, not even what is absent too; `!=` is the opposite of `==`.
#[test]
fn comparisons_with_what_is_absent_do_not_hold() {
    let x = plain("/a?n=7", &[("x-here", "v")]);
    check(
        &x,
        &[
            ("request.headers['x-no'] == 'v'", "false"),
            ("request.headers['x-no'] == ''", "false"),
            ("request.headers['x-no'] != 'v'", "true"),
            ("request.headers['x-no'] == request.headers['x-neither']", "false"),
            ("request.headers['x-no'] == null", "true"),
            ("request.headers['x-here'] == null", "false"),
            ("null != request.headers['x-here']", "true"),
            ("request.headers['x-no'] < 'v'", "false"),
            ("request.headers['x-no'] >= 'v'", "false"),
            ("request.headers['x-no'].startsWith('')", "false"),
            ("request.headers['x-no'].matches('.*')", "false"),
            ("request.headers['x-no'] in ['v', '']", "false"),
            ("!(request.headers['x-no'] == 'v')", "true"),
            ("'x-no' in request.headers", "false"),
            ("'X-Here' in request.headers", "true"),
            ("request.query.n in request.headers", "false"),
            ("has(request.headers['x-here']) && !has(request.headers['x-no'])", "true"),
            ("int(request.query.n) > 6", "true"),
            ("int(request.query.no) > 6", "false"),
            ("int(request.headers['x-here']) > 6", "false"),
            ("request.headers['x-no'] + 'v'", "absent"),
            ("request.headers['x-no'].orValue('other')", "'other'"),
            ("request.headers['x-here'].orValue('other')", "'v'"),
            ("size(request.headers['x-no']) == 0", "false"),
            ("request.headers['x-no'] == 'v' ? 'a' : 'b'", "'b'"),
            ("1 / (int(request.query.n) - 7) == 0", "false"),
            ("9223372036854775807 + 1", "absent"),
            ("5 % 0", "absent"),
            ("['a'][int(request.query.n)]", "absent"),
            ("['a', 'b'].map(i, request.headers['x-no'] == i)[0]", "false"),
        ],
    );
}

#[test]
fn whole_numbers_meet_doubles_as_cel_spec_has_it() {
    check(
        &plain("/", &[]),
        &[
            // Vectors of cel-spec's comparisons: a whole number becomes a double, and loses what that cannot hold.
            ("9223372036854775807 < 9223372036854775808.0", "false"),
            ("9223372036854775807 < 9223372036854777857.0", "true"),
            ("9223372036854775807 >= 9223372036854775808.0", "true"),
            ("-9223372036854775807 <= double(-9223372036854775807)", "true"),
            ("9007199254740993 == 9007199254740992.0", "true"),
        ],
    );
}

#[test]
fn operators_and_functions() {
    let x = plain("/api/v1/users", &[("accept", "Text/HTML, application/json"), ("x-n", " 42 ")]);
    check(
        &x,
        &[
            ("1 + 2 * 3 - 8 / 3 % 2", "7"),
            ("-(3) + -2", "-5"),
            ("1.5 * 2.0 - 0.5", "2.5"),
            ("7.0 / 2.0", "3.5"),
            ("-(1.5)", "-1.5"),
            ("1 == 1.0 && 2 > 1.5 && 1.5 < 2 && !(1 < 1.0)", "true"),
            ("2u == 2", "true"),
            ("'a' + 'b' + 'c'", "'abc'"),
            ("'b' > 'a' && 'a' <= 'a'", "true"),
            ("true && !false || false", "true"),
            ("true ? 1 : 2", "1"),
            ("(false ? true : false) ? 'a' : 'b'", "'b'"),
            ("request.path in ['/a', '/api/v1/users']", "true"),
            ("200 in [404, 200]", "true"),
            ("1 in [1.0]", "true"),
            ("true in [false]", "false"),
            ("'a' in []", "false"),
            ("request.method in [request.path, 'GET']", "true"),
            ("{'GET': 1, 'POST': 2}[request.method]", "1"),
            ("{'PUT': 'x'}[request.method].orValue('none')", "'none'"),
            ("['a', 'b'] == ['a', 'b'] && ['a'] != []", "true"),
        ],
    );
    check(
        &x,
        &[
            ("request.path.startsWith('/api')", "true"),
            ("request.path.endsWith('users') && request.path.contains('v1')", "true"),
            ("request.path.matches('^/api/v[0-9]+/')", "true"),
            ("request.path.matches('v[0-9]$')", "false"),
            ("matches(request.path, 'api')", "true"),
            ("request.path.matches('^/api')", "true"),
            ("request.path.matches('^api')", "false"),
            ("request.path.matches('/v.*s')", "true"),
            ("size('äöü')", "3"),
            ("'äöü'.size() == size([1, 2, 3])", "true"),
            ("request.headers.accept.lowerAscii().contains('text/html')", "true"),
            ("'aBc'.upperAscii()", "'ABC'"),
            ("request.headers['x-n'].trim()", "'42'"),
            ("'a-b-c'.replace('-', '')", "'abc'"),
            ("request.path.split('/')[2]", "'v1'"),
            ("'a,b'.split(',').join(';')", "'a;b'"),
            ("'äbc'.split('').join('-')", "'ä-b-c'"),
            ("'äbc'.substring(1)", "'bc'"),
            ("'äbc'.substring(0, 1)", "'ä'"),
            ("'abc'.substring(3)", "''"),
            ("'abc'.substring(4)", "absent"),
            ("'abc'.substring(2, 1)", "absent"),
            ("'abc'.substring(-1)", "absent"),
            ("int('42') + int(1.9) + int(-1.9) + int(3)", "45"),
            ("int('4.2')", "absent"),
            ("int(1e30)", "absent"),
            ("double('1.5') + double(1)", "2.5"),
            ("double('nan')", "absent"),
            ("string(1) + string(1.5) + string(true) + string('x')", "'11.5truex'"),
            ("request.path.split('/').exists(part, part == 'v1')", "true"),
            ("request.path.split('/').all(part, part.size() < 6)", "true"),
            ("['a', 'b', 'a'].exists_one(i, i == 'a')", "false"),
            ("['a', 'b', 'a'].exists_one(i, i == 'b')", "true"),
            ("['b', 'ab'].filter(i, i.startsWith('a')).join(',')", "'ab'"),
            ("[1, 2].map(i, i * 2)[1]", "4"),
            ("request.headers.exists(name, name.startsWith('x-'))", "true"),
            (r#"r"a\d" == "a\\d""#, "true"),
            // These two and the host, which every request has.
            ("size(request.headers)", "3"),
            ("request.headers.exists_one(name, name == 'host')", "true"),
            ("size(request.query)", "0"),
            ("inNetwork(client.address, '10.0.0.0/8', '192.0.2.0/24')", "true"),
            ("inNetwork(client.address, '192.0.2.7')", "true"),
            ("inNetwork(client.address, 'fd00::/8')", "false"),
            ("inNetwork(connection.local_address, '192.0.2.1/32')", "true"),
            ("inNetwork('10.1.2.3', '10.0.0.0/8')", "true"),
            ("inNetwork('::ffff:10.1.2.3', '10.0.0.0/8')", "true"),
            ("inNetwork('no address', '0.0.0.0/0')", "false"),
        ],
    );
}

#[test]
fn every_function_is_asked_for_as_docs_show_it() {
    for function in callable() {
        for form in function.form.split("), ") {
            let form = if form.ends_with(')') { form.to_owned() } else { format!("{form})") };
            let filled = form
                .replace("condition", "item == 'a'")
                .replace("item, value", "item, item + 'b'")
                .replace("value)", "'1')")
                .replace("list.", "['a'].")
                .replace("text", "'text'");
            let wrapped = format!("has([{filled}][0])");
            let compiled = Expr::compile(&text(&filled), Scope::Request);
            let compiled = compiled.or_else(|_| Expr::compile(&text(&format!("size({filled}) >= 0")), Scope::Request));
            assert!(compiled.is_ok(), "{}: {wrapped}: {compiled:#?}", function.name);
        }
    }
}

#[test]
fn what_is_made_is_bounded() {
    let long = "a".repeat(2_000);
    let x = plain("/a", &[("x-long", &long)]);
    let grown = "request.headers['x-long'].replace('a', '0123456789').replace('0', '0123456789')";
    check(&x, &[(&format!("size({grown})"), "38000"), (&format!("size({grown}.replace('1', '{long}'))"), "absent")]);
    check(
        &x,
        &[
            ("request.headers['x-long'].split('').exists(c, c == 'a')", "false"),
            ("size(request.headers['x-long'].split('a'))", "absent"),
            ("size(request.headers['x-long'].substring(0, 999).split('a'))", "1000"),
        ],
    );
}

#[test]
fn fields_with_bytes_that_are_not_text_are_there() {
    let mut x = plain("/a", &[]);
    x.request.headers.insert("x-odd", HeaderValue::from_bytes(b"a\xff").unwrap());
    check(&x, &[("'x-odd' in request.headers", "true"), ("request.headers['x-odd'].startsWith('a')", "true")]);
}

#[test]
fn a_client_behind_a_proxy_has_its_own_address() {
    let mut x = plain("/a", &[]);
    x.client = "10.9.9.9".parse().unwrap();
    check(&x, &[("client.address", "'10.9.9.9'"), ("inNetwork(client.address, '10.0.0.0/8')", "true")]);
}

#[test]
fn values_become_text() {
    let x = plain("/a", &[]);
    for (source, expected) in [
        ("request.path", Some("/a")),
        ("1 + 1", Some("2")),
        ("1.5", Some("1.5")),
        ("request.path == '/a'", Some("true")),
        ("request.headers.accept", None),
        ("'äöü'", Some("äöü")),
    ] {
        assert_eq!(compile(source).text(&x).as_deref(), expected, "{source}");
    }
    assert_eq!(compile("'v'").literal(), Some("v"));
    assert_eq!(compile("request.path").literal(), None);
    assert_eq!(compile("request.path").source(), "request.path");
    assert!(!compile("request.path").test(&x), "text is no condition");
    assert!(compile("['', 'x'].map(i, i == '')[0]").test(&x));
}

#[test]
fn an_expression_says_what_it_reads() {
    for (source, headers, identity, response) in [
        ("request.path == '/a'", false, false, false),
        ("request.headers.a == 'b'", true, false, false),
        ("'a' in request.headers", true, false, false),
        ("request.cookies.a == 'b'", true, false, false),
        ("request.size > 1", true, false, false),
        ("has(auth.consumer)", false, true, false),
        ("auth.consumer.groups.exists(g, g == 'a')", false, true, false),
        ("response.status == 200 && request.headers.a == 'b'", true, false, true),
        ("size(response.headers) > 1", false, false, true),
    ] {
        let expr = compile(source);
        assert_eq!(expr.reads_request_headers(), headers, "{source}");
        assert_eq!(expr.reads_identity(), identity, "{source}");
        assert_eq!(expr.reads_response(), response, "{source}");
    }
    let groups = VARIABLES.iter().filter(|variable| matches!(variable.source, Source::Group(_))).count();
    assert_eq!(groups, 5);
}
