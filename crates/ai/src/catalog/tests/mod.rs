//! The data is whole and plausible, every model is found, and what is charged is exact.

mod cost;
mod money;

use std::collections::BTreeSet;

use super::*;

fn find(provider: &str, model: &str) -> Option<Entry> {
    Catalog::embedded().find(provider, model)
}

#[test]
fn the_data_says_where_it_is_from_and_is_small() {
    let source = source().expect("the head of the file");
    assert!(source.package.starts_with("litellm") && !source.version.is_empty(), "{source:?}");
    assert!(source.date.len() == 10 && source.date.starts_with("20"), "{source:?}");
    let text = include_str!("../../../data/models.json");
    assert!(text.len() < 600 * 1024, "{} bytes", text.len());
    let document: serde_json::Value = serde_json::from_str(text).expect("the whole file is JSON");
    assert_eq!(document["models"].as_array().map(Vec::len), Some(embedded::lines().count()));
    assert!(embedded::lines().count() > 2500);
}

#[test]
fn every_line_is_a_model_in_order_and_is_found() {
    let catalog = Catalog::embedded();
    let mut last = (String::new(), String::new());
    for line in embedded::lines() {
        let entry = Entry::parse(line).unwrap_or_else(|| panic!("{line}"));
        let key = (entry.provider.clone(), entry.model.clone());
        assert!(key > last, "{key:?} comes after {last:?}");
        assert_eq!(presets::find(&key.0).map(|preset| preset.id), Some(key.0.as_str()), "{line}");
        assert_eq!(catalog.find(&key.0, &key.1).as_ref(), Some(&entry), "{line}");
        assert_eq!(embedded::line(&key.0, &format!("{}\u{1}", key.1)), None, "{line}");
        last = key;
    }
}

#[test]
fn every_line_is_plausible() {
    for entry in Catalog::embedded().entries() {
        let at = format!("{}/{}", entry.provider, entry.model);
        assert!(entry.max_input.is_none_or(|tokens| (1..=20_000_000).contains(&tokens)), "{at}");
        assert!(entry.max_output.is_none_or(|tokens| (1..=20_000_000).contains(&tokens)), "{at}");
        assert!(!entry.model.contains(['"', '\\', ' ']) && entry.model.is_ascii(), "{at}");
        let dollars = |per, text| {
            let most = Money::parse(text).unwrap();
            let price = entry.price.base.get(per);
            assert!(price.is_none_or(|price| price.shown_per_million() <= most), "{at}: {price:?}");
        };
        let (most_in, most_out) = if entry.mode == Mode::Embedding { ("10", "10") } else { ("200", "1000") };
        dollars(Per::In, most_in);
        dollars(Per::Out, most_out);
        dollars(Per::Image, "2000000");
        dollars(Per::SecondIn, "100000");
        for (over, rates) in entry.price.over.iter().chain(&entry.batch.over) {
            assert!((1000..=10_000_000).contains(over) && !rates.is_empty(), "{at}: {over}");
        }
        if let (Some(batch), Some(usual)) = (entry.batch.base.get(Per::Out), entry.price.base.get(Per::Out)) {
            assert!(batch <= usual, "{at}: a batch costs more");
        }
        if let Some(date) = &entry.until {
            assert!(date.len() == 10 && date.starts_with("20"), "{at}: {date}");
        }
    }
}

#[test]
fn the_vendors_that_matter_have_models() {
    let have: BTreeSet<String> = Catalog::embedded().entries().map(|entry| entry.provider).collect();
    for provider in
        ["anthropic", "azure_openai", "bedrock", "cohere", "deepseek", "gemini", "groq", "mistral", "openai"]
    {
        assert!(have.contains(provider), "{provider}");
    }
    for provider in ["fireworks", "moonshot", "perplexity", "together", "tongyi", "vertex", "volcengine", "xai"] {
        assert!(have.contains(provider), "{provider}");
    }
    assert!(have.len() >= 50, "{have:?}");
}

#[test]
fn facts_that_vendors_publish() {
    // (provider, model, context, dollars a million in, out, what it can)
    let cases = [
        ("openai", "gpt-4o", 128_000, "2.5", "10", "tools vision json_schema"),
        ("openai", "gpt-5", 272_000, "1.25", "10", "tools vision reasoning"),
        ("openai", "text-embedding-3-small", 8191, "0.02", "", ""),
        ("anthropic", "claude-sonnet-4-5", 200_000, "3", "15", "cache prefill tools pdf"),
        ("gemini", "gemini-2.5-pro", 1_048_576, "1.25", "10", "audio_in video_in reasoning"),
        ("bedrock", "amazon.nova-lite-v1:0", 300_000, "0.06", "0.24", "tools vision"),
    ];
    for (provider, model, context, input, output, can) in cases {
        let entry = find(provider, model).unwrap_or_else(|| panic!("{provider}/{model}"));
        assert_eq!(entry.max_input, Some(context), "{model}");
        let shown = |per| entry.price.base.get(per).map(|price| price.shown_per_million().to_string());
        assert_eq!(shown(Per::In).as_deref(), Some(input), "{model}");
        assert_eq!(shown(Per::Out).unwrap_or_default(), output, "{model}");
        let can = Abilities::try_from(can.to_owned()).unwrap();
        assert!(can.iter().all(|one| entry.can.has(one)), "{model}: {:?}", entry.can.iter().collect::<Vec<_>>());
    }
    assert!(!find("anthropic", "claude-opus-4-7").unwrap().can.has(Ability::Prefill));
    assert_eq!(find("openai", "text-embedding-3-small").unwrap().mode, Mode::Embedding);
}

