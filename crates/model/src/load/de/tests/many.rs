//! Many problems at once: each is found, none follows from another, and it stays quick.
use super::*;

#[test]
fn all_problems_of_one_document() {
    let (config, loaded) = typed::<Config>(
        r#"
version: one
listners: []
listeners:
  - { name: a b, address: 1, tls: { enabled: yes } }
  - { adress: x, name: b }
  - 5
apis:
  - name: users
    timeout: 5
    balance: { hash: { headr: x } }
    to: [{ upstream: u }, { upstrem: v }]
  - { hosts: [1, 2, x] }
  - { name: ok }
policies: []
"#,
    );
    assert_eq!(
        problems_of(&loaded),
        [
            "2:10 version: expected a whole number from 0 to 255, found `one`",
            "3:1 listners: unknown key `listners`",
            "5:13 listeners[0].name: `a b` is not a name: a space is not allowed; use letters, digits, `.`, `_` and `-`",
            "5:27 listeners[0].address: expected text, found the number 1",
            "5:46 listeners[0].tls.enabled: expected `true` or `false`, found `yes`",
            "5:30 listeners[0].tls: `certificate` is missing",
            "6:7 listeners[1].adress: unknown key `adress`; did you mean `address`?",
            "7:5 listeners[2]: expected a map, found the number 5",
            "10:14 apis[0].timeout: expected a duration such as `30s`, found the number 5: add a unit (ms, s, m, h or d), for example `5s`",
            "11:24 apis[0].balance.hash: unknown value `headr`; did you mean `header`?",
            "12:29 apis[0].to[1].upstrem: unknown key `upstrem`; did you mean `upstream`?",
            "13:15 apis[1].hosts[0]: expected text, found the number 1",
            "13:18 apis[1].hosts[1]: expected text, found the number 2",
            "13:5 apis[1]: `name` is missing",
            "15:1 policies: expected a map, found a list",
        ]
    );
    assert_eq!(config, None);
}

#[test]
fn the_value_is_made_of_what_is_right() {
    let (config, loaded) = typed::<Config>(
        "version: 1\napis:\n- {name: a, timeout: x, hosts: [1, b]}\n- {name: 5}\n- {name: c, balance: {hash: {header: 1}}}\n",
    );
    assert_eq!(loaded.problems.errors(), 4);
    let apis = config.expect("a value").apis;
    assert_eq!(apis.iter().map(|api| api.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(apis[0].hosts.iter().map(|host| host.value.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!((apis[0].timeout, &apis[1].balance), (None, &Balance::RoundRobin));
}

#[test]
fn every_missing_key_is_named() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Many {
        name: Spanned<Name>,
        listeners: Vec<Listener>,
        port: u16,
        balance: Balance,
        to: Spanned<To>,
        tls: Option<Tls>,
        pages: BTreeMap<u16, String>,
        flag: bool,
        weight: f64,
        /// Nothing plausible is one of these, so that the search ends here.
        timeout: Duration,
        last: String,
    }
    let (many, loaded) = typed::<Vec<Many>>("- {port: 1}\n- {name: 1}\n");
    let missing = |keys: &str| keys.split(' ').map(|key| format!("`{key}` is missing")).collect::<Vec<_>>();
    let found: Vec<_> = loaded.problems.iter().map(|p| (p.path.as_str(), p.message.clone())).collect();
    let all = missing("name listeners balance to pages flag weight timeout");
    let wrong = "expected a name such as `users-v2`, found the number 1: put it in quotes: \"1\"".to_owned();
    let mut expected: Vec<_> = all.into_iter().map(|text| ("[0]", text)).collect();
    expected.push(("[1].name", wrong));
    let rest = missing("listeners port balance to pages flag weight timeout");
    expected.extend(rest.into_iter().map(|text| ("[1]", text)));
    assert_eq!(found, expected);
    assert_eq!(many.map(|many| many.len()), Some(0));
}

#[test]
fn a_repeated_anchor_is_wrong_once() {
    let (_, loaded) = typed::<Config>(
        "version: 1\nx-api: &a {timeout: x, zzz: 1}\napis:\n- {<<: *a, name: a}\n- {<<: *a, name: b}\n",
    );
    assert_eq!(
        problems_of(&loaded),
        [
            "2:21 apis[0].timeout: expected a duration such as `30s`, found `x`: units are ms, s, m, h and d, the larger ones first, for example `1h30m`",
            "2:24 apis[0].zzz: unknown key `zzz`",
        ]
    );
}

#[test]
fn names_of_what_is_lost_are_known() {
    let (config, loaded) =
        typed::<Config>("version: 1\napis:\n- {name: a}\n- {name: b, to: {}}\n- {name: c d}\n- {name: e, to: 1}\n");
    assert_eq!(config.expect("a value").apis.len(), 3);
    let lost: Vec<_> = ["a", "b", "c d", "e"].into_iter().filter(|name| loaded.problems.is_lost(name)).collect();
    assert_eq!(lost, ["c d"]);
}

/// A type that checks itself after it is read.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<u32>")]
struct NotEmpty(Vec<u32>);

impl TryFrom<Vec<u32>> for NotEmpty {
    type Error = String;
    fn try_from(list: Vec<u32>) -> Result<Self, String> {
        if list.len() < 20 { Err(format!("needs 20 values, has {}", list.len())) } else { Ok(Self(list)) }
    }
}

#[test]
fn types_that_check_themselves_see_all_or_say_nothing() {
    let list = |wrong: &str| format!("a: [{}{wrong}]\nb: [{}x]\n", "1, ".repeat(20), "1, ".repeat(20));
    #[derive(Debug, Deserialize)]
    struct Two {
        a: NotEmpty,
        b: NotEmpty,
    }
    // The good elements that a later pass leaves out are not missed by the type.
    let (two, loaded) = typed::<Two>(&list("2"));
    assert_eq!(problems_of(&loaded), ["2:65 b[20]: expected a whole number from 0 to 4294967295, found `x`"]);
    let two = two.expect("a value");
    assert_eq!((two.a.0.len(), two.b.0.len()), (21, 20));
    // That a list is too short without its wrong element is a consequence.
    let (_, loaded) = typed::<Two>("a: [x]\nb: [1]\n");
    assert_eq!(
        problems_of(&loaded),
        ["1:5 a[0]: expected a whole number from 0 to 4294967295, found `x`", "2:1 b: needs 20 values, has 1",]
    );
}

#[test]
fn thousands_of_problems_are_bounded_and_quick() {
    let mut text = "version: 1\napis:\n".to_owned();
    for index in 0..5_000 {
        text.push_str(&format!("- {{name: a{index}, timeout: {index}, to: [{{upstream: 1}}, {{upstream: b}}]}}\n"));
    }
    let started = std::time::Instant::now();
    let (_, loaded) = typed::<Config>(&text);
    assert_eq!(loaded.problems.iter().count(), 200);
    // One pass a problem over all of it would take minutes here.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn more_problems_are_counted() {
    let mut text = String::from("name: a\n");
    for index in 0..300 {
        text.push_str(&format!("zz{index}: 1\n"));
    }
    let (api, loaded) = typed::<Api>(&text);
    assert!(api.is_some());
    assert_eq!((loaded.problems.errors(), loaded.problems.iter().count(), loaded.problems.more()), (300, 200, 100));
}
