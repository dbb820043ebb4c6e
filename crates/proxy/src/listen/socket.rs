//! Listening sockets: one a worker for the same address.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::program::ListenerPlan;
use model::load::Span;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, TcpKeepalive, Type};

/// Connections that may wait to be accepted, a socket. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Why a listener could not be opened.
#[derive(Debug)]
pub struct BindError {
    /// The listener's name.
    pub listener: String,
    /// The address it was to have.
    pub address: String,
    /// Where the address was written.
    pub span: Span,
    /// What the system said.
    pub source: io::Error,
}

impl BindError {
    /// Why a listener could not be opened.
    pub(super) fn of(plan: &ListenerPlan, source: io::Error) -> Self {
        let address = &plan.listener.address;
        Self { listener: plan.name.to_string(), address: address.value.clone(), span: address.span, source }
    }

    /// Why a worker could not be started.
    pub(super) fn of_worker(number: usize, source: io::Error) -> Self {
        Self { listener: format!("(worker {number})"), address: String::new(), span: Span::NONE, source }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listener `{}` cannot listen on {}: ", self.listener, self.address)?;
        match self.source.kind() {
            io::ErrorKind::AddrInUse => f.write_str("another process or listener has this address"),
            io::ErrorKind::AddrNotAvailable => f.write_str("no network interface has this address"),
            io::ErrorKind::PermissionDenied => {
                f.write_str("not permitted; ports below 1024 need the capability CAP_NET_BIND_SERVICE")
            }
            _ => self.source.fmt(f),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What tells one listening address from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// As it was written; port 0 takes a free one.
    pub(super) written: SocketAddr,
    /// Whether an IPv6 address leaves IPv4 to another listener of the same port.
    pub(super) family: Family,
}

/// Whether an unspecified IPv6 address takes IPv4 connections too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// It does; and IPv4 addresses are always this.
    Both,
    /// It does not.
    OnlyV6,
}

/// Whether somebody else may hold the address already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Nobody may: two gateways that were started by mistake would share the traffic without a word.
    Nobody,
    /// A sibling of this process that will be closed may.
    Sibling,
}

/// Opens one socket a worker.
pub(super) fn open(address: Address, workers: usize, share: Share) -> io::Result<Vec<TcpListener>> {
    let mut at = address;
    if share == Share::Nobody && at.written.port() != 0 {
        // Without SO_REUSEPORT this fails where anybody listens.
        bind(at, Reuse::Address)?;
    }
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers.max(1) {
        let socket = bind(at, Reuse::Port)?;
        if let Some(bound) = socket.local_addr()?.as_socket() {
            at.written = bound;
        }
        sockets.push(socket);
    }
    // Listening begins once all are bound, so that nothing is queued on an address that is given up again.
    for socket in &sockets {
        socket.listen(BACKLOG)?;
    }
    Ok(sockets.into_iter().map(TcpListener::from).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Address,
    Port,
}

fn bind(address: Address, reuse: Reuse) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address.written), Type::STREAM, Some(Protocol::TCP))?;
    if address.written.is_ipv6() {
        socket.set_only_v6(address.family == Family::OnlyV6)?;
    }
    socket.set_reuse_address(true)?;
    if reuse == Reuse::Port {
        socket.set_reuse_port(true)?;
    }
    // Accepted sockets inherit these, which saves the calls on each.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.written.into())?;
    Ok(socket)
}

/// Clients that vanished without a word are found after about three minutes.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(120)).with_interval(Duration::from_secs(20)).with_retries(4);

/// Makes a listening socket deaf to new connections, while handshakes under way still complete, so that its backlog can
/// be emptied before it is closed and nothing that a client thinks is open is reset.
pub(super) fn stop_new(listener: &tokio::net::TcpListener) -> io::Result<()> {
    /// Byte 13 of the TCP header has the flags; SYN without ACK asks for a new connection.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_AND_ACK: u32 = 0x12;
    // Classic BPF (linux/filter.h): load the byte, mask it, compare; take the whole packet or none of it.
    let program = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x54, 0, 0, SYN_AND_ACK),
        SockFilter::new(0x15, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&program)
}
