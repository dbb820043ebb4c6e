//! What is wrong with one value, in words.
use super::*;

/// Problems of an api whose only other key is its name.
fn check(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let (_, loaded) = typed::<Api>(&format!("name: a\n{text}"));
        let found: Vec<_> = loaded
            .problems
            .iter()
            .map(|p| format!("{p}{}", p.help.as_deref().map(|help| format!(" -- {help}")).unwrap_or_default()))
            .collect();
        assert_eq!(found, *expected, "{text}");
    }
}

#[test]
fn kinds() {
    check(&[
        ("timeout: [1]", &["timeout: expected a duration such as `30s`, found a list"]),
        (
            "timeout: 30",
            &[
                "timeout: expected a duration such as `30s`, found the number 30: add a unit (ms, s, m, h or d), for example `30s`",
            ],
        ),
        (
            "timeout: soon",
            &[
                "timeout: expected a duration such as `30s`, found `soon`: units are ms, s, m, h and d, the larger ones first, for example `1h30m`",
            ],
        ),
        ("port: 70000", &["port: expected a whole number from 0 to 65535, found the number 70000"]),
        ("port: -1", &["port: expected a whole number from 0 to 65535, found the number -1"]),
        ("port: 1.5", &["port: expected a whole number from 0 to 65535, found the number 1.5"]),
        ("port: '80'", &["port: expected a whole number from 0 to 65535, found the text `80` -- remove the quotes"]),
        (
            "port: 8_080",
            &["port: expected a whole number from 0 to 65535, found `8_080` -- write the number with digits only"],
        ),
        ("weight: x", &["weight: expected a number, found `x`"]),
        ("weight:", &["weight: expected a number, found nothing -- give it a value, or remove the key"]),
        ("range: [1]", &["range: expected a list of 2, found a list of 1"]),
        ("range: [1, 2, 3]", &["range: the list has 1 more than are expected"]),
        ("range: [1, x]", &["range[1]: expected a whole number from 0 to 255, found `x`"]),
        (
            "ips: 10.0.0.1",
            &["ips: expected a list, found `10.0.0.1` -- a list is written `[a, b]`, or one `- a` a line"],
        ),
        ("ips: [10.0.0.300]", &["ips[0]: invalid IP address syntax"]),
        ("headers: {a: 1}", &["headers.a: expected text, found the number 1 -- put it in quotes"]),
        (
            "headers: {'a b': x}",
            &["headers[\"a b\"]: `a b` is not a name: a space is not allowed; use letters, digits, `.`, `_` and `-`"],
        ),
        ("headers: [a]", &["headers: expected a map, found a list"]),
        ("pages: {x: y}", &["pages.x: expected a whole number from 0 to 65535, found `x`"]),
        ("hosts: [a, 2]", &["hosts[1]: expected text, found the number 2 -- put it in quotes"]),
        ("hosts: 2", &["hosts: expected text, found the number 2 -- put it in quotes"]),
        (
            "to: 1",
            &["to: expected an upstream's name, a list of them with weights, or what to respond, found the number 1"],
        ),
        ("body: 10mb", &["body: expected a size such as `10MiB`, found `10mb`: write `10MB`"]),
        ("share: 0.2", &["share: expected a percentage such as `20%`, found the number 0.2: write `20%`"]),
        (
            "limit: 100",
            &[
                "limit: expected a rate such as `100/minute`, found the number 100: say in which time, for example `100/second`",
            ],
        ),
    ]);
}

#[test]
fn keys_and_names() {
    check(&[
        ("timeot: 3s", &["timeot: unknown key `timeot`; did you mean `timeout`?"]),
        (
            "zzz: 3s",
            &[
                "zzz: unknown key `zzz` -- keys here: `name`, `hosts`, `balance`, `timeout`, `body`, `limit`, `share`, `weight`, `port`, `range`, `ips`, `headers`, `pages`, `to`",
            ],
        ),
        (
            "balance: lest_request",
            &[
                "balance: unknown value `lest_request`; did you mean `least_request`? -- one of: `round_robin`, `least_request`, `hash`, `sticky`",
            ],
        ),
        (
            "balance: {hsah: 1}",
            &[
                "balance: unknown value `hsah`; did you mean `hash`? -- one of: `round_robin`, `least_request`, `hash`, `sticky`",
            ],
        ),
        ("balance: 1", &["balance: expected one of `round_robin`, `least_request`, `hash`, `sticky`, found a number"]),
        ("balance: {}", &["balance: expected one of `round_robin`, `least_request`, `hash`, `sticky`, found none"]),
        (
            "balance: {hash: client, sticky: {cookie: a}}",
            &["balance: expected only one of `round_robin`, `least_request`, `hash`, `sticky`, found `hash`, `sticky`"],
        ),
        ("balance: hash", &["balance: `hash` needs its settings: write `hash: …`"]),
        ("balance: {least_request: {a: 1}}", &["balance: `least_request` has no settings: write only `least_request`"]),
        ("balance: {hash: {header: [x]}}", &["balance.hash.header: expected text, found a list"]),
        ("balance: {sticky: {coookie: a}}", &["balance.sticky.coookie: unknown key `coookie`; did you mean `cookie`?"]),
        ("balance: {sticky: {}}", &["balance.sticky: `cookie` is missing -- add `cookie: …`"]),
        (
            "balance: {sticky: }",
            &["balance.sticky: expected a map, found nothing -- write `{}` to take every default, or remove the key"],
        ),
        ("to: {}", &["to: `status` is missing -- add `status: …`"]),
        ("to: {stauts: 200}", &["to.stauts: unknown key `stauts`; did you mean `status`?"]),
        (
            "to: {status: 200, bdoy: x, zzz: 1}",
            &[
                "to.bdoy: unknown key `bdoy`; did you mean `body`?",
                "to.zzz: unknown key `zzz` -- keys here: `status`, `body`",
            ],
        ),
        (
            "to: [{upstream: u, wieght: 1}, {weight: 1}, {upstream: 1, weight: x}]",
            &[
                "to[0].wieght: unknown key `wieght`; did you mean `weight`?",
                "to[1]: `upstream` is missing -- add `upstream: …`",
                "to[2].upstream: expected text, found the number 1 -- put it in quotes",
                "to[2].weight: expected a whole number from 0 to 4294967295, found `x`",
            ],
        ),
    ]);
}

