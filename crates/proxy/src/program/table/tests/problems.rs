//! What is wrong with routes is said at check, all of it at once.

use super::*;

/// Problems of these apis, as `severity path: message (help)`.
fn problems(apis: &str) -> Vec<String> {
    let (snapshot, _) = snapshot(apis);
    let mut problems = Problems::new();
    build(&snapshot, &mut problems);
    let told = problems.iter().map(|problem| {
        assert!(problem.at.is_some(), "{problem} has no place");
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        format!("{severity} {problem} ({})", problem.help.as_deref().unwrap_or("no help"))
    });
    told.collect()
}

#[test]
fn of_patterns() {
    let cases: &[(&str, &str)] = &[
        ("path: users", "error apis[0].routes[0].match: a path begins with `/` (write `/users`)"),
        ("path: '/a?b=c'", "`?` ends a path"),
        ("path: '/a//b'", "the path has an empty segment"),
        ("path: '//'", "the path has an empty segment"),
        ("path: /a/../b", "`..` is a dot segment"),
        ("path: /a/%2e/b", "`.` is a dot segment"),
        ("path: /a/%zz", "`%zz` cannot be in a path"),
        ("path: '/{id'", "`{id` has a `{` that is not closed"),
        ("path: '/id}'", "`id}` has a `}` that closes nothing"),
        ("path: '/{id}.json'", "`{id}.json`: a capture takes a whole segment"),
        ("path: '/{a}{b}'", "`{a}{b}` is not a capture; did you mean `{a}`?"),
        ("path: '/{}'", "`{}` is not a capture (a name has letters"),
        ("path: '/{id:int}'", "`{id:int}` is not a capture; did you mean `{id}`?"),
        ("path: '/{*rest}'", "did you mean `{rest*}`?"),
        ("path: '/{rest...}'", "did you mean `{rest*}`?"),
        ("path: '/{rest*}/x'", "`{rest*}` is not at the end"),
        ("path: '/{id}/{id}'", "two captures are named `id`"),
        ("path: '/:id'", "warning apis[0].routes[0].match: `:id` is plain text here; did you mean `{id}`?"),
        ("path: '/a/*'", "did you mean `{rest*}`?"),
        ("prefix: '/{id}'", "a prefix takes no captures"),
        ("regex: '/(a'", "not a regular expression: unclosed group (at character 2)"),
        ("regex: '/(?<a>x)(?<a>y)'", "duplicate capture group name"),
        ("regex: '(\\w{900}){900}'", "the regular expression is too large"),
        ("path: /a, regex: /b", "a route matches one of `path`, `prefix` and `regex`"),
        ("methods: [get]", "unknown method `get`; did you mean `GET`? (methods are case-sensitive)"),
        ("methods: [PSOT]", "warning apis[0].routes[0].match: `PSOT` is not a common method; did you mean `POST`?"),
        ("methods: ['A B']", "`A B` is not a method"),
        ("headers: { 'x y': a }", "`x y` is not a header name"),
        ("headers: { x-a: { regex: '(' } }", "not a regular expression"),
        ("headers: { x-a: a, X-A: b }", "there are two conditions on the header `X-A`"),
        ("query: { a: { not: { regex: '[' } } }", "not a regular expression"),
        ("cookies: { 'a=b': c }", "`a=b` is not a cookie's name"),
        ("when: 'request.hots == \"a\"'", "did you mean `request.host`?"),
        ("when: 'request.host'", "a condition is asked for"),
        ("when: 'params.id == \"a\"'", "`params` is not known while a route is sought"),
        ("client: [10.0.0.0/33]", "`10.0.0.0/33` is not an address or a network"),
        ("client: [10.0.0.010/8]", "`10.0.0.010/8` is not an address or a network"),
        ("client: ['10.0.0.0/+8']", "`10.0.0.0/+8` is not an address or a network"),
        ("client: [10.0.0.0/]", "`10.0.0.0/` is not an address or a network"),
    ];
    for (written, expected) in cases {
        let told = problems(&format!("- name: a\n  routes: [{{ match: {{ {written} }}, to: u }}]"));
        assert!(told.len() == 1 && told[0].contains(expected), "{written}: {told:?}");
    }
}

#[test]
fn of_apis() {
    let cases: &[(&str, &str)] = &[
        ("path: users", "error apis[0]: a path begins with `/`"),
        ("path: '/{tenant}'", "an api's path takes no captures"),
        ("hosts: ['https://a.example/x']", "is a URL: leave `https://` out (write `a.example`)"),
        ("hosts: ['a.example:80']", "`a.example:80` has a port"),
        ("hosts: ['*.example:']", "`*.example:` ends in a colon"),
        ("hosts: ['a.*.example']", "a wildcard stands for whole labels"),
        ("hosts: ['*a.example']", "a wildcard stands for whole labels"),
        ("hosts: ['caf\u{e9}.fr']", "is not ASCII"),
        ("hosts: ['a b']", "`a b` is not a host"),
        ("hosts: ['a..b']", "`a..b` is not a host"),
        ("hosts: [a.example, A.example.]", "warning apis[0]: host `a.example` is given twice"),
    ];
    for (written, expected) in cases {
        let told = problems(&format!("- {{ name: a, to: u, {written} }}"));
        assert!(told.len() == 1 && told[0].contains(expected), "{written}: {told:?}");
    }
}

