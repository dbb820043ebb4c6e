//! The rules of the house that a program can check.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use proxy::policies::registry::POLICIES;
use proxy::terminals::TERMINALS;

/// Which crate may use which. An edge that is not here is not allowed.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("proxy", &["model", "store"]),
    ("ai", &["model", "store", "proxy"]),
    ("control", &["model", "store"]),
    ("tollgate", &["model", "store", "proxy", "ai", "control"]),
];

/// What `model` must not know: it says what a user can say, and does no I/O of its own beyond reading files.
const NOT_IN_MODEL: &[&str] = &["tokio", "hyper", "hyper-util", "rustls", "h2"];

/// Lines of a source file. More is a sign that it is two things.
const MOST_LINES: usize = 600;

/// Checks all of them and reports every breach.
pub(crate) fn tidy(root: &Path) -> Result<()> {
    let mut breaches = Vec::new();
    edges(root, &mut breaches)?;
    folders(
        &root.join("crates/proxy/src/policies"),
        &POLICIES.iter().map(|p| p.kind).collect(),
        "policy",
        &mut breaches,
    )?;
    folders(
        &root.join("crates/proxy/src/terminals"),
        &TERMINALS.iter().map(|t| t.kind).collect(),
        "terminal",
        &mut breaches,
    )?;
    examples(root, &mut breaches)?;
    shown_code(root, &mut breaches)?;
    sizes(root, &mut breaches)?;
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("{} rules are broken:\n  {}", breaches.len(), breaches.join("\n  "))
}

fn edges(root: &Path, breaches: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).with_context(|| format!("crate {name}"))?;
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            breaches.push(format!(
                "crates/{name}: a new crate needs its edges in xtask/src/tidy.rs and a reason in ARCHITECTURE.md"
            ));
            continue;
        };
        let used = dependencies(&manifest);
        for (other, _) in EDGES.iter().filter(|(other, _)| used.contains(*other) && !allowed.contains(other)) {
            breaches.push(format!("crates/{name} must not depend on {other}"));
        }
        if name == "model" {
            for other in NOT_IN_MODEL.iter().filter(|other| used.contains(**other)) {
                breaches.push(format!("crates/model must not depend on {other}"));
            }
        }
    }
    Ok(())
}

/// Names under `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Every folder of a registry is registered and whole.
fn folders(at: &Path, registered: &BTreeSet<&str>, noun: &str, breaches: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(at)? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !registered.contains(name) {
            breaches.push(format!("{noun} folder `{name}` is not registered"));
        }
        for part in ["mod.rs", "tests.rs", "example.yaml"] {
            if !folder.join(part).is_file() {
                breaches.push(format!("{noun} `{name}` has no {part}"));
            }
        }
    }
    Ok(())
}

/// Every example is one that the tests check: they read `examples/` and the registry, so a file elsewhere is not seen.
fn examples(root: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let checked = fs::read_to_string(root.join("e2e/tests/examples.rs")).unwrap_or_default();
    for file in files(&root.join("examples"), "yaml")? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !checked.contains(name) {
            breaches.push(format!(
                "examples/{name} is not named in e2e/tests/examples.rs, so no traffic is sent through it"
            ));
        }
    }
    Ok(())
}

/// What CONTRIBUTING.md shows of a policy stands so in its code: line by line, side notes and what is left out aside.
fn shown_code(root: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let policies = root.join("crates/proxy/src/policies");
    let mut code = fs::read_to_string(policies.join("timeout/mod.rs"))?;
    code.push_str(&fs::read_to_string(policies.join("registry.rs"))?);
    let lines: BTreeSet<&str> = code.lines().map(str::trim).collect();
    let text = fs::read_to_string(root.join("CONTRIBUTING.md"))?;
    let section = text.split("## Adding a policy").nth(1).and_then(|rest| rest.split("\n## ").next());
    let blocks = section.unwrap_or_default().split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next());
    let shown: Vec<&str> = blocks.flat_map(str::lines).map(without_note).filter(|line| !line.is_empty()).collect();
    if shown.is_empty() {
        breaches.push("CONTRIBUTING.md shows no policy's code".to_owned());
    }
    for line in shown.into_iter().filter(|line| !lines.contains(line)) {
        breaches.push(format!("CONTRIBUTING.md shows `{line}`, which the policy's code no longer says"));
    }
    Ok(())
}

/// A line of code without what is said beside it.
fn without_note(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("///") { line } else { line.split("// ").next().unwrap_or_default().trim_end() }
}

fn sizes(root: &Path, breaches: &mut Vec<String>) -> Result<()> {
    for folder in ["crates", "bench/src", "e2e", "xtask/src"] {
        for file in files(&root.join(folder), "rs")? {
            let lines = fs::read_to_string(&file)?.lines().count();
            if lines > MOST_LINES {
                let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
                breaches.push(format!("{shown} has {lines} lines, more than {MOST_LINES}: is it two things?"));
            }
        }
    }
    Ok(())
}

/// Files with this ending, at any depth.
fn files(at: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !at.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    Ok(found)
}
