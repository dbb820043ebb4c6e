//! The command itself: it is there, it helps, and it tells bad usage apart. (With this test cargo builds the binary along
//! with the workspace's tests, for the scenarios in e2e/.)
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

const GOOD: &str = "\
version: 1
listeners: [{ name: public, address: '127.0.0.1:0' }]
apis: [{ name: a, to: { echo: {} } }]
";

/// Runs the command in a folder with a good `tollgate.yaml`, an empty folder and an empty file.
fn run(words: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("tollgate.yaml", GOOD);
    write("bad.yaml", "version: 1\nlisteners: [\n");
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    tollgate(folder.path()).args(words).output().unwrap()
}

fn tollgate(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(folder).env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

#[test]
fn every_command_explains_itself_with_an_example() {
    for command in ["run", "check", "explain", "schema", "demo-upstream", "completions"] {
        let help = run(&[command, "--help"]);
        let text = String::from_utf8_lossy(&help.stdout);
        assert!(help.status.success() && text.contains("Example"), "{command}:\n{text}");
    }
}

/// What is wrong with a command line is said on standard error with the remedy, and nothing else is said or done.
#[test]
fn bad_usage_says_how_to_mend_it() {
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &["Usage: tollgate <COMMAND>", "check", "Examples:"]),
        (&["fly"], &["unrecognized subcommand 'fly'", "--help"]),
        (&["chekc"], &["'check'"]),
        (&["--fast"], &["unexpected argument '--fast'", "--help"]),
        (&["check", "--ofline"], &["similar argument exists: '--offline'"]),
        (&["check", "--format", "xml"], &["invalid value 'xml'", "possible values: text, json"]),
        (&["check", "--format"], &["a value is required for '--format", "possible values: text, json"]),
        (&["check", "tollgate.yaml"], &["unexpected argument 'tollgate.yaml'", "Usage: tollgate check"]),
        (&["check", "-c", "a.yaml", "-c", "b.yaml"], &["cannot be used multiple times"]),
        (&["check", "-c", "absent.yaml"], &["`absent.yaml` does not exist", "--config PATH"]),
        (&["check", "-c", "absent/"], &["`absent/` does not exist", "--config PATH"]),
        (&["check", "-c", "tollgate.yaml/x.yaml"], &["`tollgate.yaml/x.yaml` cannot be read", "--config PATH"]),
        (&["check", "-c", "empty"], &["the folder `empty` has no `*.yaml`, `*.yml` or `*.json`", "--config PATH"]),
        (&["check", "-c", "absent.yaml", "--format", "json"], &["`absent.yaml` does not exist"]),
        (&["check", "-c", ""], &["a value is required for '--config"]),
        (&["run", "-c", "absent.yaml"], &["`absent.yaml` does not exist", "--config PATH"]),
        (&["run", "--demo-upstream", "http"], &["invalid value 'http'", "--demo-upstream"]),
        (&["run", "--demo-upstream", "65536"], &["65536 is not in 0..=65535"]),
        (&["explain"], &["<METHOD>", "<URL>"]),
        (&["explain", "GET"], &["<URL>"]),
        (&["explain", "G T", "/"], &["`G T` is not a method", "such as `GET`"]),
        (&["explain", "http://host/path", "GET"], &["is not a method", "then the URL"]),
        (&["explain", "GET", ""], &["the URL is empty", "https://host/path"]),
        (&["explain", "GET", "ftp://host/"], &["the scheme is http or https"]),
        (&["explain", "GET", "http://host/a b"], &["is not a URL", "`%20`"]),
        (&["explain", "GET", "/", "-H", "x-a"], &["`x-a` is not a header", "write `name: value`"]),
        (&["explain", "GET", "/", "-H", "x a: b"], &["`x a: b` is not a header", "write `name: value`"]),
        (&["explain", "GET", "/", "-H"], &["a value is required for '--header"]),
        (&["explain", "GET", "/", "--client", "home"], &["invalid value 'home'", "--client"]),
        (&["explain", "GET", "/", "--listener", "publik"], &["no listener `publik`", "did you mean `public`?"]),
        (&["explain", "GET", "/", "-c", "absent.yaml"], &["`absent.yaml` does not exist", "--config PATH"]),
        (&["explain", "GET", "/", "--gateway", "127.0.0.1"], &["write `http://HOST:PORT`"]),
        (&["explain", "GET", "/", "--gateway", "https://h:1"], &["write `http://HOST:PORT`"]),
        (&["explain", "GET", "/", "--gateway", "h:1", "-c", "x"], &["'--gateway <URL>' cannot be used with '--config"]),
        (&["explain", "GET", "no url", "--gateway", "127.0.0.1:1"], &["is not a URL"]),
        (&["ai"], &["usage", "models"]),
        (&["ai", "usage", "--by", "colour"], &["invalid value 'colour'", "consumer", "all"]),
        (&["ai", "usage", "--since", "yesterday"], &["`yesterday` is no time", "`7d`"]),
        (&["ai", "usage", "--since", "1d", "--until", "2d"], &["`until` is not after `since`"]),
        (&["ai", "usage", "--only", "mobile"], &["not WHAT=VALUE", "consumer"]),
        (&["ai", "usage", "--json", "--csv"], &["cannot be used with"]),
        (&["ai", "models", "--catalog", "absent.json"], &["`absent.json` cannot be read"]),
        (&["demo-upstream"], &["<PORT>"]),
        (&["demo-upstream", "-1"], &["unexpected argument '-1'"]),
        (&["schema", "x"], &["unexpected argument 'x'"]),
        (&["completions", "dos"], &["invalid value 'dos'", "bash"]),
    ];
    for (words, expected) in cases {
        let done = run(words);
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{words:?}:\n{said}");
        assert!(done.stdout.is_empty(), "{words:?} prints {}", String::from_utf8_lossy(&done.stdout));
        for part in *expected {
            assert!(said.contains(part), "{words:?}: `{part}` is not in:\n{said}");
        }
        assert!(!said.contains("panicked") && !said.contains('\u{1b}'), "{words:?}:\n{said}");
    }
}

/// A configuration with problems is not bad usage.
#[test]
fn problems_are_told_from_bad_usage() {
    for words in [
        &["check", "-c", "bad.yaml"][..],
        &["run", "-c", "bad.yaml"],
        &["explain", "GET", "/", "-c", "bad.yaml"],
        &["explain", "GET", "/", "--gateway", "127.0.0.1:1"],
        &["ai", "usage", "--data", "empty"],
        &["ai", "usage", "-c", "bad.yaml"],
    ] {
        let done = run(words);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(1) && !said.is_empty(), "{words:?}:\n{said}");
        assert!(done.stdout.is_empty(), "{words:?}");
    }
    for words in
        [&["check"][..], &["explain", "GET", "/"], &["schema"], &["completions", "bash"], &["ai", "models", "gpt-5"]]
    {
        let done = run(words);
        assert!(done.status.code() == Some(0) && !done.stdout.is_empty(), "{words:?}: {done:?}");
    }
}

/// Who reads may have read enough: `tollgate schema | head -1`.
#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), GOOD).unwrap();
    for words in [
        &["schema"][..],
        &["completions", "bash"],
        &["check"],
        &["check", "--format", "json"],
        &["explain", "GET", "/"],
        &["explain", "GET", "/", "--json"],
        &["run", "--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = tollgate(folder.path()).args(words).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(0) && said.is_empty(), "{words:?}: {:?}\n{said}", done.status);
    }
    // Nor is it one for complaints, which nobody reads.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = tollgate(folder.path()).args(["check", "-c", "absent.yaml"]).stderr(writer).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
}
