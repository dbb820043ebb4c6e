//! Against the real server.

mod server;
mod topology;

use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::server::{PATIENCE, Server};
use super::state::{Measure, State};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn rule(algorithm: Algorithm, limit: u64) -> Rule {
    // So long that nothing comes back while a test runs.
    Rule { algorithm, limit, period: HOUR * 24 * 1000, burst: limit }
}

fn take(key: &str, rule: Rule) -> Take<'_> {
    Take { key, rule, cost: 1 }
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn open(options: SharedOptions) -> Arc<Shared> {
    let shared = Shared::open(options).unwrap();
    until("connected", || shared.is_up()).await;
    shared
}

/// So many gateways that know of one another.
async fn gateways(count: u32, options: &SharedOptions) -> Vec<Arc<Shared>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(open(options.clone()).await);
    }
    until("they see one another", || all.iter().all(|shared| shared.gateways() == count)).await;
    all
}

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Gcra, Algorithm::Fixed, Algorithm::Sliding];

/// The script and our own sums, which decide while the server is gone, are the same.
#[test]
fn the_script_and_our_own_sums_agree() {
    let server = Server::start();
    let client = redis::Client::open(server.options().urls[0].expose().as_str()).unwrap();
    let connection = std::cell::RefCell::new(client.get_connection().unwrap());
    let script = redis::Script::new(include_str!("take.lua"));
    let steps = prop::collection::vec((0u64..3_000_000, 1i64..4), 1..60);
    let rules = (prop::sample::select(&ALGORITHMS[..]), 1u64..20, 1u64..5_000, 1u64..20);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
    let runs = std::cell::Cell::new(0);
    let done = runner.run(&(rules, steps), |((algorithm, limit, period, burst), steps)| {
        let run = runs.get();
        runs.set(run + 1);
        let rule = Rule { algorithm, limit, period: Duration::from_millis(period), burst };
        let measure = Measure::share(rule, 1);
        let mut state = State::default();
        let mut now = 1_800_000_000_000_000_u64;
        for (passed, cost) in steps {
            now += passed;
            let mut call = script.key(format!("run-{run}"));
            call.arg("take")
                .arg(now)
                .arg(algorithm.letter())
                .arg(rule.second())
                .arg(rule.micros())
                .arg(rule.capacity())
                .arg(cost);
            let numbers: Vec<f64> =
                call.arg(0).arg(0).arg(0).arg(0).arg(0).arg(0).invoke(&mut *connection.borrow_mut()).unwrap();
            let takes = [Take { key: "", rule, cost }];
            let (answer, states) = Answer::read(&numbers, &takes).unwrap();

            let now = now as f64;
            state = measure.brought(state, now);
            let wait = measure.wait(state, signed(cost), now);
            prop_assert_eq!(answer.refused.is_some(), wait > 0.0, "{:?} of {:?}", rule, state);
            state.a += if wait > 0.0 { 0.0 } else { signed(cost) };
            let (ours, theirs) = (measure.reading(state, wait, now), answer.readings[0]);
            prop_assert_eq!(ours.left, theirs.left);
            prop_assert!(ours.wait.abs_diff(theirs.wait) < Duration::from_micros(2), "{:?} {:?}", ours, theirs);
            prop_assert!(ours.reset.abs_diff(theirs.reset) < Duration::from_micros(2), "{:?} {:?}", ours, theirs);
            prop_assert!((states[0].state.a - state.a).abs() < 1e-6 && states[0].state.at == state.at);
            // What is to wait is true: then it fits, and a moment before it does not.
            if wait > 0.0 && cost as u64 <= rule.capacity() {
                let then = now + wait.ceil() + 1.0;
                prop_assert!(measure.wait(measure.brought(state, then), signed(cost), then) == 0.0);
                // Sums leave something over: a millionth of what is counted.
                let margin = 3.0 + rule.micros() as f64 * 0.000_002;
                let before = now + (wait - margin).max(0.0).floor();
                prop_assert!(wait < margin || measure.wait(measure.brought(state, before), signed(cost), before) > 0.0);
            }
        }
        Ok(())
    });
    done.unwrap();
}

