//! Targets that are not well get nothing, and others take it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};

use crate::clock::Clock;
use crate::program::{Environment, Program};
use crate::upstream::testing::{
    Upstream, addresses, environment, get, program, program_with, read, refusing, request, send, text, until,
};

const SECOND: u64 = 1_000_000_000;

/// An upstream whose status is turned by hand.
struct Turned {
    upstream: Upstream,
    status: Arc<AtomicU16>,
}

impl Turned {
    async fn new() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let said = status.clone();
        let upstream = Upstream::serve(move |_| {
            let status = said.load(Relaxed);
            async move {
                let mut answer = text("ok");
                *answer.status_mut() = http::StatusCode::from_u16(status).unwrap();
                answer
            }
        })
        .await;
        Self { upstream, status }
    }

    fn target(&self, more: &str) -> String {
        format!("{{ url: 'http://{}'{more} }}", self.upstream.address)
    }

    fn requests(&self) -> usize {
        self.upstream.seen.requests()
    }
}

/// A program with a clock that is turned by hand.
struct Bed {
    program: Arc<Program>,
    hand: Arc<AtomicU64>,
}

impl Bed {
    fn new(targets: &[String], more: &str, top: &str) -> Self {
        let (clock, hand) = Clock::manual();
        hand.store(1000 * SECOND, Relaxed);
        let env = Environment { clock, ..environment() };
        let yaml = crate::upstream::testing::yaml(&format!("targets: [{}]{more}", targets.join(", ")), top);
        Self { program: crate::exchange::testing::program_in(&yaml, &env), hand }
    }

    async fn send(&self, count: usize) {
        for _ in 0..count {
            get(&self.program, "/").await;
        }
    }

    fn pass(&self, seconds: u64) {
        self.hand.fetch_add(seconds * SECOND, Relaxed);
    }
}

/// How many requests each gets out of so many.
async fn shares<const N: usize>(bed: &Bed, upstreams: [&Turned; N], count: usize) -> [usize; N] {
    let before = upstreams.map(Turned::requests);
    bed.send(count).await;
    let after = upstreams.map(Turned::requests);
    std::array::from_fn(|at| after[at] - before[at])
}

const PASSIVE: &str = ", health: { passive: { consecutive_errors: 3, ejected_for: 30s } }";

#[tokio::test]
async fn errors_in_a_row_eject_an_address_for_longer_each_time() {
    let (bad, good) = (Turned::new().await, Turned::new().await);
    bad.status.store(503, Relaxed);
    let bed = Bed::new(&[bad.target(""), good.target("")], PASSIVE, "");
    assert_eq!(shares(&bed, [&bad, &good], 6).await, [3, 3]);
    assert_eq!(shares(&bed, [&bad, &good], 10).await, [0, 10]);
    assert!(addresses(&bed.program)[0].ejected);
    bed.pass(31);
    assert_eq!(shares(&bed, [&bad, &good], 6).await, [3, 3], "it is tried again");
    bed.pass(31);
    assert_eq!(shares(&bed, [&bad, &good], 6).await, [0, 6], "60 s the second time");
    bed.pass(30);
    bad.status.store(200, Relaxed);
    assert_eq!(shares(&bed, [&bad, &good], 6).await, [3, 3]);
    assert!(!addresses(&bed.program)[0].ejected);
}

#[tokio::test]
async fn a_good_answer_between_begins_the_row_anew() {
    let (now_and_then, good) = (Turned::new().await, Turned::new().await);
    let bed = Bed::new(&[now_and_then.target(""), good.target("")], PASSIVE, "");
    for round in 0..12 {
        now_and_then.status.store(if round % 3 == 2 { 200 } else { 500 }, Relaxed);
        bed.send(2).await;
    }
    assert_eq!(addresses(&bed.program)[0].ejections, 0);
    assert_eq!(now_and_then.requests(), 12);
}

