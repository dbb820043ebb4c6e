//! The table is whole, unambiguous, and its URLs are URLs.

use std::collections::BTreeMap;

use super::*;
use crate::providers::{Prefill, StreamUsage};

#[test]
fn names_are_plain_and_each_finds_its_own_row() {
    let mut seen = BTreeMap::new();
    for preset in all() {
        for name in std::iter::once(&preset.id).chain(preset.aliases) {
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{name} is not a plain name"
            );
            assert_eq!(seen.insert(*name, preset.id), None, "{name} is there twice");
            assert_eq!(find(name).map(|found| found.id), Some(preset.id), "{name}");
        }
    }
    assert_eq!(names().count(), seen.len());
    assert!(all().count() >= 100, "{} rows", all().count());
}

#[test]
fn the_ids_of_others_find_rows() {
    // Of APIPark, which also has a row for a server that answers nothing.
    let apipark = "anthropic azure_openai baichuan bailian bedrock chatglm cohere deepseek fireworks google groq \
                   huggingface_hub hunyuan lm_studio minimax mistralai moonshot novita nvidia ollama openai openrouter \
                   perfxcloud siliconflow spark stepfun tongyi upstage vertex_ai volcengine_maas wenxin xinference yi \
                   zhinao zhipuai";
    // Of price lists and of people.
    let others = "azure gemini together_ai fireworks_ai dashscope hosted_vllm tgi vllm x-ai Z.AI lambda_ai localai \
                  deepinfra hyperbolic nebius github_models databricks snowflake cloudflare replicate inference.net \
                  ai21 writer cerebras sambanova xai perplexity OpenAI lm-studio";
    for name in apipark.split_whitespace().chain(others.split_whitespace()) {
        assert!(find(name).is_some(), "{name}");
    }
    assert_eq!(apipark.split_whitespace().count(), 35);
}

#[test]
fn what_is_no_name_finds_nothing() {
    for name in ["", "open", "openai ", "openaii", "ОpenAI", "anthropic/claude"] {
        assert!(find(name).is_none(), "{name:?}");
    }
}

#[test]
fn rows_say_where_they_come_from() {
    for preset in all() {
        let Source { page, against, checked } = preset.source;
        assert!(page.starts_with("https://") && !page.contains(' '), "{}: {page}", preset.id);
        assert!(!against.is_empty(), "{}", preset.id);
        assert!(checked.len() == 10 && checked.starts_with("20"), "{}: {checked}", preset.id);
        assert!(!preset.title.is_empty());
    }
}

#[test]
fn every_call_that_is_served_has_a_whole_url() {
    for preset in all() {
        assert!(preset.serves.iter().next().is_some(), "{} serves nothing", preset.id);
        assert!(!preset.base_url.ends_with('/'), "{}", preset.id);
        for call in preset.serves.iter() {
            let at = format!("{} {}", preset.id, call.as_str());
            for path in [preset.path(call).expect(&at), preset.stream_path(call).expect(&at)] {
                let url = preset.url(None, path, |_| Some("value")).expect(&at);
                assert!(url.starts_with("https://") || preset.key == Key::Optional, "{at}: {url} would show the key");
                assert!(url.starts_with("http"), "{at}: {url}");
                assert!(!url.contains(['{', '}', ' ']), "{at}: {url}");
                assert_eq!(url.matches("//").count(), 1, "{at}: {url}");
            }
        }
        for (call, path) in preset.paths {
            assert!(preset.serves.has(*call), "{}: a path for {} that it does not serve", preset.id, call.as_str());
            assert!(path.starts_with('/') || path.starts_with("https://"), "{}: {path}", preset.id);
        }
        for (name, _) in preset.defaults {
            assert!(preset.settings().any(|(known, _)| known == *name), "{}: no use for {name}", preset.id);
        }
        for (name, value) in preset.headers {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !value.is_empty(), "{name}");
        }
    }
}

