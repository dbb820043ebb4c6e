//! Streams of models: any cut reads the same, a part is opened before it grows, and the end comes once and last.

use ai::translate::{Event, Format};

use crate::kit;

pub(crate) fn run(input: &[u8]) {
    let Some([name, stream]) = kit::parts(input) else { return };
    let Some(format) = Format::named(name) else { return };
    let whole = read(format, stream.as_bytes(), usize::MAX);
    for size in [1, 7] {
        assert_eq!(read(format, stream.as_bytes(), size), whole, "in pieces of {size}");
    }
    let mut opened = Vec::new();
    for event in &whole {
        match event {
            Event::Open(place, _) => {
                assert!(!opened.contains(place), "opened twice: {event:?}");
                opened.push(*place);
            }
            Event::Text(place, _) | Event::Reasoning(place, _) | Event::Args(place, _) | Event::Seal(place, _) => {
                assert!(opened.contains(place), "grows unopened: {event:?}");
            }
            _ => {}
        }
    }
    let ends = whole.iter().filter(|event| **event == Event::End).count();
    assert!(ends == 1 && whole.last() == Some(&Event::End), "{whole:?}");
    for to in Format::ALL {
        let mut encoder = to.encoder(&ai::translate::Reply::default());
        let mut out = Vec::new();
        whole.iter().for_each(|event| encoder.push(event, &mut out));
    }
}

fn read(format: Format, bytes: &[u8], size: usize) -> Vec<Event> {
    let mut decoder = format.decoder();
    let mut events = Vec::new();
    bytes.chunks(size.min(bytes.len().max(1))).for_each(|chunk| decoder.push(chunk, &mut events));
    decoder.finish(&mut events);
    events
}
