use proptest::prelude::*;

use super::*;

const KEEP: PathHandling =
    PathHandling { dot_segments: PathRule::Keep, slashes: SlashRule::Keep, encoded_slashes: EncodedSlashRule::Keep };
const PLAIN: PathHandling = PathHandling { dot_segments: PathRule::Normalize, ..KEEP };
const MERGE: PathHandling = PathHandling { slashes: SlashRule::Merge, ..PLAIN };
const STRICT: PathHandling = PathHandling {
    dot_segments: PathRule::Reject,
    slashes: SlashRule::Reject,
    encoded_slashes: EncodedSlashRule::Reject,
};

#[test]
fn brings_paths_into_their_plain_form() {
    let cases: &[(&PathHandling, &str, &str)] = &[
        (&PLAIN, "/", "/"),
        (&PLAIN, "/users/42;v=1/a,b", "/users/42;v=1/a,b"),
        (&PLAIN, "/a%7eb%2Dc%41", "/a~b-cA"),
        (&PLAIN, "/a%2fb%5cc%3b", "/a%2Fb%5Cc%3B"),
        (&PLAIN, "/a\\b", "/a%5Cb"),
        (&PLAIN, "/caf\u{e9}/\"{x}\"", "/caf%C3%A9/%22%7Bx%7D%22"),
        (&PLAIN, "/%C3%a9", "/%C3%A9"),
        (&PLAIN, "/%252e%252e/", "/%252e%252e/"),
        (&PLAIN, "/a/./b/../c", "/a/c"),
        (&PLAIN, "/a/%2e%2E/b", "/b"),
        (&PLAIN, "/a/.%2e", "/"),
        (&PLAIN, "/a/..", "/"),
        (&PLAIN, "/a/b/..", "/a/"),
        (&PLAIN, "/a/.", "/a/"),
        (&PLAIN, "/../../a", "/a"),
        (&PLAIN, "/..", "/"),
        (&PLAIN, "/.", "/"),
        (&PLAIN, "/.hidden/..x/...", "/.hidden/..x/..."),
        (&PLAIN, "/a;../b;/.../..x;", "/a;../b;/.../..x;"),
        (&KEEP, "/..;/a", "/..;/a"),
        (&PLAIN, "/a//b", "/a//b"),
        (&PLAIN, "/a//../b", "/a/b"),
        (&MERGE, "/a//b///c/", "/a/b/c/"),
        (&MERGE, "//a", "/a"),
        (&MERGE, "/a//../b", "/b"),
        (&MERGE, "/a/%2F/b", "/a/%2F/b"),
        (&KEEP, "/a/../b", "/a/../b"),
        (&KEEP, "/a/%2e%2e/b", "/a/../b"),
        (&KEEP, "/a/..%2fb", "/a/..%2Fb"),
        (&STRICT, "/a/b;c", "/a/b;c"),
        (&STRICT, "/a/b...", "/a/b..."),
    ];
    for (rules, path, expected) in cases {
        assert_eq!(normalize(path, rules).as_deref(), Ok(*expected), "{path}");
    }
}

#[test]
fn refuses() {
    let cases: &[(&PathHandling, &str, PathRefused)] = &[
        (&KEEP, "/%", PathRefused::InvalidEscape),
        (&KEEP, "/%2", PathRefused::InvalidEscape),
        (&KEEP, "/%zz", PathRefused::InvalidEscape),
        (&KEEP, "/%+1", PathRefused::InvalidEscape),
        (&KEEP, "/a%00b", PathRefused::Nul),
        (&PLAIN, "/a/..%2fb", PathRefused::DotSegment),
        (&PLAIN, "/a%5c..%5cb", PathRefused::DotSegment),
        (&PLAIN, "/a\\..\\b", PathRefused::DotSegment),
        (&PLAIN, "/a%2f%2e%2e", PathRefused::DotSegment),
        (&PLAIN, "/a/../b%2f..", PathRefused::DotSegment),
        (&PLAIN, "/a/..;/b", PathRefused::DotSegment),
        (&PLAIN, "/a/%2e%2E;v=1", PathRefused::DotSegment),
        (&PLAIN, "/a/.;/b", PathRefused::DotSegment),
        (&PLAIN, "/a%2f..;x%2fb", PathRefused::DotSegment),
        (&STRICT, "/a/./b", PathRefused::DotSegment),
        (&STRICT, "/a/%2e%2e", PathRefused::DotSegment),
        (&STRICT, "/a//b", PathRefused::RepeatedSlashes),
        (&STRICT, "/a%2Fb", PathRefused::EncodedSlash),
        (&STRICT, "/a%5cb", PathRefused::EncodedSlash),
        (&STRICT, "/a\\b", PathRefused::EncodedSlash),
    ];
    for (rules, path, expected) in cases {
        assert_eq!(normalize(path, rules), Err(*expected), "{path}");
    }
}

#[test]
fn borrows_where_nothing_changes() {
    for path in ["/", "/users/42", "/a/b.c/..d", "/a;b=c/@x:y!$&'()*+,=", "/a//b", "/%2F/%C3%A9"] {
        let plain = normalize(path, &PLAIN).unwrap();
        assert!(matches!(plain, Cow::Borrowed(_)) || path.contains('%'), "{path}");
    }
}

fn rules() -> impl Strategy<Value = PathHandling> {
    let dots = prop_oneof![Just(PathRule::Normalize), Just(PathRule::Reject), Just(PathRule::Keep)];
    let slashes = prop_oneof![Just(SlashRule::Keep), Just(SlashRule::Merge), Just(SlashRule::Reject)];
    let encoded = prop_oneof![Just(EncodedSlashRule::Keep), Just(EncodedSlashRule::Reject)];
    (dots, slashes, encoded).prop_map(|(dot_segments, slashes, encoded_slashes)| PathHandling {
        dot_segments,
        slashes,
        encoded_slashes,
    })
}

proptest! {
    #[test]
    fn is_idempotent_and_plain(
        tail in prop_oneof!["[/.%2eEfF5cC;a\\\\]{0,24}", "\\PC{0,24}", "(/(\\.|\\.\\.|%2e|a|%2F|)){0,8}"],
        rules in rules(),
    ) {
        let path = format!("/{tail}");
        if path.contains(['?', '#']) {
            return Ok(());
        }
        let Ok(plain) = normalize(&path, &rules) else { return Ok(()) };
        prop_assert!(plain.starts_with('/'));
        prop_assert!(plain.bytes().all(|byte| byte == b'%' || stands(byte)));
        prop_assert!(plain.len() <= path.len() * 3);
        let again = normalize(&plain, &rules);
        prop_assert_eq!(again.as_deref(), Ok(&*plain));
        if rules.dot_segments != PathRule::Keep {
            prop_assert!(!plain.split('/').any(is_dots));
        }
        if rules.slashes != SlashRule::Keep && rules.dot_segments == PathRule::Keep {
            prop_assert!(!plain.contains("//"));
        }
    }
}
