//! Who the client is behind trusted proxies: `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` (RFC 7239).
//!
//! The list is walked from its right, where the nearest proxy wrote: as long as an address is a trusted proxy's, the one
//! before it is looked at. The first that is not trusted is the client; so is the leftmost where all are trusted, and
//! the last one known where the next is hidden (`unknown`, `_name`) or no address.
//!
//! `X-Forwarded-For` goes before `Forwarded` where both are there, because most proxies write the former and hand the
//! latter on as the client sent it.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use super::Scheme;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What trusted proxies say of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its address.
    pub client: IpAddr,
    /// The scheme it used, where a proxy says so.
    pub scheme: Option<Scheme>,
}

/// `Forwarded` is not well-formed. It is not guessed what it may mean, as a client could hide behind the guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Learns who the client behind `peer` is. `None` where the peer is not a trusted proxy.
pub fn origin(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Result<Option<Origin>, Malformed> {
    if !is_trusted(peer, trusted) {
        return Ok(None);
    }
    if headers.contains_key(&X_FORWARDED_FOR) {
        let hops = from_right(headers, &X_FORWARDED_FOR).map(address);
        let (client, back) = walk(peer, trusted, hops);
        return Ok(Some(Origin { client, scheme: forwarded_proto(headers, back) }));
    }
    if !headers.contains_key(FORWARDED) {
        return Ok(Some(Origin { client: peer, scheme: forwarded_proto(headers, 0) }));
    }
    let mut elements = Vec::new();
    for line in headers.get_all(FORWARDED) {
        elements.append(&mut parse(line.to_str().map_err(|_| Malformed)?)?);
    }
    let hops = elements.iter().rev().map(|element| element.client.as_deref().and_then(address));
    let (client, back) = walk(peer, trusted, hops);
    let scheme = elements.iter().rev().take(back + 1).filter_map(|element| element.proto.as_deref()).next_back();
    Ok(Some(Origin { client, scheme: scheme.and_then(parse_scheme) }))
}

/// Walks from the right. Gives the client and how many trusted hops lie before it in the list.
fn walk(peer: IpAddr, trusted: &[IpNet], hops: impl Iterator<Item = Option<IpAddr>>) -> (IpAddr, usize) {
    let mut client = peer;
    let mut back = 0;
    for (at, hop) in hops.enumerate() {
        let Some(hop) = hop else { break };
        client = hop;
        back = at;
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    (client, back)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The scheme said by the hop so far from the right; where the list is shorter (proxies often replace it), its leftmost.
fn forwarded_proto(headers: &HeaderMap, back: usize) -> Option<Scheme> {
    from_right(headers, &X_FORWARDED_PROTO).take(back + 1).last().and_then(parse_scheme)
}

fn parse_scheme(text: &str) -> Option<Scheme> {
    match text {
        _ if text.eq_ignore_ascii_case("https") || text.eq_ignore_ascii_case("wss") => Some(Scheme::Https),
        _ if text.eq_ignore_ascii_case("http") || text.eq_ignore_ascii_case("ws") => Some(Scheme::Http),
        _ => None,
    }
}

/// The elements of a list field from its right, over all its lines. Each is looked at by itself: bytes that are no text
/// make an odd element of the one that they stand in, not of what a proxy has added behind it.
fn from_right<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let trimmed = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    trimmed.map(|element| std::str::from_utf8(element).unwrap_or("?"))
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

/// One hop of a `Forwarded` field.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element<'a> {
    client: Option<Cow<'a, str>>,
    proto: Option<Cow<'a, str>>,
}

/// Reads a `Forwarded` field line (RFC 7239 section 4). Empty elements are passed over (RFC 9110 section 5.6.1).
fn parse(line: &str) -> Result<Vec<Element<'_>>, Malformed> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        let mut element = Element::default();
        let mut pairs = 0;
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with([',', ';']) {
                let (name, value, after) = pair(rest)?;
                let place = match name {
                    _ if name.eq_ignore_ascii_case("for") => Some(&mut element.client),
                    _ if name.eq_ignore_ascii_case("proto") => Some(&mut element.proto),
                    _ => None,
                };
                // Each parameter at most once (section 4): a second one could be read by others.
                if let Some(place) = place
                    && place.replace(value).is_some()
                {
                    return Err(Malformed);
                }
                pairs += 1;
                rest = after.trim_start_matches([' ', '\t']);
            }
            match rest.strip_prefix(';') {
                Some(after) => rest = after,
                None => break,
            }
        }
        if pairs > 0 {
            elements.push(element);
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(elements),
            None => return Err(Malformed),
        }
    }
}

/// Reads `token=value`, where the value is a token or a quoted string, and gives what follows. Brackets and colons are
/// let pass in tokens, as many forget the quotes around IPv6 addresses.
fn pair(text: &str) -> Result<(&str, Cow<'_, str>, &str), Malformed> {
    let (name, rest) = text.split_once('=').ok_or(Malformed)?;
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Malformed);
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, rest) = quoted_string(quoted)?;
        return Ok((name, value, rest));
    }
    let end = rest.bytes().position(|byte| !(is_token(byte) || b"[]:".contains(&byte))).unwrap_or(rest.len());
    match rest.split_at_checked(end) {
        Some((value, rest)) if !value.is_empty() => Ok((name, Cow::Borrowed(value), rest)),
        _ => Err(Malformed),
    }
}

/// Reads a quoted string after its opening quote (RFC 9110 section 5.6.4).
fn quoted_string(text: &str) -> Result<(Cow<'_, str>, &str), Malformed> {
    let end = text.find(['"', '\\']).ok_or(Malformed)?;
    let (plain, rest) = text.split_at_checked(end).ok_or(Malformed)?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Ok((Cow::Borrowed(plain), rest));
    }
    let mut value = plain.to_owned();
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            Some('"') => return Ok((Cow::Owned(value), chars.as_str())),
            Some('\\') => value.push(chars.next().ok_or(Malformed)?),
            Some(char) => value.push(char),
            None => return Err(Malformed),
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
