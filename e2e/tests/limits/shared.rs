//! Three gateways on one real Redis, offered three times the limit: what passes is the limit times the windows and the
//! burst, through a restart of Redis too.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use e2e::client::Client;
use e2e::{Gate, Redis, until};

/// A second's limit.
const LIMIT: usize = 200;
/// Seconds that it is offered for.
const SECONDS: u32 = 6;

fn gates(redis: &Redis, limit: &str, more: &str) -> Vec<Gate> {
    let text = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
redis: {{ url: '{}', {more} }}
apis: [{{ name: a, to: {{ respond: {{ status: 200 }} }}, policies: {{ rate_limit: {{ store: redis, limits: [{limit}] }} }} }}]
access_log: "off"
"#,
        redis.url()
    );
    let gates: Vec<Gate> = (0..3).map(|_| Gate::start(&text)).collect();
    until("they see one another", || gates.iter().all(|gate| gate.metric("tollgate_redis_gateways", &[]) == 3.0));
    gates
}

/// What passed, and how long it was offered for.
struct Passed {
    count: usize,
    /// From before the first request to after the last answer.
    took: Duration,
    /// The longest that a request was late.
    late: Duration,
}

/// How late a request may be: a machine that stands still that long offers nothing.
const LATE: Duration = Duration::from_millis(500);

/// Offers until the machine keeps pace, each time on keys of its own, and a few times at most.
fn offered(gates: &[Gate], mut meanwhile: impl FnMut(Instant)) -> Passed {
    let mut tries = (0..5).map(|run| offer(gates, run, &mut meanwhile));
    let first = tries.next().expect("there is one");
    if first.late < LATE { first } else { tries.find(|passed| passed.late < LATE).unwrap_or(first) }
}

/// Offers three times the limit, each gateway as much, for whole seconds of the wall clock; `meanwhile` runs beside.
fn offer(gates: &[Gate], run: usize, meanwhile: impl FnOnce(Instant)) -> Passed {
    let (count, late) = (AtomicUsize::new(0), AtomicU64::new(0));
    let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-run: {run}\r\n\r\n");
    let connected: Vec<Client> = gates.iter().map(|gate| Client::connect(gate.address("public"))).collect();
    // From the begin of a window on.
    let into = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
    let began = Instant::now() + Duration::from_nanos(1_000_000_000 - u64::from(into));
    std::thread::scope(|scope| {
        for mut client in connected {
            let (count, late, request) = (&count, &late, &request);
            scope.spawn(move || {
                let mut asked = 0_u32;
                loop {
                    let next = began + Duration::from_secs(1) / LIMIT as u32 * asked;
                    if let Some(pause) = next.checked_duration_since(Instant::now()) {
                        // The pace at which it is offered.
                        std::thread::sleep(pause);
                    }
                    if next >= began + Duration::from_secs(1) * SECONDS {
                        break;
                    }
                    asked += 1;
                    late.fetch_max(next.elapsed().as_millis() as u64, SeqCst);
                    let answer = client.call(request);
                    assert!(matches!(answer.status, 200 | 429 | 503), "{}", answer.status);
                    count.fetch_add(usize::from(answer.status == 200), SeqCst);
                }
            });
        }
        meanwhile(began);
    });
    let late = Duration::from_millis(late.into_inner());
    Passed { count: count.into_inner(), took: began.elapsed(), late }
}

/// Within so many hundredths of what is expected.
#[track_caller]
fn assert_near(what: &str, passed: &Passed, expected: usize, hundredths: usize) {
    let off = passed.count.abs_diff(expected);
    assert!(
        off * 100 <= expected * hundredths,
        "{what}: {} of {expected} in {:?}, up to {:?} late",
        passed.count,
        passed.took,
        passed.late
    );
}

/// What a bucket with a second's burst admits in that time.
fn of_a_bucket(passed: &Passed) -> usize {
    LIMIT + (passed.took.as_secs_f64() * LIMIT as f64) as usize
}

#[test]
fn what_passes_is_the_limit_times_the_windows_and_the_burst() {
    for algorithm in ["gcra", "fixed_window", "sliding_window"] {
        let redis = Redis::start();
        let gates = gates(
            &redis,
            &format!("{{ limit: {LIMIT}/second, by: {{ header: x-run }}, algorithm: {algorithm} }}"),
            "timeout: 1s",
        );
        let passed = offered(&gates, |_| ());
        let windows = LIMIT * SECONDS as usize;
        let expected = if algorithm == "gcra" { of_a_bucket(&passed) } else { windows };
        assert_near(algorithm, &passed, expected, 2);
    }
}

/// Ends Redis a while into it, and starts it again, empty, two seconds later.
fn restart(redis: &mut Redis, began: Instant) {
    let at = |seconds: f64| {
        let then = began + Duration::from_secs_f64(seconds);
        // A part of the scenario's script, not a wait for something.
        std::thread::sleep(then.saturating_duration_since(Instant::now()));
    };
    at(1.5);
    redis.stop();
    at(3.4);
    redis.start_again();
}

#[test]
fn a_restart_of_redis_neither_stops_nor_refills_it() {
    let mut redis = Redis::start();
    let gates = gates(&redis, &format!("{{ limit: {LIMIT}/second, by: {{ header: x-run }} }}"), "timeout: 1s");
    let passed = offered(&gates, |began| restart(&mut redis, began));
    assert_near("local", &passed, of_a_bucket(&passed), 2);
}

#[test]
fn closed_and_leases_are_never_over() {
    for (limit, more) in [("", "on_error: closed"), (", lease: 5", ""), (", lease: 5", "on_error: closed")] {
        let mut redis = Redis::start();
        let limit = format!("{{ limit: {LIMIT}/second, by: {{ header: x-run }} {limit} }}");
        let gates = gates(&redis, &limit, &format!("timeout: 1s, {more}"));
        let passed = offered(&gates, |began| {
            if !more.is_empty() {
                restart(&mut redis, began);
            }
        });
        assert!(passed.count <= of_a_bucket(&passed), "{limit} {more}: {} in {:?}", passed.count, passed.took);
        assert!(passed.count >= LIMIT * 3, "{limit} {more}: {} in {:?}", passed.count, passed.took);
    }
}
