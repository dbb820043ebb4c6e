use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::ledger::Ledger as _;
use crate::{Kind, Options, Store};

const HOURS: i64 = 500_000 * HOUR;

fn whose(consumer: &str, model: &str, tag: &str) -> Whose {
    Whose { consumer: consumer.into(), model: model.into(), tag: tag.into(), ..Whose::default() }
}

fn took(input: u64, output: u64, cost: u64) -> Took {
    Took { calls: 1, input, output, cost, ..Took::default() }
}

fn all(by: &[By]) -> Question {
    Question { since: 0, until: i64::MAX, by: by.to_vec(), only: Vec::new() }
}

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(folder.path(), &Options { gather: Duration::from_millis(1), ..Options::default() }).unwrap()
}

#[test]
fn sums_are_by_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let book = store.usage();
    for (hour, consumer, model, cost) in [
        (0, "a", "small", 5),
        (0, "a", "large", 100),
        (0, "b", "small", 7),
        (1, "a", "small", 3),
        (30, "b", "large", 50),
    ] {
        book.add(HOURS + hour * HOUR + 59, whose(consumer, model, ""), &took(10, 2, cost));
    }
    store.ledger().flush(Duration::from_secs(10)).unwrap();
    let lines = |question: &Question| {
        let report = report(folder.path(), question).unwrap();
        let lines = report.lines.iter().map(|line| (line.group.join(" "), line.took.calls, line.took.cost));
        (lines.collect::<Vec<_>>(), report.total.cost)
    };
    let line = |group: &str, calls, cost| (group.to_owned(), calls, cost);
    assert_eq!(lines(&all(&[])), (vec![line("", 5, 165)], 165));
    assert_eq!(lines(&all(&[By::Consumer])), (vec![line("a", 3, 108), line("b", 2, 57)], 165));
    assert_eq!(
        lines(&all(&[By::Consumer, By::Model])).0,
        [line("a large", 1, 100), line("b large", 1, 50), line("a small", 2, 8), line("b small", 1, 7)]
    );
    assert_eq!(lines(&all(&[By::Day])).0, [line("2027-01-15", 4, 115), line("2027-01-16", 1, 50)]);
    let second = Question { since: HOURS + HOUR + 10, until: HOURS + 2 * HOUR, ..all(&[By::Hour]) };
    assert_eq!(lines(&second), (vec![line("2027-01-15T09:00Z", 1, 3)], 3));
    let small = Question { only: vec![(By::Model, "small".into()), (By::Consumer, "a".into())], ..all(&[]) };
    assert_eq!(lines(&small), (vec![line("", 2, 8)], 8));
    let nothing = Question { only: vec![(By::Model, "' OR 1 --".into())], ..all(&[]) };
    assert_eq!(lines(&nothing), (vec![], 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// What is read is what was added, however it was saved in between and opened again.
    #[test]
    fn nothing_is_lost_or_doubled(calls in prop::collection::vec((0i64..5, 0u8..3, 0u8..3, 0u64..1_000_000_000_000, any::<bool>()), 1..20)) {
        let folder = tempfile::tempdir().unwrap();
        let mut expected = std::collections::BTreeMap::<(String, String), Took>::new();
        let mut open = Some(store(&folder));
        for (hour, consumer, model, cost, again) in calls {
            if again {
                open = None;
            }
            let book = open.get_or_insert_with(|| store(&folder)).usage().clone();
            let (consumer, model) = (format!("c{consumer}"), format!("m{model}"));
            book.add(HOURS + hour * HOUR, whose(&consumer, &model, ""), &took(cost / 7, cost / 9, cost));
            expected.entry((consumer, model)).or_default().add(&took(cost / 7, cost / 9, cost));
        }
        drop(open);
        let report = report(folder.path(), &all(&[By::Consumer, By::Model])).unwrap();
        let found: std::collections::BTreeMap<_, _> =
            report.lines.iter().map(|line| ((line.group[0].clone(), line.group[1].clone()), line.took)).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn made_up_tags_are_bounded_and_every_call_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let extra = 50;
    for tag in 0..MOST_KINDS + extra {
        store.usage().add(HOURS, whose("a", "m", &format!("t{tag}")), &took(1, 1, 1));
    }
    drop(store);
    let report = report(folder.path(), &all(&[By::Tag])).unwrap();
    assert_eq!((report.lines.len(), report.total.calls), (MOST_KINDS + 1, (MOST_KINDS + extra) as u64));
    assert_eq!((report.lines[0].group[0].as_str(), report.lines[0].took.calls), (OTHER, extra as u64));
}

#[test]
fn a_disk_that_refuses_loses_nothing_that_fits() {
    let book = Book::new(|| {});
    let mut broken = Connection::open_in_memory().unwrap();
    book.add(HOURS, whose("a", "m", ""), &took(1, 1, 10));
    assert!(book.save(&mut broken).is_err());
    book.add(HOURS, whose("a", "m", ""), &took(1, 1, 5));
    let mut good = Connection::open_in_memory().unwrap();
    crate::sqlite::migrate(&mut good).unwrap();
    book.save(&mut good).unwrap();
    let sum: (i64, i64) =
        good.query_row("SELECT sum(calls), sum(cost) FROM usage", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((sum, book.lost(), book.has_unsaved()), ((2, 15), 0, false));
}

#[test]
fn what_is_old_or_too_much_is_swept() {
    let book = Book::new(|| {});
    let mut connection = Connection::open_in_memory().unwrap();
    crate::sqlite::migrate(&mut connection).unwrap();
    for hour in 0..10 {
        book.add(hour * HOUR, whose("a", &format!("m{hour}"), ""), &took(1, 1, 1));
    }
    book.save(&mut connection).unwrap();
    let hours = |connection: &Connection| -> Vec<i64> {
        let mut query = connection.prepare("SELECT hour / 3600 FROM usage ORDER BY hour").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(|hour| hour.unwrap()).collect()
    };
    while sweep(&connection, 3 * HOUR, 100, 1).unwrap() > 0 {}
    assert_eq!(hours(&connection), (2..10).collect::<Vec<_>>());
    while sweep(&connection, 3 * HOUR, 4, 3).unwrap() > 0 {}
    assert_eq!(hours(&connection), (6..10).collect::<Vec<_>>());
    let of: i64 = connection.query_row("SELECT count(*) FROM usage_of", [], |row| row.get(0)).unwrap();
    assert_eq!(of, 4);
}

#[test]
fn a_directory_without_usage_says_so() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(report(folder.path(), &all(&[])).unwrap_err().kind(), Kind::Absent);
    drop(store(&folder));
    assert_eq!(report(folder.path(), &all(&[])).unwrap(), Report::default());
    let connection = Connection::open(folder.path().join(crate::DATABASE)).unwrap();
    connection.execute_batch("PRAGMA user_version = 3").unwrap();
    let error = report(folder.path(), &all(&[])).unwrap_err();
    assert!(error.kind() == Kind::Absent && error.to_string().contains("older"), "{error}");
}

#[test]
fn names_of_groups_are_found_again() {
    for by in By::ALL {
        assert_eq!(By::named(by.as_str()), Some(by));
    }
    assert_eq!(By::named("colour"), None);
}
