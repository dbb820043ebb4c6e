//! `tollgate authz test`: tries who may do what.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use model::problem::render;
use proxy::clock::Clock;
use proxy::program::Environment;
use serde_json::json;

use super::usage::Usage;
use super::{AuthzTestArgs, GOOD, PROBLEMS, found, show_problems, style};
use crate::authz::{Effect, Tried, read as read_cases};
use crate::configuration::{Outside, environment, read};

pub(super) fn test(args: &AuthzTestArgs) -> Result<u8> {
    let mut file = read_cases(&args.file);
    if let Some(first) = file.problems.iter().next().filter(|first| first.code == "config.unreadable") {
        return Err(Usage::error(&first.message));
    }
    let mut configuration = read(&args.config.config, Outside::Offline);
    found(&configuration)?;
    let (clock, hand) = Clock::manual();
    let now = Clock::system().wall().as_nanos();
    hand.store(u64::try_from(now).unwrap_or(u64::MAX), std::sync::atomic::Ordering::Relaxed);
    let program = configuration.compile(&Environment { clock, ..environment(1, Outside::Offline) });
    let Some(program) = program else {
        show_problems(&configuration);
        return Ok(PROBLEMS);
    };
    let tried = match &file.cases {
        Some(cases) if !file.problems.has_errors() => {
            cases.run(&Arc::new(program), &hand, &file.sources, &mut file.problems)
        }
        _ => Vec::new(),
    };
    if !file.problems.is_empty() {
        style::say(&render(&file.problems, &file.sources, style::for_stderr()));
    }
    let failed = tried.iter().filter(|tried| !tried.passed).count();
    let passed = tried.len() - failed;
    if args.json {
        let report = json!({ "passed": passed, "failed": failed, "wrong": file.problems.errors(), "cases": tried });
        style::print(&serde_json::to_string_pretty(&report)?)?;
    } else if !tried.is_empty() {
        style::print(&table(&tried, passed, failed))?;
    }
    Ok(if failed > 0 || file.problems.has_errors() { PROBLEMS } else { GOOD })
}

/// The cases for people, those that failed with what differs.
fn table(tried: &[Tried], passed: usize, failed: usize) -> String {
    let width = tried.iter().map(|case| case.name.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for case in tried {
        let mark = if case.passed { "ok  " } else { "FAIL" };
        let became = if case.outcome.allowed { "allow" } else { "deny" };
        let mut by = case.outcome.route.clone();
        if let Some(rule) = &case.outcome.rule {
            let _ = write!(by, ", rule {rule}");
        }
        if let Some(code) = case.outcome.code {
            let _ = write!(by, ", {code}");
        }
        let _ = writeln!(text, "{mark}  {:width$}  {became:5}  {by}", case.name);
        if !case.passed {
            let expect = if case.expect == Effect::Allow { "allow" } else { "deny" };
            let _ = writeln!(text, "      {}: expected {expect}, but {}", case.place, case.differs.join("; "));
            if let Some(reason) = &case.outcome.reason {
                let _ = writeln!(text, "      because: {reason}");
            }
        }
        if let Some(shadow) = &case.outcome.shadow_denied {
            let _ = writeln!(text, "      in the shadow: {shadow}");
        }
        if !case.outcome.passed_over.is_empty() {
            let _ = writeln!(text, "      not asked here: {}", case.outcome.passed_over.join(", "));
        }
    }
    let _ = writeln!(text, "{} cases: {passed} passed, {failed} failed", tried.len());
    text
}
