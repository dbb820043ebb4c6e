//! Programs that no longer run. Their last user may be an exchange on a worker, and taking ten thousand routes apart
//! takes milliseconds; so a thread of its own holds each until nobody else does.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::program::{Keep, Program};

/// How often it looks whether a program is free.
const LOOK: Duration = Duration::from_millis(100);
/// Programs that wait to be handed over; publishing waits where they are more.
const QUEUE: usize = 16;

/// Holds programs that no longer run.
pub(super) struct Retired {
    queue: Mutex<Option<SyncSender<Arc<Program>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Retired {
    /// Starts the thread. Where there is none to be had, programs are dropped where they are let go of.
    pub(super) fn new(keep: Arc<Keep>) -> Self {
        let (queue, incoming) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("tollgate-retired".to_owned());
        let thread = thread.spawn(move || wait(&incoming, &keep)).ok();
        Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(thread) }
    }

    /// Takes a program over.
    pub(super) fn take(&self, program: Arc<Program>) {
        if let Some(queue) = &*self.queue.lock() {
            let _ = queue.send(program);
        }
    }

    /// Ends the thread; what it holds is dropped.
    pub(super) fn stop(&self) {
        drop(self.queue.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

fn wait(incoming: &Receiver<Arc<Program>>, keep: &Keep) {
    let mut held: Vec<Arc<Program>> = Vec::new();
    loop {
        let next = if held.is_empty() {
            incoming.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            incoming.recv_timeout(LOOK)
        };
        match next {
            Ok(program) => held.push(program),
            Err(RecvTimeoutError::Timeout) => {
                let before = held.len();
                held.retain(|program| Arc::strong_count(program) > 1);
                if held.len() < before {
                    keep.sweep();
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
