//! What callers are told of their tokens, in the header fields that their SDKs read.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use proxy::exchange::Exchange;

use super::bucket::Reading;
use crate::translate::Format;

/// The fields of one vendor: limit, remaining, reset.
struct Family([HeaderName; 3]);

static OPENAI: Family = Family([
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
]);
static ANTHROPIC: Family = Family([
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
]);

/// Puts them on the answer.
pub(super) fn put(x: &mut Exchange, format: Format, limit: u64, reading: Reading) {
    let (family, reset) = match format {
        Format::AnthropicMessages => (&ANTHROPIC, moment(x.local.program.clock.wall(), reading.reset)),
        _ => (&OPENAI, span(reading.reset)),
    };
    let [names_limit, names_left, names_reset] = &family.0;
    x.reply_header(names_limit.clone(), HeaderValue::from(limit));
    x.reply_header(names_left.clone(), HeaderValue::from(reading.left));
    if let Ok(reset) = HeaderValue::try_from(reset) {
        x.reply_header(names_reset.clone(), reset);
    }
}

/// As OpenAI writes it: `17ms`, `1.5s`, `6m0s`, `2h3m0s`.
fn span(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes, seconds % 60) {
        (0, 0, 0) => format!("{millis}ms"),
        (0, 0, seconds) if millis > 0 => format!("{seconds}.{}s", format!("{millis:03}").trim_end_matches('0')),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// As Anthropic writes it (RFC 3339).
fn moment(now: Duration, reset: Duration) -> String {
    let seconds = i64::try_from((now + reset).as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds + 1).map(|moment| moment.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_vendors_do() {
        for (millis, expected) in [
            (0, "0ms"),
            (17, "17ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (59_005, "59.005s"),
            (360_000, "6m0s"),
            (7_380_000, "2h3m0s"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), expected);
        }
        assert_eq!(moment(Duration::from_secs(1_800_000_000), Duration::from_millis(500)), "2027-01-15T08:00:01Z");
    }
}
