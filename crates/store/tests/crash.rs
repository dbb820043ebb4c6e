//! The process that writes is killed; what it had been told is on the disk is there.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unreachable, reason = "a test fails loudly")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use store::ledger::{Account, Ledger, Measure, Window};
use store::{Kind, Options, Store};

const DIRECTORY: &str = "STORE_CRASH_DIRECTORY";
const OWNERS: i64 = 5;
const WINDOW: Window = Window { starts: 0, ends: 1 << 40 };

fn account(owner: &str) -> Account<'_> {
    Account { measure: Measure::Tokens, book: "crash", owner }
}

/// The amount of a step: 1 for its owner in every round.
fn steps_of(owner: i64, steps: i64) -> i64 {
    (steps - owner + OWNERS - 1).div_euclid(OWNERS).max(0)
}

#[test]
fn nothing_acknowledged_is_lost_when_the_writer_is_killed() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write_until_killed(Path::new(&directory));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut before = [0; OWNERS as usize];
    for acknowledgements in [1, 3, 9, 2, 6] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "nothing_acknowledged_is_lost_when_the_writer_is_killed", "--nocapture"])
            .env(DIRECTORY, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        let numbers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("saved ")?.parse::<i64>().ok());
        for number in numbers.take(acknowledgements) {
            acknowledged = number;
        }
        // It holds the directory until it is gone.
        assert_eq!(Store::open(folder.path(), &Options::default()).err().map(|error| error.kind()), Some(Kind::InUse));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(acknowledged > 0, "the child saved nothing");

        let store = Store::open(folder.path(), &Options::default()).expect("a crash leaves a store that opens");
        for owner in 0..OWNERS {
            let total = store.ledger().meter(account(&owner.to_string()), WINDOW).unwrap().total();
            let before = &mut before[owner as usize];
            let acknowledged = *before + steps_of(owner, acknowledged);
            assert!(total.used >= acknowledged, "owner {owner}: {} of {acknowledged} acknowledged", total.used);
            assert_eq!(total.held, 0);
            *before = total.used;
        }
    }
}

/// Counts for ever, and says up to which step all is on the disk. One in three is reserved first.
fn write_until_killed(directory: &Path) -> ! {
    let options = Options { gather: Duration::from_millis(1), ..Options::default() };
    let store = Store::open(directory, &options).expect("the child opens the store");
    let ledger = store.ledger();
    let meters: Vec<_> =
        (0..OWNERS).map(|owner| ledger.meter(account(&owner.to_string()), WINDOW).expect("a meter")).collect();
    let mut out = std::io::stdout();
    let mut pending = None;
    for step in 0i64.. {
        let meter = &meters[(step % OWNERS) as usize];
        let receipt = match step % 3 {
            0 => meter.reserve(1, i64::MAX).expect("no limit").settle(1),
            _ => meter.charge(1),
        };
        let (upto, waited) = *pending.get_or_insert((step + 1, receipt));
        if ledger.is_durable(waited) {
            writeln!(out, "saved {upto}").expect("the parent reads");
            out.flush().expect("the parent reads");
            pending = None;
        }
        if step % 64 == 0 {
            std::thread::yield_now();
        }
    }
    unreachable!("killed before")
}

#[test]
fn what_a_dead_run_left_reserved_is_charged() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let meter = store.ledger().meter(account("a"), WINDOW).unwrap();
    meter.charge(3);
    // As a killed process leaves it: held on the disk, and never settled.
    let left = std::mem::ManuallyDrop::new(meter.reserve(40, i64::MAX).unwrap());
    assert_eq!(left.amount(), 40);
    drop(store);
    let store = Store::open(folder.path(), &Options::default()).unwrap();
    let total = store.ledger().meter(account("a"), WINDOW).unwrap().total();
    assert_eq!((total.used, total.held), (43, 0));
}
