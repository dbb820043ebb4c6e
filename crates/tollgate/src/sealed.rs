//! `${store:NAME}` in a configuration: secrets of the data directory that the configuration itself names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::load::{Node, ReadStore, from_node};
use model::problem::Problems;
use model::resource::{Store, StoreKey};
use store::secrets::look;

/// Opens the secrets that a configuration refers to, which has been read but for those.
pub(crate) fn reader(root: &Node, configuration: &Path) -> Arc<ReadStore> {
    let folder = if configuration.is_dir() { configuration } else { configuration.parent().unwrap_or(Path::new("")) };
    let written = root.get("store").and_then(|node| from_node::<Store>(node, "store", &mut Problems::new()));
    let directory = written.as_ref().map_or("data", |store| store.directory.as_str());
    let directory: PathBuf = folder.join(directory);
    let mut keys = written.map(|store| store.keys.into_vec()).unwrap_or_default();
    for key in &mut keys {
        if let StoreKey::File(path) = &mut key.value
            && let Some(joined) = folder.join(&*path).to_str()
        {
            *path = joined.to_owned();
        }
    }
    let keyring = proxy::stores::keyring_to_read(&keys, &directory).map_err(|error| error.to_string());
    Arc::new(move |name| match &keyring {
        Err(why) => Err(why.clone()),
        Ok(None) => Ok(None),
        Ok(Some(keyring)) => {
            let found = look(&directory, keyring, name).map_err(|error| error.to_string())?;
            let text = found.map(|plain| String::from_utf8(plain.expose().to_vec()));
            text.transpose().map_err(|_| "it is not text".to_owned())
        }
    })
}
