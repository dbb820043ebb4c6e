//! What is said of a panic on a worker: where, and what without values, as these may be secrets.

use std::panic::PanicHookInfo;
use std::sync::Once;

/// Workers' threads are named so.
pub(super) const WORKER: &str = "tollgate-worker-";

/// Has panics of workers logged. Those of other threads are shown as before.
pub(super) fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name().is_some_and(|name| name.starts_with(WORKER)) {
                report(info);
            } else {
                others(info);
            }
        }));
    });
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let message = match info.payload().downcast_ref::<&'static str>() {
        Some(literal) => literal,
        None => info.payload().downcast_ref::<String>().map_or("", |text| before_values(text)),
    };
    tracing::error!(target: "tollgate::panic", place, panic = message, "a defect: please report it");
}

/// A formatted message up to where values begin: `expect` and `unwrap` put theirs behind a colon.
fn before_values(message: &str) -> &str {
    let plain = message.split(['"', '\n']).next().unwrap_or_default();
    plain.split(": ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_stay_out_of_messages() {
        for (message, shown) in [
            (
                "called `Result::unwrap()` on an `Err` value: Denied(\"s3cret\")",
                "called `Result::unwrap()` on an `Err` value",
            ),
            ("index out of bounds: the len is 3 but the index is 7", "index out of bounds"),
            ("no such header \"s3cret\"", "no such header "),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(super::before_values(message), shown);
        }
    }
}
