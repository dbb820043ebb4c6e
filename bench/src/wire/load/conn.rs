//! One connection of the load: a transport and what is spoken over it.

use super::h1;
use super::h2;
use super::transport::Transport;
use super::{Expect, Fault, Got, Protocol, Request, Target};
use crate::wire::clock::Nanos;
use crate::wire::poll::Ready;

pub(super) struct Conn {
    pub(super) transport: Transport,
    codec: Codec,
    /// Whether requests may be sent.
    pub(super) up: bool,
    /// The intended time of the request that opened this connection.
    pub(super) first: Option<Nanos>,
    /// Whether it stands in the driver's queue of connections with room.
    pub(super) listed: bool,
    /// Requests answered here.
    pub(super) served: u64,
    out: Vec<u8>,
}

enum Codec {
    H1(h1::Client),
    H2(h2::Client),
}

impl Conn {
    pub(super) fn open(target: &Target, streams: usize, first: Option<Nanos>) -> Result<Self, Fault> {
        let transport = Transport::open(target)?;
        let mut out = Vec::new();
        let codec = match target.protocol {
            Protocol::H1 => Codec::H1(h1::Client::new()),
            Protocol::H2 => Codec::H2(h2::Client::new(streams, &mut out)),
        };
        Ok(Self { transport, codec, up: false, first, listed: false, served: 0, out })
    }

    /// How many requests may be begun.
    pub(super) fn free(&self) -> usize {
        match &self.codec {
            _ if !self.up => 0,
            Codec::H1(client) => client.free(),
            Codec::H2(client) => client.free(),
        }
    }

    /// The intended times of the requests under way.
    pub(super) fn flying(&self) -> Vec<Nanos> {
        match &self.codec {
            Codec::H1(client) => client.flying().chain(self.first).collect(),
            Codec::H2(client) => client.flying().chain(self.first).collect(),
        }
    }

    /// Nothing is under way and nothing more may be asked.
    pub(super) fn spent(&self) -> bool {
        let last = match &self.codec {
            Codec::H1(client) => client.last(),
            Codec::H2(client) => client.last(),
        };
        last && self.flying().is_empty()
    }

    /// Puts a request into the outgoing bytes; `send` sends them.
    pub(super) fn begin(&mut self, request: &Request, intended: Nanos) {
        match &mut self.codec {
            Codec::H1(client) => client.begin(request, intended, &mut self.out),
            Codec::H2(client) => client.begin(request, intended, &mut self.out),
        }
    }

    pub(super) fn send(&mut self) -> Result<(), Fault> {
        if !self.out.is_empty() {
            self.transport.write(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    /// Reads all there is; `Ok(false)` at the end of the stream.
    pub(super) fn receive(
        &mut self,
        ready: Ready,
        scratch: &mut [u8],
        expect: &Expect,
        got: &mut Got,
    ) -> Result<bool, Fault> {
        let Self { transport, codec, out, .. } = self;
        transport.read(ready, scratch, &mut |bytes| match codec {
            Codec::H1(client) => client.receive(bytes, expect, got),
            Codec::H2(client) => client.receive(bytes, expect, &mut got.done, out),
        })
    }
}
