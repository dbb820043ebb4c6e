//! Names and passwords that a real slapd knows.

use base64::Engine as _;
use e2e::client::{Answer, get};
use e2e::{Authority, Gate, Held, Slapd, Upstream};

const ENTRIES: &str = "\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: example

dn: cn=gateway,dc=example,dc=org
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: gateway
userPassword: gateway-password

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: uid=ann,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: A
mail: ann@example.org
employeeType: staff
employeeType: night shift
userPassword: ann-password

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: B
title: disabled
userPassword: bob-password

dn: uid=eve\\,ou\\=admins,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: eve,ou=admins
cn: Eve
sn: E
userPassword: eve-password

dn: cn=staff,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: staff
member: uid=ann,ou=people,dc=example,dc=org
member: uid=bob,ou=people,dc=example,dc=org

dn: cn=others,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: others
member: uid=bob,ou=people,dc=example,dc=org
";

const SEARCH: &str = "search: { base: 'ou=people,dc=example,dc=org', filter: '(&(uid={user})(!(title=disabled)))', account: { dn: 'cn=gateway,dc=example,dc=org', password: gateway-password } }, groups: { base: 'ou=groups,dc=example,dc=org', attribute: cn }, attributes: [mail], headers: { x-mail: mail }";
const BIND: &str = "bind: { dn: 'uid={user},ou=people,dc=example,dc=org', filter: '(!(title=disabled))' }, groups: { attribute: employeeType }, consumer: { claim: uid, missing: allow }";

/// A gateway with an api for each of these policies, at `/0`, `/1` and so on.
fn gate(upstream: &Upstream, policies: &[String]) -> Gate {
    let apis: String = policies
        .iter()
        .enumerate()
        .map(|(at, policy)| {
            format!(
                "  - {{ name: api-{at}, path: /{at}, policies: {{ ldap_auth: {{ {policy} }}, identity_headers: {{}} }}, to: u }}\n"
            )
        })
        .collect();
    Gate::start(&format!(
        "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\nupstreams: [{{ name: u, targets: [{{ url: 'http://{}' }}] }}]\napis:\n{apis}consumers: [{{ name: ann }}]\n",
        upstream.address
    ))
}

fn ask(gate: &Gate, path: &str, user: &str, password: &str) -> Answer {
    let shown = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    get(gate.address("public"), path, &[&format!("authorization: Basic {shown}"), "x-mail: forged"])
}

fn told(gate: &Gate, path: &str, user: &str, password: &str) -> (u16, String) {
    let answer = ask(gate, path, user, password);
    let code = if answer.status == 200 { String::new() } else { answer.json()["code"].as_str().unwrap().to_owned() };
    (answer.status, code)
}

#[test]
fn a_directory_says_who_it_is() {
    let (upstream, slapd) = (Upstream::text("in"), Slapd::start(ENTRIES, &Authority::new()));
    let url = format!("url: 'ldap://{}'", slapd.address);
    let gate = gate(&upstream, &[format!("{url}, {SEARCH}"), format!("{url}, {BIND}")]);
    let invalid = (401, "ldap_auth.invalid".to_owned());
    for path in ["/0", "/1"] {
        for (user, password, good) in [
            ("ann", "ann-password", true),
            ("ann", "ann-password", true),
            ("ann", "wrong", false),
            ("ann", "", false),
            ("nobody", "ann-password", false),
            ("bob", "bob-password", false),
            // Whoever's name holds what means something in filters and names is only that.
            ("eve,ou=admins", "eve-password", true),
            ("*", "ann-password", false),
            ("a*", "ann-password", false),
            ("*)(uid=*", "ann-password", false),
            ("ann)(|(uid=*", "ann-password", false),
            ("ann)(!(title=x)", "ann-password", false),
            ("ann,ou=people", "ann-password", false),
            ("\\61nn", "ann-password", false),
            ("ann\0", "ann-password", false),
        ] {
            let expected = if good { (200, String::new()) } else { invalid.clone() };
            assert_eq!(told(&gate, path, user, password), expected, "{path} {user} {password}");
        }
        let nobody = get(gate.address("public"), path, &[]);
        assert_eq!(nobody.status, 401);
        assert!(nobody.header("www-authenticate").unwrap().starts_with("Basic realm="));
    }
    let seen = |path: &str, user: &str, password: &str, name: &str| {
        assert_eq!(ask(&gate, path, user, password).status, 200);
        let seen = upstream.seen();
        assert_eq!(seen.last().unwrap().header("authorization"), None);
        seen.last().unwrap().header(name).map(str::to_owned)
    };
    let dn = "uid=ann,ou=people,dc=example,dc=org";
    for (path, user, password, name, value) in [
        ("/0", "ann", "ann-password", "x-auth-subject", Some(dn)),
        ("/0", "ann", "ann-password", "x-consumer-groups", Some("staff")),
        ("/0", "ann", "ann-password", "x-mail", Some("ann@example.org")),
        ("/0", "eve,ou=admins", "eve-password", "x-mail", None),
        ("/1", "ann", "ann-password", "x-consumer-groups", Some("staff,night shift")),
        ("/1", "ann", "ann-password", "x-consumer-name", Some("ann")),
        // A directory does not care for the case; who it is, is what it says.
        ("/1", "ANN", "ann-password", "x-consumer-name", Some("ann")),
        ("/1", "eve,ou=admins", "eve-password", "x-consumer-name", None),
    ] {
        assert_eq!(seen(path, user, password, name).as_deref(), value, "{path} {user} {name}");
    }
    let left = gate.leave();
    assert!(!left.said.contains("ann-password") && !left.said.contains("gateway-password"));
}

