use super::measured::SCAN;
use crate::guard::Masks;
use crate::guard::mask::{MOST, Within};

#[test]
fn the_same_is_the_same_again() {
    let (mut masks, mut found) = (Masks::default(), Vec::new());
    let text = "a@example.com, b@example.com and a@example.com; card 4111 1111 1111 1111";
    let masked = masks.mask(&SCAN, text, &mut found).unwrap();
    assert_eq!(masked, "[EMAIL_1], [EMAIL_2] and [EMAIL_1]; card [CARD_1]");
    assert_eq!(found.len(), 4);
    assert_eq!(masks.unmask(&masked, Within::Text), text);
    assert_eq!(masks.mask(&SCAN, "nothing in it", &mut found), None);
    assert_eq!(masks.mask(&SCAN, "b@example.com", &mut found).unwrap(), "[EMAIL_2]");
}

#[test]
fn only_what_was_put_in_comes_back() {
    let mut masks = Masks::default();
    masks.mask(&SCAN, "a@example.com", &mut Vec::new());
    for text in [
        "[EMAIL_2]",
        "[EMAIL_01]",
        "[EMAIL]",
        "[EMAIL_]",
        "[email_1]",
        "[PHONE_1]",
        "[EMAIL_1",
        "[[",
        "[EMAIL_1 ]",
        "[]",
    ] {
        assert_eq!(masks.unmask(text, Within::Text), text);
    }
    assert_eq!(
        masks.unmask("[[EMAIL_1]] [EMAIL_1][EMAIL_1]", Within::Text),
        "[a@example.com] a@example.coma@example.com"
    );
}

#[test]
fn placeholders_of_the_caller_stay_theirs() {
    let mut masks = Masks::default();
    let text = "[EMAIL_1] is a placeholder, c@example.com is not";
    masks.reserve(text);
    let masked = masks.mask(&SCAN, text, &mut Vec::new()).unwrap();
    assert_eq!(masked, "[EMAIL_1] is a placeholder, [EMAIL_2] is not");
    assert_eq!(masks.unmask(&masked, Within::Text), text);
}

#[test]
fn json_is_escaped() {
    let mut masks = Masks::default();
    let secret = r#"password: 'a"b\c12345!'"#;
    let masked = masks.mask(&SCAN, "password: `ab\\c12345!`", &mut Vec::new()).unwrap_or_default();
    assert_eq!(masked, "password: `[SECRET_1]`", "{secret}");
    assert_eq!(masks.unmask(r#"{"p":"[SECRET_1]"}"#, Within::Json), r#"{"p":"ab\\c12345!"}"#);
}

#[test]
fn the_map_is_bounded() {
    let mut masks = Masks::default();
    let text: Vec<String> = (0..MOST + 5).map(|n| format!("u{n}@example.com")).collect();
    let masked = masks.mask(&SCAN, &text.join(" "), &mut Vec::new()).unwrap();
    assert!(masked.contains("[EMAIL_1000] [EMAIL] [EMAIL]"), "past the bound it is masked for good");
    assert!(!masked.contains('@'));
    assert!(!format!("{masks:?}").contains('@'), "a map does not show what it holds");
}
