use super::*;

#[test]
fn bodies() {
    let table: [(&str, Option<(u64, usize)>); 7] = [
        // Text; how many bytes of data and how many of the text belong to the body.
        ("0\r\n\r\nrest", Some((0, 5))),
        ("5\r\nhello\r\n0\r\n\r\n", Some((5, 15))),
        ("A;name=value\r\n0123456789\r\n00\r\n\r\nGET", Some((10, 32))),
        ("1\r\na\r\n2\r\nbc\r\n0\r\nx: y\r\nz: w\r\n\r\n", Some((3, 30))),
        ("5 \r\nhello\r\n0\r\n\r\n", Some((5, 16))),
        ("x\r\n", None),
        ("fffffffffffffffff\r\n", None),
    ];
    for (text, expected) in table {
        for cut in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(cut);
            let mut chunked = Chunked::new();
            let used = chunked.take(one).and_then(|first| Some(first + chunked.take(other)?));
            let found = used.map(|used| (chunked.data, used));
            assert_eq!(found, expected, "{text:?} cut at {cut}");
            assert_eq!(chunked.ended(), expected.is_some(), "{text:?} cut at {cut}");
        }
    }
}
