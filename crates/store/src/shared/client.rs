//! What is talked to: one server, the master that Sentinels name, or a cluster.

use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsMode, Value,
};

use super::{SharedOptions, Topology};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How often a call follows a slot that has moved.
const MOVES: u32 = 3;

type Outcome<T> = Result<T, RedisError>;

/// Whom to connect to.
pub(super) enum Client {
    One(Box<redis::Client>),
    Sentinel(Box<SentinelClient>),
    Cluster(Box<ClusterClient>),
}

/// A connection. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Client {
    pub(super) fn new(options: &SharedOptions) -> Outcome<Self> {
        let nodes = options.urls.iter().map(|url| node(url.expose(), options)).collect::<Outcome<Vec<_>>>()?;
        let Some(first) = nodes.first().cloned() else {
            return Err(RedisError::from((redis::ErrorKind::InvalidClientConfig, "no address")));
        };
        let tls = is_tls(&first).then(|| certificates(options));
        if tls.is_some() {
            // The client takes the process's default, and panics where there is none. One that is there stays.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Ok(match &options.topology {
            Topology::Standalone => Self::One(Box::new(match tls {
                Some(tls) => redis::Client::build_with_tls(first, tls)?,
                None => redis::Client::open(first)?,
            })),
            Topology::Sentinel { master } => Self::Sentinel(Box::new(sentinel(&nodes, master, tls)?)),
            Topology::Cluster => Self::Cluster(Box::new(cluster(nodes, tls, options)?)),
        })
    }

    /// Connects. Past `silent` a server that says nothing is as good as gone.
    pub(super) async fn connect(&mut self, silent: Duration) -> Outcome<Connection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(silent));
        match self {
            Self::One(client) => {
                Ok(Connection::One(client.get_multiplexed_async_connection_with_config(&config).await?))
            }
            Self::Sentinel(client) => Ok(Connection::One(client.get_async_connection_with_config(&config).await?)),
            Self::Cluster(client) => Ok(Connection::Cluster(client.get_async_connection().await?)),
        }
    }
}

impl Connection {
    pub(super) async fn call(&mut self, command: &Cmd) -> Outcome<Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }
    }

    /// Whether it finds nodes that went again by itself.
    pub(super) fn heals(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

fn node(url: &str, options: &SharedOptions) -> Outcome<ConnectionInfo> {
    let info = url.into_connection_info()?;
    let mut settings = info.redis_settings().clone();
    if let Some(username) = &options.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &options.password {
        settings = settings.set_password(password.expose());
    }
    Ok(info.set_redis_settings(settings))
}

fn is_tls(node: &ConnectionInfo) -> bool {
    matches!(node.addr(), ConnectionAddr::TcpTls { .. })
}

fn certificates(options: &SharedOptions) -> redis::TlsCertificates {
    let client_tls = options.tls.client.as_ref().map(|(certificate, key)| redis::ClientTlsConfig {
        client_cert: certificate.clone(),
        client_key: key.expose().clone(),
    });
    redis::TlsCertificates { client_tls, root_cert: options.tls.ca.clone() }
}

/// The user, password and database are the master's; Sentinels are asked without any.
fn sentinel(nodes: &[ConnectionInfo], master: &str, tls: Option<redis::TlsCertificates>) -> Outcome<SentinelClient> {
    let addresses: Vec<_> = nodes.iter().map(|node| node.addr().clone()).collect();
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?;
    if let Some(settings) = nodes.first().map(ConnectionInfo::redis_settings) {
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(username) = settings.username() {
            builder = builder.set_client_to_redis_username(username);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    if let Some(tls) = tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_sentinel_tls_mode(TlsMode::Secure);
        builder = builder.set_client_to_redis_certificates(tls.clone()).set_client_to_sentinel_certificates(tls);
    }
    builder.build()
}

fn cluster(
    nodes: Vec<ConnectionInfo>,
    tls: Option<redis::TlsCertificates>,
    options: &SharedOptions,
) -> Outcome<ClusterClient> {
    let silent = options.silent();
    let mut builder = ClusterClient::builder(nodes)
        .connection_timeout(CONNECT)
        .response_timeout(silent)
        .overall_response_timeout(Some(silent))
        .retries(MOVES);
    if let Some(tls) = tls {
        builder = builder.tls(TlsMode::Secure).certs(tls);
    }
    builder.build()
}
