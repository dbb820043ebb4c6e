//! The models' data, `crates/ai/data/models.json`, from the price list that LiteLLM's package on PyPI holds.
//!
//! Only facts are taken over: names, limits, abilities, prices, dates. Left out are vendors without a preset, kinds of
//! models that no route serves, models that are gone for half a year, and the many lines that say of a region or a
//! version what the model's own line says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ai::catalog::{AZURE_ZONES, Per, REGIONS};
use ai::providers::presets;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

const PACKAGE: &str = "litellm";
const FILE: &str = "litellm/model_prices_and_context_window_backup.json";
const DATA: &str = "crates/ai/data/models.json";

/// Writes the data from a wheel, or from the newest release.
pub(crate) fn models(root: &Path, wheel: Option<&str>) -> Result<()> {
    let work = root.join("target/models");
    fs::create_dir_all(&work)?;
    let wheel = match wheel {
        Some(path) => PathBuf::from(path),
        None => download(&work)?,
    };
    let name = wheel.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.split('-').nth(1).context("a wheel's name holds its version")?.to_owned();
    let list: Map<String, Value> = serde_json::from_str(&unpack(&wheel)?).context("the price list")?;
    let today = output(Command::new("date").args(["-u", "+%F"]))?;
    let head = serde_json::json!({ "package": format!("{PACKAGE} (PyPI)"), "version": version, "file": FILE, "date": today.trim() });
    let gone = output(Command::new("date").args(["-u", "-d", "180 days ago", "+%F"]))?;
    let rows = rows(&list, gone.trim());
    ensure!(rows.len() > 1000, "only {} models: has the list another shape now?", rows.len());
    let lines: Vec<&str> = rows.values().map(String::as_str).collect();
    let text = format!("{{\n\"source\":{head},\n\"models\":[\n{}\n]}}\n", lines.join(",\n"));
    fs::write(root.join(DATA), &text)?;
    crate::say(&format!("wrote {DATA}: {} models, {} bytes, from {PACKAGE} {version}", rows.len(), text.len()));
    Ok(())
}

/// A token of input that costs more is a slip of the list, a price for a thousand written as one for a token.
const DEAREST: f64 = 0.000_2;
const DEAREST_EMBEDDED: f64 = 0.000_01;

fn download(work: &Path) -> Result<PathBuf> {
    let folder = work.join("wheel");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"];
    output(Command::new("python3").args(pip).arg(&folder).arg(PACKAGE))?;
    let wheel = fs::read_dir(&folder)?.next().context("pip downloaded nothing")??;
    Ok(wheel.path())
}

/// The price list in a wheel, which is a zip file.
fn unpack(wheel: &Path) -> Result<String> {
    let read = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))";
    output(Command::new("python3").args(["-c", read]).arg(wheel).arg(FILE))
}

fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("{command:?}"))?;
    if !done.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The line of each model, in order.
fn rows(list: &Map<String, Value>, gone: &str) -> BTreeMap<(String, String), String> {
    // A model that stands there with and without its vendor's prefix is taken with it.
    let mut names: Vec<&String> = list.keys().collect();
    names.sort_by_key(|name| (!name.contains('/'), name.as_str()));
    let mut facts: BTreeMap<(String, String), String> = BTreeMap::new();
    for name in names {
        let Some(entry) = list.get(name).and_then(Value::as_object) else { continue };
        let Some((provider, model)) = place(name, entry) else { continue };
        if entry.get("deprecation_date").and_then(Value::as_str).is_some_and(|date| is_date(date) && date < gone) {
            continue;
        }
        let token = entry.get("input_cost_per_token").and_then(Value::as_f64).unwrap_or_default();
        let is_embedding = entry.get("mode").and_then(Value::as_str) == Some("embedding");
        let dear = token > if is_embedding { DEAREST_EMBEDDED } else { DEAREST };
        if dear {
            crate::say(&format!("left out: {name} would cost more than any model does"));
            continue;
        }
        let Some(said) = said(entry) else { continue };
        facts.entry((provider, model)).or_insert(said);
    }
    let repeated = |(provider, model): &(String, String), said: &String| {
        base(provider, model).is_some_and(|base| facts.get(&(provider.clone(), base)) == Some(said))
    };
    let kept = facts.iter().filter(|(key, said)| !repeated(key, said));
    kept.map(|(key, said)| {
        let quoted = |text: &str| Value::from(text).to_string();
        let line = format!("{{\"provider\":{},\"model\":{}{said}}}", quoted(&key.0), quoted(&key.1));
        (key.clone(), line)
    })
    .collect()
}