#[test]
fn names_that_mean_the_same_model() {
    let cases = [
        ("azure", "gpt-4o", "azure_openai", "gpt-4o"),
        ("azure", "global/gpt-4o", "azure_openai", "gpt-4o"),
        ("google", "models/gemini-2.5-pro", "gemini", "gemini-2.5-pro"),
        ("vertex_ai", "publishers/google/models/gemini-2.5-pro", "vertex", "gemini-2.5-pro"),
        ("vertex_ai", "claude-sonnet-4-6@default", "vertex", "claude-sonnet-4-6"),
        ("bedrock_converse", "us.amazon.nova-lite-v1:0", "bedrock", "amazon.nova-lite-v1:0"),
        (
            "bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            "bedrock",
            "amazon.nova-lite-v1:0",
        ),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123", "openai", "ft:gpt-4o-2024-08-06"),
    ];
    for (provider, model, id, name) in cases {
        let found = find(provider, model).unwrap_or_else(|| panic!("{provider}/{model}"));
        assert_eq!((found.provider.as_str(), found.model.as_str()), (id, name), "{provider}/{model}");
    }
    let catalog = Catalog::embedded();
    assert_eq!(catalog.find_name("azure/gpt-4o"), catalog.find("azure_openai", "gpt-4o"));
    assert_eq!(
        catalog.find_name("openrouter/anthropic/claude-sonnet-4.5"),
        catalog.find("openrouter", "anthropic/claude-sonnet-4.5")
    );
}

#[test]
fn what_is_not_known_is_not_another() {
    for (provider, model) in [
        ("openai", "gpt-4o-"),
        ("openai", ""),
        ("", "gpt-4o"),
        ("nobody", "gpt-4o"),
        ("openai", "GPT-4O"),
        ("openai", "x"),
    ] {
        assert_eq!(find(provider, model), None, "{provider}/{model}");
    }
    assert_eq!(Catalog::embedded().find_name("gpt-4o"), None);
}

#[test]
fn a_users_rows_stand_first() {
    let rows = Row::list(
        r#"{"models": [
            {"provider": "azure", "model": "gpt-4o", "price": {"in": "2", "out": 8}},
            {"provider": "openai", "model": "gpt-4o", "context": 64000},
            {"provider": "house", "model": "llama", "mode": "chat", "can": "tools vision", "price": {"in": "0", "out": "0"}}
        ]}"#,
    )
    .unwrap();
    let catalog = Catalog::embedded().with_overrides(rows);

    let azure = catalog.find("azure_openai", "gpt-4o").unwrap();
    let prices: Vec<_> = azure.price.base.iter().collect();
    assert_eq!(prices, [(Per::In, Price::per_million("2").unwrap()), (Per::Out, Price::per_million("8").unwrap())]);
    assert!(azure.batch.is_empty(), "no price of the embedded list is left");
    assert_eq!(azure.max_input, Some(128_000), "limits are as they were");

    let openai = catalog.find("openai", "gpt-4o").unwrap();
    assert_eq!((openai.max_input, openai.price), (Some(64_000), find("openai", "gpt-4o").unwrap().price));

    let house = catalog.find("house", "llama").unwrap();
    assert!(house.is_free() && house.can.has(Ability::Vision));

    let all: Vec<_> = catalog.entries().map(|entry| (entry.provider, entry.model)).collect();
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "each once and in order");
    assert_eq!(all.len(), Catalog::embedded().entries().count() + 1);
}

#[test]
fn rows_that_cannot_be_read() {
    let cases = [
        (r#"[{"provider": "a", "model": "b", "prize": {}}]"#, "unknown field `prize`"),
        (r#"[{"provider": "a", "model": "b", "price": {"inn": "1"}}]"#, "unknown price `inn`"),
        (r#"[{"provider": "a", "model": "b", "price": {"in": 1.1}}]"#, "a decimal in quotes"),
        (r#"[{"provider": "a", "model": "b", "price": {"in": "1e-6"}}]"#, "not a decimal number"),
        (r#"[{"provider": "a", "model": "b", "price": {"in": "0.0000001"}}]"#, "more than 6 decimals"),
        (r#"[{"provider": "a", "model": "b", "price": {"over": {"many": {}}}}]"#, "numbers of tokens"),
        (r#"[{"provider": "a", "model": "b", "price": {"over": {"9": {"over": {"9": {}}}}}}]"#, "`over` within `over`"),
        (r#"[{"provider": "a", "model": "b", "can": "fly"}]"#, "unknown ability `fly`"),
        (r#"[{"provider": "a"}]"#, "missing field `model`"),
    ];
    for (text, expected) in cases {
        let message = Row::list(text).map(|_| ()).expect_err(text).to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn no_float_touches_money() {
    for source in [
        include_str!("../mod.rs"),
        include_str!("../money.rs"),
        include_str!("../rates.rs"),
        include_str!("../entry.rs"),
        include_str!("../embedded.rs"),
    ] {
        for word in ["f32", "f64"] {
            assert!(!source.contains(word), "{word}");
        }
    }
}
