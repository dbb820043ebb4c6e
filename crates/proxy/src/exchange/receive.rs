//! What every request goes through before a route is sought, and the buffering of bodies for the steps that ask for it.

use super::{Error, Exchange};

/// Checks the head, brings its path into the plain form and learns who the client is.
pub fn head(_x: &mut Exchange) -> Result<(), Error> {
    Ok(())
}

/// Reads the whole request body, at most so many bytes.
pub async fn buffer(_x: &mut Exchange, _most: u64) -> Result<(), Error> {
    Ok(())
}

/// Reads the whole response body, at most so many bytes.
pub async fn buffer_response(_x: &mut Exchange, _most: u64) -> Result<(), Error> {
    Ok(())
}
