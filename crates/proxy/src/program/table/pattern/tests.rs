use proptest::prelude::*;

use super::*;

fn shape(text: &str) -> Result<String, String> {
    template(text).map(|pattern| format!("{pattern} {:?}", pattern.tail)).map_err(|wrong| wrong.message)
}

#[test]
fn reads_templates() {
    assert_eq!(shape("/"), Ok("/ Root".to_owned()));
    assert_eq!(shape("/a/{b}/c/"), Ok("/a/{b}/c/ End".to_owned()));
    assert_eq!(shape("/{rest*}"), Ok("/{rest*} Rest".to_owned()));
    assert_eq!(shape("/a%7e/{x-1}/\u{e9}"), Ok("/a~/{x-1}/%C3%A9 End".to_owned()));
    assert_eq!(api_path_length("/caf\u{e9}/"), "/caf%C3%A9".len());
    assert_eq!(api_path_length("/"), 0);
}

#[test]
fn anchors_reach_over_the_whole_expression() {
    for (text, yes, no) in [
        ("a|b", "a", "ab"),
        ("(?m)^a$", "a", "a\na"),
        ("(?i)A", "a", "aa"),
        ("(?x) a # and )\\z no more", "a", "aa"),
        ("a|ab", "ab", "abc"),
    ] {
        let regex = Regex::new(&whole_regex(text).unwrap()).unwrap();
        assert!(regex.is_match(yes) && !regex.is_match(no), "{text}");
    }
    assert!(whole_regex("a)(b").is_err());
}

proptest! {
    #[test]
    fn never_panics(text in prop_oneof!["\\PC{0,40}", "(/|\\{|\\}|a|\\*|%2e|\\.|:){0,24}"]) {
        let _ = prefix(&text);
        let _ = api_path(&text);
        let _ = regex(&text);
        if let Ok(pattern) = template(&text) {
            // What is shown reads as the same pattern.
            let shown = pattern.to_string();
            let again = template(&shown).unwrap();
            prop_assert_eq!(&again.segments, &pattern.segments);
            prop_assert_eq!(&again.names, &pattern.names);
        }
    }
}
