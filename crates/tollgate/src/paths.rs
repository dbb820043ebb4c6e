//! The files that a configuration names: certificates, keys, authorities, the access log, the socket,
//! the data directory.

use std::path::{Path, PathBuf};

use model::resource::{AccessLog, Geo, Listener, Redis, StoreKey, UpstreamTls};
use model::snapshot::Snapshot;

/// Lets relative paths start from the configuration's folder, wherever the gateway was started.
pub(crate) fn absolute(snapshot: &mut Snapshot, configuration: &Path) {
    let Some(folder) = folder(configuration) else { return };
    let join = |path: &mut String| {
        if let Some(joined) = folder.join(&*path).to_str() {
            *path = joined.to_owned();
        }
    };
    snapshot.listeners.iter_mut().flat_map(of_listener).for_each(join);
    snapshot.upstreams.iter_mut().flat_map(|upstream| of_tls(&mut upstream.tls)).for_each(join);
    snapshot.providers.iter_mut().flat_map(|provider| of_tls(&mut provider.tls)).for_each(join);
    if let AccessLog::To(to) = &mut snapshot.access_log {
        to.path.iter_mut().map(|path| &mut path.value).for_each(join);
    }
    snapshot.consumers_file.iter_mut().map(|path| &mut path.value).for_each(join);
    snapshot.operations.socket.iter_mut().for_each(join);
    snapshot.redis.iter_mut().flat_map(of_redis).for_each(join);
    snapshot.geo.iter_mut().flat_map(of_geo).for_each(join);
    snapshot.store.iter_mut().map(|store| &mut store.directory.value).for_each(join);
    let keys = snapshot.store.iter_mut().flat_map(|store| store.keys.iter_mut());
    let files = keys.filter_map(|key| match &mut key.value {
        StoreKey::File(path) => Some(path),
        StoreKey::Env(_) | StoreKey::Command(_) => None,
    });
    files.for_each(join);
    snapshot.folder = folder.to_owned();
}

/// The data directory: the one that the configuration names, else `data` beside it.
pub(crate) fn directory(snapshot: &Snapshot, configuration: &Path) -> PathBuf {
    match &snapshot.store {
        Some(store) => PathBuf::from(store.directory.as_str()),
        None => folder(configuration).unwrap_or(Path::new("")).join("data"),
    }
}

/// The configuration's folder, unless that is the current one.
fn folder(configuration: &Path) -> Option<&Path> {
    let folder = if configuration.is_dir() { Some(configuration) } else { configuration.parent() };
    folder.filter(|folder| !folder.as_os_str().is_empty())
}

/// What is read from the files that it names, so that a change of one is a change of the configuration.
pub(crate) fn read_by(snapshot: &Snapshot) -> Vec<PathBuf> {
    let mut listeners = snapshot.listeners.clone();
    let mut upstreams = snapshot.upstreams.clone();
    let mut providers = snapshot.providers.clone();
    let mut redis = snapshot.redis.clone();
    let mut geo = snapshot.geo.clone();
    let inbound = listeners.iter_mut().flat_map(of_listener);
    let outbound = upstreams.iter_mut().map(|upstream| &mut upstream.tls);
    let outbound = outbound.chain(providers.iter_mut().map(|provider| &mut provider.tls)).flat_map(of_tls);
    let named = inbound.chain(outbound).chain(redis.iter_mut().flat_map(of_redis));
    let named = named.chain(geo.iter_mut().flat_map(of_geo));
    let named = named.map(|path| PathBuf::from(&*path));
    named.chain(snapshot.consumers_file.iter().map(|path| PathBuf::from(path.as_str()))).collect()
}

fn of_listener(listener: &mut Listener) -> Vec<&mut String> {
    let Some(tls) = &mut listener.tls else { return Vec::new() };
    let pairs = tls.certificates.iter_mut().flat_map(|pair| [&mut pair.certificate.value, &mut pair.key.value]);
    pairs.chain(tls.client_certificates.iter_mut().map(|clients| &mut clients.ca.value)).collect()
}

fn of_geo(geo: &mut Geo) -> Vec<&mut String> {
    [&mut geo.country_db, &mut geo.asn_db].into_iter().flatten().map(|path| &mut path.value).collect()
}

fn of_redis(redis: &mut Redis) -> Vec<&mut String> {
    let tls = &mut redis.tls;
    [&mut tls.ca, &mut tls.certificate, &mut tls.key].into_iter().flatten().map(|path| &mut path.value).collect()
}

fn of_tls(tls: &mut UpstreamTls) -> Vec<&mut String> {
    [&mut tls.ca, &mut tls.certificate, &mut tls.key].into_iter().flatten().map(|path| &mut path.value).collect()
}
