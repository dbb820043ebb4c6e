//! Every target takes its committed seeds, and each of them cut short anywhere: what once was found stays mended, and CI
//! needs no fuzzer for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use targets::TARGETS;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The seeds of a target.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let at = folder().join("seeds").join(name);
    let entries = fs::read_dir(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn every_target_takes_its_seeds() {
    for (name, run) in TARGETS {
        let inputs = seeds(name);
        assert!(!inputs.is_empty(), "{name} has no seeds");
        for (path, input) in inputs {
            println!("{}", path.display());
            run(&input);
            // Cut short: at most at so many places, as a whole configuration takes a while.
            let step = input.len().div_ceil(64).max(1);
            (0..input.len()).step_by(step).for_each(|end| run(&input[..end]));
        }
    }
}

#[test]
fn every_target_has_a_binary_and_seeds() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let binaries = manifest.split("[[bin]]").skip(1).map(|bin| bin.split('"').nth(1).unwrap().to_owned());
    assert_eq!(binaries.collect::<BTreeSet<_>>(), known);
    let seeds = fs::read_dir(folder().join("seeds")).unwrap();
    let seeds = seeds.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(seeds.collect::<BTreeSet<_>>(), known);
}
