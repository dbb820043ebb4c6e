//! Where lines go: nothing that was accepted is lost without being counted.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::super::file::{Destination, Output, Rotation};
use super::super::sink::{Sink, Tally};
use super::super::sinks::Sinks;
use crate::exchange::Body;
use crate::exchange::testing::{environment, exchange_of, program_in};
use crate::program::Environment;
use crate::telemetry::Telemetry;

const PATIENCE: Duration = Duration::from_secs(20);

fn sink_to(path: &Path, workers: usize) -> Sink {
    Sink::new(Destination::File(path.to_owned()), workers, Duration::from_millis(1))
}

fn line(sink: &Sink, worker: usize, text: &str) {
    sink.append(worker, |buffer| {
        buffer.bytes.extend_from_slice(text.as_bytes());
        buffer.bytes.push(b'\n');
    });
}

#[test]
fn lines_of_many_workers_are_all_written_and_in_their_order() {
    const EACH: usize = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let sink = sink_to(&path, 3);
    std::thread::scope(|scope| {
        // One worker more than there are buffers.
        for worker in 0..4 {
            let sink = &sink;
            scope.spawn(move || (0..EACH).for_each(|at| line(sink, worker, &format!("{worker} {at}"))));
        }
    });
    assert!(sink.flush(PATIENCE));
    let text = fs::read_to_string(&path).unwrap();
    for worker in 0..4 {
        let mine = text.lines().filter_map(|line| line.strip_prefix(&format!("{worker} ")));
        let mine: Vec<usize> = mine.map(|at| at.parse().unwrap()).collect();
        assert_eq!(mine, (0..EACH).collect::<Vec<_>>());
    }
    let tally = Tally { records: 4 * EACH as u64, bytes: text.len() as u64, full: 0, failed: 0 };
    assert_eq!(sink.tally(), tally);
}

#[test]
fn nobody_waits_for_a_reader_that_sleeps_and_what_does_not_fit_is_counted() {
    const LINES: u64 = 60_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let sink = sink_to(&path, 1);
    assert!(sink.start(None).is_err(), "nobody has opened the pipe to read");

    // Opened for both, so that opening waits for nobody.
    let mut reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    sink.start(None).unwrap();
    let text = "x".repeat(99);
    (0..LINES).for_each(|_| line(&sink, 0, &text));
    assert!(sink.tally().full > 0, "6 MB do not fit into 2 MiB and a pipe");

    // The reader wakes up: what was accepted arrives.
    let reading = std::thread::spawn(move || {
        let (mut read, mut part) = (0_u64, vec![0; 1 << 16]);
        while !part.contains(&b'.') {
            let count = reader.read(&mut part).unwrap();
            part.truncate(count);
            read += part.iter().filter(|&&byte| byte == b'\n').count() as u64;
            part.resize(1 << 16, 0);
        }
        read
    });
    assert!(sink.flush(PATIENCE));
    line(&sink, 0, ".");
    assert!(sink.flush(PATIENCE));
    let tally = sink.tally();
    assert_eq!(tally.records + tally.full + tally.failed, LINES + 1);
    assert_eq!(tally.failed, 0);
    assert_eq!(reading.join().unwrap(), tally.records);
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let sink = sink_to(Path::new("/dev/full"), 1);
    sink.start(None).unwrap();
    (0..10).for_each(|_| line(&sink, 0, "lost"));
    assert!(sink.flush(PATIENCE));
    assert_eq!(sink.tally(), Tally { failed: 10, ..Tally::default() });
}

