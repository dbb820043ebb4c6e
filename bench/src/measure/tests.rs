use super::*;

#[test]
fn cpu_of_this_process_is_seen() {
    let gauge = Gauge::of(std::process::id(), cores()[0]);
    let first = gauge.read();
    let start = own_cpu();
    while own_cpu() - start < Duration::from_millis(60) {
        std::hint::black_box((0..1000u64).sum::<u64>());
    }
    let last = gauge.read();
    // The kernel brings a running thread's time up to date at its ticks only.
    let used = last.used_since(&first);
    assert!(used.cpu >= Duration::from_millis(40), "{used:?}");
    assert!(used.share() > 0.0);
    assert!(gauge.rss() > 1 << 20);
}

#[test]
fn children_belong_to_a_process() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let pids = Gauge::of(std::process::id(), 0).pids;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(pids.contains(&child.id()), "{pids:?}");
}
