//! Structured fields are read strictly and written canonically.

use proptest::prelude::*;

use super::super::structured::{Bare, Member, dictionary, write_list};

#[test]
fn dictionaries() {
    for (text, members) in [
        ("", Some(0)),
        ("a", Some(1)),
        ("a=1, b=?0 ,\tc=tok", Some(3)),
        ("a=(\"x\";sf \"y\" );created=1;nonce=\"a\\\"b\"", Some(1)),
        ("a=:AQID:;x, a=:BQ==:", Some(1)),
        ("a=()", Some(1)),
        ("a=1,", None),
        ("a=1 b=2", None),
        ("A=1", None),
        ("a=", None),
        ("a=(x)", None),
        ("a=(\"x\"\"y\")", None),
        ("a=(\"x\"", None),
        ("a=\"x", None),
        ("a=\"\\x\"", None),
        ("a=:AQI:", None),
        ("a=:AQID", None),
        ("a=1.5", None),
        ("a=1234567890123456", None),
        ("a=\"\u{e4}\"", None),
    ] {
        assert_eq!(dictionary(text.as_bytes()).map(|found| found.len()), members, "{text}");
    }
    let found = dictionary(b"a=:AQID:, s=(\"x\" \"y\";key=\"k\");created=-7;f;g=?0;t=tok;b=:AQ==:").unwrap();
    assert_eq!(found[0].1, Member::Bare(Bare::Bytes(vec![1, 2, 3])));
    let Member::List(items, parameters) = &found[1].1 else { panic!() };
    let written = "(\"x\" \"y\";key=\"k\");created=-7;f;g=?0;t=tok;b=:AQ==:";
    assert_eq!(write_list(items, parameters), written);
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_written_reads_back(text in "[a-z=\"(); ,:?0-9A-Z\\\\]{0,40}|.{0,20}") {
        for (_, member) in dictionary(text.as_bytes()).into_iter().flatten() {
            if let Member::List(items, parameters) = member {
                let written = format!("a={}", write_list(&items, &parameters));
                prop_assert_eq!(dictionary(written.as_bytes()).unwrap(), vec![("a".to_owned(), Member::List(items, parameters))]);
            }
        }
    }
}