#[tokio::test]
async fn all_limits_are_counted_or_none() {
    let server = Server::start();
    let shared = open(server.options()).await;
    for algorithm in ALGORITHMS {
        let (wide, narrow) = (format!("wide {algorithm:?}"), format!("narrow {algorithm:?}"));
        let takes = [take(&wide, rule(algorithm, 10)), take(&narrow, rule(algorithm, 2))];
        for left in [1, 0] {
            let decision = shared.take(&takes).await;
            assert_eq!((decision.refused, decision.by), (None, By::Server));
            assert_eq!(decision.readings[1].left, left, "{algorithm:?}");
        }
        let decision = shared.take(&takes).await;
        assert_eq!(decision.refused, Some(1));
        assert_eq!(decision.readings[0].left, 8, "the other is not counted on: {algorithm:?}");
        assert!(decision.readings[1].wait > HOUR && decision.readings[0].wait.is_zero(), "{decision:?}");
        shared.charge(&[Take { cost: 7, ..takes[0] }]).await;
        assert_eq!(shared.take(&takes[..1]).await.readings[0].left, 0, "charged, room or no room");
        assert_eq!(shared.take(&takes[..1]).await.refused, Some(0));
    }
    assert_eq!(shared.take(&[]).await.refused, None);
}

/// Takes from every gateway at once until all are refused; how many were admitted.
async fn exhaust(gateways: &[Arc<Shared>], take: Take<'_>) -> usize {
    let one = async |shared: &Arc<Shared>| {
        let mut admitted = 0;
        while shared.take(&[take]).await.refused.is_none() {
            admitted += 1;
        }
        admitted
    };
    futures_util::future::join_all(gateways.iter().chain(gateways).map(one)).await.into_iter().sum()
}

#[tokio::test]
async fn gateways_share_a_limit_exactly() {
    let server = Server::start();
    let gateways = gateways(3, &server.options()).await;
    for algorithm in ALGORITHMS {
        let key = format!("{algorithm:?}");
        assert_eq!(exhaust(&gateways, take(&key, rule(algorithm, 300))).await, 300, "{algorithm:?}");
    }
}

#[tokio::test]
async fn leases_call_seldom_and_are_never_over() {
    let server = Server::start();
    let gateways = gateways(3, &server.options()).await;
    server.say("CONFIG RESETSTAT");
    for algorithm in ALGORITHMS {
        let key = format!("{algorithm:?}");
        let one = async |shared: &Arc<Shared>| {
            let lease = shared.lease(&key, rule(algorithm, 3000), 50);
            let mut admitted = 0;
            while lease.take(1).await.refused.is_none() {
                admitted += 1;
            }
            admitted
        };
        let admitted: u32 = futures_util::future::join_all(gateways.iter().map(one)).await.into_iter().sum();
        // What a gateway does not spend within a second of its grant is lost, so a slow machine may be short of it.
        assert!((3000 - 150..=3000).contains(&admitted), "{algorithm:?}: {admitted}");
    }
    let stats = server.say("INFO commandstats").unwrap();
    let calls =
        stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok());
    let calls: u32 = calls.expect("it counts calls");
    assert!(calls < 300, "{calls} calls for 9000 admitted");
}

#[tokio::test]
async fn a_refused_lease_is_repeated_without_a_call_and_a_large_cost_is_asked_for_alone() {
    let server = Server::start();
    let shared = open(server.options()).await;
    let lease = shared.lease("a", rule(Algorithm::Fixed, 10), 4);
    assert_eq!(lease.spend(1), None, "there is nothing here at first");
    assert_eq!(lease.take(8).await.refused, None);
    assert_eq!(lease.take(1).await.refused, None);
    assert_eq!(lease.spend(1).unwrap().refused, None, "two were left to be had, one is here");
    assert_eq!(lease.take(1).await.refused, Some(0));
    let repeated = lease.spend(1);
    assert!(repeated.is_none_or(|decision| decision.refused == Some(0)));
}