#[test]
fn places() {
    let cases = [
        ("name: a\nzzz: 1", "2:1"),
        ("name: a\ntimeout:\n  k: v", "2:1"),
        ("name: a\nbalance:\n  hsah: 1", "3:3"),
        ("name: a\nheaders:\n  a: b\n  'c d': e", "4:3"),
        ("name: a\nto:\n- upstream: 1", "3:13"),
        ("name: a\nto:\n- weight: 1", "3:3"),
        ("name: a\nto:\n  body: x", "2:1"),
        ("name: a\nhosts: [a, b, {c: d}]", "2:15"),
        ("hosts: a\n", "1:1"),
    ];
    for (text, expected) in cases {
        let (_, loaded) = typed::<Api>(text);
        let found = problems_of(&loaded);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{expected} ")), "{text}: {found:?}");
    }
}

#[test]
fn what_comes_from_references_or_is_secret_is_not_shown() {
    let cases = [
        (
            "timeout: ${env:KEY}",
            "timeout: expected a duration such as `30s`, found `***`: units are ms, s, m, h and d, the larger ones first, for example `1h30m`",
        ),
        ("port: ${env:KEY}", "port: expected a whole number from 0 to 65535, found text"),
        ("balance: ${env:KEY}", "balance: unknown value ***"),
        ("ips: ${env:KEY}", "ips: expected a list, found text"),
        ("headers: { hunter2: 1 }", "headers.hunter2: expected text, found the number 1"),
    ];
    for (text, expected) in cases {
        let (_, loaded) = typed::<Api>(&format!("name: a\n{text}"));
        let found: Vec<_> = loaded.problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, [expected], "{text}");
    }
    let (_, loaded) = typed::<Tls>("certificate: 123456");
    let [problem] = loaded.problems.into_vec().try_into().expect("one problem");
    assert_eq!(problem.to_string(), "certificate: expected text, found a number");
    assert_eq!(problem.help.as_deref(), Some("put it in quotes"));
}

/// A literal secret in the wrong shape is not read as far as its type, so the key's name must do.
#[test]
fn what_stands_under_a_secret_key_is_not_shown() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Provider {
        keys: Vec<Secret>,
    }
    for text in ["keys: hunter2", "keys: [{a: hunter2}]", "keys: [hunter2, 12345678]", "keys: {hunter: hunter2}"] {
        let (_, loaded) = typed::<Provider>(text);
        assert_eq!(loaded.problems.errors(), 1, "{text}");
        let shown = crate::problem::render(&loaded.problems, &loaded.sources, crate::problem::Style::Plain);
        assert!(!shown.contains("12345678"), "{shown}");
        let message = &loaded.problems.into_vec()[0].message;
        assert!(!message.contains("hunter2") && !message.contains("12345678"), "{message}");
    }
}

#[test]
fn offline_nothing_follows_from_what_stands_in() {
    let text =
        "# offline\nname: a\ntimeout: ${env:NONE}\nport: ${env:NONE}\nips: ['${env:NONE}', x]\nhosts: ${env:NONE}\n";
    let (api, loaded) = typed::<Api>(text);
    let found: Vec<_> =
        loaded.problems.iter().filter(|p| p.code != "config.absent_env").map(ToString::to_string).collect();
    assert_eq!(found, ["ips[1]: invalid IP address syntax"]);
    let api = api.expect("a value");
    assert_eq!((api.port, api.timeout), (Some(1), None));
    assert_eq!(api.hosts[0].value, STAND_IN);
}

#[test]
fn numbers_and_booleans_from_references() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct All {
        a: u16,
        b: i8,
        c: f64,
        d: bool,
        e: String,
    }
    let text = "a: ${env:PORT}\nb: '${env:NONE:--5}'\nc: ${env:HALF}\nd: ${env:YES}\ne: ${env:PORT}";
    let (all, loaded) = typed::<All>(text);
    assert_eq!(problems_of(&loaded), [""; 0]);
    assert_eq!(all, Some(All { a: 8080, b: -5, c: 0.5, d: true, e: "8080".to_owned() }));
    let (_, loaded) = typed::<All>("a: 1\nb: ${env:PORT}\nc: 1\nd: ${env:PORT}\ne: x");
    assert_eq!(
        problems_of(&loaded),
        [
            "2:4 b: expected a whole number from -128 to 127, found text",
            "4:4 d: expected `true` or `false`, found text",
        ]
    );
    for (word, help) in [("yes", "write `true`"), ("Off", "write `false`"), ("'true'", "remove the quotes")] {
        let (_, loaded) = typed::<All>(&format!("a: 1\nb: 1\nc: 1\nd: {word}\ne: x"));
        assert_eq!(loaded.problems.iter().map(|p| p.help.as_deref()).collect::<Vec<_>>(), [Some(help)]);
    }
}