#[test]
fn a_destination_that_comes_later_is_used_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/log");
    let sink = sink_to(&path, 1);
    assert!(sink.start(None).is_err());
    line(&sink, 0, "lost");
    assert!(sink.flush(PATIENCE));
    fs::create_dir(folder.path().join("later")).unwrap();
    line(&sink, 0, "kept");
    assert!(sink.flush(PATIENCE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
    assert_eq!(sink.tally(), Tally { records: 1, bytes: 5, full: 0, failed: 1 });
}

#[test]
fn files_are_rotated_between_lines_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(folder.path().join("log.4"), "more than are kept now").unwrap();
    let sink = sink_to(&path, 1);
    sink.start(Some(Rotation { size: 1000, every: None, keep: 3 })).unwrap();
    // 100 lines of 10 bytes fill a file; one longer than a file has one for itself.
    for at in 0..650 {
        line(&sink, 0, &format!("{at:09}"));
    }
    line(&sink, 0, &"y".repeat(1500));
    line(&sink, 0, "last");
    assert!(sink.flush(PATIENCE));
    let of = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    assert_eq!(of("log"), "last\n");
    assert_eq!(of("log.1"), format!("{}\n", "y".repeat(1500)));
    let lines = |from: usize, to: usize| (from..to).map(|at| format!("{at:09}\n")).collect::<String>();
    assert_eq!(of("log.2"), lines(600, 650));
    assert_eq!(of("log.3"), lines(500, 600));
    assert!(!folder.path().join("log.4").exists());
    assert_eq!(sink.tally().records, 652);

    // A rotation that a reload turned off.
    sink.rotate_by(None);
    (0..300).for_each(|at| line(&sink, 0, &format!("{at:09}")));
    assert!(sink.flush(PATIENCE));
    assert_eq!(of("log"), format!("last\n{}", lines(0, 300)));
}

#[test]
fn a_rotation_that_cannot_be_goes_on_in_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    // The name that the file should get is taken by a folder that is not empty.
    fs::create_dir_all(folder.path().join("log.1/x")).unwrap();
    let sink = sink_to(&path, 1);
    sink.start(Some(Rotation { size: 100, every: None, keep: 1 })).unwrap();
    (0..50).for_each(|at| line(&sink, 0, &format!("{at:09}")));
    assert!(sink.flush(PATIENCE));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 50);
    fs::remove_dir_all(folder.path().join("log.1")).unwrap();
    (0..50).for_each(|at| line(&sink, 0, &format!("{at:09}")));
    assert!(sink.flush(PATIENCE));
    assert!(folder.path().join("log.1").is_file());
}

#[test]
fn files_are_rotated_at_full_hours() {
    const HOUR: u64 = 3600;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let of = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(500_000 * HOUR + seconds);
    let rotation = Rotation { size: 1 << 20, every: Some(Duration::from_secs(HOUR)), keep: 9 };
    let open = || Output::new(Destination::File(path.clone()), Some(rotation));
    let put = |output: &mut Output, seconds: u64, line: &str| {
        assert!(output.write(line.as_bytes(), at(seconds)).is_ok());
    };
    let mut output = open();
    put(&mut output, 3598, "a\n");
    put(&mut output, 3599, "b\n");
    put(&mut output, 3600, "c\n");
    assert_eq!((of("log"), of("log.1")), ("c\n".into(), "a\nb\n".into()));
    // Hours without a line make no empty files, and a clock that is set back makes none at all.
    put(&mut output, 5 * HOUR, "d\n");
    put(&mut output, 4 * HOUR, "e\n");
    assert_eq!((of("log"), of("log.1"), of("log.3")), ("d\ne\n".into(), "c\n".into(), String::new()));
    drop(output);

    // A file that a gateway left behind in an earlier hour.
    fs::File::options().append(true).open(&path).unwrap().set_modified(at(6 * HOUR)).unwrap();
    put(&mut open(), 6 * HOUR + 9, "f\n");
    assert_eq!(of("log"), "d\ne\nf\n");
    fs::File::options().append(true).open(&path).unwrap().set_modified(at(6 * HOUR)).unwrap();
    put(&mut open(), 7 * HOUR, "g\n");
    assert_eq!((of("log"), of("log.1")), ("g\n".into(), "d\ne\nf\n".into()));
}

