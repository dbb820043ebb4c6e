//! One block of counters a worker, so that workers never write to the same memory. A block is made when its worker first
//! counts there: most of ten thousand routes are asleep, and their counters cost a pointer.

use std::sync::OnceLock;

/// Blocks by worker, made as they are needed.
pub(super) struct Stripes<T> {
    blocks: OnceLock<Box<[OnceLock<Box<T>>]>>,
}

impl<T> Default for Stripes<T> {
    fn default() -> Self {
        Self { blocks: OnceLock::new() }
    }
}

impl<T: Default> Stripes<T> {
    /// The block of this worker among so many. Whoever is none of them shares one, which is right if slower: blocks
    /// are made of atomics.
    pub(super) fn of(&self, worker: usize, workers: usize) -> Option<&T> {
        let blocks = self.blocks.get_or_init(|| (0..workers.max(1)).map(|_| OnceLock::new()).collect());
        let block = blocks.get(worker).or_else(|| blocks.get(worker % blocks.len()))?;
        Some(block.get_or_init(Box::default))
    }

    /// The blocks that were made.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let blocks = self.blocks.get().map(|blocks| &**blocks).unwrap_or_default();
        blocks.iter().filter_map(|block| block.get().map(|block| &**block))
    }
}
