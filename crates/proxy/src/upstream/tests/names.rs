//! Names of targets: the machine's own, a name server's, answers that change and answers that stop coming.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::upstream::dns::{Name, Resolve};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::pool::Pool;
use crate::upstream::target::Speaks;
use crate::upstream::testing::{Upstream, addresses, code, get, program, request, soon, text, until};

#[tokio::test]
async fn localhost_is_this_machine() {
    let upstream = Upstream::serve(async |request| text(request.headers()["host"].to_str().unwrap().to_owned())).await;
    let port = upstream.address.port();
    let program = program(&format!("targets: [{{ url: 'http://LocalHost:{port}' }}]"));
    assert!(addresses(&program).is_empty(), "nobody asked yet");
    for _ in 0..6 {
        let (status, host) = get(&program, "/").await;
        assert_eq!((status, host.to_lowercase()), (200, format!("localhost:{port}")));
    }
    // Nothing listens at `::1`. Where the machine has that name for it too, that is noticed once.
    assert!(upstream.seen.connections() <= 2);
    assert!(addresses(&program).iter().any(|address| address.address == upstream.address));
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_an_answer() {
    // `.invalid` is answered at once by a resolver, or not at all where there is none.
    let program = program("targets: [{ url: 'http://no-such-host.invalid' }], timeouts: { connect: 500ms }");
    assert_eq!(code(&program, request("/")).await, "502 upstream.dns");
}

/// The addresses and the TTL of each name.
type Zone = HashMap<String, (Vec<Ipv4Addr>, u32)>;

/// A name server: each name's addresses and TTL; a name without any does not exist. It can fall silent.
struct Server {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<Mutex<usize>>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (zone, asked) = (Arc::new(Mutex::new(Zone::new())), Arc::new(Mutex::new(0)));
        let (answers, count) = (zone.clone(), asked.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let answer = answer(&packet[..length], &answers.lock());
                *count.lock() += 1;
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { address, zone, asked, _tasks: tasks }
    }

    fn set(&self, name: &str, addresses: &[[u8; 4]], ttl: u32) {
        let addresses = addresses.iter().map(|&octets| Ipv4Addr::from(octets)).collect();
        self.zone.lock().insert(name.to_owned(), (addresses, ttl));
    }

    fn config(&self) -> ResolverConfig {
        let mut connection = ConnectionConfig::udp();
        connection.port = self.address.port();
        ResolverConfig::from_parts(
            None,
            Vec::new(),
            vec![NameServerConfig::new(self.address.ip(), true, vec![connection])],
        )
    }

    fn name(&self, host: &str) -> Arc<Name> {
        let make = |address| {
            let pool = Arc::new(Pool::new(Speaks::H1, 1, &Clock::system()));
            Arc::new(Endpoint::new(address, pool))
        };
        Arc::new(Name::new(host, 80, Resolve::Servers(Box::new(self.config())), Box::new(make), Arc::default()))
    }
}

/// Answers a DNS query (RFC 1035 section 4) of one question.
fn answer(query: &[u8], zone: &Zone) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    let is_a = query[at + 1..at + 3] == [0, 1];
    let known = zone.get(&labels.join("."));
    let addresses = known.filter(|_| is_a).map_or(&[][..], |(addresses, _)| addresses);
    let mut packet = query[..2].to_vec();
    packet.extend([0x81, if known.is_some_and(|(all, _)| !all.is_empty()) { 0x80 } else { 0x83 }]);
    packet.extend([0, 1, 0, addresses.len() as u8, 0, 0, 0, 0]);
    packet.extend(&query[12..at + 5]);
    for address in addresses {
        packet.extend([0xc0, 12, 0, 1, 0, 1]);
        packet.extend(known.unwrap().1.to_be_bytes());
        packet.extend([0, 4]);
        packet.extend(address.octets());
    }
    packet
}

fn ips(name: &Name) -> Vec<IpAddr> {
    name.endpoints().iter().map(|endpoint| endpoint.address.ip()).collect()
}

#[tokio::test]
async fn all_addresses_of_a_name_are_used() {
    let server = Server::start().await;
    server.set("up.test", &[[127, 0, 0, 2], [127, 0, 0, 1]], 60);
    let name = server.name("up.test");
    assert!(ips(&name).is_empty());
    soon(name.ready()).await.unwrap();
    assert_eq!(ips(&name), [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])]);
}

#[tokio::test]
async fn a_name_is_asked_for_again_when_its_ttl_ends_and_keeps_what_it_has() {
    let server = Server::start().await;
    server.set("up.test", &[[127, 0, 0, 1]], 1);
    let name = server.name("up.test");
    soon(name.ready()).await.unwrap();
    let kept = name.endpoints()[0].clone();
    server.set("up.test", &[[127, 0, 0, 1], [127, 0, 0, 3]], 1);
    until_slowly(|| ips(&name).len() == 2).await;
    assert_eq!(ips(&name)[1], IpAddr::from([127, 0, 0, 3]));
    // Nothing now: what is known stays in use.
    server.set("up.test", &[], 1);
    let asked = *server.asked.lock();
    until_slowly(|| *server.asked.lock() > asked + 2).await;
    assert_eq!(ips(&name).len(), 2);
    assert!(name.failure().is_none(), "it serves");
    drop(kept);
}

#[tokio::test]
async fn a_failure_counts_for_a_moment_and_is_mended() {
    let server = Server::start().await;
    let name = server.name("late.test");
    assert!(soon(name.ready()).await.is_err());
    let asked = *server.asked.lock();
    assert!(soon(name.ready()).await.is_err());
    assert!(*server.asked.lock() <= asked + 2, "the second did not ask for itself");
    assert!(name.failure().is_some());
    server.set("late.test", &[[127, 0, 0, 1]], 60);
    until_slowly(|| !ips(&name).is_empty()).await;
    soon(name.ready()).await.unwrap();
    assert!(name.failure().is_none());
}

#[tokio::test]
async fn a_name_that_nobody_uses_is_let_go() {
    let server = Server::start().await;
    server.set("up.test", &[[127, 0, 0, 1]], 1);
    let name = server.name("up.test");
    soon(name.ready()).await.unwrap();
    let weak = Arc::downgrade(&name);
    drop(name);
    until(|| weak.strong_count() == 0).await;
}

/// Waits for what takes as long as a TTL.
async fn until_slowly(what: impl Fn() -> bool) {
    soon(async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
