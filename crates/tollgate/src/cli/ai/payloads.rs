//! `tollgate ai payloads`: what was asked of models and what they said, where it was kept.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use super::PayloadsArgs;
use crate::cli::gateway::directory;
use crate::cli::{GOOD, PROBLEMS, style};

/// Bytes of the longest line that is read.
const MOST_LINE: usize = 8 << 20;

pub(super) fn payloads(args: &PayloadsArgs) -> anyhow::Result<u8> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => match directory(&args.config.config)? {
            Some(directory) => directory.join(ai::PAYLOADS),
            None => return Ok(PROBLEMS),
        },
    };
    let files = ai::payload_files(&folder).with_context(|| format!("there are no payloads in {}", folder.display()))?;
    let mut told = 0;
    for file in files {
        for line in wanted(&file, args)?.into_iter().rev() {
            if told >= args.last {
                return Ok(GOOD);
            }
            style::print(&line)?;
            told += 1;
        }
    }
    if told == 0 {
        style::say("nothing was found");
    }
    Ok(if told == 0 { PROBLEMS } else { GOOD })
}

/// The last lines of a file that are wanted, the oldest first.
fn wanted(file: &Path, args: &PayloadsArgs) -> anyhow::Result<Vec<String>> {
    let mut found = std::collections::VecDeque::new();
    let lines = BufReader::new(File::open(file).with_context(|| format!("cannot read {}", file.display()))?).lines();
    for line in lines.map_while(Result::ok).filter(|line| line.len() <= MOST_LINE) {
        // A line that a crash cut is none.
        let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
        let is = |field: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| record.get(field).and_then(Value::as_str) == Some(wanted))
        };
        if is("request_id", &args.request) && is("consumer", &args.consumer) && is("model", &args.model) {
            found.push_back(line);
            if found.len() > args.last {
                found.pop_front();
            }
        }
    }
    Ok(found.into())
}