/// Whose model it is, and what that vendor calls it.
fn place(name: &str, entry: &Map<String, Value>) -> Option<(String, String)> {
    let given = entry.get("litellm_provider")?.as_str()?;
    // `vertex_ai-anthropic_models` and its like are shelves of one vendor.
    let vendor = if given.starts_with("vertex_ai-") { "vertex_ai" } else { given };
    let preset = presets::find(vendor)?;
    let model = match name.split_once('/') {
        Some((prefix, rest)) if presets::find(prefix).is_some_and(|other| other.id == preset.id) => rest,
        _ => name,
    };
    let is_size = model.split('/').any(|part| part.contains("-x-") || part.contains("-steps"));
    let is_class = name.starts_with("fireworks-ai-") || name.starts_with("together-ai-");
    let is_region = preset.id == "bedrock" && model.contains('/');
    if model.is_empty() || is_size || is_class || is_region || model.contains(['"', '\\', ' ']) {
        return None;
    }
    Some((preset.id.to_owned(), model.to_owned()))
}

/// The name of which this one is a region's or a version's: those that the catalog tries when it does not find it.
fn base(provider: &str, model: &str) -> Option<String> {
    if let Some((base, _)) = model.split_once('@') {
        return Some(base.to_owned());
    }
    let (known, (region, rest)) = match provider {
        "bedrock" => (REGIONS.as_slice(), model.split_once('.')?),
        "azure_openai" => (AZURE_ZONES.as_slice(), model.split_once('/')?),
        _ => return None,
    };
    known.contains(&region).then(|| rest.to_owned())
}

/// What a line says after the names; None if no route serves such a model or nothing is known of it.
fn said(entry: &Map<String, Value>) -> Option<String> {
    let mode = match entry.get("mode")?.as_str()? {
        "chat" => "chat",
        "responses" => "responses",
        "completion" => "completion",
        "embedding" => "embedding",
        "image_generation" | "image_edit" => "image",
        "audio_speech" => "speech",
        "audio_transcription" => "transcription",
        "rerank" => "rerank",
        "moderation" => "moderation",
        "realtime" => "realtime",
        _ => return None,
    };
    let mut out = if mode == "chat" { String::new() } else { format!(",\"mode\":\"{mode}\"") };
    for (key, from) in [("context", "max_input_tokens"), ("output", "max_output_tokens")] {
        if let Some(tokens) = entry.get(from).and_then(tokens) {
            let _ = write!(out, ",\"{key}\":{tokens}");
        }
    }
    let can = abilities(entry, mode);
    if !can.is_empty() {
        let _ = write!(out, ",\"can\":\"{}\"", can.join(" "));
    }
    let standard = schedule(entry, "", mode);
    for (key, suffix) in [("price", ""), ("batch", "_batches"), ("flex", "_flex"), ("priority", "_priority")] {
        let schedule = schedule(entry, suffix, mode);
        if !schedule.is_empty() && (key == "price" || schedule != standard) {
            let _ = write!(out, ",\"{key}\":{}", Value::Object(schedule));
        }
    }
    if let Some(date) = entry.get("deprecation_date").and_then(Value::as_str).filter(|date| is_date(date)) {
        let _ = write!(out, ",\"until\":\"{date}\"");
    }
    Some(out)
}

fn tokens(value: &Value) -> Option<u64> {
    let whole = value.as_f64().filter(|tokens| *tokens >= 1.0 && *tokens < 1e9)?;
    format!("{whole:.0}").parse().ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
}

