use super::*;

fn event(path: &str) -> Event {
    Event::new(EventKind::Any).add_path(path.into())
}

#[test]
fn only_the_files_that_were_read_matter() {
    let files = BTreeSet::from([PathBuf::from("/conf/tollgate.yaml"), PathBuf::from("/keys/api.key")]);
    for (path, ours) in [
        ("/conf/tollgate.yaml", true),
        ("/keys/api.key", true),
        ("/conf/..data", true),
        ("/conf/access.log", false),
        ("/conf/other.yaml", false),
    ] {
        assert_eq!(concerns(&event(path), &files), ours, "{path}");
    }
}

#[test]
fn in_a_folder_every_configuration_file_matters() {
    let folder = tempfile::tempdir().unwrap();
    let files = BTreeSet::from([folder.path().to_owned()]);
    for (name, ours) in [("new.yaml", true), ("new.json", true), ("access.log", false), (".new.yaml.swp", false)] {
        assert_eq!(concerns(&event(folder.path().join(name).to_str().unwrap()), &files), ours, "{name}");
    }
}

#[tokio::test]
async fn a_replaced_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tollgate.yaml");
    std::fs::write(&file, "version: 1").unwrap();
    let mut changes = Changes::of(BTreeSet::from([file.clone()]));
    let beside = folder.path().join("tollgate.yaml.new");
    std::fs::write(&beside, "version: 1\n").unwrap();
    std::fs::rename(&beside, &file).unwrap();
    tokio::time::timeout(Duration::from_secs(10), changes.next()).await.expect("the change is seen");
}

#[tokio::test]
async fn a_wait_that_is_given_up_while_a_change_settles_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut changes = Changes::of(BTreeSet::from([folder.path().join("tollgate.yaml")]));
    changes._open.send(()).await.unwrap();
    // Looked at once, then something else is ready.
    let settled = tokio::select! { biased; () = changes.next() => true, () = std::future::ready(()) => false };
    assert!(!settled && changes.changed.is_empty());
    tokio::time::timeout(Duration::from_secs(10), changes.next()).await.expect("the change is not forgotten");
    let again = tokio::select! { biased; () = changes.next() => true, () = std::future::ready(()) => false };
    assert!(!again, "it is told of once");
}
