use crate::guard::words::{Term, Words};
use crate::guard::{Kind, Kinds, Scan};

fn found(terms: &[Term<'_>], text: &str) -> Vec<(u16, String)> {
    let words = Words::compile(terms).unwrap();
    let scan = Scan { kinds: Kinds::NONE, words: Some(&words) };
    let number = |kind| if let Kind::Term(number) = kind { number } else { u16::MAX };
    scan.all(text).into_iter().map(|found| (number(found.kind), text.get(found.range).unwrap().to_owned())).collect()
}

#[test]
fn words_are_whole_and_of_any_case() {
    let terms = [Term::Word("Project Falcon"), Term::Word("über"), Term::Word("c++"), Term::Word("机密")];
    let table: [(&str, &[(u16, &str)]); 7] = [
        ("project falcon is late", &[(0, "project falcon")]),
        ("PROJECT FALCON!", &[(0, "PROJECT FALCON")]),
        ("project falcons", &[]),
        ("myproject falcon", &[]),
        ("Über allem", &[(1, "Über")]),
        ("in C++, of course", &[(2, "C++")]),
        ("这是机密文件", &[(3, "机密")]),
    ];
    for (text, expected) in table {
        let expected: Vec<_> = expected.iter().map(|(number, text)| (*number, (*text).to_owned())).collect();
        assert_eq!(found(&terms, text), expected, "{text}");
    }
}

#[test]
fn patterns_find_the_leftmost() {
    let terms = [Term::Pattern(r"\bEMP-\d{4,6}\b"), Term::Pattern("(?i)top.?secret")];
    let all = found(&terms, "EMP-123456 and EMP-12 are Top-Secret, XEMP-1234 too");
    assert_eq!(all, [(0, "EMP-123456".to_owned()), (1, "Top-Secret".to_owned())]);
    assert_eq!(found(&[Term::Pattern("a+")], &"a".repeat(2000)).len(), 4, "a match takes 512 bytes at most");
}

#[test]
fn what_cannot_be_compiled_is_named() {
    let wrong = |terms: &[Term<'_>]| Words::compile(terms).unwrap_err();
    assert_eq!(wrong(&[Term::Word("a"), Term::Pattern("(")]).0, 1);
    assert_eq!(wrong(&[Term::Pattern("a*")]), (0, "it matches nothing at all".to_owned()));
    assert_eq!(wrong(&[Term::Word(" ")]).0, 0);
    assert!(wrong(&[Term::Pattern(r"(\w{1,400}x){1,400}")]).1.len() > 10);
    assert_eq!(wrong(&vec![Term::Word("a"); 1001]).0, 1000);
}
