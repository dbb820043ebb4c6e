use std::sync::atomic::Ordering::Relaxed;

use http::Request;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::exchange::Body;
use crate::exchange::testing::{answer, environment, program_in, try_program};
use crate::program::Environment;

fn configuration(policy: &str) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
apis: [{{ name: a, policies: {{ schedule: {policy} }}, to: {{ respond: {{}} }} }}]
"#
    )
}

/// The status, and the seconds of `Retry-After`, at each of these moments.
fn at(policy: &str, moments: &[&str]) -> Vec<(u16, Option<u64>)> {
    let (clock, hand) = Clock::manual();
    let program = program_in(&configuration(policy), &Environment { clock, ..environment() });
    let ask = |moment: &&str| {
        let moment: Timestamp = moment.parse().unwrap();
        hand.store(u64::try_from(moment.as_nanosecond()).unwrap(), Relaxed);
        let answer = answer(&program, Request::get("/").body(Body::Empty).unwrap());
        let after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        (answer.status().as_u16(), after)
    };
    moments.iter().map(ask).collect()
}

#[test]
fn windows_are_by_the_clock_on_the_wall() {
    let office = "{ timezone: Europe/Berlin, windows: [{ days: [monday, friday], from: '08:00', to: '18:00' }], \
                  except: [2026-03-30] }";
    let night = "{ windows: [{ days: friday, from: '22:00', to: '05:00' }] }";
    let dates = "{ windows: [{ first: 2026-11-27, last: 2026-11-28 }], timezone: America/New_York }";
    let two =
        "{ windows: [{ from: '08:00', to: '09:00' }, { from: '08:30', to: '10:00' }, { from: '23:00', to: '24:00' }] }";
    for (policy, moments) in [
        (
            office,
            // 2026-03-27 is a Friday in winter time, 2026-04-03 one in summer time.
            vec![
                ("2026-03-27T06:59:59Z", 403),
                ("2026-03-27T07:00:00Z", 200),
                ("2026-03-27T16:59:59Z", 200),
                ("2026-03-27T17:00:00Z", 403),
                ("2026-04-03T05:59:59Z", 403),
                ("2026-04-03T06:00:00Z", 200),
                ("2026-04-03T16:00:00Z", 403),
                ("2026-03-30T10:00:00Z", 403),
                ("2026-04-06T10:00:00Z", 200),
                ("2026-04-07T10:00:00Z", 403),
                // Back again: what was found for later does not stand.
                ("2026-03-27T07:00:00Z", 200),
            ],
        ),
        (
            night,
            vec![
                ("2026-03-27T21:59:59Z", 403),
                ("2026-03-27T22:00:00Z", 200),
                ("2026-03-28T04:59:59Z", 200),
                ("2026-03-28T05:00:00Z", 403),
                ("2026-03-28T23:00:00Z", 403),
                ("2026-03-27T03:00:00Z", 403),
            ],
        ),
        (
            dates,
            vec![
                ("2026-11-27T04:59:59Z", 403),
                ("2026-11-27T05:00:00Z", 200),
                ("2026-11-29T04:59:59Z", 200),
                ("2026-11-29T05:00:00Z", 403),
            ],
        ),
        (
            two,
            vec![
                ("2026-03-27T07:59:59Z", 403),
                ("2026-03-27T09:59:59Z", 200),
                ("2026-03-27T10:00:00Z", 403),
                ("2026-03-27T23:59:59Z", 200),
                ("2026-03-28T00:00:00Z", 403),
            ],
        ),
        ("{ windows: [{ days: sunday }] }", vec![("2026-03-28T23:59:59Z", 403), ("2026-03-29T00:00:00Z", 200)]),
    ] {
        let (asked, expected): (Vec<_>, Vec<_>) = moments.into_iter().unzip();
        let found: Vec<u16> = at(policy, &asked).into_iter().map(|(status, _)| status).collect();
        assert_eq!(found, expected, "{policy} {asked:?}");
    }
}

