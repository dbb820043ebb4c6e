use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http::{Request, Response};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use model::value::Per;
use proptest::prelude::*;
use store::ledger::Window;

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in, try_program};
use crate::limit::calendar::{Calendar, Current};
use crate::program::{Environment, Program};

const DAY: u64 = 86_400_000_000_000;

fn calendar(per: Per, billing_day: i8, week_starts: Weekday, zone: &str) -> Calendar {
    Calendar { per, billing_day, week_starts, zone: TimeZone::get(zone).unwrap() }
}

fn second(moment: &str) -> i64 {
    moment.parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn windows_are_those_of_the_calendar() {
    use Weekday::{Monday, Sunday};
    for (per, day, week, zone, now, starts, ends) in [
        (Per::Day, 1, Monday, "UTC", "2026-11-23T16:00:00Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        (Per::Day, 1, Monday, "UTC", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        (Per::Day, 1, Monday, "Asia/Kolkata", "2026-11-23T18:29:59Z", "2026-11-22T18:30:00Z", "2026-11-23T18:30:00Z"),
        // The day that has 23 hours, and the one that has 25.
        (Per::Day, 1, Monday, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        (Per::Day, 1, Monday, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        // The clocks skip this midnight.
        (
            Per::Day,
            1,
            Monday,
            "America/Santiago",
            "2026-09-06T12:00:00Z",
            "2026-09-06T04:00:00Z",
            "2026-09-07T03:00:00Z",
        ),
        (Per::Week, 1, Monday, "UTC", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        (Per::Week, 1, Sunday, "UTC", "2026-11-22T00:00:00Z", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
        (Per::Month, 1, Monday, "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        (Per::Month, 15, Monday, "UTC", "2026-11-14T23:59:59Z", "2026-10-15T00:00:00Z", "2026-11-15T00:00:00Z"),
        (
            Per::Month,
            15,
            Monday,
            "Europe/Berlin",
            "2026-11-14T23:00:00Z",
            "2026-11-14T23:00:00Z",
            "2026-12-14T23:00:00Z",
        ),
        // A shorter month's last day, in a leap year and not.
        (Per::Month, 31, Monday, "UTC", "2028-02-15T00:00:00Z", "2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"),
        (Per::Month, 31, Monday, "UTC", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"),
    ] {
        let window = calendar(per, day, week, zone).window(second(now));
        assert_eq!(
            window,
            Window { starts: second(starts), ends: second(ends) },
            "{per:?} {day} {week:?} {zone} {now}"
        );
    }
}

proptest! {
    /// Every moment lies in its window, whose end begins the next one.
    #[test]
    fn windows_leave_no_gap(
        now in 0i64..8_000_000_000,
        per in prop::sample::select(vec![Per::Day, Per::Week, Per::Month]),
        day in 1i8..=31,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Santiago", "Pacific/Apia", "Asia/Kathmandu"]),
    ) {
        let calendar = calendar(per, day, Weekday::Sunday, zone);
        let window = calendar.window(now);
        prop_assert!(window.starts <= now && now < window.ends, "{:?}", window);
        prop_assert_eq!(calendar.window(window.starts), window);
        prop_assert_eq!(calendar.window(window.ends - 1), window);
        prop_assert_eq!(calendar.window(window.ends).starts, window.ends);
        let current = Current::new(calendar);
        prop_assert_eq!([current.window(now), current.window(now)], [(window, true), (window, false)]);
    }
}

fn world() -> (Environment, Arc<AtomicU64>) {
    let (clock, hand) = Clock::manual();
    // A Thursday, as 1970 began with one.
    hand.store(14 * DAY, Relaxed);
    (Environment { clock, ..environment() }, hand)
}

fn configuration(limits: &str, more: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis:
  - name: users
    identify: {{ mode: optional }}
    policies: {{ key_auth: {{}}, quota: {{ store: memory, limits: [{limits}] {more} }} }}
    to: {{ respond: {{ headers: {{ x-cost: "40" }} }} }}
consumers:
  - {{ name: one, credentials: [{{ key: one }}] }}
  - {{ name: two, credentials: [{{ key: two }}] }}
"#
    )
}

fn get(program: &Arc<Program>, headers: &[(&str, &str)]) -> Response<Bytes> {
    let request = headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    answer(program, request.body(Body::Empty).unwrap())
}

fn pass(program: &Arc<Program>, headers: &[(&str, &str)], tries: usize) -> usize {
    (0..tries).filter(|_| get(program, headers).status() == 200).count()
}

fn text<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_quota_is_of_its_day() {
    let (env, hand) = world();
    let program = program_in(&configuration("{ limit: 3/day, by: consumer }", ""), &env);
    hand.fetch_add(DAY / 4, Relaxed);
    let key = [("x-api-key", "one")];
    let first = get(&program, &key);
    assert_eq!(text(&first, "ratelimit-policy"), "\"consumer-day\";q=3");
    assert_eq!(text(&first, "ratelimit"), "\"consumer-day\";r=2;t=64800");
    assert_eq!(pass(&program, &key, 5), 2);
    let refused = get(&program, &key);
    assert_eq!((refused.status().as_u16(), text(&refused, "retry-after")), (429, "64800"));
    let problem: serde_json::Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!(problem["code"], "quota.exceeded");
    assert_eq!(pass(&program, &[("x-api-key", "two")], 5), 3, "each has its own");
    hand.fetch_add(DAY / 4 * 3 - 1, Relaxed);
    assert_eq!(pass(&program, &key, 5), 0);
    hand.fetch_add(1, Relaxed);
    assert_eq!(pass(&program, &key, 5), 3);
}

#[test]
fn what_one_quota_refuses_uses_none_of_the_others_up() {
    let limits = "{ limit: 100/month, by: global }, { limit: 2/day, by: client }";
    let program = program_in(&configuration(limits, ""), &world().0);
    assert_eq!(pass(&program, &[], 30), 2);
    assert!(text(&get(&program, &[]), "ratelimit").starts_with("\"global-month\";r=98;"));
}

#[test]
fn a_changed_quota_does_not_refill() {
    let (env, _) = world();
    let of = |limit: &str| program_in(&configuration(&format!("{{ limit: {limit}/month, by: global }}"), ""), &env);
    let first = of("10");
    assert_eq!(pass(&first, &[], 5), 5);
    let second = of("12");
    drop(first);
    assert_eq!(pass(&second, &[], 20), 7);
}

#[test]
fn an_answer_settles_and_thresholds_warn_once() {
    let (env, _) = world();
    let limit =
        "{ limit: 100/month, by: global, name: q, warn: ['80%', '100%'], settle: 'int(response.headers[\"x-cost\"])' }";
    let program = program_in(&configuration(limit, ""), &env);
    let warned = |threshold: &str| {
        let metrics = env.telemetry.metrics(&program, crate::telemetry::Format::Prometheus);
        let name = format!("tollgate_quota_warnings_total{{limit=\"q\",threshold=\"{threshold}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u32>().ok()).unwrap_or_default()
    };
    // 40, 80, 120: the third passes as there is room for the one that it counts at first.
    for (left, at_80, at_100) in [(99, 0, 0), (59, 1, 0), (19, 1, 1)] {
        let passed = get(&program, &[]);
        assert!(text(&passed, "ratelimit").starts_with(&format!("\"q\";r={left};")), "{:?}", passed.headers());
        assert_eq!((warned("80"), warned("100")), (at_80, at_100), "{left}");
    }
    assert_eq!(pass(&program, &[], 3), 0);
    assert_eq!((warned("80"), warned("100")), (1, 1));
}

#[test]
fn what_costs_more_than_the_quota_is_told_so() {
    let program = program_in(
        &configuration("{ limit: 10/day, by: global, cost: 'int(request.headers[\"x-n\"])' }", ""),
        &world().0,
    );
    for (cost, status, waits) in [("11", 429, false), ("6", 200, false), ("5", 429, true), ("4", 200, false)] {
        let answered = get(&program, &[("x-n", cost)]);
        assert_eq!((answered.status().as_u16(), !text(&answered, "retry-after").is_empty()), (status, waits), "{cost}");
    }
}

#[test]
fn a_shadow_and_the_exempt_pass() {
    let program = program_in(&configuration("{ limit: 1/day, by: global }", ", mode: shadow"), &world().0);
    assert_eq!(pass(&program, &[], 5), 5);
    let exempt = ", exempt: { when: 'auth.consumer.name == \"two\"' }";
    let program = program_in(&configuration("{ limit: 1/day, by: global }", exempt), &world().0);
    assert_eq!(pass(&program, &[("x-api-key", "two")], 5), 5);
    assert_eq!(pass(&program, &[("x-api-key", "one")], 5), 1);
}

#[test]
fn without_its_disk_nothing_passes() {
    // Compiled, and never opened.
    let yaml = configuration("{ limit: 5/day, by: global }", "").replace("store: memory", "store: disk");
    let program = program_in(&yaml, &world().0);
    assert!(program.wants_disk);
    let refused = get(&program, &[]);
    let problem: serde_json::Value = serde_json::from_slice(refused.body()).unwrap();
    assert_eq!((refused.status().as_u16(), &problem["code"]), (503, &"quota.unavailable".into()));
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (limits, more, says) in [
        ("", "", "not from 1 to 8"),
        ("{ limit: 5/minute }", "", "`minute` is not day, week or month"),
        ("{ limit: 5/day, billing_day: 3 }", "", "of a quota by the month"),
        ("{ limit: 5/month, billing_day: 32 }", "", "from 1 to 31"),
        ("{ limit: 5/month, timezone: Mars/Olympus }", "", "not a time zone"),
        ("{ limit: 5/month, warn: ['81%'] }", "", "81%"),
        ("{ limit: 5/month }, { limit: 6/month }", "", "two quotas are named"),
        ("{ limit: 5/month, burst: 6 }", "", "burst"),
        ("{ limit: 5/month }", ", keys: 3", "keys"),
    ] {
        let problems = try_program(&configuration(limits, more), &world().0).err().unwrap_or_default();
        assert!(problems.contains(says), "{limits}: {problems}");
    }
    let redis = configuration("{ limit: 5/month }", "").replace("store: memory", "store: redis");
    let problems = try_program(&redis, &world().0).err().unwrap_or_default();
    assert!(problems.contains("there is none"), "{problems}");
}