#[tokio::test]
async fn a_share_of_errors_ejects_too() {
    let (half, good) = (Turned::new().await, Turned::new().await);
    let passive = ", health: { passive: { consecutive_errors: 0, error_rate: 40%, requests: 20 } }";
    let bed = Bed::new(&[half.target(""), good.target("")], passive, "");
    for round in 0..40 {
        half.status.store(if round % 2 == 0 { 200 } else { 500 }, Relaxed);
        bed.send(2).await;
    }
    assert!((19..=24).contains(&half.requests()), "{}", half.requests());
    assert!(addresses(&bed.program)[0].ejected);
}

#[tokio::test]
async fn no_more_than_a_share_is_ejected() {
    let all = [Turned::new().await, Turned::new().await, Turned::new().await, Turned::new().await];
    all.iter().for_each(|one| one.status.store(500, Relaxed));
    let targets = all.each_ref().map(|one| one.target(""));
    let bed = Bed::new(&targets, PASSIVE, "");
    bed.send(40).await;
    let out = addresses(&bed.program).iter().filter(|address| address.ejected).count();
    assert_eq!(out, 2, "half of four");
}

#[tokio::test]
async fn the_next_tier_takes_over_and_gives_back() {
    let (first, second) = (Turned::new().await, Turned::new().await);
    let passive = format!("{PASSIVE}, spill: {{ panic: 10% }}");
    let bed = Bed::new(&[first.target(""), second.target(", priority: 1")], &passive, "");
    assert_eq!(shares(&bed, [&first, &second], 10).await, [10, 0]);
    first.status.store(502, Relaxed);
    assert_eq!(shares(&bed, [&first, &second], 10).await, [3, 7]);
    first.status.store(200, Relaxed);
    bed.pass(31);
    assert_eq!(shares(&bed, [&first, &second], 10).await, [10, 0]);
}

#[tokio::test]
async fn a_tier_that_is_half_well_keeps_a_part() {
    let all = [Turned::new().await, Turned::new().await, Turned::new().await];
    let targets = [all[0].target(""), all[1].target(""), all[2].target(", priority: 1")];
    let bed = Bed::new(&targets, PASSIVE, "");
    all[0].status.store(500, Relaxed);
    bed.send(6).await;
    let [out, kept, spilt] = shares(&bed, [&all[0], &all[1], &all[2]], 2_000).await;
    // 50 % of 70 %: 71 %, and six standard deviations are 122.
    assert_eq!(out, 0);
    assert!((1_307..=1_550).contains(&kept) && spilt == 2_000 - kept, "{kept} {spilt}");
}

#[tokio::test]
async fn targets_of_the_gateways_zone_come_first() {
    let (near, far) = (Turned::new().await, Turned::new().await);
    let targets = [far.target(", zone: us"), near.target(", zone: eu")];
    let bed = Bed::new(&targets, &format!("{PASSIVE}, spill: {{ panic: 10% }}"), "zone: eu");
    assert_eq!(shares(&bed, [&near, &far], 10).await, [10, 0]);
    near.status.store(500, Relaxed);
    bed.send(3).await;
    assert_eq!(shares(&bed, [&near, &far], 10).await, [0, 10]);
    let bed = Bed::new(&targets, "", "");
    assert_eq!(shares(&bed, [&near, &far], 10).await, [5, 5], "without a zone of its own it has no say");
}

#[tokio::test]
async fn where_too_few_are_well_nobody_is_left_out() {
    let all = [Turned::new().await, Turned::new().await, Turned::new().await];
    let targets = all.each_ref().map(|one| one.target(""));
    let passive = ", health: { passive: { consecutive_errors: 1, max_ejected: 100% } }, spill: { panic: 50% }";
    let bed = Bed::new(&targets, passive, "");
    all[0].status.store(500, Relaxed);
    bed.send(3).await;
    assert_eq!(shares(&bed, [&all[0], &all[1], &all[2]], 6).await, [0, 3, 3], "two of three are well");
    all[1].status.store(500, Relaxed);
    bed.send(1).await;
    assert_eq!(shares(&bed, [&all[0], &all[1], &all[2]], 9).await, [3, 3, 3], "one of three is panic");
}