/// In Berlin 02:00 to 03:00 is skipped on 2026-03-29 and comes twice on 2026-10-25.
#[test]
fn the_clocks_may_turn() {
    let policy = "{ timezone: Europe/Berlin, windows: [{ from: '02:15', to: '02:45' }], outside: unavailable }";
    let found = at(
        policy,
        &[
            "2026-03-28T01:20:00Z",
            "2026-03-29T00:59:59Z",
            "2026-03-29T01:00:00Z",
            "2026-10-25T00:14:59Z",
            "2026-10-25T00:20:00Z",
            "2026-10-25T00:50:00Z",
            "2026-10-25T01:20:00Z",
            "2026-10-25T01:45:00Z",
        ],
    );
    let day = 24 * 3600;
    let expected = [
        (200, None),
        // It does not open that day: on 2026-03-30 at 00:15 UTC.
        (503, Some(day - 45 * 60 + 1)),
        (503, Some(day - 45 * 60)),
        (503, Some(1)),
        (200, None),
        (503, Some(25 * 60)),
        (200, None),
        (503, Some(day - 30 * 60)),
    ];
    assert_eq!(found, expected);
}

#[test]
fn retry_after_is_true() {
    for (policy, moment, wait) in [
        (
            "{ windows: [{ days: monday, from: '08:00', to: '09:00' }], outside: unavailable }",
            "2026-03-27T08:00:00Z",
            Some(3 * 86_400),
        ),
        (
            "{ windows: [{ first: 2026-12-24 }], outside: unavailable, except: [2026-12-24] }",
            "2026-12-23T23:59:00Z",
            Some(86_460),
        ),
        ("{ windows: [{ last: 2026-12-24 }], outside: unavailable }", "2026-12-25T00:00:00Z", None),
        ("{ windows: [{ from: '08:00', to: '09:00' }] }", "2026-12-25T00:00:00Z", None),
    ] {
        let status = if policy.contains("unavailable") { 503 } else { 403 };
        assert_eq!(at(policy, &[moment]), [(status, wait)], "{policy}");
    }
}

/// The stretches are what asking for each minute gives, over both turns of the clocks.
#[test]
fn stretches_leave_nothing_out() {
    use super::calendar::{Calendar, Window};
    use jiff::civil::{date, time};
    use jiff::tz::TimeZone;
    let window = |days, from, to| Window { days, from, to, first: None, last: None };
    let calendar = || Calendar {
        windows: [
            window(0x7f, time(1, 30, 0, 0), time(2, 30, 0, 0)),
            window(0x60, time(23, 0, 0, 0), time(2, 10, 0, 0)),
        ]
        .into(),
        except: [date(2026, 3, 28)].into(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    };
    let current = super::Current::new(calendar());
    for begins in ["2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z"] {
        let begins: Timestamp = begins.parse().unwrap();
        let mut opened = 0;
        for minute in 0..5 * 24 * 60 {
            let now = begins.as_second() + minute * 60;
            let stretch = current.stretch(now);
            assert_eq!(stretch.open, calendar().is_open(now), "{now}");
            if let Some(opens) = stretch.opens.filter(|_| minute % 97 == 0) {
                assert!(calendar().is_open(opens) && !calendar().is_open(opens - 1), "{now}: {opens}");
            }
            opened += u32::from(stretch.open);
        }
        assert!(opened > 60);
    }
}

#[test]
fn wrong_configuration_is_a_problem() {
    for (policy, says) in [
        ("{ windows: [] }", "from 1 to 100 `windows`"),
        ("{ windows: [{ days: [mon] }] }", "mon"),
        ("{ windows: [{ from: '8:00' }] }", "`8:00` is not a time of day"),
        ("{ windows: [{ from: '25:00' }] }", "`25:00` is not a time of day"),
        ("{ windows: [{ first: 2026-02-30 }] }", "`2026-02-30` is not a date"),
        ("{ windows: [{ first: 2026-02-03, last: 2026-02-02 }] }", "never opens"),
        ("{ windows: [{}], timezone: Europe/Berin }", "is not a time zone"),
        ("{ windows: [{}], except: [christmas] }", "`christmas` is not a date"),
    ] {
        let problems = try_program(&configuration(policy), &environment()).err().unwrap_or_default();
        assert!(problems.contains(says), "{policy}: {problems}");
    }
}
