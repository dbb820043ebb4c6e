//! The data directory: one gateway at a time, a backup while it runs.

use std::path::Path;
use std::process::{Command, Output};

use e2e::{Gate, binary};

const CONFIGURATION: &str = "
version: 1
listeners: [{ name: public, address: '127.0.0.1:0' }]
store: { directory: data }
apis: [{ name: echo, to: { echo: {} } }]
";

fn tollgate(folder: &Path, words: &[&str]) -> Output {
    Command::new(binary()).args(words).current_dir(folder).output().expect("the binary starts")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

#[test]
fn one_gateway_has_it_and_a_backup_is_taken_beside() {
    let gate = Gate::start(CONFIGURATION);
    let folder = gate.folder();
    let (code, text) = said(&tollgate(folder, &["run"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("in use by process {}", gate.pid())), "{text}");

    let (code, text) = said(&tollgate(folder, &["backup", "--to", "copy.db"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("copy.db: ") && text.contains(" bytes, schema "), "{text}");
    let (code, text) = said(&tollgate(folder, &["backup", "--to", "copy.db"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("copy.db is already there and is not overwritten"), "{text}");

    // Restored as the docs say, it is a store.
    std::fs::create_dir(folder.join("restored")).expect("a folder");
    std::fs::rename(folder.join("copy.db"), folder.join("restored/tollgate.db")).expect("a copy");
    let restored = Gate::start_with(
        &CONFIGURATION.replace("directory: data", &format!("directory: {}", folder.join("restored").display())),
        &[],
        &[],
    );
    let (code, text) = said(&tollgate(folder, &["backup", "--data", "restored", "--to", "again.db"]));
    assert_eq!(code, Some(0), "{text}");
    drop(restored);
}

#[test]
fn a_store_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("tollgate.yaml"), CONFIGURATION).expect("a configuration");
    std::fs::write(folder.path().join("bare.yaml"), CONFIGURATION.replace("store:", "x-store:"))
        .expect("a configuration");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data/tollgate.db"), "not a database, though long enough").expect("a file");
    let table: [(&[&str], i32, &str); 4] = [
        (&["run"], 1, "the store cannot be opened (`store`)"),
        (&["backup", "--to", "copy.db"], 1, "broken or none of Tollgate's"),
        (&["backup", "--to", "copy.db", "--data", "nowhere"], 1, "there is no tollgate.db in nowhere"),
        (&["backup", "--to", "copy.db", "-c", "bare.yaml"], 1, "broken or none of Tollgate's"),
    ];
    for (words, expected, says) in table {
        let (code, text) = said(&tollgate(folder.path(), words));
        assert_eq!(code, Some(expected), "{words:?}: {text}");
        assert!(text.contains(says), "{words:?}: {text}");
    }
    assert!(!folder.path().join("copy.db").exists());
}
