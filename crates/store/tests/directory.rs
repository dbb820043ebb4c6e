//! One directory, one writer; backups; schemas of other versions; what is old goes.

#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use store::ledger::{Account, Ledger, Measure, Window};
use store::{Clock, DATABASE, Kind, LOCK, Options, Retention, Store, backup};

const PATIENCE: Duration = Duration::from_secs(30);
const WINDOW: Window = Window { starts: 0, ends: 1 << 40 };

fn account(owner: &str) -> Account<'_> {
    Account { measure: Measure::Money, book: "budget", owner }
}

fn used(store: &Store, owner: &str) -> i64 {
    store.ledger().sum(account(owner), 0, i64::MAX).unwrap().used
}

#[test]
fn one_process_and_one_store_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("made/for/it");
    let first = Store::open(&directory, &Options::default()).unwrap();
    let refused = Store::open(&directory, &Options::default()).err().expect("it is in use");
    assert_eq!(refused.kind(), Kind::InUse);
    let said = refused.to_string();
    assert!(said.contains(&format!("process {}", std::process::id())) && said.contains("made/for/it"), "{said}");
    // Whoever still has the ledger does not keep the directory.
    let ledger = first.ledger().clone();
    let meter = ledger.meter(account("a"), WINDOW).unwrap();
    meter.charge(7);
    drop(first);
    let second = Store::open(&directory, &Options::default()).unwrap();
    assert_eq!(used(&second, "a"), 7);
    meter.charge(1);
    assert_eq!(ledger.flush(PATIENCE).unwrap_err().kind(), Kind::Closed);
    assert_eq!(used(&second, "a"), 7);
}

#[test]
fn nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let store = Store::open(&directory, &Options::default()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(DATABASE)), 0o600);
    assert_eq!(mode(&directory.join(LOCK)), 0o600);
    let to = folder.path().join("backup.db");
    backup(store.path(), &to).unwrap();
    assert_eq!(mode(&to), 0o600);
}

#[test]
fn a_backup_is_whole_and_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let store = Store::open(&directory, &Options::default()).unwrap();
    let meter = store.ledger().meter(account("a"), WINDOW).unwrap();
    for _ in 0..500 {
        meter.charge(2);
    }
    store.ledger().flush(PATIENCE).unwrap();
    let to = folder.path().join("backup.db");
    let saved = backup(&directory, &to).expect("a store in use is backed up");
    assert_eq!(saved.bytes, fs::metadata(&to).unwrap().len());
    meter.charge(1);
    drop(store);
    let restored = folder.path().join("restored");
    fs::create_dir(&restored).unwrap();
    fs::copy(&to, restored.join(DATABASE)).unwrap();
    assert_eq!(used(&Store::open(&restored, &Options::default()).unwrap(), "a"), 1000);
    assert_eq!(used(&Store::open(&directory, &Options::default()).unwrap(), "a"), 1001);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing is left beside it: {left:?}");
}

/// All accounts are charged alike in one batch, and a backup taken meanwhile sees whole batches only.
#[test]
fn a_backup_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    let store = Store::open(&directory, &Options { gather: Duration::from_secs(3600), ..Options::default() }).unwrap();
    let owners: Vec<String> = (0..200).map(|owner| format!("owner-{owner}")).collect();
    let meters: Vec<_> = owners.iter().map(|owner| store.ledger().meter(account(owner), WINDOW).unwrap()).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                for meter in &meters {
                    meter.charge(1);
                }
                store.ledger().flush(PATIENCE).unwrap();
            }
        });
        for round in 0..5 {
            let to = folder.path().join(format!("{round}.db"));
            backup(&directory, &to).unwrap();
            let copy = Connection::open(&to).unwrap();
            let spread: i64 =
                copy.query_row("SELECT coalesce(max(used) - min(used), 0) FROM total", [], |row| row.get(0)).unwrap();
            assert_eq!(spread, 0);
        }
        done.store(true, std::sync::atomic::Ordering::SeqCst);
    });
}