#[test]
fn every_problem_is_told() {
    let told = problems(
        "- name: a\n  hosts: [a_b, '*x']\n  routes: [{ match: { path: x, methods: [get], client: [x] }, to: u }]",
    );
    assert_eq!(told.len(), 4, "{told:?}");
}

/// Routes a and b of one api: do they meet?
fn meet(a: &str, b: &str) -> bool {
    let told = problems(&format!(
        "- name: x\n  routes:\n    - {{ name: a, match: {{ {a} }}, to: u }}\n    - {{ name: b, match: {{ {b} }}, to: u }}"
    ));
    match &told[..] {
        [] => false,
        [one] if one.contains("routes `x/a` and `x/b` are ambiguous") && one.contains("apis[0].routes[1]") => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ambiguous_pairs() {
    let cases = [
        ("path: /a", "path: /a", true),
        ("path: '/{x}'", "path: '/{y}'", true),
        ("path: '/a/{x}'", "path: '/{x}/a'", false),
        ("path: /a", "prefix: /a", false),
        ("path: /a, methods: [GET]", "path: /a, methods: [GET, POST]", true),
        ("path: /a, methods: [GET]", "path: /a, methods: [PUT, POST]", false),
        ("path: /a, methods: [GET]", "path: /a, methods: [HEAD]", false),
        ("path: /a, methods: [GET]", "path: /a", false),
        ("path: /a, methods: [GET]", "path: /a, headers: { x: y }", true),
        ("headers: { x: a }", "headers: { X: b }", false),
        ("headers: { x: a }", "headers: { y: b }", true),
        ("headers: { x: a }", "headers: { x: { prefix: b } }", false),
        ("headers: { x: ba }", "headers: { x: { prefix: b } }", true),
        ("headers: { x: { prefix: ba } }", "headers: { x: { prefix: b } }", true),
        ("headers: { x: { prefix: ba } }", "headers: { x: { prefix: bc } }", false),
        ("headers: { x: { regex: 'b+' } }", "headers: { x: bb }", true),
        ("headers: { x: { regex: 'b+' } }", "headers: { x: a }", false),
        ("headers: { x: { not: a } }", "headers: { x: a }", false),
        ("headers: { x: { not: a } }", "headers: { x: b }", true),
        ("headers: { x: { not: a } }", "headers: { x: { is: absent } }", true),
        ("headers: { x: { is: present } }", "headers: { x: { is: absent } }", false),
        ("headers: { x: { not: { prefix: a } } }", "headers: { x: { prefix: ab } }", false),
        ("query: { x: a }", "query: { X: a }", true),
        ("query: { x: a }", "query: { x: b }", false),
        ("cookies: { x: a }", "cookies: { x: b }", false),
        ("cookies: { x: a }", "query: { x: b }", true),
        ("client: [10.0.0.0/8]", "client: [10.1.0.0/16]", true),
        ("client: [10.0.0.0/8]", "client: [11.0.0.0/8, '::1']", false),
        ("when: 'request.path == \"/a\"'", "when: 'request.path == \"/b\"'", true),
        ("when: 'true', methods: [GET]", "when: 'true', methods: [PUT]", false),
        ("regex: '/a/.*'", "regex: '/b/.*'", false),
        ("regex: '/a/.*'", "regex: '/.*/a'", true),
        ("regex: '/.*[.]png'", "regex: '/.*[.]jpe?g'", false),
        ("regex: '/[0-9]+'", "regex: '/[a-z]+'", true),
    ];
    for (a, b, expected) in cases {
        assert_eq!(meet(a, b), expected, "{a} and {b}");
        assert_eq!(meet(b, a), expected, "{b} and {a}");
    }
}

#[test]
fn priority_and_hosts_tell_apart() {
    let with = |a: &str, b: &str| problems(&format!("- {{ name: a, to: u, {a} }}\n- {{ name: b, to: u, {b} }}"));
    assert_eq!(with("path: /x", "path: /x").len(), 1);
    assert_eq!(with("hosts: [a.example]", "hosts: [b.example]"), Vec::<String>::new());
    assert_eq!(with("hosts: ['*.example']", "hosts: [b.example]"), Vec::<String>::new());
    // Said once, on however many hosts they meet.
    assert_eq!(with("hosts: [a.example, b.example, c.example]", "hosts: [b.example, a.example]").len(), 1);
    let routes = "- name: x\n  routes: [{ match: { path: /a }, to: u }, { match: { path: /a }, to: u, priority: -1 }]";
    assert_eq!(problems(routes), Vec::<String>::new());
}

#[test]
fn many_routes_of_one_path_are_compared_quickly() {
    let mut apis = "- name: x\n  routes:\n".to_owned();
    for tenant in 0..5000 {
        let all = format!("tenant: t{tenant}, zone: z{}", tenant % 3);
        apis += &format!("    - {{ match: {{ path: /a, methods: [GET], headers: {{ {all} }} }}, to: u }}\n");
    }
    apis += "    - { name: other, match: { path: /a, methods: [GET], headers: { zone: z1, tenant: t4 } }, to: u }\n";
    let told = problems(&apis);
    assert!(told.len() == 1 && told[0].contains("`x/4` and `x/other`"), "{told:?}");
}