#[test]
fn what_goes_into_a_removed_file_is_counted_until_there_is_one_again() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, path) = (folder.path().join("logs"), folder.path().join("logs/log"));
    fs::create_dir(&inner).unwrap();
    let sink = sink_to(&path, 1);
    sink.start(Some(Rotation { size: 10, every: None, keep: 1 })).unwrap();
    let put = |text: &str| {
        line(&sink, 0, text);
        assert!(sink.flush(PATIENCE));
    };
    put("one");
    fs::remove_file(&path).unwrap();
    put("two");
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    fs::remove_dir_all(&inner).unwrap();
    (0..5).for_each(|_| put("lost"));
    assert_eq!(sink.tally(), Tally { records: 2, bytes: 8, full: 0, failed: 5 });
    fs::create_dir(&inner).unwrap();
    put("three");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("log"), folder.path().join("moved"));
    let sinks = Sinks::new(1, Destination::Nowhere);
    let sink = sinks.get(Destination::File(path.clone()));
    line(&sink, 0, "one");
    assert!(sinks.flush(PATIENCE));
    fs::rename(&path, &moved).unwrap();
    line(&sink, 0, "two");
    sinks.reopen();
    assert!(sinks.flush(PATIENCE));
    line(&sink, 0, "three");
    assert!(sinks.flush(PATIENCE));
    assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");

    // Where it cannot be opened, the old file stays.
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    sinks.reopen();
    line(&sink, 0, "four");
    assert!(sinks.flush(PATIENCE));
    assert_eq!(fs::read_to_string(&moved).unwrap(), "three\nfour\n");
    assert_eq!(sinks.tally(), Tally { records: 4, bytes: 19, full: 0, failed: 0 });
}

#[test]
fn a_reload_changes_the_log_and_mixes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let env = Environment { telemetry: Arc::new(Telemetry::new(1)), ..environment() };
    let log = |name: &str, fields: &str| {
        let path = folder.path().join(name);
        let yaml = format!(
            "version: 1\nlisteners: [{{ name: public, address: '127.0.0.1:0' }}]\n\
             access_log: {{ path: '{}', fields: [{fields}] }}\n",
            path.display()
        );
        let program = program_in(&yaml, &env);
        env.telemetry.prepare(&program).unwrap();
        env.telemetry.applied(&program, Duration::ZERO);
        program
    };
    let request = || http::Request::get("/").body(Body::Empty).unwrap();
    let old = log("old", "status");
    let running = exchange_of(&old, request());
    drop(exchange_of(&old, request()));
    let new = log("new", "status, method");
    drop(exchange_of(&new, request()));
    drop(running);
    // The last one of the old program: its log is written and closed, and what became of its lines is still known.
    drop(old);
    assert!(env.telemetry.flush(PATIENCE));
    let of = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(of("old"), "{\"status\":0}\n{\"status\":0}\n");
    assert_eq!(of("new"), "{\"status\":0,\"method\":\"GET\"}\n");
    let metrics = env.telemetry.metrics(&new, crate::telemetry::Format::Prometheus);
    assert!(metrics.contains("tollgate_access_log_records_total 3\n"), "{metrics}");

    // The same destination is the same way, whatever the lines hold.
    let again = log("new", "status");
    assert!(Arc::ptr_eq(&again.access_log.as_ref().unwrap().sink, &new.access_log.as_ref().unwrap().sink));
}

#[test]
fn what_cannot_be_opened_is_known_before_the_swap() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!("version: 1\naccess_log: {{ path: '{}' }}\n", folder.path().join("none/log").display());
    let env = environment();
    let program = program_in(&yaml, &env);
    assert_eq!(env.telemetry.prepare(&program).map_err(|error| error.kind()), Err(std::io::ErrorKind::NotFound));
}

#[test]
fn a_sink_that_rests_wakes_up_for_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let sink = sink_to(&path, 1);
    let until = Instant::now() + PATIENCE;
    for count in 1..=20 {
        line(&sink, 0, "x");
        // Nobody asks for it to be written.
        while sink.tally().records < count {
            assert!(Instant::now() < until, "line {count} was not written");
            std::thread::yield_now();
        }
    }
}
