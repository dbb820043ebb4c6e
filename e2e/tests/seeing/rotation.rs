//! The access log's files: rotated by size and by time, moved away and opened anew, without a line lost.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use e2e::client::{self, Client};
use e2e::{Gate, Upstream};

use super::{configuration, metric, records, until};

fn gate(upstream: &Upstream, log: &Path, more: &str) -> Gate {
    let settings = format!("access_log: {{ path: {}, {more} }}\n", log.display());
    Gate::start(&configuration(upstream.address, &settings))
}

#[test]
fn files_are_full_at_their_size_and_the_oldest_go() {
    const REQUESTS: usize = 300;
    let upstream = Upstream::text("hello");
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let gate = gate(&upstream, &log, "rotate: { size: 64KiB, keep: 2 }, fields: [query, user_agent]");
    let mut client = Client::connect(gate.address("public"));
    let agent = "x".repeat(1000);
    for at in 0..REQUESTS {
        let request = format!("GET /web/call?{at} HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\n\r\n");
        assert_eq!(client.call(request).status, 200);
    }
    until("every record is written", || metric(&gate, "tollgate_access_log_records_total") == REQUESTS as f64);
    let mut kept = Vec::new();
    for name in ["access.log.2", "access.log.1", "access.log"] {
        let path = logs.path().join(name);
        assert!(fs::metadata(&path).unwrap().len() <= 64 << 10, "{name}");
        kept.extend(records(&path).iter().map(|record| record["query"].as_str().unwrap().parse::<usize>().unwrap()));
    }
    assert!(!logs.path().join("access.log.3").exists());
    assert!(kept.len() > 2 * 60, "{}", kept.len());
    assert_eq!(kept, (REQUESTS - kept.len()..REQUESTS).collect::<Vec<_>>());
}

#[test]
fn a_file_of_another_day_is_old() {
    let upstream = Upstream::text("hello");
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    fs::write(&log, "{\"of\":\"long ago\"}\n").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 86_400);
    fs::File::options().append(true).open(&log).unwrap().set_modified(long_ago).unwrap();
    let gate = gate(&upstream, &log, "rotate: { every: 1d }, fields: [status]");
    assert_eq!(fs::read_to_string(&log).unwrap(), "{\"of\":\"long ago\"}\n", "it is old with the first record only");
    client::get(gate.address("public"), "/web/call", &[]);
    until("the record is written", || fs::read_to_string(&log).unwrap_or_default() == "{\"status\":200}\n");
    assert_eq!(fs::read_to_string(logs.path().join("access.log.1")).unwrap(), "{\"of\":\"long ago\"}\n");
}

#[test]
fn a_log_that_is_moved_away_and_reopened_loses_nothing() {
    let upstream = Upstream::text("hello");
    let logs = tempfile::tempdir().unwrap();
    let (log, moved) = (logs.path().join("access.log"), logs.path().join("moved.log"));
    let gate = gate(&upstream, &log, "format: json");
    let mut client = Client::connect(gate.address("public"));
    let mut call = || assert_eq!(client.call("GET /web/call HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    (0..50).for_each(|_| call());
    fs::rename(&log, &moved).unwrap();
    (0..50).for_each(|_| call());
    gate.signal("USR1");
    until("the file is there again", || log.exists());
    (0..50).for_each(|_| call());
    assert_eq!(gate.leave().status.code(), Some(0));
    assert_eq!((records(&moved).len(), records(&log).len()), (100, 50));
}

#[test]
fn rotation_reopening_and_reloads_under_load_lose_no_record() {
    const CLIENTS: usize = 4;
    const EACH: usize = 500;
    let upstream = Upstream::text("hello");
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("access.log");
    let text = |turn: usize| {
        let settings = format!("{{ path: {}, rotate: {{ size: 64KiB, keep: 100 }} }}", log.display());
        configuration(upstream.address, &format!("access_log: {settings}\nx-turn: {turn}\n"))
    };
    let gate = Gate::start(&text(0));
    let address = gate.address("public");
    // A reload yields to traffic, so on a busy machine it may take as long as all of these.
    let turn = AtomicUsize::new(0);
    let sent: usize = std::thread::scope(|scope| {
        let turn = &turn;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    let goes_on = |at: &usize| *at < EACH || turn.load(Relaxed) < 2;
                    let all = (0..).take_while(goes_on).map(|at| {
                        let request = format!("GET /web/call?{number}.{at} HTTP/1.1\r\nhost: x\r\n\r\n");
                        assert_eq!(client.call(request).status, 200);
                    });
                    all.count()
                })
            })
            .collect();
        while !clients.iter().all(|client| client.is_finished()) {
            gate.signal("USR1");
            gate.reload(&text(turn.fetch_add(1, Relaxed) + 1));
        }
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(metric(&gate, r#"tollgate_access_log_dropped_total{reason="full"}"#), 0.0);
    assert_eq!(gate.leave().status.code(), Some(0));
    let files: Vec<_> = fs::read_dir(logs.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 5, "{files:?}");
    let mut seen: Vec<String> = files
        .iter()
        .flat_map(|file| records(file))
        .map(|record| record["query"].as_str().unwrap().to_owned())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), sent);
}
