//! Media in the formats' several spellings.

use crate::translate::canonical::{Media, Source};

/// Media by URL: a `data:` URL holds it, any other is for the provider to fetch.
pub(crate) fn of_url(url: String) -> Media {
    let held = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (source, media_type) = match held {
        Some((kind, data)) => {
            let kind = kind.split(';').next().unwrap_or_default();
            (Source::Base64(data.to_owned()), (!kind.is_empty()).then(|| kind.to_owned()))
        }
        None => (Source::Url(url), None),
    };
    Media { source, media_type, name: None, detail: None }
}

/// Media within the body.
pub(crate) const fn held(data: String, media_type: Option<String>) -> Media {
    Media { source: Source::Base64(data), media_type, name: None, detail: None }
}

/// Media that was uploaded before.
pub(crate) const fn uploaded(id: String) -> Media {
    Media { source: Source::FileId(id), media_type: None, name: None, detail: None }
}

/// Text as a document.
pub(crate) const fn text(text: String) -> Media {
    Media { source: Source::Text(text), media_type: None, name: None, detail: None }
}

/// As one URL: media held becomes a `data:` URL.
pub(crate) fn url(media: &Media, fallback: &str) -> String {
    match &media.source {
        Source::Base64(data) => format!("data:{};base64,{data}", media.media_type.as_deref().unwrap_or(fallback)),
        Source::Url(text) | Source::FileId(text) | Source::Text(text) => text.clone(),
    }
}

/// A document of text as a part of text: its title stands above it.
pub(crate) fn as_text(media: &Media) -> Option<String> {
    let Source::Text(text) = &media.source else { return None };
    Some(media.name.as_ref().map_or_else(|| text.clone(), |name| format!("{name}\n\n{text}")))
}

/// Sound: what OpenAI calls a format, as a media type.
pub(crate) fn audio_type(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    }
}

/// And back.
pub(crate) fn audio_format(media_type: Option<&str>) -> &str {
    match media_type {
        Some("audio/mpeg" | "audio/mp3") => "mp3",
        Some("audio/wav" | "audio/x-wav" | "audio/wave") | None => "wav",
        Some(other) => other.strip_prefix("audio/").unwrap_or(other),
    }
}

/// The media type that a URL's ending tells.
pub(crate) fn type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let ending = path.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "txt" => "text/plain",
        _ => return None,
    })
}
