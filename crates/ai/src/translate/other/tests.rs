use serde_json::{Value, json};

use super::*;

#[test]
fn each_providers_words_there_and_back() {
    let body = br#"{"model": "m", "input": ["one", "two"], "dimensions": 2}"#;
    let embed = Embed::read(body).unwrap();
    let vectors = json!([[0.5, 1.0], [0.25, 2.0]]);
    for (words, asked, answered, input) in [
        (
            EmbedWords::Gemini,
            json!({ "requests": [
                { "model": "models/e", "content": { "parts": [{ "text": "one" }] }, "outputDimensionality": 2 },
                { "model": "models/e", "content": { "parts": [{ "text": "two" }] }, "outputDimensionality": 2 }] }),
            json!({ "embeddings": [{ "values": vectors[0] }, { "values": vectors[1] }] }),
            2,
        ),
        (
            EmbedWords::Vertex,
            json!({ "instances": [{ "content": "one" }, { "content": "two" }],
                    "parameters": { "outputDimensionality": 2 } }),
            json!({ "predictions": [
                { "embeddings": { "values": vectors[0], "statistics": { "token_count": 3 } } },
                { "embeddings": { "values": vectors[1], "statistics": { "token_count": 4 } } }] }),
            7,
        ),
        (
            EmbedWords::BedrockCohere,
            json!({ "texts": ["one", "two"], "input_type": "search_document", "output_dimension": 2 }),
            json!({ "embeddings": vectors }),
            2,
        ),
        (
            EmbedWords::Cohere,
            json!({ "model": "e", "texts": ["one", "two"], "input_type": "search_document",
                    "embedding_types": ["float"], "output_dimension": 2 }),
            json!({ "embeddings": { "float": vectors }, "meta": { "billed_units": { "input_tokens": 9 } } }),
            9,
        ),
    ] {
        let written: Value = serde_json::from_slice(&embed.write(words, "e", Losses::ByRule).unwrap()).unwrap();
        assert_eq!(written, asked, "{words:?}");
        let Told { text, usage, .. } = embed.answer(words, "m", &answered).unwrap();
        let told: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(told["data"][1]["embedding"], vectors[1], "{words:?}");
        assert_eq!((usage.input, told["usage"]["prompt_tokens"].as_u64()), (input, Some(input)), "{words:?}");
        assert!(embed.answer(words, "m", &json!({ "embeddings": [] })).is_none(), "{words:?}");
    }
}

