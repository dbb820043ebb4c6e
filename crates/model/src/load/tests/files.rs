//! Files, folders and what references read.
use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

#[test]
fn a_folder_is_one_document() {
    let folder = folder(&[
        ("10-base.yaml", "version: 1\nlisteners: [{name: a}]\n"),
        ("20-more.yml", "version: 1\nlisteners:\n  - {name: b}\nx-note: &n 1\nai: {k: *n}\n"),
        ("30-last.json", "{\"listeners\": [{\"name\": \"c\"}]}"),
        ("40-empty.yaml", "# nothing yet\n"),
        (".hidden.yaml", "version: 2"),
        ("notes.txt", "not: [ours"),
        ("sub/50.yaml", "version: 3"),
    ]);
    let loaded = read(folder.path(), &Options::default());
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert_eq!(
        loaded.root.expect("a root").to_json(),
        json!({"version": 1, "listeners": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "ai": {"k": 1}})
    );
    let names: Vec<_> = loaded.files.iter().map(|file| file.strip_prefix(folder.path()).expect("inside")).collect();
    assert_eq!(names, ["", "10-base.yaml", "20-more.yml", "30-last.json", "40-empty.yaml"].map(Path::new));
}

#[test]
fn what_two_files_say_differently() {
    let folder = folder(&[
        ("a.yaml", "version: 1\nai: {a: 1}\nlist: [1]\n"),
        ("b.yaml", "version: 2\nai: {b: 1}\nlist: 2\n"),
        ("c.yaml", "- 1\n"),
        ("d.yaml", "a: [\n"),
    ]);
    let loaded = read(folder.path(), &Options::default());
    let found: Vec<_> = loaded
        .problems
        .iter()
        .map(|p| {
            let at = loaded.sources.describe(p.at.expect("a place"), Span::NONE);
            format!("{at} {}", p.message).replace(&format!("{}/", folder.path().display()), "")
        })
        .collect();
    assert_eq!(
        found,
        [
            "b.yaml:1:1 `version` is set at a.yaml:1:1 already, and only lists are joined",
            "b.yaml:2:1 `ai` is set at a.yaml:2:1 already, and only lists are joined",
            "b.yaml:3:1 `list` is set at a.yaml:3:1 already, and only lists are joined",
            "c.yaml:1:1 expected a map, found a list",
            "d.yaml:2:1 expected a value here",
        ]
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder =
        folder(&[("empty/x.txt", ""), ("latin.yaml", ""), ("utf16.yaml", ""), ("big.yaml", "a: 1234567890\n")]);
    let at = |name: &str| folder.path().join(name);
    fs::write(at("latin.yaml"), b"a: 1\nb: caf\xe9 # x\n").expect("a file");
    fs::write(at("utf16.yaml"), b"\xff\xfea\0").expect("a file");
    let small = Options { limits: Limits { bytes: 10, ..Limits::default() }, ..Options::default() };
    let cases = [
        ("absent.yaml", Options::default(), "config.unreadable", "does not exist"),
        ("empty", Options::default(), "config.unreadable", "has no `*.yaml`"),
        ("latin.yaml", Options::default(), "config.not_utf8", "not valid UTF-8"),
        ("utf16.yaml", Options::default(), "config.not_utf8", "not valid UTF-8"),
        ("big.yaml", small, "config.unreadable", "more than 10 bytes"),
    ];
    for (name, options, code, message) in cases {
        let loaded = read(&at(name), &options);
        assert!(loaded.root.is_none(), "{name}");
        let [problem] = loaded.problems.into_vec().try_into().expect("one problem");
        assert_eq!(problem.code, code, "{name}");
        assert!(problem.message.contains(message), "{name}: {}", problem.message);
        if name == "latin.yaml" {
            let place = loaded.sources.line_column(problem.at.expect("a place")).expect("a place");
            assert_eq!((place.line, place.column), (2, 7));
        }
    }
}

#[test]
fn files_that_references_name() {
    let folder = folder(&[
        (
            "conf/gate.yaml",
            "a: ${file:key.txt}\nb: '<${file:../up.txt}>'\nc: ${file:key.txt}\nd: ${file:none}\ne: ${file:big}\n",
        ),
        ("conf/key.txt", "secret\n\n"),
        ("up.txt", "x\r\n"),
    ]);
    fs::write(folder.path().join("conf/big"), vec![b'x'; (1 << 20) + 1]).expect("a file");
    let path = folder.path().join("conf/gate.yaml");
    let loaded = read(&path, &Options::default());
    let root = loaded.root.as_ref().expect("a root");
    assert_eq!(root.get("a").and_then(Node::as_str), Some("secret\n"));
    assert_eq!(root.get("b").and_then(Node::as_str), Some("<x>"));
    assert_eq!(
        problems_of(&loaded),
        [
            "4:4 config.absent_file the file `none` does not exist",
            "5:4 config.absent_file the file `big` has more than 1048576 bytes",
        ]
    );
    let conf = folder.path().join("conf");
    let expected = ["gate.yaml", "key.txt", "../up.txt", "none", "big"].map(|name| conf.join(name));
    assert_eq!(loaded.files, expected);
}
