//! The vendors' own SDKs as callers, for Python and for JavaScript: a fixed script by each of them before each kind of
//! provider.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use e2e::provider::{Play, Provider};

use super::{CALLER_KEY, before};

const REQUIREMENTS: &str = include_str!("sdk/requirements.txt");
const PACKAGES: [(&str, &str); 2] =
    [("package.json", include_str!("sdk/package.json")), ("package-lock.json", include_str!("sdk/package-lock.json"))];
const PYTHON: &str = include_str!("sdk/script.py");
const JAVASCRIPT: &str = include_str!("sdk/script.mjs");

/// What is behind, by the prefix of its models' names.
const BEHIND: [(&str, &str); 5] =
    [("o", "OpenAI"), ("a", "Anthropic"), ("c", "compatible"), ("g", "Gemini"), ("b", "Bedrock")];

/// The steps of the script, and whose they are.
const STEPS: [(&str, &str); 14] = [
    ("chat", "openai anthropic"),
    ("stream", "openai anthropic"),
    ("tool", "openai anthropic"),
    ("parallel_tools", "openai anthropic"),
    ("structured", "openai anthropic"),
    ("images", "openai anthropic"),
    ("models", "openai anthropic"),
    ("responses", "openai"),
    ("embeddings", "openai"),
    ("draw", "openai"),
    ("count_tokens", "anthropic"),
    ("retries", "openai anthropic"),
    ("broken_stream", "openai anthropic"),
    ("errors", "openai anthropic"),
];

#[test]
fn python_openai() {
    scripts("openai", python());
}

#[test]
fn python_anthropic() {
    scripts("anthropic", python());
}

#[test]
fn javascript_openai() {
    scripts("openai", javascript());
}

#[test]
fn javascript_anthropic() {
    scripts("anthropic", javascript());
}

/// Runs the script before each kind of provider, and shows what held as a table.
fn scripts(sdk: &str, program: &[&str]) {
    let mut table = format!("{sdk}, {}\n", Path::new(program[0]).file_name().expect("a name").to_string_lossy());
    let mut failed = String::new();
    for (prefix, behind) in BEHIND {
        let (held, why) = script(sdk, program, prefix);
        let asked: Vec<&str> = STEPS.iter().filter(|(_, sdks)| sdks.contains(sdk)).map(|(step, _)| *step).collect();
        table.push_str(&format!("  {behind:10} {}/{} {}\n", held.len(), asked.len(), held.join(" ")));
        if held != asked {
            failed.push_str(&format!("before {behind}: {why}\n"));
        }
    }
    println!("{table}");
    assert!(failed.is_empty(), "{table}{failed}");
}

/// The steps that held, and what was said otherwise.
fn script(sdk: &str, program: &[&str], prefix: &str) -> (Vec<String>, String) {
    let first = AtomicBool::new(true);
    let provider = Provider::playing(move |_, heard| match heard.model.as_str() {
        "once" if first.swap(false, SeqCst) => Play::fails(500),
        _ => Play::of(heard),
    });
    let gate = before(provider.address);
    let url = format!("http://{}", gate.address("public"));
    let done = Command::new(program[0])
        .args(&program[1..])
        .args([sdk, &url, CALLER_KEY, prefix])
        // Neither a proxy nor a key of whoever runs the tests.
        .env_clear()
        .output()
        .expect("the script starts");
    let held = String::from_utf8_lossy(&done.stdout).split_whitespace().map(str::to_owned).collect();
    (held, format!("{}\n{}", String::from_utf8_lossy(&done.stderr), gate.said()))
}

/// The interpreter with the script.
fn python() -> &'static [&'static str] {
    static PROGRAM: OnceLock<Vec<&'static str>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let python = installed().join("bin/python").to_string_lossy().into_owned();
        vec![python.leak(), "-c", PYTHON]
    })
}

/// The same for JavaScript: a module finds packages from where it lies.
fn javascript() -> &'static [&'static str] {
    static PROGRAM: OnceLock<Vec<&'static str>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = modules().join("script.mjs");
        if fs::read_to_string(&script).ok().as_deref() != Some(JAVASCRIPT) {
            fs::write(&script, JAVASCRIPT).expect("the script is written");
        }
        let node = std::env::split_paths(&std::env::var_os("PATH").expect("a path"))
            .map(|folder| folder.join("node"))
            .find(|node| node.exists())
            .expect("there is node (`cargo xtask need node`)");
        vec![node.to_string_lossy().into_owned().leak(), script.to_string_lossy().into_owned().leak()]
    })
}

/// The folder with the packages for JavaScript, pinned with all they need. Installed once for these pins.
fn modules() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("model-sdks-js");
        fs::create_dir_all(&folder).expect("a folder");
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("the lock is free in the end");
        let stamp = folder.join("installed");
        if fs::read_to_string(&stamp).is_ok_and(|known| known == PACKAGES[1].1) {
            return folder;
        }
        for (name, text) in PACKAGES {
            fs::write(folder.join(name), text).expect("the pins are written");
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        let done = npm.status().expect("there is npm (`cargo xtask need npm`)");
        assert!(done.success(), "npm installs the SDKs: {done}");
        fs::write(stamp, PACKAGES[1].1).expect("a stamp");
        folder
    })
}

/// The folder with the SDKs, pinned with all they need. Installed once for these pins.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("model-sdks");
        fs::create_dir_all(&folder).expect("a folder");
        // Two runs of the tests do not install over each other.
        let lock = File::create(folder.join("lock")).expect("a lock file");
        lock.lock().expect("the lock is free in the end");
        let (stamp, pins) = (folder.join("installed"), folder.join("requirements.txt"));
        if fs::read_to_string(&stamp).is_ok_and(|known| known == REQUIREMENTS) {
            return folder;
        }
        let run = |command: &mut Command, what: &str| {
            let done = command.status().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(done.success(), "{what}: {done}");
        };
        let venv = "python3 makes an environment (`cargo xtask need python3`)";
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder), venv);
        fs::write(&pins, REQUIREMENTS).expect("the pins are written");
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--only-binary"]);
        run(pip.args([":all:", "--requirement"]).arg(&pins), "pip installs the SDKs");
        fs::write(stamp, REQUIREMENTS).expect("a stamp");
        folder
    })
}
