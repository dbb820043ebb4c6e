//! What a lookup in the vectors of the semantic cache takes: of texts that have nothing to do with what is asked, and where
//! every vector is as near as the threshold, so that each is compared.
#![expect(clippy::expect_used, reason = "a benchmark: what fails here fails it")]

use std::hint::black_box;
use std::sync::Arc;

use ai::vectors::{Placed, Ring, Sketch, Vector};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

struct Thing(Vector);

impl Placed for Thing {
    fn vector(&self) -> Option<&Vector> {
        Some(&self.0)
    }
}

struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }

    /// All of the same model have something in common, as embeddings do: `common` of 1.
    fn vector(&mut self, dimensions: usize, common: f32) -> Vector {
        Vector::of((0..dimensions).map(|_| self.next() + common).collect()).expect("it has a direction")
    }
}

fn lookup(c: &mut Criterion) {
    for (dimensions, name) in [(384, "384"), (1536, "1536")] {
        let mut group = c.benchmark_group(format!("nearest of vectors of {name} dimensions"));
        for (count, common, what) in [
            (1_000, 0.2, "unlike"),
            (10_000, 0.2, "unlike"),
            (50_000, 0.2, "unlike"),
            // Their cosines are about 0.92: every one is compared, up to the bound.
            (50_000, 1.0, "alike"),
        ] {
            if dimensions == 384 && count == 1_000 {
                continue;
            }
            let (ring, mut draw) = (Ring::new(count), Draw(7));
            let things: Vec<Arc<Thing>> =
                (0..count).map(|_| Arc::new(Thing(draw.vector(dimensions, common)))).collect();
            things.iter().for_each(|thing| ring.push(1, thing));
            let to = draw.vector(dimensions, common);
            group.bench_with_input(BenchmarkId::new(what, count), &to, |b, to| {
                b.iter(|| black_box(ring.nearest(1, black_box(to), 0.95, |_| true)).is_some());
            });
        }
        group.finish();
    }
}

fn make(c: &mut Criterion) {
    let values: Vec<f32> = {
        let mut draw = Draw(3);
        (0..1536).map(|_| draw.next()).collect()
    };
    c.bench_function("sketch of 1536 dimensions", |b| b.iter(|| Sketch::of(black_box(&values))));
    let (one, other) = {
        let mut draw = Draw(5);
        (draw.vector(1536, 0.1), draw.vector(1536, 0.1))
    };
    c.bench_function("cosine of 1536 dimensions", |b| b.iter(|| black_box(&one).cosine(black_box(&other))));
}

criterion_group!(vectors, lookup, make);
criterion_main!(vectors);