fn abilities(entry: &Map<String, Value>, mode: &str) -> Vec<&'static str> {
    let says = |key: &str| entry.get(key).and_then(Value::as_bool).unwrap_or_default();
    let lists = |key: &str, word: &str| {
        entry.get(key).and_then(Value::as_array).is_some_and(|words| words.iter().any(|one| one == word))
    };
    let takes = |word| lists("supported_modalities", word);
    let gives = |word| lists("supported_output_modalities", word);
    let tools = says("supports_function_calling");
    let all = [
        ("audio_in", says("supports_audio_input") || takes("audio")),
        ("audio_out", says("supports_audio_output") || gives("audio")),
        ("cache", says("supports_prompt_caching")),
        ("image_out", mode != "image" && gives("image")),
        ("json_schema", says("supports_response_schema")),
        ("parallel_tools", tools && says("supports_parallel_function_calling")),
        ("pdf", says("supports_pdf_input")),
        ("prefill", says("supports_assistant_prefill")),
        ("reasoning", says("supports_reasoning")),
        ("tool_choice", tools && says("supports_tool_choice")),
        ("tools", tools),
        ("video_in", says("supports_video_input") || takes("video")),
        ("vision", says("supports_vision") || says("supports_image_input") || takes("image")),
        ("web_search", says("supports_web_search")),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

/// The list's names of the prices, several where it has had several.
const PRICES: [(Per, &[&str]); 16] = [
    (Per::In, &["input_cost_per_token"]),
    (Per::Read, &["cache_read_input_token_cost"]),
    (Per::Write, &["cache_creation_input_token_cost"]),
    (Per::WriteHour, &["cache_creation_input_token_cost_above_1hr"]),
    (Per::Out, &["output_cost_per_token"]),
    (Per::Reasoning, &["output_cost_per_reasoning_token"]),
    (Per::AudioIn, &["input_cost_per_audio_token"]),
    (Per::AudioRead, &["cache_read_input_audio_token_cost"]),
    (Per::AudioOut, &["output_cost_per_audio_token"]),
    (Per::ImageIn, &["input_cost_per_image_token"]),
    (Per::ImageOut, &["output_cost_per_image_token"]),
    (Per::Image, &["output_cost_per_image"]),
    (Per::SecondIn, &["input_cost_per_second", "input_cost_per_audio_per_second"]),
    (Per::SecondOut, &["output_cost_per_second"]),
    (Per::Character, &["input_cost_per_character"]),
    (Per::Call, &["input_cost_per_query", "input_cost_per_request"]),
];

/// The prices of one service, with those of long requests.
fn schedule(entry: &Map<String, Value>, service: &str, mode: &str) -> Map<String, Value> {
    let mut schedule = rates(entry, "", service, mode);
    let mut over: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let thousands = entry.keys().filter_map(|key| key.split_once("_above_")?.1.split_once("k_tokens")?.0.parse().ok());
    for thousands in thousands.collect::<std::collections::BTreeSet<u64>>() {
        over.insert(thousands * 1000, rates(entry, &format!("_above_{thousands}k_tokens"), service, mode));
    }
    if service.is_empty() {
        let tiers = entry.get("tiered_pricing").and_then(Value::as_array).into_iter().flatten();
        for tier in tiers.filter_map(Value::as_object) {
            let from = tier.get("range").and_then(|range| range.get(0)).and_then(Value::as_f64).unwrap_or_default();
            let from: u64 = format!("{from:.0}").parse().unwrap_or_default();
            let prices = rates(tier, "", "", mode);
            // The first tier is what the model costs.
            if from == 0 {
                schedule.extend(prices)
            } else {
                over.entry(from).or_insert(prices);
            }
        }
    }
    over.retain(|_, rates| !rates.is_empty() && !rates.iter().all(|(key, price)| schedule.get(key) == Some(price)));
    if !over.is_empty() {
        let over = over.into_iter().map(|(tokens, rates)| (tokens.to_string(), Value::Object(rates)));
        schedule.insert("over".to_owned(), Value::Object(over.collect()));
    }
    schedule
}

fn rates(entry: &Map<String, Value>, length: &str, service: &str, mode: &str) -> Map<String, Value> {
    let mut rates = Map::new();
    for (per, names) in PRICES {
        let mut found = names.iter().find_map(|name| entry.get(&format!("{name}{length}{service}"))?.as_f64());
        // Makers of images are listed by what goes in where nothing is said of what comes out.
        if per == Per::Image && found.is_none() && mode == "image" && length.is_empty() && service.is_empty() {
            found = entry.get("input_cost_per_image").and_then(Value::as_f64);
        }
        let Some(text) = found.and_then(|dollars| decimal(dollars, per)) else { continue };
        rates.insert(per.as_str().to_owned(), text.into());
    }
    tidy(&mut rates, mode);
    rates
}

/// Takes out what says nothing: the second of two ways to charge the same, what costs what it is charged as anyway, and
/// nothings beside something.
fn tidy(rates: &mut Map<String, Value>, mode: &str) {
    let nothing = Value::from("0");
    let has = |rates: &Map<String, Value>, key: &str| rates.get(key).is_some_and(|price| *price != nothing);
    if has(rates, "in") {
        let images = if mode == "image" { "" } else { "image" };
        for key in ["second_in", "second_out", "character", images] {
            rates.remove(key);
        }
    }
    for (first, second) in [("second_in", "second_out"), ("image_out", "image")] {
        if has(rates, first) {
            rates.remove(second);
        }
    }
    let priced: Vec<(Per, Value)> =
        Per::ALL.into_iter().filter_map(|per| Some((per, rates.get(per.as_str())?.clone()))).collect();
    for (per, price) in priced {
        let charged_as =
            std::iter::successors(per.instead(), |per| per.instead()).find_map(|per| rates.get(per.as_str()));
        if charged_as == Some(&price) {
            rates.remove(per.as_str());
        }
    }
    if rates.values().any(|price| *price != nothing) {
        rates.retain(|key, price| *price != nothing || !matches!(key.as_str(), "in" | "out" | "call"));
    }
}

/// A price as it is written in the data. The list has binary fractions; the nearest 10⁻¹² dollars is what was meant.
fn decimal(dollars: f64, per: Per) -> Option<String> {
    if !(0.0..1e6).contains(&dollars) {
        return None;
    }
    let picos: u128 = format!("{dollars:.12}").replace('.', "").parse().ok()?;
    if picos == 0 && dollars > 0.0 {
        return None;
    }
    let decimals = if per.is_token() { 6 } else { 12 };
    let unit = 10_u128.pow(decimals as u32);
    let fraction = format!("{:0decimals$}", picos % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{}{point}{fraction}", picos / unit))
}
