//! One connection to a directory (RFC 4511): a question at a time, each answered before the next.

use std::collections::BTreeMap;
use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ber::{ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, Writer, whole};
use super::filter::{Filter, Holes, boolean};
use super::server::{Security, Server};

/// Entries of one answer. More is a question that was asked wrongly.
const MOST_ENTRIES: usize = 2000;

/// A stream that LDAP is spoken over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection.
pub(super) struct Connection {
    wire: Box<dyn Wire>,
    read: BytesMut,
    last: i32,
    /// Whether it is bound as the account that searches.
    pub(super) is_account: bool,
}

/// Why there is no answer. A sentence for the log.
pub(super) type Broken = String;

/// What became of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Yes,
    /// It is not this user, or the user may not.
    No,
}

/// An entry: its name, and attributes by their names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
}

/// What is searched for.
pub(super) struct Search<'s> {
    pub(super) base: &'s str,
    /// 0 the entry alone, 1 those below it, 2 all below it.
    pub(super) scope: i32,
    pub(super) filter: &'s Filter,
    pub(super) holes: Holes<'s>,
    pub(super) attributes: &'s [String],
    /// Entries that are wanted at most; 0 as many as there are.
    pub(super) most: i32,
}

impl Connection {
    /// Connects, and encrypts where that is asked for.
    pub(super) async fn open(server: &Server) -> Result<Self, Broken> {
        let stream = TcpStream::connect((server.host.as_str(), server.port)).await.map_err(told)?;
        let _ = stream.set_nodelay(true);
        let plain = Self { wire: Box::new(stream), read: BytesMut::new(), last: 0, is_account: false };
        match &server.security {
            Security::Plain => Ok(plain),
            Security::Tls(tls) => plain.encrypted(tls).await,
            Security::StartTls(tls) => {
                let mut plain = plain;
                let answer = plain.ask(0x77, |out| out.bytes(0x80, b"1.3.6.1.4.1.1466.20037"), 0x78).await?;
                match answer.code {
                    0 if plain.read.is_empty() => plain.encrypted(tls).await,
                    // What came in the clear behind the answer is nobody's word.
                    0 => Err("it sent something before TLS began".to_owned()),
                    code => Err(format!("StartTLS was refused: {code}")),
                }
            }
        }
    }

    async fn encrypted(self, tls: &super::server::Tls) -> Result<Self, Broken> {
        let connector = tokio_rustls::TlsConnector::from(tls.config.clone());
        let wire = connector.connect(tls.name.clone(), self.wire).await.map_err(told)?;
        Ok(Self { wire: Box::new(wire), read: BytesMut::new(), last: self.last, is_account: false })
    }

    /// Shows a name and a password. An empty password would be no question about the name (RFC 4513 section 5.1.2): whoever
    /// asks refuses it before.
    pub(super) async fn bind(&mut self, dn: &str, password: &[u8]) -> Result<Bound, Broken> {
        if password.is_empty() != dn.is_empty() {
            return Ok(Bound::No);
        }
        self.is_account = false;
        let write = |out: &mut Writer| {
            out.number(INTEGER, 3);
            out.bytes(OCTETS, dn.as_bytes());
            out.bytes(0x80, password);
        };
        let answer = self.ask(0x60, write, 0x61).await?;
        match answer.code {
            0 => Ok(Bound::Yes),
            // constraintViolation (locked), noSuchObject, invalidDNSyntax, inappropriateAuthentication, invalidCredentials,
            // insufficientAccessRights, unwillingToPerform (disabled).
            19 | 32 | 34 | 48 | 49 | 50 | 53 => Ok(Bound::No),
            code => Err(format!("bind: result {code}")),
        }
    }

