//! What a signature says it covers: written canonically, as it is signed, it reads back as itself.

use proxy::fuzzing::inner_lists;

pub(crate) fn run(input: &[u8]) {
    for list in inner_lists(input).into_iter().flatten() {
        let again = inner_lists(format!("s={list}").as_bytes());
        assert_eq!(again.as_deref(), Some(std::slice::from_ref(&list)));
    }
}
