use std::time::Duration;

use model::resource::{KeyChange, KeyModels, NewKey};
use store::{Options, Store};

use super::*;
use crate::program::sha256;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn open(folder: &tempfile::TempDir) -> (CallerKeys, Store) {
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let keys = CallerKeys::default();
    keys.open(store.keys(), &store.uses()).unwrap();
    (keys, store)
}

fn new(name: &str) -> NewKey {
    NewKey { consumer: "app".into(), name: name.into(), enabled: true, ..NewKey::default() }
}

fn find(keys: &CallerKeys, secret: &str, now: Duration) -> Option<String> {
    keys.find(&sha256(secret.as_bytes()), || now).map(|key| key.name.to_string())
}

#[test]
fn a_key_is_good_from_when_it_is_made_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, store) = open(&folder);
    assert_eq!(find(&keys, "tg_x", NOW), None);
    let (first, secret) = keys.create(new("first"), NOW).unwrap();
    let (second, other) = keys.create(new("second"), NOW).unwrap();
    let secret = secret.into_inner();
    assert!(secret.starts_with(&first.begins) && first.begins.len() == 8);
    assert_eq!(find(&keys, &secret, NOW).as_deref(), Some("first"));
    for (enabled, found) in [(false, None), (true, Some("first"))] {
        keys.change("app/first", KeyChange { enabled: Some(enabled), ..KeyChange::default() }).unwrap();
        assert_eq!(find(&keys, &secret, NOW).as_deref(), found);
    }
    keys.revoke(&first.id).unwrap();
    assert_eq!(find(&keys, &secret, NOW), None);
    assert!(matches!(keys.revoke(&first.id), Err(Refused::Unknown)));
    drop((keys, store));
    // What is read from the disk is what was.
    let (keys, _store) = open(&folder);
    assert_eq!(find(&keys, &secret, NOW), None);
    assert_eq!(find(&keys, other.expose(), NOW).as_deref(), Some("second"));
    assert_eq!(keys.list(None, 10, |_| true).len(), 1);
    assert_eq!(keys.get(&second.id).unwrap().name, "second");
}

#[test]
fn the_old_secret_is_good_for_as_long_as_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, store) = open(&folder);
    let (made, first) = keys.create(new("first"), NOW).unwrap();
    let (_, second) = keys.rotate(&made.id, Duration::from_secs(60), NOW).unwrap();
    let good = |keys: &CallerKeys, at: u64| {
        let at = NOW + Duration::from_secs(at);
        (find(keys, first.expose(), at).is_some(), find(keys, second.expose(), at).is_some())
    };
    assert_eq!((good(&keys, 59), good(&keys, 60)), ((true, true), (false, true)));
    drop((keys, store));
    let (keys, _store) = open(&folder);
    assert_eq!((good(&keys, 59), good(&keys, 60)), ((true, true), (false, true)));
    let (_, third) = keys.rotate(&made.id, Duration::ZERO, NOW).unwrap();
    assert_eq!(good(&keys, 0), (false, false));
    assert!(find(&keys, third.expose(), NOW).is_some());
    keys.revoke("app/first").unwrap();
    assert_eq!(keys.count.load(Relaxed), 0);
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _store) = open(&folder);
    let (made, secret) = keys.create(new("first"), NOW).unwrap();
    assert!(matches!(keys.create(new("first"), NOW), Err(Refused::Taken(_))));
    assert!(matches!(keys.create(new(""), NOW), Err(Refused::Wrong(_))));
    keys.create(new("second"), NOW).unwrap();
    let rename = KeyChange { name: Some("second".into()), ..KeyChange::default() };
    assert!(matches!(keys.change(&made.id, rename), Err(Refused::Taken(_))));
    let models = KeyModels { allow: vec!["a*b".into()], ..KeyModels::default() };
    let change = KeyChange { models: Some(models), enabled: Some(false), ..KeyChange::default() };
    assert!(matches!(keys.change(&made.id, change), Err(Refused::Wrong(_))));
    assert!(matches!(keys.rotate(&made.id, Duration::from_secs(31 * 86_400), NOW), Err(Refused::Wrong(_))));
    assert_eq!(find(&keys, secret.expose(), NOW).as_deref(), Some("first"));
    let nowhere = CallerKeys::default();
    assert!(matches!(nowhere.create(new("x"), NOW), Err(Refused::NoStore)));
}

#[test]
fn many_keys_are_all_found() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _store) = open(&folder);
    let made: Vec<_> = (0..200).map(|at| keys.create(new(&format!("k{at:03}")), NOW).unwrap()).collect();
    for (status, secret) in &made {
        assert_eq!(find(&keys, secret.expose(), NOW).as_deref(), Some(status.name.as_str()));
    }
    let first = keys.list(None, 150, |_| true);
    let rest = keys.list(first.last().map(|last| last.id.as_str()), 150, |_| true);
    assert_eq!((first.len(), rest.len(), rest[0].name.as_str()), (150, 50, "k150"));
}
