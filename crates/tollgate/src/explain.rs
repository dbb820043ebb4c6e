//! Why a request goes where it goes, for the command line and the operations port.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proxy::program::Program;
use proxy::program::explain::{Explanation, Probe, explain};

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

/// For whom an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// People: text.
    People,
    /// Machines: JSON.
    Machines,
}

impl Question {
    /// Whether it is a request at all, whatever program is asked. The error is for people.
    pub fn check(&self) -> Result<(), String> {
        Probe::new(&self.method, &self.url, &self.headers).map(drop)
    }

    /// Asks a program.
    pub fn ask(&self, program: &Arc<Program>) -> Result<Explanation> {
        let mut probe = Probe::new(&self.method, &self.url, &self.headers).map_err(|error| anyhow!(error))?;
        probe.listener.clone_from(&self.listener);
        probe.client = self.client;
        explain(program, probe).map_err(|error| anyhow!(error))
    }

    /// Reads a query string: `method=…&url=…&header=…&listener=…&client=…&format=json|text`.
    pub fn read(query: &str) -> Result<(Self, Reader)> {
        let mut reader = Reader::Machines;
        let mut question =
            Self { method: "GET".to_owned(), url: String::new(), headers: Vec::new(), listener: None, client: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(&value.replace('+', " ")).decode_utf8()?.into_owned();
            match (name, value.as_str()) {
                ("method", _) => question.method = value,
                ("url", _) => question.url = value,
                ("header", _) => question.headers.push(value),
                ("listener", _) => question.listener = Some(value),
                ("client", _) => question.client = Some(value.parse().context("`client` is not an address")?),
                ("format", "text") => reader = Reader::People,
                ("format", "json") => reader = Reader::Machines,
                ("format", _) => bail!("`format` is json or text"),
                (other, _) => bail!("`{other}` is not known; write method, url, header, listener, client or format"),
            }
        }
        if question.url.is_empty() {
            bail!("write what to explain, such as /explain?method=GET&url=http://host/path");
        }
        Ok((question, reader))
    }

    /// Writes the query string that [`read`](Self::read) reads.
    pub fn query(&self, reader: Reader) -> String {
        let format = if reader == Reader::People { "text" } else { "json" };
        let mut query = format!("format={format}");
        let client = self.client.map(|client| client.to_string());
        let fields = [("method", Some(&self.method)), ("url", Some(&self.url)), ("listener", self.listener.as_ref())];
        let headers = self.headers.iter().map(|line| ("header", Some(line)));
        for (name, value) in fields.into_iter().chain(headers).chain([("client", client.as_ref())]) {
            if let Some(value) = value {
                let _ = write!(query, "&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_survives_its_query() {
        let question = Question {
            method: "POST".to_owned(),
            url: "https://a.example/x y?b=c&d=+%20#e".to_owned(),
            headers: vec!["x-a: 1&2=3".to_owned(), "cookie: \u{e9}=f; g".to_owned()],
            listener: Some("public".to_owned()),
            client: Some("2001:db8::1".parse().unwrap()),
        };
        for reader in [Reader::People, Reader::Machines] {
            let (read, of) = Question::read(&question.query(reader)).unwrap();
            assert_eq!(
                (&read.method, &read.url, &read.headers, &read.listener, read.client, of),
                (&question.method, &question.url, &question.headers, &question.listener, question.client, reader)
            );
        }
    }

    #[test]
    fn bad_queries_are_refused() {
        for (query, expected) in [
            ("", "write what to explain"),
            ("url=/&verb=GET", "`verb` is not known"),
            ("url=/&client=x", "`client` is not an address"),
            ("url=/&format=xml", "`format` is json or text"),
        ] {
            assert!(Question::read(query).is_err_and(|error| error.to_string().contains(expected)), "{query}");
        }
    }
}