#[test]
fn vectors_come_as_bytes_where_they_are_asked_for() {
    let embed = Embed::read(br#"{"input": "one", "encoding_format": "base64"}"#).unwrap();
    let asked: Value = serde_json::from_slice(&embed.write(EmbedWords::Titan, "e", Losses::ByRule).unwrap()).unwrap();
    assert_eq!(asked, json!({ "inputText": "one" }));
    let Told { text, .. } = embed.answer(EmbedWords::Titan, "m", &json!({ "embedding": [0.5, -1.0] })).unwrap();
    let told: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(told["data"][0]["embedding"], "AAAAPwAAgL8=");
}

#[test]
fn what_another_model_cannot_take_is_refused() {
    for body in ["{", r#"{"input": []}"#, r#"{"input": [1, 2]}"#, r#"{"input": 7}"#, "{}"] {
        assert!(Embed::read(body.as_bytes()).is_err(), "{body}");
    }
    let two = Embed::read(br#"{"input": ["a", "b"]}"#).unwrap();
    assert!(two.write(EmbedWords::Titan, "e", Losses::ByRule).is_err());
}

#[test]
fn gemini_asks_anybody() {
    let vectors = json!([[0.5, 1.0], [0.25, 2.0]]);
    let content = |text: &str| json!({ "parts": [{ "text": text }] });
    let one = json!({ "content": content("one"), "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2 });
    let embed = Embed::read_gemini(one.to_string().as_bytes()).unwrap();
    let written = |embed: &Embed, words| -> Value {
        serde_json::from_slice(&embed.write(words, "e", Losses::ByRule).unwrap()).unwrap()
    };
    assert_eq!(written(&embed, EmbedWords::OpenAi), json!({ "model": "e", "input": ["one"], "dimensions": 2 }));
    assert_eq!(written(&embed, EmbedWords::Cohere)["input_type"], "search_query");
    assert_eq!(written(&embed, EmbedWords::Vertex)["instances"][0]["task_type"], "RETRIEVAL_QUERY");
    let answered = json!({ "data": [{ "index": 0, "embedding": [0.5, 1.0] }], "usage": { "prompt_tokens": 3 } });
    let told = embed.answer(EmbedWords::OpenAi, "m", &answered).unwrap();
    let expected = json!({ "embedding": { "values": [0.5, 1.0] }, "usageMetadata": { "promptTokenCount": 3 } });
    assert_eq!((serde_json::from_slice::<Value>(&told.text).unwrap(), told.usage.input), (expected, 3));

    let two = json!({ "requests": [{ "content": content("one") }, { "content": content("two") }] });
    let embed = Embed::read_gemini(two.to_string().as_bytes()).unwrap();
    assert_eq!(written(&embed, EmbedWords::OpenAi)["input"], json!(["one", "two"]));
    // Vectors come in the order of the texts.
    let answered =
        json!({ "data": [{ "index": 1, "embedding": vectors[1] }, { "index": 0, "embedding": vectors[0] }] });
    let told: Value = serde_json::from_slice(&embed.answer(EmbedWords::OpenAi, "m", &answered).unwrap().text).unwrap();
    assert_eq!(told["embeddings"], json!([{ "values": vectors[0] }, { "values": vectors[1] }]));

    for body in [
        json!({ "content": { "parts": [{ "inlineData": {} }] } }),
        json!({ "requests": [] }),
        json!({ "requests": [{ "content": content("a") }, { "content": content("b"), "title": "t" }] }),
        json!([]),
    ] {
        assert!(Embed::read_gemini(body.to_string().as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn losses_are_the_models_choice() {
    let embed = Embed::read(br#"{"input": "a", "user": "u", "truncate": "END"}"#).unwrap();
    for (words, losses, refused) in [
        (EmbedWords::Gemini, Losses::ByRule, Some("truncate")),
        (EmbedWords::Gemini, Losses::DropParams, None),
        (EmbedWords::Cohere, Losses::ByRule, None),
        (EmbedWords::Cohere, Losses::Refuse, Some("user")),
    ] {
        let why = embed.write(words, "e", losses).err().map(|refused| refused.field);
        assert_eq!(why.as_deref(), refused, "{words:?} {losses:?}");
    }
}

#[test]
fn images_are_drawn_in_each_providers_words() {
    let body = br#"{"model": "m", "prompt": "a cat", "n": 2, "size": "1536x1024", "quality": "high", "user": "u"}"#;
    let draw = Draw::read(body).unwrap();
    let aspect = json!("3:2");
    for (words, asked, answered, tokens) in [
        (
            DrawWords::Imagen,
            json!({ "instances": [{ "prompt": "a cat" }], "parameters": { "sampleCount": 2, "aspectRatio": "4:3" } }),
            json!({ "predictions": [{ "bytesBase64Encoded": "YQ==", "mimeType": "image/png" },
                                    { "bytesBase64Encoded": "Yg==", "mimeType": "image/png" }] }),
            None,
        ),
        (
            DrawWords::Canvas,
            json!({ "taskType": "TEXT_IMAGE", "textToImageParams": { "text": "a cat" },
                    "imageGenerationConfig": { "numberOfImages": 2, "width": 1536, "height": 1024, "quality": "premium" } }),
            json!({ "images": ["YQ==", "Yg=="] }),
            None,
        ),
    ] {
        let written: Value = serde_json::from_slice(&draw.write(words, Losses::ByRule).unwrap()).unwrap();
        assert_eq!(written, asked, "{words:?}");
        let told = draw.answer(words, 7, &answered).unwrap();
        let said: Value = serde_json::from_slice(&told.text).unwrap();
        assert_eq!(said["data"], json!([{ "b64_json": "YQ==" }, { "b64_json": "Yg==" }]), "{words:?}");
        assert_eq!((said["created"].as_u64(), told.images), (Some(7), 2));
        assert_eq!(said["usage"]["output_tokens"].as_u64(), tokens, "{words:?}");
        assert!(draw.answer(words, 7, &json!({})).is_none(), "{words:?}");
    }
    // These draw one at a time.
    for words in [DrawWords::Gemini, DrawWords::Stability] {
        assert_eq!(draw.write(words, Losses::ByRule).unwrap_err().field, "n", "{words:?}");
    }
    let draw = Draw::read(br#"{"prompt": "a cat", "size": "1536x1024"}"#).unwrap();
    let written = |words| serde_json::from_slice::<Value>(&draw.write(words, Losses::ByRule).unwrap()).unwrap();
    assert_eq!(written(DrawWords::Stability)["aspect_ratio"], aspect);
    let gemini = written(DrawWords::Gemini);
    assert_eq!(gemini["contents"][0]["parts"][0]["text"], "a cat");
    assert_eq!(gemini["generationConfig"]["imageConfig"]["aspectRatio"], aspect);
    let answered = json!({ "candidates": [{ "content": { "parts": [{ "text": "here" },
        { "inlineData": { "mimeType": "image/png", "data": "YQ==" } }] } }],
        "usageMetadata": { "promptTokenCount": 4, "candidatesTokenCount": 1290 } });
    let told = draw.answer(DrawWords::Gemini, 7, &answered).unwrap();
    assert_eq!((told.usage.input, told.usage.output, told.images), (4, 1290, 1));
    for body in ["{}", r#"{"prompt": 1}"#, r#"{"prompt": "a", "n": 0}"#, r#"{"prompt": "a", "size": "big"}"#, "["] {
        assert!(Draw::read(body.as_bytes()).is_err(), "{body}");
    }
}
