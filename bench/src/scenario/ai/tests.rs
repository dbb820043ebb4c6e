use super::super::streams::STREAM;
use super::*;

#[test]
fn what_is_asked_and_what_the_upstream_answers_agree() {
    for scenario in &SCENARIOS {
        let asked = match &scenario.work {
            Work::Steady(steady) => vec![(steady.tollgate, steady.traffic)],
            Work::Streams { setup, traffic } => vec![(*setup, *traffic)],
            Work::Soak { setup, streams, calls } => vec![(*setup, *streams), (*setup, *calls)],
            other => panic!("{other:?} calls no models"),
        };
        for (setup, traffic) in asked {
            assert!(setup.is_ai(), "{}", scenario.name);
            let (stream, body) = (traffic.ask == Ask::Stream, traffic.ask.body());
            assert_eq!(body.contains(r#""stream":true"#), stream, "{}", scenario.name);
            // The provider behind `streamed` answers with streams alone.
            assert_eq!(body.contains(r#""model":"streamed""#), stream, "{}", scenario.name);
            assert!(!stream || setup.provider_path().unwrap().starts_with("/stream/"), "{}", scenario.name);
        }
    }
}

#[test]
fn a_thousand_streams_are_under_way() {
    let path = Setup::Streams.provider_path().unwrap();
    let numbers: Vec<f64> = path.split('/').filter_map(|part| part.parse().ok()).collect();
    let seconds = numbers[0] * numbers[1] / 1e3;
    assert_eq!(seconds * STREAMS.rate, 1_000.0);
    assert_eq!(1e3 / numbers[1], 50.0, "tokens a second");
    // The window opens when the first of them have ended, and there is room for those that end late.
    assert!(STREAM.as_secs_f64() > seconds && STREAMS.connections > 1_000);
}

#[test]
fn only_the_soak_waits_to_be_named() {
    let named: Vec<&str> = SCENARIOS.iter().filter(|one| one.on_request()).map(|one| one.name).collect();
    assert_eq!(named, ["ai-soak"]);
}
