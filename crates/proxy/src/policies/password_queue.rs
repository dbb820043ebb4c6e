//! A bounded queue for passwords that are slow to check, in which no client has more than a few places: so that nobody who
//! sends wrong ones keeps the others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Passwords waiting or being checked, of all clients.
const MOST_WAITING: usize = 256;
/// Of one client (an IPv6 network of 64 bits is one).
const MOST_OF_ONE: usize = 8;

/// The queue.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A place in the queue, given back however the wait ends.
pub(super) struct Place {
    waiting: Arc<Mutex<Waiting>>,
    client: IpAddr,
}

impl Queue {
    /// A place; none where there are too many, or this client has as many as it may have.
    pub(super) fn enter(&self, client: IpAddr) -> Option<Place> {
        let client = network(client);
        let mut waiting = self.0.lock();
        let own = waiting.by_client.get(&client).copied().unwrap_or(0);
        if waiting.all >= MOST_WAITING || own >= MOST_OF_ONE {
            return None;
        }
        waiting.all += 1;
        waiting.by_client.insert(client, own + 1);
        Some(Place { waiting: self.0.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        waiting.all = waiting.all.saturating_sub(1);
        if let Some(own) = waiting.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                waiting.by_client.remove(&self.client);
            }
        }
    }
}

/// What counts as one client.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