#[test]
fn urls() {
    let region = |name: &str| match name {
        "region" => Some("eu-west-1"),
        "project" => Some("p-1"),
        "resource" => Some("mine"),
        "model" => Some("arn:aws:bedrock/x"),
        _ => None,
    };
    let cases = [
        ("openai", None, Capability::Chat, "https://api.openai.com/v1/chat/completions"),
        ("openai", Some("http://127.0.0.1:9/v1/"), Capability::Chat, "http://127.0.0.1:9/v1/chat/completions"),
        ("anthropic", None, Capability::Messages, "https://api.anthropic.com/v1/messages"),
        (
            "bedrock",
            None,
            Capability::Chat,
            "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%2Fx/converse",
        ),
        (
            "azure",
            None,
            Capability::Embeddings,
            "https://mine.openai.azure.com/openai/deployments/arn%3Aaws%3Abedrock%2Fx/embeddings?api-version=2024-10-21",
        ),
        ("dashscope", None, Capability::Rerank, "https://dashscope.aliyuncs.com/compatible-api/v1/reranks"),
        ("wenxin", None, Capability::Rerank, "https://qianfan.baidubce.com/v2/rerankers"),
    ];
    for (preset, base, call, expected) in cases {
        let preset = find(preset).unwrap();
        assert_eq!(preset.url(base, preset.path(call).unwrap(), region).unwrap(), expected);
    }
    let gemini = find("gemini").unwrap();
    let stream = gemini.stream_path(Capability::Chat).unwrap();
    assert_eq!(
        gemini.url(None, stream, |_| Some("gemini-2.5-pro")).unwrap(),
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    );
}

#[test]
fn a_setting_cannot_name_another_host() {
    let azure = find("azure").unwrap();
    let url = azure.url(None, "/x", |_| Some("evil.example/@#?")).unwrap();
    assert_eq!(url, "https://evil.example%2F%40%23%3F.openai.azure.com/openai/x");
}

#[test]
fn a_setting_that_is_missing_is_named() {
    let bedrock = find("bedrock").unwrap();
    let path = bedrock.path(Capability::Chat).unwrap();
    assert_eq!(bedrock.url(None, path, |_| None), Err(Missing("region".to_owned())));
    let settings = |name: &str| find(name).unwrap().settings().collect::<Vec<_>>();
    assert_eq!(settings("openai"), []);
    assert_eq!(settings("bedrock"), [("region", None)]);
    assert_eq!(settings("vertex"), [("project", None), ("region", None)]);
    assert_eq!(settings("azure"), [("api_version", Some("2024-10-21")), ("resource", None)]);
}

#[test]
fn quirks_of_vendors() {
    let quirks = |name: &str| find(name).unwrap().quirks;
    assert_eq!(quirks("openai").max_tokens, crate::providers::MaxTokens::MaxCompletionTokens);
    assert_eq!(quirks("mistral").stream_usage, StreamUsage::Always);
    assert_eq!(quirks("mistral").prefill, Prefill::Flag("prefix"));
    assert_eq!(quirks("kimi").prefill, Prefill::Flag("partial"));
    assert_eq!(quirks("vllm").prefill, Prefill::ContinueFinalMessage);
    assert_eq!(quirks("openai").prefill, Prefill::None);
}

#[test]
fn sets() {
    let set = Capabilities::of(&[Capability::Realtime, Capability::Chat]);
    assert_eq!(set.iter().collect::<Vec<_>>(), [Capability::Chat, Capability::Realtime]);
    assert!(!set.has(Capability::Files));
    assert_eq!(Capabilities::default().iter().count(), 0);
    assert_eq!(Capabilities::of(&Capability::ALL).iter().count(), Capability::ALL.len());
}

/// Whoever builds the wire side relies on each dialect's having a vendor.
#[test]
fn every_dialect_has_a_vendor() {
    for dialect in Dialect::ALL {
        assert!(all().any(|preset| preset.dialect == dialect), "{}", dialect.as_str());
        assert!(dialect.path(Capability::Chat).is_some());
    }
}
