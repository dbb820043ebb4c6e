//! Messages of one side of a WebSocket, read from any cut of its bytes.
//! Source: RFC 6455, section 5 (frames, fragments, masks).

/// Longest message that is read, in bytes.
pub const MESSAGE: usize = 4 << 20;

/// Reads frames, and of their messages those that are text. What is longer than [`MESSAGE`] is passed over.
#[derive(Debug, Default)]
pub struct Reader {
    /// The head of a frame, as far as it has come.
    head: Vec<u8>,
    frame: Option<Frame>,
    /// The message whose end has not come.
    message: Vec<u8>,
    kind: Kind,
}

/// A frame whose head is read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_last: bool,
    opcode: u8,
    /// Bytes that are still to come.
    left: u64,
    mask: Option<[u8; 4]>,
    /// How many have come.
    at: usize,
}

/// What a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    Text,
    /// Bytes, or too long.
    #[default]
    Other,
}

const CONTINUES: u8 = 0;
const TEXT: u8 = 1;
/// Opcodes from here on are of control frames, which stand between a message's.
const CONTROL: u8 = 8;

impl Reader {
    /// Takes the bytes that came, and gives each text that they complete to `each`.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.frame {
                None => {
                    self.head.push(*first);
                    bytes = rest;
                    if let Some(frame) = Frame::read(&self.head) {
                        self.head.clear();
                        self.begin(frame);
                    }
                }
                Some(frame) => {
                    let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
                    let (came, rest) = bytes.split_at(count);
                    bytes = rest;
                    if frame.opcode < CONTROL && self.kind == Kind::Text {
                        if self.message.len() + count > MESSAGE {
                            self.kind = Kind::Other;
                            self.message = Vec::new();
                        } else {
                            self.message.extend(came.iter().enumerate().map(|(at, byte)| frame.plain(at, *byte)));
                        }
                    }
                    frame.left -= count as u64;
                    frame.at += count;
                }
            }
            if let Some(frame) = self.frame.filter(|frame| frame.left == 0) {
                self.frame = None;
                if frame.opcode < CONTROL && frame.is_last {
                    if self.kind == Kind::Text {
                        each(&self.message);
                    }
                    self.message.clear();
                    self.kind = Kind::Other;
                }
            }
        }
    }

    fn begin(&mut self, frame: Frame) {
        if frame.opcode < CONTROL && frame.opcode != CONTINUES {
            self.message.clear();
            self.kind = if frame.opcode == TEXT { Kind::Text } else { Kind::Other };
        }
        self.frame = Some(frame);
    }
}

impl Frame {
    /// The frame that begins so; none where more of its head is to come.
    fn read(head: &[u8]) -> Option<Self> {
        let (first, rest) = head.split_first()?;
        let (second, rest) = rest.split_first()?;
        let wide = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let number = rest.get(..wide)?;
        let left = match wide {
            0 => u64::from(second & 0x7f),
            _ => number.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte)),
        };
        let mask = match second & 0x80 {
            0 => None,
            _ => Some(rest.get(wide..wide + 4)?.try_into().ok()?),
        };
        Some(Self { is_last: first & 0x80 != 0, opcode: first & 0x0f, left, mask, at: 0 })
    }

    fn plain(&self, at: usize, byte: u8) -> u8 {
        self.mask.and_then(|mask| mask.get((self.at + at) % 4).copied()).map_or(byte, |key| byte ^ key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let bit = if mask.is_some() { 0x80 } else { 0 };
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(bit | length as u8),
            length @ 126..65_536 => {
                frame.push(bit | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(bit | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(mask.into_iter().flatten());
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask.map_or(0, |mask| mask[at % 4])));
        frame
    }

    fn texts(bytes: &[u8], cut: usize) -> Vec<Vec<u8>> {
        let (mut reader, mut texts) = (Reader::default(), Vec::new());
        for piece in bytes.chunks(cut) {
            reader.push(piece, |text| texts.push(text.to_vec()));
        }
        texts
    }

    #[test]
    fn texts_are_read_whatever_their_frames_and_cuts() {
        let (short, long, longest) = (b"one".to_vec(), vec![b'x'; 300], vec![b'y'; 70_000]);
        let bytes = [
            frame(0x81, None, &short),
            frame(0x82, None, b"bytes"),
            frame(0x01, Some([1, 2, 3, 4]), b"two "),
            frame(0x89, None, b"ping"),
            frame(0x80, Some([4, 3, 2, 1]), b"pieces"),
            frame(0x81, None, &long),
            frame(0x81, None, b""),
            frame(0x81, Some([9; 4]), &longest),
            // Too long.
            frame(0x81, None, &vec![b'z'; MESSAGE + 1]),
            frame(0x88, None, b""),
            frame(0x81, None, b"last"),
        ]
        .concat();
        let expected = [short, b"two pieces".to_vec(), long, Vec::new(), longest, b"last".to_vec()];
        for cut in [1, 2, 7, 4096, bytes.len()] {
            assert!(texts(&bytes, cut) == expected, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 1_usize..64) {
            prop_assert_eq!(texts(&bytes, cut), texts(&bytes, bytes.len().max(1)));
        }
    }
}
