//! The command itself: it is there, it helps, and it tells bad usage apart. (With this test cargo builds the binary along
//! with the workspace's tests, for the scenarios in e2e/.)

use std::process::Command;

#[test]
fn every_command_explains_itself_with_an_example() {
    let tollgate = env!("CARGO_BIN_EXE_tollgate");
    for command in ["run", "check", "explain", "schema", "demo-upstream", "completions"] {
        let help = Command::new(tollgate).args([command, "--help"]).output().unwrap();
        let text = String::from_utf8_lossy(&help.stdout);
        assert!(help.status.success() && text.contains("Example"), "{command}:\n{text}");
    }
    assert_eq!(Command::new(tollgate).arg("fly").output().unwrap().status.code(), Some(2));
}
