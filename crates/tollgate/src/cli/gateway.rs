//! Asks a gateway at its operations port: one that runs, over its socket or with its token; where none runs, its data
//! directory is opened here, and the answers are the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, HOST, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::usage::Usage;
use super::{ConfigArg, found, show_problems};
use crate::configuration::{Outside, environment, read};
use crate::desk::{Content, Desk, Question, document_of};
use crate::stores;

/// How long a gateway may take to answer, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(20);
const MOST: usize = 64 << 20;
/// Where the token is read from.
const TOKEN: &str = "TOLLGATE_TOKEN";

/// Which gateway is asked.
#[derive(Args)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The Unix socket of a running gateway; the configuration's `operations.socket` when not given
    #[arg(long, value_name = "PATH", conflicts_with = "gateway")]
    socket: Option<PathBuf>,
    /// The operations port of a running gateway; its token is read from TOLLGATE_TOKEN
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
}

/// A gateway that can be asked.
pub(crate) enum Gateway {
    Socket(PathBuf),
    Port {
        address: String,
        token: Option<String>,
    },
    /// None runs: its data directory is open here.
    Closed(Box<Desk>),
}

/// A part of a path.
pub(crate) fn part(text: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');
    utf8_percent_encode(text, KEPT).to_string()
}

impl Gateway {
    /// The one that is meant; none where its configuration has problems, which are shown.
    pub(crate) fn open(args: &GatewayArgs) -> anyhow::Result<Option<Self>> {
        if let Some(socket) = &args.socket {
            return Ok(Some(Self::Socket(socket.clone())));
        }
        let token = std::env::var(TOKEN).ok();
        if let Some(url) = &args.gateway {
            let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned();
            if !address.contains(':') {
                let message = format!("`{url}` is not an operations port: write `http://HOST:PORT`");
                return Err(Usage::error(message));
            }
            return Ok(Some(Self::Port { address, token }));
        }
        let mut configuration = read(&args.config.config, Outside::Offline);
        found(&configuration)?;
        let Some(snapshot) = configuration.snapshot.clone() else {
            show_problems(&configuration);
            return Ok(None);
        };
        if let Some(socket) = snapshot.operations.socket.as_ref().map(PathBuf::from)
            && std::os::unix::net::UnixStream::connect(&socket).is_ok()
        {
            return Ok(Some(Self::Socket(socket)));
        }
        if let Some(token) = token {
            return Ok(Some(Self::Port { address: snapshot.operations.address.value.clone(), token: Some(token) }));
        }
        let env = environment(1, Outside::Offline);
        let Some(program) = configuration.compile(&env) else {
            show_problems(&configuration);
            return Ok(None);
        };
        match stores::open_directory(&program, &args.config.config) {
            Err(error) if is_in_use(&error) => bail!(
                "{error:#}\na gateway runs there: give it `operations: {{ socket: tollgate.sock }}`, or \
                 `operations.token` and put that into {TOKEN}"
            ),
            opened => opened?,
        }
        Ok(Some(Self::Closed(Box::new(Desk { env, program: Arc::new(program) }))))
    }

    /// Asks, and gives the JSON that is told. A refusal is an error.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.send_text(method, path, body.map(Value::to_string).unwrap_or_default())
    }

    /// The same with a text.
    pub(crate) fn send_text(&self, method: Method, path: &str, body: String) -> anyhow::Result<Value> {
        let (status, document) = match self {
            Self::Closed(desk) => {
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let question =
                    Question { method, path: path.to_owned(), query: query.to_owned(), body: body.into_bytes() };
                match desk.answer(&question) {
                    Ok(told) => match told.content {
                        Content::Json(value) => (told.status, value),
                        Content::Csv(text) => (told.status, Value::String(text)),
                    },
                    Err(refusal) => (refusal.status, document_of(&refusal)),
                }
            }
            running => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let asked =
                    runtime.block_on(async { tokio::time::timeout(PATIENCE, running.send(method, path, body)).await });
                let (status, text) = asked.context("the gateway took too long to answer")??;
                let document = serde_json::from_str(&text).unwrap_or(Value::String(text));
                (status, document)
            }
        };
        if status.is_success() {
            return Ok(document);
        }
        let detail = document.get("detail").and_then(Value::as_str).map(str::to_owned);
        let detail = detail.unwrap_or_else(|| format!("the gateway answers {status}"));
        if status == StatusCode::BAD_REQUEST { Err(Usage::error(detail)) } else { bail!(detail) }
    }

    async fn send(&self, method: Method, path: &str, body: String) -> anyhow::Result<(StatusCode, String)> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse()?;
        match self {
            Self::Socket(socket) => {
                request.headers_mut().insert(HOST, HeaderValue::from_static("gate"));
                let stream = UnixStream::connect(socket).await;
                speak(stream.with_context(|| format!("cannot reach {}", socket.display()))?, request).await
            }
            Self::Port { address, token } => {
                request.headers_mut().insert(HOST, HeaderValue::try_from(address)?);
                if let Some(token) = token {
                    let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
                    value.set_sensitive(true);
                    request.headers_mut().insert(AUTHORIZATION, value);
                }
                let stream = TcpStream::connect(address).await.with_context(|| {
                    format!("cannot reach {address}; write the operations port of a running gateway")
                })?;
                speak(stream, request).await
            }
            Self::Closed(_) => bail!("no gateway runs"),
        }
    }
}

async fn speak<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST).collect().await.map_err(|error| anyhow::anyhow!(error))?;
        drop(sender);
        anyhow::Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    let (answer, _) = tokio::join!(answer, connection);
    answer
}

fn is_in_use(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<store::Error>().is_some_and(|error| error.kind() == store::Kind::InUse))
}

/// The data directory of a configuration; none where that has problems, which are shown.
pub(crate) fn directory(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let configuration = read(path, Outside::Offline);
    found(&configuration)?;
    let Some(snapshot) = &configuration.snapshot else {
        show_problems(&configuration);
        return Ok(None);
    };
    Ok(Some(crate::paths::directory(snapshot, path)))
}
