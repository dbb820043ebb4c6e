//! A copy of a request head for one more try, should the kept connection prove dead: rarely read, written for nearly every
//! request. So it is bytes in a buffer that its connection keeps, and not a map: three times cheaper to write and free to
//! drop.

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};

/// A copy of a request head. It has no `Debug`, as heads have credentials.
#[derive(Default)]
pub(super) struct Spare {
    method: Method,
    uri: Uri,
    /// Each field: the lengths of name and value, name, value.
    fields: Vec<u8>,
}

/// Two lengths of 32 bits.
const LENGTHS: usize = 8;

impl Spare {
    /// Copies a head. What was copied before is gone.
    pub(super) fn write<B>(&mut self, request: &Request<B>) {
        self.method.clone_from(request.method());
        self.uri.clone_from(request.uri());
        self.fields.clear();
        for (name, value) in request.headers() {
            let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
            self.fields.extend_from_slice(&(name.len() as u32).to_ne_bytes());
            self.fields.extend_from_slice(&(value.len() as u32).to_ne_bytes());
            self.fields.extend_from_slice(name);
            self.fields.extend_from_slice(value);
        }
    }

    /// The head that was copied.
    pub(super) fn read(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        let mut rest = self.fields.as_slice();
        while let Some((name, value)) = field(&mut rest) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                request.headers_mut().append(name, value);
            }
        }
        request
    }
}

/// Takes the next field off.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (lengths, after) = rest.split_at_checked(LENGTHS)?;
    let (name, value) = lengths.split_at_checked(LENGTHS / 2)?;
    let length = |bytes: &[u8]| Some(u32::from_ne_bytes(bytes.try_into().ok()?) as usize);
    let (name, after) = after.split_at_checked(length(name)?)?;
    let (value, after) = after.split_at_checked(length(value)?)?;
    *rest = after;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(
            fields in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", prop::collection::vec(32u8..=255, 0..60)), 0..30),
            again in any::<bool>(),
        ) {
            let mut request = Request::put("/a/b?c=d").body(()).unwrap();
            for (name, value) in fields {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    request.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
                }
            }
            let mut spare = Spare::default();
            if again {
                spare.write(&Request::get("/other").header("x-before", "1").body(()).unwrap());
            }
            spare.write(&request);
            let read = spare.read();
            prop_assert_eq!(read.headers(), request.headers());
            prop_assert_eq!((read.method(), read.uri()), (request.method(), request.uri()));
        }
    }
}