#[tokio::test]
async fn who_comes_back_starts_slowly() {
    let (back, steady) = (Turned::new().await, Turned::new().await);
    let more = format!("{PASSIVE}, spill: {{ slow_start: 100s }}");
    let bed = Bed::new(&[back.target(""), steady.target("")], &more, "");
    assert_eq!(shares(&bed, [&back, &steady], 10).await, [5, 5], "all are new");
    bed.pass(200);
    back.status.store(500, Relaxed);
    bed.send(6).await;
    back.status.store(200, Relaxed);
    bed.pass(30);
    assert_eq!(shares(&bed, [&back, &steady], 1_100).await, [100, 1_000]);
    bed.pass(50);
    assert_eq!(shares(&bed, [&back, &steady], 1_500).await, [500, 1_000]);
    bed.pass(50);
    assert_eq!(shares(&bed, [&back, &steady], 10).await, [5, 5]);
}

#[tokio::test]
async fn what_exceeds_a_tier_goes_to_the_next() {
    let (own, cloud) = (Turned::new().await, Turned::new().await);
    let targets = [own.target(", max_concurrent: 2"), cloud.target(", priority: 1, max_concurrent: 1")];
    let bed = Bed::new(&targets, "", "");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(send(&bed.program, request("/")).await);
    }
    assert_eq!((own.requests(), cloud.requests()), (2, 1));
    assert_eq!(get(&bed.program, "/").await.0, 503, "all are full");
    read(held.remove(0)).await;
    assert_eq!(get(&bed.program, "/").await.0, 200);
    assert_eq!((own.requests(), cloud.requests()), (3, 1), "there is a place again");
}

