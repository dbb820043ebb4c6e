//! Fields that list what is accepted, each with a weight (RFC 9110 section 12.4.2).

/// The full weight; weights are in thousandths.
pub(crate) const FULL: u16 = 1_000;

/// What a field lists, in order, each with its weight. An item whose weight is not one is left out.
pub(crate) fn items(text: &str) -> impl Iterator<Item = (&str, u16)> {
    text.split(',').filter_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((name, weight.map_or(Some(FULL), weight_of)?))
    })
}

/// `0`, `1`, or with up to three digits behind a dot.
fn weight_of(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read() {
        let text = "a, b;q=0.5,c; Q=0 ,d;x=1;q=0.123, e;q=1.000,f;q=1.5, g;q=0.1234,h;q=x, ,;q=1";
        let read: Vec<_> = items(text).collect();
        assert_eq!(read, [("a", 1000), ("b", 500), ("c", 0), ("d", 123), ("e", 1000)]);
    }
}