#[test]
fn a_directory_that_is_gone_lets_in_whom_it_knew_and_nobody_else() {
    let (upstream, mut slapd) = (Upstream::text("in"), Slapd::start(ENTRIES, &Authority::new()));
    let url = format!("url: 'ldap://{}'", slapd.address);
    let gate = gate(
        &upstream,
        &[format!("{url}, {SEARCH}"), format!("{url}, {SEARCH}, cache: 0s"), format!("{url}, {BIND}, cache: 0s")],
    );
    let gone = (503, "ldap_auth.unavailable".to_owned());
    for path in ["/0", "/1", "/2"] {
        assert_eq!(told(&gate, path, "ann", "ann-password").0, 200, "{path}");
    }
    slapd.stop();
    assert_eq!(told(&gate, "/0", "ann", "ann-password").0, 200, "remembered");
    for (path, user, password) in [
        ("/0", "ann", "wrong"),
        ("/0", "eve,ou=admins", "eve-password"),
        ("/1", "ann", "ann-password"),
        ("/2", "ann", "ann-password"),
    ] {
        assert_eq!(told(&gate, path, user, password), gone, "{path} {user} {password}");
    }
    let refused = ask(&gate, "/1", "ann", "ann-password");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Wrong passwords push nobody out who is remembered.
    for number in 0..50 {
        assert_eq!(told(&gate, "/0", "ann", &format!("wrong-{number}")), gone);
    }
    assert_eq!(told(&gate, "/0", "ann", "ann-password").0, 200);
    slapd.start_again();
    assert_eq!(told(&gate, "/1", "ann", "ann-password").0, 200, "by a new connection");
    assert_eq!(told(&gate, "/0", "ann", "wrong").0, 401);
}

#[test]
fn a_directory_that_hangs_keeps_nobody_waiting_for_long() {
    let (upstream, held) = (Upstream::text("in"), Held::start());
    let slapd = Slapd::start(ENTRIES, &Authority::new());
    let hanging = format!("url: 'ldap://{}', {SEARCH}, timeout: 300ms, connections: 1", held.address);
    // The next address answers where the first does not even connect.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let second = format!("url: ['ldap://{dead}', 'ldap://{}'], {SEARCH}", slapd.address);
    let gate = gate(&upstream, &[hanging, second]);
    let port = gate.address("public");
    // Eight of one client wait at a time, and no more.
    let many: Vec<_> = (0..24)
        .map(|number| {
            std::thread::spawn(move || {
                let shown = base64::engine::general_purpose::STANDARD.encode(format!("ann:{number}"));
                let answer = get(port, "/0", &[&format!("authorization: Basic {shown}")]);
                (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
            })
        })
        .collect();
    let codes: Vec<_> = many.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(codes.iter().all(|(status, _)| *status == 503), "{codes:?}");
    let count = |code: &str| codes.iter().filter(|(_, found)| found == code).count();
    assert!(count("ldap_auth.unavailable") >= 8 && count("ldap_auth.busy") > 0, "{codes:?}");
    assert_eq!(told(&gate, "/1", "ann", "ann-password").0, 200);
}

#[test]
fn tls_is_checked_against_the_authority_that_is_named() {
    let authority = Authority::new();
    let (upstream, slapd) = (Upstream::text("in"), Slapd::start(ENTRIES, &authority));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        path.display().to_string()
    };
    let (own, other) = (file("own.pem", &authority), file("other.pem", &Authority::new()));
    let (plain, tls) = (slapd.address.port(), slapd.encrypted.port());
    let start = "start_tls: required";
    let gate = gate(
        &upstream,
        &[
            format!("url: 'ldap://localhost:{plain}', {start}, tls: {{ ca: {own} }}, {SEARCH}"),
            format!("url: 'ldaps://localhost:{tls}', tls: {{ ca: {own} }}, {SEARCH}"),
            format!("url: 'ldap://localhost:{plain}', {start}, tls: {{ ca: {other} }}, {SEARCH}"),
            format!("url: 'ldaps://localhost:{tls}', tls: {{ ca: {other} }}, {SEARCH}"),
            // It has no certificate for its address.
            format!("url: 'ldaps://127.0.0.1:{tls}', tls: {{ ca: {own} }}, {SEARCH}"),
        ],
    );
    for (path, status) in [("/0", 200), ("/1", 200), ("/2", 503), ("/3", 503), ("/4", 503)] {
        assert_eq!(told(&gate, path, "ann", "ann-password").0, status, "{path}");
    }
}
