//! IPv4 and IPv6 addresses of machines. Loopback, netmasks, multicast and the unspecified address name none, and a version
//! of four parts is not one where the word before says what it is.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Hit;
use super::numbers::Numbers;
use crate::guard::text::{Look, Said, is_word};

const FOR: &str = "ip$|ipv4|address|host|server|client|adresse|dirección|地址";
const AGAINST: &str = "\
    version|release|build|firmware|driver|upgrade|v$|ver$|section|chapter|assembly|jdk|jre|versión|版本";

pub(super) fn v4(look: &Look<'_>, _: &Numbers) -> Option<Hit> {
    let mut octets = [0_u8; 4];
    let mut at = 0;
    for (n, octet) in octets.iter_mut().enumerate() {
        if n > 0 {
            if look.byte(at) != Some(b'.') {
                return None;
            }
            at += 1;
        }
        let length = look.run(at, 3, |byte| byte.is_ascii_digit());
        let digits = look.slice(at, at + length);
        if length == 0 || length > 3 || length > 1 && digits.first() == Some(&b'0') {
            return None;
        }
        *octet = std::str::from_utf8(digits).ok()?.parse().ok()?;
        at += length;
    }
    let follows = match look.byte(at) {
        Some(b'.') => look.byte(at + 1).is_some_and(is_word),
        Some(b'-') => look.byte(at + 1).is_some_and(|byte| byte.is_ascii_alphabetic()),
        Some(byte) => is_word(byte),
        None => false,
    };
    let address = Ipv4Addr::from(octets);
    if follows || !is_host(address) {
        return None;
    }
    match look.says(FOR, AGAINST) {
        Said::Against => None,
        Said::For => Some(Hit { length: at, score: 97 }),
        Said::Nothing => Some(Hit { length: at, score: 90 }),
    }
}

fn is_host(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    first != 0 && first != 127 && first < 224
}

pub(super) fn v6(look: &Look<'_>, first: u8) -> Option<Hit> {
    if !(first.is_ascii_hexdigit() || first == b':') {
        return None;
    }
    if look.before(1).is_some_and(|before| is_word(before) || before == b':' || before == b'.') {
        return None;
    }
    let length = look.run(0, 45, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
    if length > 45 || look.byte(length).is_some_and(is_word) {
        return None;
    }
    let mut text = std::str::from_utf8(look.slice(0, length)).ok()?.trim_end_matches('.');
    if !text.ends_with("::") {
        text = text.trim_end_matches(':');
    }
    if !text.contains(':') || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let address: Ipv6Addr = text.parse().ok()?;
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return None;
    }
    // `1::2` may be anything; what is routed begins with a group of three or four digits, or says more than two groups.
    let groups = text.split(':').filter(|group| !group.is_empty()).count();
    let first = text.split(':').next().unwrap_or_default();
    (groups > 2 || first.len() > 2 || text.contains('.')).then_some(Hit { length: text.len(), score: 95 })
}
