use super::*;
use crate::{Options, Store};

fn key(id: &str, consumer: &str, name: &str) -> StoredKey {
    let mut hash = [0; 32];
    hash[..id.len()].copy_from_slice(id.as_bytes());
    StoredKey {
        id: id.into(),
        consumer: consumer.into(),
        name: name.into(),
        hash,
        begins: "tg_abcd".into(),
        before: None,
        terms: "{}".into(),
        enabled: true,
        expires: None,
        created: 7,
        rotated: None,
    }
}

#[test]
fn what_was_changed_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(folder.path(), &Options::default()).unwrap();
    let store = open();
    let keys = store.keys();
    for (id, consumer, name) in [("1", "a", "x"), ("2", "a", "y"), ("3", "b", "x")] {
        keys.add(key(id, consumer, name)).unwrap();
    }
    for (same, how) in [(key("4", "a", "x"), "added"), (key("2", "a", "x"), "renamed")] {
        let done = if how == "added" { keys.add(same) } else { keys.replace(same).map(|_| ()) };
        assert_eq!(done.unwrap_err().kind(), Kind::Exists, "{how}");
    }
    let changed = StoredKey { before: Some(([9; 32], 90)), hash: [8; 32], enabled: false, ..key("2", "a", "z") };
    assert!(keys.replace(changed.clone()).unwrap());
    assert!(!keys.replace(key("9", "c", "x")).unwrap());
    assert_eq!((keys.remove("1").unwrap(), keys.remove("1").unwrap()), (true, false));
    drop(store);
    let mut found = open().keys().load().unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, [changed, key("3", "b", "x")]);
}

#[test]
fn the_latest_use_is_remembered_until_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { clock: crate::Clock::new(|| 0), ..Options::default() };
    let store = Store::open(folder.path(), &options).unwrap();
    let uses = store.uses();
    let used = |credential: &str, at| Use { consumer: "a".into(), kind: "key", credential: credential.into(), at };
    uses.save(vec![used("x", 10), used("y", 20)]).unwrap();
    uses.save(vec![used("x", 30), used("y", 15)]).unwrap();
    let mut found = Vec::new();
    uses.load(|consumer, kind, credential, at| found.push(format!("{consumer} {kind} {credential} {at}"))).unwrap();
    assert_eq!(found, ["a key x 30", "a key y 20"]);
    let mut connection = Connection::open_in_memory().unwrap();
    crate::sqlite::migrate(&mut connection).unwrap();
    connection.execute_batch("INSERT INTO used VALUES ('a', 'key', 'x', 30), ('a', 'key', 'y', 20)").unwrap();
    assert_eq!((sweep(&connection, 25, 10).unwrap(), sweep(&connection, 25, 10).unwrap()), (1, 0));
}
