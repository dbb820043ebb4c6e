//! The docs' page of the presets, made from the table.

use std::fmt::Write as _;

use super::presets::{Key, Preset, all};
use super::{Capability, Dialect, MaxTokens, ParallelTools, Prefill, Replay, Schema, StreamUsage, User};

/// The page, without the line that says that it is generated.
pub fn reference() -> String {
    let mut out = String::from("# AI providers\n\n");
    let _ = writeln!(
        out,
        "{} vendors and servers have a preset: `preset: groq` in a provider's configuration stands for what its row says, and\n\
         any of its other names finds it too. `base_url` points a preset elsewhere; any other server that speaks one of\n\
         the dialects is a provider with the nearest preset and its own `base_url`.\n",
        all().count()
    );
    out.push_str("## Dialects\n\nWhat a conversation is spoken in. ");
    out.push_str("`{model}` is the model of the call; other names in braces are settings of the provider.\n\n");
    out.push_str("| dialect | conversations | streamed |\n|---|---|---|\n");
    for dialect in Dialect::ALL {
        let path = |path: Option<&str>| path.map_or_else(String::new, |path| format!("`{path}`"));
        let whole = path(dialect.path(Capability::Chat));
        let stream = path(dialect.stream_path(Capability::Chat));
        let stream = if stream == whole { "the same".to_owned() } else { stream };
        let _ = writeln!(out, "| `{}` | {whole} | {stream} |", dialect.as_str());
    }
    out.push_str(
        "\n## Presets\n\n| preset | other names | vendor | dialect | base URL | key |\n|---|---|---|---|---|---|\n",
    );
    for preset in all() {
        let aliases: Vec<String> = preset.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let optional = if preset.key == Key::Optional { ", if it has one" } else { "" };
        let _ = writeln!(
            out,
            "| `{}` | {} | [{}]({}) | `{}` | `{}` | {}{optional} |",
            preset.id,
            aliases.join(", "),
            preset.title,
            preset.source.page,
            preset.dialect.as_str(),
            preset.base_url,
            preset.auth.shown(),
        );
    }
    out.push_str("\n## What each serves\n\nWhether a model can is the catalog's to say. ");
    out.push_str("*Also* is what differs from OpenAI's fields, and is seen to.\n\n");
    out.push_str("| preset | serves | settings | also |\n|---|---|---|---|\n");
    for preset in all() {
        let serves: Vec<&str> = preset.serves.iter().map(Capability::as_str).collect();
        let settings: Vec<String> = preset.settings().map(|(name, default)| setting(name, default)).collect();
        let quirks = if preset.dialect == Dialect::OpenaiChat { quirks(preset).join("; ") } else { prefill(preset) };
        let _ = writeln!(out, "| `{}` | {} | {} | {quirks} |", preset.id, serves.join(", "), settings.join(", "));
    }
    out.push_str("\n## Sources\n\nWhat a base URL was compared with, and when; vendors' pages are linked above.\n\n");
    out.push_str("| compared with | on | presets |\n|---|---|---|\n");
    let mut sources: Vec<(&str, &str)> = all().map(|preset| (preset.source.against, preset.source.checked)).collect();
    sources.sort_unstable();
    sources.dedup();
    for (against, checked) in sources {
        let rows = all().filter(|preset| (preset.source.against, preset.source.checked) == (against, checked));
        let ids: Vec<String> = rows.map(|preset| format!("`{}`", preset.id)).collect();
        let _ = writeln!(out, "| {against} | {checked} | {} |", ids.join(", "));
    }
    out
}

fn setting(name: &str, default: Option<&str>) -> String {
    default.map_or_else(|| format!("`{name}`"), |default| format!("`{name}` (`{default}`)"))
}

/// Where a row departs from what OpenAI-compatible servers do in common.
fn quirks(preset: &Preset) -> Vec<String> {
    let quirks = preset.quirks;
    let mut said = Vec::new();
    let mut say = |differs: bool, text: &str| {
        if differs {
            said.push(text.to_owned());
        }
    };
    say(quirks.max_tokens == MaxTokens::MaxCompletionTokens, "`max_completion_tokens`");
    say(quirks.stream_usage == StreamUsage::Always, "no `stream_options`");
    say(quirks.replay == Replay::Required, "reasoning must be sent back with tool calls");
    match quirks.parallel_tools {
        ParallelTools::Sent => {}
        ParallelTools::Fixed => say(true, "no `parallel_tool_calls`"),
        ParallelTools::NoTools => say(true, "no tools"),
    }
    say(quirks.schema == Schema::None, "no `response_format`");
    say(quirks.user == User::Refused, "no `user`");
    match quirks.seed {
        Some("seed") => {}
        Some(other) => say(true, &format!("seed in `{other}`")),
        None => say(true, "no `seed`"),
    }
    let prefill = prefill(preset);
    say(!prefill.is_empty(), &prefill);
    said
}

fn prefill(preset: &Preset) -> String {
    match preset.quirks.prefill {
        Prefill::None => String::new(),
        Prefill::LastMessage => "goes on with a last assistant message".to_owned(),
        Prefill::Flag(name) => format!("goes on with a last assistant message with `{name}: true`"),
        Prefill::ContinueFinalMessage => "goes on with `continue_final_message`".to_owned(),
    }
}
