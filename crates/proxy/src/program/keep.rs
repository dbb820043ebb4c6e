//! State that outlives configuration: limiter counters, pools, health, slots. It is keyed by names, never by numbers, so
//! that a changed limit rescales and does not refill, and it is dropped once no program has used it.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::Consumers;

/// State by key. Programs hold what they use; what none holds is gone at the next sweep.
#[derive(Default)]
pub struct Keep {
    entries: Mutex<HashMap<String, Weak<dyn Any + Send + Sync>>>,
    listeners: Mutex<HashMap<String, u32>>,
    consumers: Mutex<HashMap<Arc<str>, u32>>,
    /// Files that policies of the last compiled configuration named, good or not.
    files: Mutex<BTreeSet<PathBuf>>,
    /// Those of the last program that was compiled.
    last: Mutex<Option<Arc<Consumers>>>,
}

impl Keep {
    /// The state of this key, made when there is none of this type. The caller's `Arc` keeps it.
    pub fn get<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut entries = self.entries.lock();
        if let Some(kept) = entries.get(key).and_then(Weak::upgrade)
            && let Ok(kept) = kept.downcast::<T>()
        {
            return kept;
        }
        let made = Arc::new(make());
        let erased: Arc<dyn Any + Send + Sync> = made.clone();
        entries.insert(key.to_owned(), Arc::downgrade(&erased));
        made
    }

    /// Forgets what no program holds any more.
    pub fn sweep(&self) {
        self.entries.lock().retain(|_, kept| kept.strong_count() > 0);
    }

    /// Forgets the files of the configuration before.
    pub(super) fn begin_files(&self) {
        self.files.lock().clear();
    }

    /// Remembers that a policy names a file.
    pub(super) fn names_file(&self, path: PathBuf) {
        self.files.lock().insert(path);
    }

    /// The files that policies of the last compiled configuration name, good or not: a change of one is a change of it.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.files.lock().clone()
    }

    /// The consumers of the program before: what is known of them beside configuration lives on.
    pub(super) fn consumers(&self) -> Option<Arc<Consumers>> {
        self.last.lock().clone()
    }

    /// Remembers the consumers of a program.
    pub(super) fn keep_consumers(&self, consumers: &Arc<Consumers>) {
        *self.last.lock() = Some(consumers.clone());
    }

    /// The slot of a listener.
    pub fn listener_slot(&self, name: &str) -> u32 {
        slot(&mut self.listeners.lock(), name)
    }

    /// The slot of a consumer.
    pub fn consumer_slot(&self, name: &str) -> u32 {
        self.consumer(name).1
    }

    /// A consumer's name, which there is once however many programs know it, and its slot.
    pub(super) fn consumer(&self, name: &str) -> (Arc<str>, u32) {
        let mut slots = self.consumers.lock();
        if let Some((name, slot)) = slots.get_key_value(name) {
            return (name.clone(), *slot);
        }
        let (name, next): (Arc<str>, _) = (name.into(), u32::try_from(slots.len()).unwrap_or(u32::MAX));
        slots.insert(name.clone(), next);
        (name, next)
    }
}

fn slot(slots: &mut HashMap<String, u32>, name: &str) -> u32 {
    let next = u32::try_from(slots.len()).unwrap_or(u32::MAX);
    *slots.entry(name.to_owned()).or_insert(next)
}
