//! The change to another protocol on a client's connection (RFC 9110 section 7.8): the connection offers itself with the
//! request, and goes over once its 101 is out.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// A connection's bytes.
pub trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// The connection's end of an offer.
pub struct Switch(oneshot::Sender<Box<dyn Bytes>>);

/// Who takes the offer waits here for the connection.
pub struct Switched(oneshot::Receiver<Box<dyn Bytes>>);

impl Switch {
    /// An offer and its other end.
    pub fn offer() -> (Self, Switched) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), Switched(receiver))
    }

    /// Hands the connection over. It ends where nobody took the offer.
    pub fn go(self, connection: Box<dyn Bytes>) {
        drop(self.0.send(connection));
    }
}

impl Switched {
    /// The connection, once it is handed over.
    pub async fn wait(self) -> Option<Box<dyn Bytes>> {
        self.0.await.ok()
    }
}
