//! A text cut anywhere gives what the whole gives.

use proptest::prelude::*;

use super::measured::{LINES, SCAN};
use crate::guard::mask::Within;
use crate::guard::stream::{Masker, Unmasker};
use crate::guard::text::MOST;
use crate::guard::words::{Term, Words};
use crate::guard::{Kinds, Masks, Scan};

/// Pieces of a text, cut at these places.
fn pieces<'a>(text: &'a str, cuts: &[usize]) -> Vec<&'a str> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut % (text.len() + 1))).collect();
    places.sort_unstable();
    let mut from = 0;
    let mut out = Vec::new();
    for place in places.into_iter().chain([text.len()]) {
        out.push(text.get(from..place).unwrap());
        from = place;
    }
    out
}

fn masked<'a>(scan: &Scan<'_>, pieces: impl IntoIterator<Item = &'a str>) -> (String, Masks) {
    let (mut masks, mut masker, mut out) = (Masks::default(), Masker::default(), String::new());
    for piece in pieces {
        masker.push(scan, &mut masks, piece, &mut out);
    }
    masker.finish(scan, &mut masks, &mut out);
    (out, masks)
}

fn whole(scan: &Scan<'_>, text: &str) -> String {
    Masks::default().mask(scan, text, &mut Vec::new()).unwrap_or_else(|| text.to_owned())
}

fn unmasked<'a>(masks: &Masks, pieces: impl IntoIterator<Item = &'a str>) -> String {
    let (mut unmasker, mut out) = (Unmasker::new(Within::Text), String::new());
    for piece in pieces {
        unmasker.push(masks, piece, &mut out);
    }
    unmasker.finish(&mut out);
    out
}

#[test]
fn every_line_letter_by_letter() {
    for line in LINES.iter() {
        let expected = whole(&SCAN, &line.text);
        let ends: Vec<usize> = (0..line.text.len()).collect();
        let (found, masks) = masked(&SCAN, pieces(&line.text, &ends));
        assert_eq!(found, expected, "{:?}", line.text);
        assert_eq!(unmasked(&masks, pieces(&found, &ends)), line.text);
    }
}

#[test]
fn only_what_may_become_a_finding_is_held() {
    let table = [
        ("Hello ", "Hello "),
        ("Hello wor", "Hello "),
        ("What a day! And", "What a day! "),
        ("write to jane@exam", "write to "),
        ("write to jane@example.com ", "write to [EMAIL_1] "),
        ("write to jane@example.com. T", "write to [EMAIL_1]. "),
        ("in 1984 ", "in "),
        ("in 1984 we", "in 1984 "),
        ("in 1984, ", "in 1984, "),
        ("pay with 4111 1111 1111 11", "pay with "),
        ("你好，世界", "你好，世界"),
    ];
    for (text, expected) in table {
        let (mut masks, mut masker, mut out) = (Masks::default(), Masker::default(), String::new());
        masker.push(&SCAN, &mut masks, text, &mut out);
        assert_eq!(out, expected, "{text:?}");
    }
}

#[test]
fn what_is_held_is_bounded() {
    let floods = [
        "a",
        "1 ",
        "1",
        "-",
        "[",
        "eyJ",
        "-----BEGIN RSA PRIVATE KEY-----",
        "x@y.",
        "a1B2c3",
        "é",
        "+1 ",
        "::",
        "DE89",
    ];
    for flood in floods {
        let (mut masks, mut masker, mut out) = (Masks::default(), Masker::default(), String::new());
        let (mut pushed, mut most) = (0, 0);
        for _ in 0..3 * MOST / flood.len() {
            masker.push(&SCAN, &mut masks, flood, &mut out);
            pushed += flood.len();
            most = most.max(pushed.saturating_sub(out.len()));
            if out.contains('[') && flood != "[" {
                break;
            }
        }
        assert!(most <= MOST + 64, "{flood:?} holds {most}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cutting_is_the_whole(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
        noise in "[ -~éß中\u{a0}\\n]{0,40}",
        cuts in prop::collection::vec(any::<usize>(), 0..12),
    ) {
        let mut text = noise.clone();
        for pick in picks {
            text.push_str(&LINES[pick.index(LINES.len())].text);
            text.push_str(&noise);
        }
        let (found, masks) = masked(&SCAN, pieces(&text, &cuts));
        prop_assert_eq!(&found, &whole(&SCAN, &text));
        // What is put back is the text, unless it held brackets like ours before.
        if !text.contains('[') {
            prop_assert_eq!(unmasked(&masks, pieces(&found, &cuts)), text);
        }
    }

    #[test]
    fn any_letters_cut_anywhere(text in "[0-9+()./ :@a-fA-F\\-]{0,80}", cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        prop_assert_eq!(masked(&SCAN, pieces(&text, &cuts)).0, whole(&SCAN, &text));
    }

    #[test]
    fn patterns_of_the_user_cut_anywhere(text in "[abc 12x-]{0,60}", cuts in prop::collection::vec(any::<usize>(), 0..8)) {
        let words = Words::compile(&[Term::Word("abc"), Term::Pattern(r"x-?[0-9]{2,4}\b"), Term::Pattern("a(b|c)*x")]).unwrap();
        let scan = Scan { kinds: Kinds::NONE, words: Some(&words) };
        prop_assert_eq!(masked(&scan, pieces(&text, &cuts)).0, whole(&scan, &text));
    }
}