#[tokio::test]
async fn what_applies_when_the_server_is_gone() {
    let mut server = Server::start();
    let options = |when_gone| SharedOptions { when_gone, ..server.options() };
    let (open_all, refuse) = (open(options(WhenGone::Open)).await, open(options(WhenGone::Refuse)).await);
    let takes = [take("k", rule(Algorithm::Gcra, 5))];
    server.stop();
    until("it is noticed", || !open_all.is_up() && !refuse.is_up()).await;
    for _ in 0..20 {
        let decision = open_all.take(&takes).await;
        assert_eq!((decision.refused, decision.by), (None, By::Gone(WhenGone::Open)));
        let decision = refuse.take(&takes).await;
        assert_eq!((decision.refused, decision.by), (Some(0), By::Gone(WhenGone::Refuse)));
    }
    server.start_again();
    until("it is back", || open_all.is_up() && refuse.is_up()).await;
    let decision = refuse.take(&takes).await;
    assert_eq!((decision.refused, decision.readings[0].left, decision.by), (None, 4, By::Server));
}

/// While it is gone every gateway has its share of what was left, and when it is back, empty, nothing is refilled.
#[tokio::test]
async fn an_outage_neither_stops_nor_refills_a_limit() {
    for algorithm in ALGORITHMS {
        let mut server = Server::start();
        let gateways = gateways(3, &server.options()).await;
        let takes = [take("k", rule(algorithm, 120))];
        for _ in 0..10 {
            for shared in &gateways {
                assert_eq!(shared.take(&takes).await.refused, None);
            }
        }
        server.stop();
        until("it is noticed", || gateways.iter().all(|shared| !shared.is_up())).await;
        // Of the 90 that are left each has 30. All know of the last reading but for those after their own last call.
        let mut alone = 0;
        for shared in &gateways[..2] {
            let admitted = exhaust(std::slice::from_ref(shared), takes[0]).await;
            assert!((30..=31).contains(&admitted), "{algorithm:?}: {admitted}");
            alone += admitted;
        }
        server.start_again();
        until("it is back", || gateways.iter().all(|shared| shared.is_up())).await;
        // Each tells what it knows: none is refilled, and what the third did not use is there for all.
        let mut after = 0;
        for _ in 0..2 {
            for shared in &gateways {
                after += usize::from(shared.take(&takes).await.refused.is_none());
            }
        }
        after += exhaust(&gateways, takes[0]).await;
        let all = 30 + alone + after;
        assert!((118..=122).contains(&all), "{algorithm:?}: 30, {alone} alone, {after} after");
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up() {
    let server = Server::start();
    let patience = Duration::from_millis(20);
    let shared = open(SharedOptions { patience, ..server.options() }).await;
    server.hang();
    let takes = [take("k", rule(Algorithm::Gcra, 1_000_000))];
    let mut longest = Duration::ZERO;
    let deadline = Instant::now() + PATIENCE;
    while shared.is_up() {
        assert!(Instant::now() < deadline, "it is not noticed");
        let started = Instant::now();
        assert_eq!(shared.take(&takes).await.by, By::Gone(WhenGone::Local));
        longest = longest.max(started.elapsed());
    }
    // Far below what the server would take; a loaded machine is late with its timers.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(shared.take(&takes).await.by, By::Gone(WhenGone::Local));
    }
    assert!(started.elapsed() < Duration::from_secs(1), "once noticed it is not asked");
    server.go_on();
    until("it is back", || shared.is_up()).await;
}

#[tokio::test]
async fn a_lost_script_is_loaded_again() {
    let server = Server::start();
    let shared = open(server.options()).await;
    let takes = [take("k", rule(Algorithm::Fixed, 100))];
    server.say("SCRIPT FLUSH");
    assert_eq!(shared.take(&takes).await.refused, None, "decided here");
    let deadline = Instant::now() + PATIENCE;
    while shared.take(&takes).await.by != By::Server {
        assert!(Instant::now() < deadline, "it is loaded again");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn keys_end_by_themselves() {
    let server = Server::start();
    let shared = open(server.options()).await;
    for algorithm in ALGORITHMS {
        let short = Rule { algorithm, limit: 10, period: Duration::from_secs(10), burst: 10 };
        shared.take(&[take(&format!("{algorithm:?}"), short)]).await;
        let lives = server.say(&format!("PTTL tollgate:limit:{algorithm:?}")).unwrap();
        let lives: i64 = lives.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
        assert!((1..=21_000).contains(&lives), "{algorithm:?}: {lives} ms");
    }
}

/// A window of the calendar as a gateway's clock has it, which may be behind the server's or ahead of it.
#[tokio::test]
async fn windows_of_the_calendar_are_counted_whatever_the_clocks_say() {
    let server = Server::start();
    let shared = open(server.options()).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let of = |starts: Duration| {
        let algorithm = Algorithm::Calendar { starts: starts.as_micros() as u64 };
        Rule { algorithm, limit: 3, period: HOUR, burst: 3 }
    };
    for (what, starts) in [("over", now - HOUR * 30), ("now", now - HOUR / 2), ("to come", now + HOUR)] {
        let takes = [take(what, of(starts))];
        for left in [2, 1, 0] {
            let decision = shared.take(&takes).await;
            assert_eq!((decision.by, decision.refused, decision.readings[0].left), (By::Server, None, left), "{what}");
        }
        assert_eq!(shared.take(&takes).await.refused, Some(0), "{what}");
        let lives = server.say(&format!("PTTL \"tollgate:limit:{what}\"")).unwrap();
        let lives: i64 = lives.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
        assert!((0..=2 * 3_600_000 + 1_000).contains(&lives), "{what}: {lives} ms");
        // The next window has all of it.
        let next = [take(what, of(starts + HOUR))];
        assert_eq!(shared.take(&next).await.readings[0].left, 2, "{what}");
    }
}

/// By TLS with certificates on both sides, as a user that may do no more than is needed.
#[tokio::test]
async fn a_server_with_tls_and_users() {
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (authority.cert.pem(), authority.signing_key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).display().to_string()
    };
    let (certificate_file, key_file) = (file("certificate", &certificate), file("key", &key));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start_with(&format!(
        "--tls-port {port} --tls-cert-file {certificate_file} --tls-key-file {key_file} --tls-ca-cert-file {certificate_file} \
         --user default off --user gate on >hunter2 ~tollgate:* {USER_MAY}"
    ));
    let tls = SharedTls {
        ca: Some(certificate.clone().into_bytes()),
        client: Some((certificate.into_bytes(), Secret::new(key.into_bytes()))),
    };
    let options = |password: &str, tls: &SharedTls| SharedOptions {
        urls: vec![Secret::new(format!("rediss://gate:{password}@localhost:{port}"))],
        tls: tls.clone(),
        ..server.options()
    };
    let good = open(options("hunter2", &tls)).await;
    let takes = [take("k", rule(Algorithm::Gcra, 5))];
    assert_eq!(good.take(&takes).await.by, By::Server);
    // Each has had time to connect when another that was opened after them has.
    let stranger = SharedTls { client: None, ..tls.clone() };
    let wrong = [options("wrong", &tls), options("hunter2", &stranger), options("hunter2", &SharedTls::default())];
    let wrong: Vec<_> = wrong.map(|options| Shared::open(options).unwrap()).into();
    let _after = open(options("hunter2", &tls)).await;
    for shared in wrong {
        assert!(!shared.is_up(), "{shared:?}");
    }
}

/// As the docs of an installation would have it.
const USER_MAY: &str = "+evalsha +script|load +time +get +set +zadd +zremrangebyscore +expire +zcard";

#[test]
fn a_wrong_url_shows_no_password() {
    for url in ["hunter2", "http://user:hunter2@host", "redis://user:hunter2@host:port"] {
        let options = SharedOptions { urls: vec![Secret::new(url.to_owned())], ..SharedOptions::default() };
        let shown = format!("{options:?} {:?}", Shared::open(options.clone()).err());
        assert!(!shown.contains("hunter2") && shown.contains("redis://host:port"), "{shown}");
    }
}

#[test]
fn keys_that_are_remembered_are_bounded() {
    let mirror = Mirror::new(16);
    let names: Vec<String> = (0..1000).map(|at| at.to_string()).collect();
    let admitted =
        names.iter().filter(|name| mirror.take(&[take(name, rule(Algorithm::Gcra, 5))], 1).0.is_none()).count();
    assert!((1..=16).contains(&admitted), "{admitted}");
}
