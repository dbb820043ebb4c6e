//! A slab whose keys carry a generation, so that an event for a closed connection never reaches its successor.

/// Names one entry; stale after the entry was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    /// Place in the slab.
    pub(crate) index: u32,
    /// How often the place was reused, modulo 2^24 (the room a poll token has for it).
    pub(crate) generation: u32,
}

struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

/// The slab.
pub(crate) struct Slots<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    /// Empty.
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    /// How many entries are in use.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Stores `value` and names it.
    pub(crate) fn insert(&mut self, value: T) -> Slot {
        if let Some(index) = self.free.pop()
            && let Some(entry) = self.entries.get_mut(index as usize)
        {
            entry.generation = (entry.generation + 1) & 0xff_ffff;
            entry.value = Some(value);
            return Slot { index, generation: entry.generation };
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(Entry { generation: 0, value: Some(value) });
        Slot { index, generation: 0 }
    }

    /// The entry, unless it was removed since.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let entry = self.entries.get_mut(slot.index as usize)?;
        if entry.generation == slot.generation { entry.value.as_mut() } else { None }
    }

    /// Takes the entry out.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        let entry = self.entries.get_mut(slot.index as usize)?;
        if entry.generation != slot.generation {
            return None;
        }
        let value = entry.value.take()?;
        self.free.push(slot.index);
        Some(value)
    }

    /// Every entry in use, emptying the slab.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.free.clear();
        self.entries.drain(..).filter_map(|entry| entry.value)
    }
}
