//! Values into a line's bytes, by hand: no formatting machinery, no allocation.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use model::resource::LogFormat;

/// A line being written.
pub(super) struct Line<'a> {
    /// Where it goes.
    pub(super) out: &'a mut Vec<u8>,
    /// How values look in it.
    pub(super) format: LogFormat,
}

impl Line<'_> {
    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        self.quote();
        self.escape(text);
        self.quote();
    }

    /// Text that is plain: it holds nothing that has to be escaped.
    pub(super) fn word(&mut self, word: &str) {
        self.quote();
        self.out.extend_from_slice(word.as_bytes());
        self.quote();
    }

    /// Bytes that should be text; what is not UTF-8 becomes U+FFFD.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(_) => self.text(&String::from_utf8_lossy(bytes)),
        }
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A time in seconds, to the microsecond.
    pub(super) fn seconds(&mut self, time: Duration) {
        self.number(time.as_secs());
        self.out.push(b'.');
        // The digits of a number above all, less its first one: so zeros in front are written too.
        let mut digits = itoa::Buffer::new();
        let micros = digits.format(1_000_000 + time.subsec_micros()).as_bytes();
        self.out.extend_from_slice(micros.get(1..).unwrap_or_default());
    }

    /// So many billionths, as a decimal.
    pub(super) fn billionths(&mut self, count: u64) {
        const ONE: u64 = 1_000_000_000;
        self.number(count / ONE);
        self.out.push(b'.');
        let mut digits = itoa::Buffer::new();
        let rest = digits.format(ONE + count % ONE).as_bytes();
        self.out.extend_from_slice(rest.get(1..).unwrap_or_default());
    }

    /// An address.
    pub(super) fn ip(&mut self, ip: IpAddr) {
        self.quote();
        self.plain_ip(ip);
        self.quote();
    }

    /// An address with its port.
    pub(super) fn socket(&mut self, address: SocketAddr) {
        self.quote();
        match address.ip() {
            IpAddr::V4(_) => self.plain_ip(address.ip()),
            IpAddr::V6(_) => {
                self.out.push(b'[');
                self.plain_ip(address.ip());
                self.out.push(b']');
            }
        }
        self.out.push(b':');
        self.number(address.port());
        self.quote();
    }

    fn plain_ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => {
                let [first, rest @ ..] = ip.octets();
                self.number(first);
                for octet in rest {
                    self.out.push(b'.');
                    self.number(octet);
                }
            }
            IpAddr::V6(ip) => {
                use std::io::Write as _;
                let _ = write!(self.out, "{ip}");
            }
        }
    }

    /// So many decimal digits, zeros in front.
    pub(super) fn digits(&mut self, number: u32, count: u32) {
        let mut unit = 10_u32.pow(count - 1);
        while unit > 0 {
            self.out.push(b'0' + (number / unit % 10) as u8);
            unit /= 10;
        }
    }

    /// A quotation mark, where values have them.
    pub(super) fn quote(&mut self) {
        if self.format == LogFormat::Json {
            self.out.push(b'"');
        }
    }

    /// Text inside quotation marks, as far as they are written.
    pub(super) fn escape(&mut self, text: &str) {
        let bytes = text.as_bytes();
        // One pass without branches, which the compiler turns into vector instructions, then one copy.
        let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\' || byte == 0x7f;
        if !bytes.iter().fold(false, |any, &byte| any | special(byte)) {
            self.out.extend_from_slice(bytes);
            return;
        }
        for &byte in bytes {
            match self.format {
                LogFormat::Json => json_byte(byte, self.out),
                LogFormat::Template => template_byte(byte, self.out),
            }
        }
    }
}

fn hex(digit: u8) -> u8 {
    if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
}

/// RFC 8259 section 7: quotation mark, backslash and control characters must be escaped.
fn json_byte(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0..0x20 => return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
        _ => return out.push(byte),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// So that no client can forge a line or a quoted field of one.
fn template_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' | 0x7f | 0..0x20 => out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte & 15)]),
        _ => out.push(byte),
    }
}
