//! Claims have any type and depth: what that gives, and what is refused all the same.

use super::super::{Scope, Template};
use super::values::check;
use super::{faults, full, plain, text};

#[test]
fn claims_are_what_the_credential_says() {
    check(
        &full(),
        &[
            ("auth.claims.email.endsWith('@example.com')", "true"),
            ("auth.claims.level", "3"),
            ("auth.claims.level >= 3 && auth.claims.level < 3.5", "true"),
            ("auth.claims.level == '3'", "false"),
            ("auth.claims.level != '3'", "true"),
            ("string(auth.claims.level) == '3'", "true"),
            ("int(auth.claims.level) + 1", "4"),
            ("auth.claims.ratio", "0.5"),
            ("auth.claims.admin", "true"),
            ("auth.claims.admin && !auth.claims.email", "true"),
            ("auth.claims.email ? 1 : 2", "2"),
            ("auth.claims.admin ? auth.claims.level : 'none'", "3"),
            ("'writer' in auth.claims.roles", "true"),
            ("'admin' in auth.claims.roles", "false"),
            ("'ann' in auth.claims.sub", "false"),
            ("auth.claims.sub in ['bob', 'ann']", "true"),
            ("auth.claims.sub in auth.scopes", "false"),
            ("auth.claims.roles[1]", "'writer'"),
            ("auth.claims.roles[2]", "absent"),
            ("auth.claims.roles.join(',')", "'reader,writer'"),
            ("auth.claims.mixed.join(',')", "absent"),
            ("auth.claims.mixed.exists(item, item == 1)", "true"),
            ("auth.claims.roles.all(role, role.endsWith('er'))", "true"),
            ("auth.claims.sub.exists(item, true)", "false"),
            ("size(auth.claims.roles)", "2"),
            ("size(auth.claims.sub)", "3"),
            ("auth.claims.roles == ['reader', 'writer']", "true"),
            ("'ops' in auth.claims.realm_access.roles", "true"),
            ("'ops' in auth.claims.realm_access['roles']", "true"),
            ("auth.claims['realm_access'].deep.x", "'y'"),
            ("auth.claims.realm_access.deep['x']", "'y'"),
            ("auth.claims['https://example.com/tenant']", "'t1'"),
            ("auth.claims[request.headers['x-user'].replace('ann', 'sub')]", "'ann'"),
            ("auth.claims.realm_access", "absent"),
            ("has(auth.claims.realm_access)", "true"),
            ("has(auth.claims.realm_access.deep.x)", "true"),
            ("has(auth.claims.realm_access.deep.y)", "false"),
            ("has(auth.claims.sub.x)", "false"),
            ("has(auth.claims.nothing)", "false"),
            ("'level' in auth.claims", "true"),
            ("'none' in auth.claims", "false"),
            ("auth.claims.none == auth.claims.none", "false"),
            ("auth.claims.none.orValue('x')", "'x'"),
            ("auth.claims.exists(name, name.startsWith('https:'))", "true"),
            ("inNetwork(auth.claims.sub, '10.0.0.0/8')", "false"),
            ("auth.claims.level.startsWith('3')", "false"),
        ],
    );
    let nobody = [("auth.claims.sub", "absent"), ("'a' in auth.groups", "false"), ("has(auth.subject)", "false")];
    check(&plain("/", &[]), &nobody);
}

#[test]
fn what_no_type_allows_is_a_problem() {
    for (source, says) in [
        ("auth.claims == 'a'", "cannot be compared"),
        ("auth.claims.level + 1 == 4", "cannot be added"),
        ("auth.claims.level * 2 == 4", "no such arithmetic"),
        ("auth.claims.roles[request.path] == 'a'", "a name is a literal text"),
        ("auth.clams.sub == 'a'", "did you mean `auth.claims`?"),
        ("auth.scopes == 'a'", "cannot be compared"),
    ] {
        let found = faults(source, Scope::Request);
        assert!(found.iter().any(|(message, _)| message.contains(says)), "{source}: {found:?}");
    }
}

#[test]
fn templates_see_claims_whole() {
    let source = "{{ auth.subject }} {{ auth.claims.level }} {{ auth.claims.realm_access.roles | join }} \
                  {% for role in auth.claims.roles %}{{ role }};{% endfor %}{{ auth.claims.none }}";
    let template = Template::compile(&text(source), "text/plain", Scope::Request).unwrap();
    assert_eq!(template.render(&full()).unwrap(), "ann 3 ops reader;writer;");
    assert_eq!(template.render(&plain("/", &[])).unwrap(), "   ");
}
