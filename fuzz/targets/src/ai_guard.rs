//! Guards of models: a text masked in pieces is the whole text masked, nothing found is left in it, what is put back is the
//! text, and findings stand in order on the borders of letters.

use ai::guard::mask::Within;
use ai::guard::stream::{Masker, Unmasker};
use ai::guard::{Kinds, Masks, Scan, language};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let scan = Scan { kinds: Kinds::ALL, words: None };
    let mut at = 0;
    for found in scan.all(text) {
        assert!(
            found.range.start >= at && text.get(found.range.clone()).is_some_and(|text| !text.is_empty()),
            "{found:?}"
        );
        at = found.range.end;
    }
    let mut masks = Masks::default();
    masks.reserve(text);
    let masked = masks.mask(&scan, text, &mut Vec::new()).unwrap_or_else(|| text.to_owned());
    assert_eq!(masks.unmask(&masked, Within::Text), text);
    for size in [1, 7] {
        let (mut pieces, mut masker, mut out) = (Masks::default(), Masker::default(), String::new());
        pieces.reserve(text);
        cut(text, size, |piece| {
            masker.push(&scan, &mut pieces, piece, &mut out);
        });
        masker.finish(&scan, &mut pieces, &mut out);
        assert_eq!(out, masked, "in pieces of {size}");
        let (mut unmasker, mut back) = (Unmasker::default(), String::new());
        cut(&masked, size, |piece| unmasker.push(&masks, piece, &mut back));
        unmasker.finish(&mut back);
        assert_eq!(back, text, "back in pieces of {size}");
    }
    let _ = language::of(text);
}

/// The text in pieces of about so many bytes.
fn cut(text: &str, size: usize, mut tell: impl FnMut(&str)) {
    let mut from = 0;
    while from < text.len() {
        let to = text.ceil_char_boundary(from + size);
        tell(text.get(from..to).unwrap_or_default());
        from = to;
    }
}