#[test]
fn a_backup_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data");
    drop(Store::open(&directory, &Options::default()).unwrap());
    let to = folder.path().join("taken");
    fs::write(&to, "precious").unwrap();
    let link = folder.path().join("dangling");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    for taken in [&to, &link] {
        assert_eq!(backup(&directory, taken).unwrap_err().kind(), Kind::Exists);
    }
    assert_eq!(fs::read_to_string(&to).unwrap(), "precious");
    assert_eq!(backup(&directory, &folder.path().join("no/such/folder")).unwrap_err().kind(), Kind::Absent);
    assert_eq!(backup(&folder.path().join("empty"), &folder.path().join("to")).unwrap_err().kind(), Kind::Absent);
    fs::create_dir(folder.path().join("garbled")).unwrap();
    fs::write(folder.path().join("garbled").join(DATABASE), "x".repeat(5000)).unwrap();
    assert_eq!(backup(&folder.path().join("garbled"), &folder.path().join("to")).unwrap_err().kind(), Kind::Foreign);
    assert!(!folder.path().join("to").exists());
}

#[test]
fn another_schema_is_refused_unharmed() {
    let table = [
        ("PRAGMA user_version = 900", Kind::Newer, "schema is 900"),
        ("PRAGMA user_version = -1", Kind::Newer, "schema is -1"),
        ("PRAGMA application_id = 7", Kind::Foreign, "none of Tollgate's"),
        ("PRAGMA application_id = 7; PRAGMA journal_mode = DELETE", Kind::Foreign, "none of Tollgate's"),
    ];
    for (change, kind, says) in table {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path(), &Options::default()).unwrap());
        Connection::open(folder.path().join(DATABASE)).unwrap().execute_batch(change).unwrap();
        let before = fs::read(folder.path().join(DATABASE)).unwrap();
        let refused = Store::open(folder.path(), &Options::default()).err().expect(change);
        assert_eq!(refused.kind(), kind, "{change}");
        assert!(refused.to_string().contains(says), "{refused}");
        let to = folder.path().join("backup");
        assert_eq!(backup(folder.path(), &to).unwrap_err().kind(), kind, "{change}");
        assert_eq!(fs::read(folder.path().join(DATABASE)).unwrap(), before, "{change}");
    }
}

#[test]
fn what_is_old_or_too_much_goes_and_what_counts_stays() {
    const DAY: i64 = 86_400;
    const NOW: i64 = 20_000 * DAY;
    // Days ago that windows ended, -1 for one that runs.
    let ended = [400, 300, 200, 100, 50, 0, -1];
    let day = Duration::from_secs(86_400);
    let table: [(Duration, u64, &[i64]); 4] = [
        (day * 1000, 1000, &ended),
        (day * 250, 1000, &[200, 100, 50, 0, -1]),
        (day * 1000, 2, &[100, 50, 0, -1]),
        (Duration::ZERO, 0, &[0, -1]),
    ];
    for (age, rows, left) in table {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path(), &Options::default()).unwrap());
        let connection = Connection::open(folder.path().join(DATABASE)).unwrap();
        for (at, days) in ended.iter().enumerate() {
            let row = (i64::try_from(at).unwrap(), format!("owner-{days}"), NOW - days * DAY);
            connection.execute("INSERT INTO account VALUES (?1, 'money', 'budget', ?2)", (row.0, &row.1)).unwrap();
            connection.execute("INSERT INTO total VALUES (?1, ?2, ?2, 1, 0)", (row.0, row.2)).unwrap();
        }
        let options = Options { retention: Retention { age, rows }, clock: Clock::new(|| NOW), ..Options::default() };
        let store = Store::open(folder.path(), &options).unwrap();
        // The first sweep begins at once, and the accounts go after their totals.
        let expected: Vec<String> = left.iter().map(|days| format!("owner-{days}")).collect();
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let mut names = connection.prepare("SELECT owner FROM account ORDER BY id").unwrap();
            let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(|name| name.unwrap()).collect();
            if names == expected {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{age:?}, {rows} rows: {names:?} and not {expected:?}");
            std::thread::yield_now();
        }
        drop(store);
    }
}
