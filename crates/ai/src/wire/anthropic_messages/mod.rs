//! Its place; nothing is spoken yet.
mod rules;
use crate::translate::{Answer, Ask, Decode, Encode, Error, ErrorKind, Event, Refused, Reply, Request, Told, Written};
pub(crate) use rules::RULES;
pub(crate) fn read_request(_: &[u8], _: &Told<'_>) -> Result<Request, Refused> {
    Err(Refused::not_carried("", "not spoken yet"))
}
pub(crate) fn write_request(_: &Request, _: &Ask<'_>) -> Result<Written, Refused> {
    Err(Refused::not_carried("", "not spoken yet"))
}
pub(crate) fn read_answer(_: &[u8]) -> Result<Answer, Refused> {
    Err(Refused::not_carried("", "not spoken yet"))
}
pub(crate) fn write_answer(_: &Answer, _: &Reply<'_>) -> Result<Vec<u8>, Refused> {
    Err(Refused::not_carried("", "not spoken yet"))
}
pub(crate) fn read_error(status: u16, _: &[u8]) -> Error {
    Error::new(ErrorKind::of_status(status), "")
}
struct Stub;
impl Decode for Stub {
    fn push(&mut self, _: &[u8], _: &mut Vec<Event>) {}
    fn finish(&mut self, _: &mut Vec<Event>) {}
}
impl Encode for Stub {
    fn push(&mut self, _: &Event, _: &mut Vec<u8>) {}
}
pub(crate) fn decoder() -> Box<dyn Decode> {
    Box::new(Stub)
}
pub(crate) fn encoder(_: &Reply<'_>) -> Box<dyn Encode> {
    Box::new(Stub)
}
pub(crate) fn write_error(_: &Error, _: &str) -> Vec<u8> {
    Vec::new()
}