    /// Searches. Aliases and referrals are not followed.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<Vec<Entry>, Broken> {
        let write = |out: &mut Writer| {
            out.bytes(OCTETS, search.base.as_bytes());
            out.number(ENUMERATED, search.scope);
            out.number(ENUMERATED, 0);
            out.number(INTEGER, search.most);
            out.number(INTEGER, 0);
            boolean(out, false);
            search.filter.write(out, search.holes);
            out.inside(SEQUENCE, |out| {
                // Without any, all would be sent; this asks for none (RFC 4511 section 4.5.1.8).
                let none = ["1.1".to_owned()];
                let asked = if search.attributes.is_empty() { &none[..] } else { search.attributes };
                asked.iter().for_each(|name| out.bytes(OCTETS, name.as_bytes()));
            });
        };
        let answer = self.ask(0x63, write, 0x65).await?;
        match answer.code {
            0 => Ok(answer.entries),
            // sizeLimitExceeded: there are more than were wanted, which whoever asks sees. Half of all is no answer.
            4 if search.most > 0 => Ok(answer.entries),
            // noSuchObject: nothing is there to be found.
            32 => Ok(Vec::new()),
            code => Err(format!("search: result {code}")),
        }
    }

    /// Asks, and reads until the answer with this tag is there.
    async fn ask(&mut self, tag: u8, write: impl FnOnce(&mut Writer), until: u8) -> Result<Answer, Broken> {
        self.last = self.last.checked_add(1).ok_or("the connection is used up")?;
        let id = self.last;
        let mut message = Writer::default();
        message.inside(SEQUENCE, |out| {
            out.number(INTEGER, id);
            out.inside(tag, write);
        });
        self.wire.write_all(&message.0).await.map_err(told)?;
        self.wire.flush().await.map_err(told)?;
        let mut entries = Vec::new();
        loop {
            let message = self.message().await?;
            let broken = || "a message is broken".to_owned();
            let mut fields = Reader(Reader(&message).expect(SEQUENCE).ok_or_else(broken)?);
            let (of, (found, content)) =
                (fields.number(INTEGER).ok_or_else(broken)?, fields.next().ok_or_else(broken)?);
            if of != id {
                // 0 is the directory's own word, such as that it ends the connection (RFC 4511 section 4.4).
                return Err(if of == 0 {
                    "it ends the connection".to_owned()
                } else {
                    "it answers another question".to_owned()
                });
            }
            match found {
                0x64 if until == 0x65 && entries.len() < MOST_ENTRIES => {
                    entries.push(entry(content).ok_or_else(broken)?)
                }
                0x64 if until == 0x65 => return Err("it found too much".to_owned()),
                // A place where to search further.
                0x73 if until == 0x65 => {}
                found if found == until => {
                    let code = Reader(content).number(ENUMERATED).ok_or_else(broken)?;
                    return Ok(Answer { code, entries });
                }
                _ => return Err(broken()),
            }
        }
    }

    async fn message(&mut self) -> Result<BytesMut, Broken> {
        loop {
            if let Some(length) = whole(&self.read)?
                && self.read.len() >= length
            {
                return Ok(self.read.split_to(length));
            }
            if self.read.capacity() - self.read.len() < 512 {
                self.read.reserve(4096);
            }
            if self.wire.read_buf(&mut self.read).await.map_err(told)? == 0 {
                self.read.advance(self.read.len());
                return Err("it closed the connection".to_owned());
            }
        }
    }
}

struct Answer {
    code: i32,
    entries: Vec<Entry>,
}

/// `SearchResultEntry`. Values that are not text are left out.
fn entry(content: &[u8]) -> Option<Entry> {
    let mut fields = Reader(content);
    let dn = String::from_utf8(fields.expect(OCTETS)?.to_vec()).ok()?;
    let mut listed = Reader(fields.expect(SEQUENCE)?);
    let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some((tag, attribute)) = listed.next() {
        let mut attribute = Reader(attribute);
        let name = std::str::from_utf8(attribute.expect(OCTETS)?).ok()?.to_ascii_lowercase();
        let mut values = Reader(attribute.expect(0x31)?);
        if tag != SEQUENCE {
            return None;
        }
        let all = attributes.entry(name).or_default();
        while let Some((_, value)) = values.next() {
            all.extend(String::from_utf8(value.to_vec()));
        }
        if !values.0.is_empty() {
            return None;
        }
    }
    listed.0.is_empty().then_some(Entry { dn, attributes })
}

fn told(error: io::Error) -> Broken {
    error.to_string()
}
