//! `tollgate explain`: which route takes a request, why, and what will happen to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::usage::Usage;
use super::{ExplainArgs, GOOD, PROBLEMS, found, show_problems, style};
use crate::configuration::{Outside, environment, read};
use crate::explain::{Question, Reader};

/// How long a running gateway may take to answer, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST: usize = 16 << 20;

pub(super) fn explain(args: &ExplainArgs) -> Result<u8> {
    let question = Question {
        method: args.method.clone(),
        url: args.url.clone(),
        headers: args.headers.clone(),
        listener: args.listener.clone(),
        client: args.client,
    };
    question.check().map_err(Usage::error)?;
    let reader = if args.json { Reader::Machines } else { Reader::People };
    if let Some(gateway) = &args.gateway {
        style::print(&from_gateway(gateway, &question.query(reader))?)?;
        return Ok(GOOD);
    }
    let mut configuration = read(&args.config.config, Outside::Offline);
    found(&configuration)?;
    let program = configuration.compile(&environment(1, Outside::Offline));
    let Some(program) = program else {
        show_problems(&configuration);
        return Ok(PROBLEMS);
    };
    let named = |error| if args.listener.is_some() { Usage::error(error) } else { error };
    let explained = question.ask(&Arc::new(program)).map_err(named)?;
    style::print(&match reader {
        Reader::People => explained.to_string(),
        Reader::Machines => serde_json::to_string_pretty(&explained)?,
    })?;
    Ok(GOOD)
}

/// Asks a running gateway at its operations port.
fn from_gateway(url: &str, query: &str) -> Result<String> {
    let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned();
    if !address.parse::<Authority>().is_ok_and(|authority| authority.port_u16().is_some()) {
        return Err(Usage::error(format_args!(
            "`{url}` is not an operations port: write `http://HOST:PORT`, such as http://127.0.0.1:9901"
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(address, query)).await });
    asked.map_err(|_| anyhow::anyhow!("{url} took longer than {} s to answer", PATIENCE.as_secs()))?
}

async fn ask(address: String, query: &str) -> Result<String> {
    let stream = TcpStream::connect(&address).await.with_context(|| {
        format!("cannot reach {address}; write the operations port of a running gateway, such as http://127.0.0.1:9901")
    })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(format!("/explain?{query}")).header(HOST, &address).body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        drop(sender);
        anyhow::Ok((status, text))
    };
    let (answer, _) = tokio::join!(answer, connection);
    match answer? {
        (StatusCode::OK, text) => Ok(text),
        (status, text) => {
            let detail = serde_json::from_str::<serde_json::Value>(&text).ok();
            let detail = detail.and_then(|document| Some(document.get("detail")?.as_str()?.to_owned()));
            let said = format!("{address} answers {status}: {}", detail.unwrap_or(text));
            if status == StatusCode::BAD_REQUEST { Err(Usage::error(said)) } else { bail!(said) }
        }
    }
}
