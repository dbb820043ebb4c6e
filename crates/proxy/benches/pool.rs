//! A connection out of the pool and back into it, as each request has it: with one that is kept, and with many.
//!
//! `cargo bench -p tollgate-proxy --bench pool`
#![expect(clippy::unwrap_used, reason = "a benchmark: what fails here fails it")]

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use proxy::clock::Clock;
use proxy::exchange::testing;
use proxy::program::{Environment, Program, UpstreamId};
use proxy::upstream::Upstream;
use proxy::upstream::benching::{Taken, checkout};
use tokio::net::TcpListener;

fn program(port: u16) -> Arc<Program> {
    let text = format!(
        "
version: 1
upstreams: [{{ name: u, targets: [{{ url: 'http://127.0.0.1:{port}' }}], pool: {{ idle: 1024 }} }}]
"
    );
    testing::program_in(&text, &Environment { clock: Clock::system(), ..testing::environment() })
}

/// A connection that is there: nothing has to be waited for.
fn take(upstream: &Upstream) -> Taken {
    let taken = match pin!(checkout(upstream)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(taken) => taken,
        Poll::Pending => None,
    };
    taken.unwrap()
}

fn pool(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for kept in [1, 256] {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let program = program(listener.local_addr().unwrap().port());
            let upstream = program.upstream(UpstreamId(0)).unwrap();
            let mut far_ends = Vec::new();
            let mut opened = Vec::new();
            for _ in 0..kept {
                let (near, far) = tokio::join!(checkout(upstream), listener.accept());
                opened.push(near.unwrap());
                far_ends.push(far.unwrap());
            }
            opened.into_iter().for_each(Taken::give_back);
            c.bench_function(&format!("pool/{kept}"), |b| {
                b.iter(|| {
                    let taken = take(black_box(upstream));
                    black_box(taken.address());
                    taken.give_back();
                });
            });
        });
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = pool }
criterion_main!(benches);
