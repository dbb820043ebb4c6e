//! A client that leaves takes its work with it.

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::exchange::testing::PEER;
use crate::pipeline;
use crate::upstream::testing::{
    Upstream, addresses, exchange_from, in_flight, program, read_head, request, send, soon, until,
};

#[tokio::test]
async fn before_the_response_the_connection_is_closed() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        // Ends as the gateway closes.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let program = program(&upstream.targets());
    let mut served = Box::pin(pipeline::serve(exchange_from(&program, PEER, request("/"))));
    soon(async {
        while upstream.seen.connections() == 0 {
            tokio::select! {
                _ = &mut served => panic!("nothing was answered"),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    assert_eq!(in_flight(&program), 1);
    drop(served);
    assert_eq!(in_flight(&program), 0);
    until(|| upstream.seen.closed() == 1).await;
    let [status] = addresses(&program)[..] else { panic!() };
    assert_eq!((status.connections, status.idle, status.errors), (0, 0, 0), "the target is not to blame");
}

#[tokio::test]
async fn within_the_response_the_connection_is_closed() {
    let upstream = Upstream::raw(async |mut stream, _| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let program = program(&upstream.targets());
    let mut response = send(&program, request("/")).await;
    let frame = soon(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "part");
    assert_eq!(in_flight(&program), 1);
    drop(response);
    assert_eq!((in_flight(&program), addresses(&program)[0].connections), (0, 0));
    until(|| upstream.seen.closed() == 1).await;
}

#[tokio::test]
async fn on_a_shared_connection_only_the_stream_is_reset() {
    let (told, mut cancelled) = tokio::sync::mpsc::channel(10);
    let upstream = Upstream::h2c(100, move |request| {
        let told = told.clone();
        async move {
            // Dropped as the stream is reset.
            let guard = scopeguard(move || told.try_send(()).unwrap());
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            drop(guard);
            crate::upstream::testing::text("ok")
        }
    })
    .await;
    let program = program(&format!("targets: [{{ url: 'h2c://{}' }}]", upstream.address));
    assert_eq!(crate::upstream::testing::get(&program, "/").await.0, 200);
    soon(cancelled.recv()).await.unwrap();
    let mut served = Box::pin(pipeline::serve(exchange_from(&program, PEER, request("/never"))));
    soon(async {
        while upstream.seen.requests() < 2 {
            tokio::select! {
                _ = &mut served => panic!("nothing was answered"),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    drop(served);
    soon(cancelled.recv()).await.unwrap();
    assert_eq!(in_flight(&program), 0);
    assert_eq!(crate::upstream::testing::get(&program, "/").await.0, 200);
    assert_eq!(upstream.seen.connections(), 1);
}

/// Runs `end` when it is dropped.
fn scopeguard<F: FnMut()>(end: F) -> impl Drop {
    struct Guard<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Guard(end)
}
