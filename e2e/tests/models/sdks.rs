//! The vendors' own SDKs as callers, from PyPI: a fixed script by each of them before each kind of provider.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use e2e::provider::Provider;

use super::{CALLER_KEY, before};

const REQUIREMENTS: &str = include_str!("sdk/requirements.txt");
const SCRIPT: &str = include_str!("sdk/script.py");

/// What the script says when all of it held.
const STEPS: &str = "chat stream tool parallel_tools structured images models broken_stream errors";

#[test]
fn openais_sdk_before_openai() {
    script("openai", "o");
}

#[test]
fn openais_sdk_before_anthropic() {
    script("openai", "a");
}

#[test]
fn openais_sdk_before_a_compatible_host() {
    script("openai", "c");
}

#[test]
fn anthropics_sdk_before_anthropic() {
    script("anthropic", "a");
}

#[test]
fn anthropics_sdk_before_openai() {
    script("anthropic", "o");
}

fn script(sdk: &str, prefix: &str) {
    let provider = Provider::start();
    let gate = before(provider.address);
    let url = format!("http://{}", gate.address("public"));
    let done = Command::new(installed().join("bin/python"))
        .args(["-c", SCRIPT, sdk, &url, CALLER_KEY, prefix])
        // Neither a proxy nor a key of whoever runs the tests.
        .env_clear()
        .output()
        .expect("the script starts");
    let said = String::from_utf8_lossy(&done.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    // OpenAI itself would get Responses as they are, and this provider does not speak them.
    let steps =
        if sdk == "openai" && prefix != "o" { STEPS.replace("models ", "models responses ") } else { STEPS.to_owned() };
    assert_eq!(said, steps, "{}\n{}", String::from_utf8_lossy(&done.stderr), gate.said());
    assert!(done.status.success());
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
