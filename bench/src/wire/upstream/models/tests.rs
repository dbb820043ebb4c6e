use super::*;
use crate::wire::chunked::Chunked;

#[test]
fn calls_are_told_by_their_paths() {
    let pacing = |tokens, every| Some(Pacing { tokens, every });
    for (path, expected) in [
        ("/v1/chat/completions", Some((Format::OpenAi, None))),
        ("/v1/messages?beta=true", Some((Format::Anthropic, None))),
        ("/stream/250/20/v1/chat/completions", Some((Format::OpenAi, pacing(250, 20_000_000)))),
        ("/stream/0/0/v1/messages", Some((Format::Anthropic, pacing(1, 0)))),
        ("/v1/models", None),
        ("/bytes/7", None),
    ] {
        let expected = expected.map(|(format, pacing)| Call { format, pacing });
        assert_eq!(Call::of(path.as_bytes()), expected, "{path}");
    }
}

#[test]
fn a_stream_is_what_its_format_says() {
    let mut models = Models::new();
    for (format, first, last) in [
        (Format::OpenAi, "data: {\"id\"", "data: [DONE]\n\n"),
        (Format::Anthropic, "event: message_start\n", "data: {\"type\":\"message_stop\"}\n\n"),
    ] {
        let (mut stream, opening) = models.begin(format, Pacing { tokens: 3, every: 1000 });
        let mut wire = opening.to_vec();
        let mut due = vec![stream.next];
        while stream.left > 0 {
            wire.extend_from_slice(models.event(&mut stream));
            due.push(stream.next);
        }
        let head = memmem::find(&wire, b"\r\n\r\n").unwrap() + 4;
        let (mut chunked, mut text) = (Chunked::new(), Vec::new());
        chunked.take_with(&wire[head..], |data| text.extend_from_slice(data)).unwrap();
        assert!(chunked.ended(), "{format:?}");
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with(first) && text.ends_with(last), "{text}");
        let times: Vec<Nanos> = text.lines().filter_map(|line| due_of(line.as_bytes())).collect();
        assert_eq!(times.len(), 3, "{text}");
        assert_eq!(times[1..], due[..2], "each token says when it was due");
        assert_eq!(times[2] - times[1], 1000);
    }
}

#[test]
fn a_whole_answer_says_what_the_load_looks_for() {
    let models = Models::new();
    for format in [Format::OpenAi, Format::Anthropic] {
        let text = String::from_utf8(models.whole(format).to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(body.contains(REPLY) && body.starts_with('{') && body.ends_with('}'), "{body}");
    }
}

#[test]
fn times() {
    for (line, expected) in [
        (&br#"data: {"content":" at 0000000001234567"}"#[..], Some(1_234_567)),
        (br#"data: {"content":" at 000000000123456"}"#, None),
        (br#"data: {"content":"at 0000000001234567"}"#, None),
        (b"data: [DONE]", None),
    ] {
        assert_eq!(due_of(line), expected, "{}", String::from_utf8_lossy(line));
    }
}
