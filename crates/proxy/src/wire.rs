//! A TCP stream that writes small messages in one piece. A head and a short body come as two slices; on a socket `send` of
//! the joined bytes costs less than `writev` of the parts, and joining a few kilobytes costs next to nothing. Large bodies
//! are never copied.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Up to so many bytes are joined.
const JOINED: usize = 4096;

thread_local! {
    /// One for each worker: it is full only within a single write.
    static DESK: RefCell<[u8; JOINED]> = const { RefCell::new([0; JOINED]) };
}

/// A stream that writes small messages in one piece.
#[derive(Debug)]
pub struct Wire<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        match parts {
            [] => stream.poll_write(cx, &[]),
            [one] => stream.poll_write(cx, one),
            several => {
                if several.iter().map(|part| part.len()).sum::<usize>() > JOINED {
                    return stream.poll_write_vectored(cx, several);
                }
                DESK.with_borrow_mut(|desk| {
                    let mut used = 0;
                    for part in several {
                        let Some(place) = desk.get_mut(used..used + part.len()) else { break };
                        place.copy_from_slice(part);
                        used += part.len();
                    }
                    stream.poll_write(cx, desk.get(..used).unwrap_or_default())
                })
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Notes what is written, and how.
    #[derive(Default)]
    struct Notes(Vec<(&'static str, Vec<u8>)>);

    impl AsyncWrite for Notes {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.push(("write", bytes.to_vec()));
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all = parts.iter().flat_map(|part| part.to_vec()).collect::<Vec<u8>>();
            let count = all.len();
            self.0.push(("writev", all));
            Poll::Ready(Ok(count))
        }
        fn is_write_vectored(&self) -> bool {
            true
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn small_parts_are_joined_and_large_ones_are_not_copied() {
        for (sizes, how) in [
            (&[][..], "write"),
            (&[9000], "write"),
            (&[200, 1024], "write"),
            (&[96, 4000], "write"),
            (&[97, 4000], "writev"),
        ] {
            let parts: Vec<Vec<u8>> = sizes.iter().enumerate().map(|(at, size)| vec![at as u8; *size]).collect();
            let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut wire = Wire(Notes::default());
            let mut cx = Context::from_waker(Waker::noop());
            let written = Pin::new(&mut wire).poll_write_vectored(&mut cx, &slices);
            assert!(matches!(written, Poll::Ready(Ok(count)) if count == sizes.iter().sum::<usize>()), "{sizes:?}");
            assert_eq!(wire.0.0, [(how, parts.concat())], "{sizes:?}");
        }
    }
}
