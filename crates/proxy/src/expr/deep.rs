//! A stack of its own for parsers. They are recursive and not ours: a worker's stack could overflow, which ends the
//! process, and a defect of theirs must be no more than a message.

/// Runs `work` on a thread with a stack of so many bytes, which is only mapped as far as it is used. An error is a
/// message.
pub(super) fn run<T: Send>(stack: usize, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("expression".to_owned()).stack_size(stack);
        match thread.spawn_scoped(scope, work) {
            Ok(running) => running.join().map_err(|_| "it cannot be read".to_owned()),
            Err(error) => Err(format!("there is no thread to read it on: {error}")),
        }
    })
}
