//! Why a request goes where it goes, for the command line and the operations port.

use anyhow::{Context as _, Result, bail};
use proxy::program::Program;
use serde_json::Value;

/// A request to be explained.
pub struct Question {
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// Header lines, `name: value`.
    pub headers: Vec<String>,
    /// The listener it comes by.
    pub listener: Option<String>,
    /// The client's address.
    pub client: Option<std::net::IpAddr>,
}

/// Explains what a query string asks: `method=…&url=…&header=…&listener=…&client=…`.
pub fn by_query(program: &Program, query: &str) -> Result<Value> {
    let mut question =
        Question { method: "GET".to_owned(), url: String::new(), headers: Vec::new(), listener: None, client: None };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8()?.into_owned();
        match name {
            "method" => question.method = value,
            "url" => question.url = value,
            "header" => question.headers.push(value),
            "listener" => question.listener = Some(value),
            "client" => question.client = Some(value.parse().context("`client` is not an address")?),
            other => bail!("`{other}` is not known; write method, url, header, listener or client"),
        }
    }
    if question.url.is_empty() {
        bail!("write what to explain, such as /explain?method=GET&url=http://host/path");
    }
    bail!("not there: {} {}", question.method, program.hash)
}