/// What a client is told to keep.
fn cookie(answer: &Response<crate::exchange::Served>) -> Option<String> {
    let said = answer.headers().get("set-cookie")?.to_str().unwrap();
    assert!(said.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600"), "{said}");
    Some(said.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn a_client_stays_with_its_target_by_a_signed_cookie() {
    let (one, other) = (Turned::new().await, Turned::new().await);
    let more = format!("{PASSIVE}, balance: {{ sticky: {{ cookie: at, ttl: 1h }} }}");
    let bed = Bed::new(&[one.target(""), other.target("")], &more, "");
    let with = |cookie: &str| {
        let mut request = request("/");
        request.headers_mut().insert("cookie", format!("a=b; {cookie}").parse().unwrap());
        request
    };
    let first = send(&bed.program, request("/")).await;
    let kept = cookie(&first).unwrap();
    read(first).await;
    for _ in 0..5 {
        let again = send(&bed.program, with(&kept)).await;
        assert_eq!(cookie(&again), None, "it knows");
        read(again).await;
    }
    assert_eq!((one.requests(), other.requests()), (6, 0));
    let (name, value) = kept.split_once('=').unwrap();
    for forged in
        [format!("{name}={}", "0".repeat(32)), format!("{name}={}", value.get(..31).unwrap()), format!("{name}=")]
    {
        let again = send(&bed.program, with(&forged)).await;
        assert!(cookie(&again).is_some(), "{forged}");
        read(again).await;
    }
    one.status.store(500, Relaxed);
    for _ in 0..3 {
        read(send(&bed.program, with(&kept)).await).await;
    }
    let moved = send(&bed.program, with(&kept)).await;
    assert_eq!(moved.status(), 200);
    assert_ne!(cookie(&moved).unwrap(), kept, "it is told where it stays now");
}

/// A program whose upstream is asked how it is.
fn watched(upstream: &str) -> (Arc<Program>, tokio::task::JoinHandle<()>) {
    let program = program(upstream);
    let watch = crate::upstream::Upstream::watch(Arc::downgrade(&program.upstreams[0]), 0);
    (program, tokio::spawn(watch))
}

#[tokio::test]
async fn a_target_that_says_it_is_not_well_gets_nothing() {
    let well = Arc::new(AtomicBool::new(true));
    let asked = Arc::new(AtomicU64::new(0));
    let (said, count) = (well.clone(), asked.clone());
    let one = Upstream::serve(move |request| {
        let (said, count) = (said.clone(), count.clone());
        async move {
            if request.uri().path() != "/healthz" {
                return text("one");
            }
            count.fetch_add(1, Relaxed);
            assert_eq!(request.headers()["x-from"], "gate");
            assert_eq!(request.headers()["host"], "health.example");
            text(if said.load(Relaxed) { "all is well" } else { "I am ill" })
        }
    })
    .await;
    let other = Upstream::serve(async |_| text("other")).await;
    let (program, _watch) = watched(&format!(
        "targets: [{{ url: 'http://{}' }}, {{ url: 'http://{}', weight: 1 }}], health: {{ active: {{ path: /healthz, \
         host: health.example, headers: {{ x-from: gate }}, interval: 5ms, body: well, healthy: 2, unhealthy: 2 }} }}",
        one.address, other.address,
    ));
    // The other says nothing of being well.
    until(|| addresses(&program)[1].failing).await;
    for _ in 0..4 {
        assert_eq!(get(&program, "/").await, (200, "one".to_owned()));
    }
    well.store(false, Relaxed);
    until(|| addresses(&program)[0].failing).await;
    // Where none is well, none is left out.
    let all = [get(&program, "/").await.1, get(&program, "/").await.1];
    assert!(all.contains(&"one".to_owned()) && all.contains(&"other".to_owned()), "{all:?}");
    well.store(true, Relaxed);
    until(|| !addresses(&program)[0].failing).await;
    assert_eq!(get(&program, "/").await.1, "one");
    let before = asked.load(Relaxed);
    until(|| asked.load(Relaxed) > before).await;
}

#[tokio::test]
async fn a_connection_is_enough_for_a_tcp_check() {
    let silent = Upstream::raw(async |stream, _| {
        let mut stream = stream;
        drop(crate::upstream::testing::read_head(&mut stream).await);
    })
    .await;
    let (program, _watch) = watched(&format!(
        "targets: [{{ url: 'http://{}' }}, {{ url: 'http://{}' }}], health: {{ active: {{ kind: tcp, interval: 5ms }} }}",
        silent.address,
        refusing(),
    ));
    until(|| addresses(&program)[1].failing).await;
    assert!(!addresses(&program)[0].failing);
}

#[tokio::test]
async fn grpc_is_asked_by_its_own_contract() {
    let serving = Arc::new(AtomicBool::new(true));
    let said = serving.clone();
    let upstream = Upstream::h2c(100, move |request| {
        let said = said.clone();
        async move {
            assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
            assert_eq!(request.headers()["content-type"], "application/grpc");
            let asked = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(&asked[..], b"\0\0\0\0\x07\x0a\x05users");
            let status = if said.load(Relaxed) { 1 } else { 2 };
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let body = Full::new(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]));
            Response::new(body.with_trailers(async move { Some(Ok(trailers)) }).boxed())
        }
    })
    .await;
    let (program, _watch) = watched(&format!(
        "targets: [{{ url: 'h2c://{}' }}], health: {{ active: {{ kind: grpc, service: users, interval: 5ms }} }}",
        upstream.address,
    ));
    until(|| upstream.seen.requests() > 2).await;
    assert!(!addresses(&program)[0].failing);
    serving.store(false, Relaxed);
    until(|| addresses(&program)[0].failing).await;
    serving.store(true, Relaxed);
    until(|| !addresses(&program)[0].failing).await;
}

#[tokio::test]
async fn what_is_known_outlives_a_reload() {
    let (bad, good) = (Turned::new().await, Turned::new().await);
    bad.status.store(500, Relaxed);
    let (clock, hand) = Clock::manual();
    hand.store(SECOND, Relaxed);
    let env = Environment { clock, ..environment() };
    let text = |more: &str| format!("targets: [{}, {}]{PASSIVE}{more}", bad.target(""), good.target(""));
    let before = program_with(&text(""), &env);
    for _ in 0..6 {
        get(&before, "/").await;
    }
    let after = program_with(&text(", balance: random"), &env);
    drop(before);
    for _ in 0..10 {
        assert_eq!(get(&after, "/").await.0, 200);
    }
}
