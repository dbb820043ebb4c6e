//! Vectors that are remembered, so many at most: the newest takes the place of the oldest.

use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::{Sketch, Vector};

/// What has a vector.
pub trait Placed {
    /// Its vector.
    fn vector(&self) -> Option<&Vector>;
}

/// Things with vectors, in spaces that do not see each other. It does not keep them: who lets go of one is done with it.
pub struct Ring<T> {
    most: usize,
    all: RwLock<All<T>>,
}

struct All<T> {
    /// What a lookup reads of every one.
    marks: Vec<Mark>,
    things: Vec<Weak<T>>,
    /// Where the next one goes, once it is full.
    next: usize,
}

#[derive(Clone, Copy)]
struct Mark {
    space: u64,
    sketch: Sketch,
}

/// The most vectors that are compared in a lookup, the newest first.
const MOST_COMPARED: usize = 1024;

impl<T: Placed> Ring<T> {
    /// An empty one, for so many.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), all: RwLock::new(All { marks: Vec::new(), things: Vec::new(), next: 0 }) }
    }

    /// Remembers a thing in this space. One without a vector is not.
    pub fn push(&self, space: u64, thing: &Arc<T>) {
        let Some(vector) = thing.vector() else { return };
        let mark = Mark { space, sketch: *vector.sketch() };
        let thing = Arc::downgrade(thing);
        let mut all = self.all.write();
        if all.marks.len() < self.most {
            all.marks.push(mark);
            all.things.push(thing);
            return;
        }
        let at = all.next;
        if let Some(known) = all.marks.get_mut(at) {
            *known = mark;
        }
        if let Some(known) = all.things.get_mut(at) {
            *known = thing;
        }
        all.next = (at + 1) % self.most;
    }

    /// The nearest to this vector in a space, and the cosine between them, if that is at least `least`. What is not `good`
    /// is passed over.
    pub fn nearest(&self, space: u64, to: &Vector, least: f32, good: impl Fn(&T) -> bool) -> Option<(Arc<T>, f32)> {
        let most = Sketch::most(least);
        let all = self.all.read();
        let (new, old) = (all.marks.get(..all.next)?, all.marks.get(all.next..)?);
        let new = new.iter().enumerate().rev();
        let old = old.iter().enumerate().rev().map(|(at, mark)| (at + all.next, mark));
        let near = new.chain(old).filter(|(_, mark)| mark.space == space && mark.sketch.differs(to.sketch()) <= most);
        let mut nearest: Option<(Arc<T>, f32)> = None;
        for (at, _) in near.take(MOST_COMPARED) {
            let Some(thing) = all.things.get(at).and_then(Weak::upgrade) else { continue };
            let Some(cosine) = thing.vector().and_then(|vector| vector.cosine(to)) else { continue };
            let best = nearest.as_ref().map_or(least, |(_, best)| best.next_up());
            if cosine >= best && good(&thing) {
                nearest = Some((thing, cosine));
            }
        }
        nearest
    }

    /// How many are remembered, those included that were let go of since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.read().marks.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
