//! Asks a directory who somebody is: over a bounded number of connections that are used again, within a time, and once for
//! several that ask the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::connection::{Bound, Broken, Connection, Entry, Search};
use super::filter::{Filter, Holes, escaped};
use super::server::Server;

/// How long a connection may lie idle: directories close them, and tell nobody.
const IDLE: Duration = Duration::from_secs(60);

/// A directory.
pub(super) struct Directory {
    pub(super) servers: Box<[Server]>,
    pub(super) who: Who,
    pub(super) groups: Option<GroupSearch>,
    /// Attributes that are read of a user.
    pub(super) attributes: Vec<String>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) places: Semaphore,
    pub(super) idle: Mutex<Vec<(Connection, Instant)>>,
    /// The address that answered last.
    pub(super) good: AtomicUsize,
}

/// How a user's entry is found.
pub(super) enum Who {
    /// Its name is known: what stands before and behind the user's. The entry must match the filter.
    Named { before: String, after: String, filter: Option<Filter> },
    /// It is searched for.
    Searched { base: String, scope: i32, filter: Filter, account: Option<(String, Arc<[u8]>)> },
}

/// Where groups are searched for.
pub(super) struct GroupSearch {
    pub(super) base: String,
    pub(super) scope: i32,
    pub(super) filter: Filter,
    pub(super) attribute: String,
}

/// Somebody the directory knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) entry: Entry,
    /// Names of groups that were searched for.
    pub(super) groups: Vec<String>,
}

impl Directory {
    /// Who this is; none where it is nobody, or not with this password. The user's name and password are not empty.
    pub(super) async fn ask(&self, user: &str, password: &[u8]) -> Result<Option<Known>, Broken> {
        let until = Instant::now() + self.timeout;
        let late = |_| "it took too long".to_owned();
        let place = timeout_at(until, self.places.acquire()).await.map_err(late)?;
        let _place = place.map_err(|error| error.to_string())?;
        if let Some(mut connection) = self.idle() {
            // One that lay idle may be closed; a new one then tells.
            if let Ok(known) = timeout_at(until, self.check(&mut connection, user, password)).await.map_err(late)? {
                self.idle.lock().push((connection, Instant::now()));
                return Ok(known);
            }
        }
        let mut connection = timeout_at(until, self.connect()).await.map_err(late)??;
        let known = timeout_at(until, self.check(&mut connection, user, password)).await.map_err(late)??;
        // Only what was asked and answered in full is used again.
        self.idle.lock().push((connection, Instant::now()));
        Ok(known)
    }

    fn idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let fresh = Instant::now();
        idle.retain(|(_, since)| fresh.duration_since(*since) < IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    /// A connection to the address that answered last, or to the next that does.
    async fn connect(&self) -> Result<Connection, Broken> {
        let first = self.good.load(Relaxed);
        let mut failed = String::new();
        for offset in 0..self.servers.len() {
            let at = (first + offset) % self.servers.len();
            let Some(server) = self.servers.get(at) else { continue };
            match tokio::time::timeout(self.connect_timeout, Connection::open(server)).await {
                Ok(Ok(connection)) => {
                    self.good.store(at, Relaxed);
                    return Ok(connection);
                }
                Ok(Err(error)) => failed = format!("{}: {error}", server.shown),
                Err(_) => failed = format!("{}: connecting took too long", server.shown),
            }
        }
        Err(failed)
    }

    async fn check(&self, at: &mut Connection, user: &str, password: &[u8]) -> Result<Option<Known>, Broken> {
        match &self.who {
            Who::Named { before, after, filter } => {
                let dn = format!("{before}{}{after}", escaped(user));
                if at.bind(&dn, password).await? == Bound::No {
                    return Ok(None);
                }
                let mut entry = Entry { dn: dn.clone(), ..Entry::default() };
                if filter.is_some() || !self.attributes.is_empty() {
                    let any = Filter::Present("objectClass".to_owned());
                    let holes = Holes { user, dn: &dn };
                    let filter = filter.as_ref().unwrap_or(&any);
                    let search = Search { base: &dn, scope: 0, filter, holes, attributes: &self.attributes, most: 1 };
                    match at.search(&search).await?.pop() {
                        Some(found) => entry = found,
                        None => return Ok(None),
                    }
                }
                let groups = self.groups_of(at, user, &entry.dn).await?;
                Ok(Some(Known { entry, groups }))
            }
            Who::Searched { base, scope, filter, account } => {
                let account = account.as_ref();
                self.be(at, account).await?;
                let holes = Holes { user, dn: "" };
                let search = Search { base, scope: *scope, filter, holes, attributes: &self.attributes, most: 2 };
                let mut found = at.search(&search).await?;
                // Two would be one too many to know who it is.
                let (Some(entry), true) = (found.pop(), found.is_empty()) else { return Ok(None) };
                if entry.dn.is_empty() || at.bind(&entry.dn, password).await? == Bound::No {
                    return Ok(None);
                }
                if self.groups.is_some() {
                    self.be(at, account).await?;
                }
                let groups = self.groups_of(at, user, &entry.dn).await?;
                Ok(Some(Known { entry, groups }))
            }
        }
    }

    /// Becomes the account that searches; nobody where there is none.
    async fn be(&self, at: &mut Connection, account: Option<&(String, Arc<[u8]>)>) -> Result<(), Broken> {
        if at.is_account {
            return Ok(());
        }
        let (dn, password) = account.map_or(("", &[][..]), |(dn, password)| (dn.as_str(), &**password));
        if at.bind(dn, password).await? == Bound::No {
            return Err("the account that searches is refused".to_owned());
        }
        at.is_account = true;
        Ok(())
    }

    async fn groups_of(&self, at: &mut Connection, user: &str, dn: &str) -> Result<Vec<String>, Broken> {
        let Some(groups) = &self.groups else { return Ok(Vec::new()) };
        let attributes = [groups.attribute.clone()];
        let search = Search {
            base: &groups.base,
            scope: groups.scope,
            filter: &groups.filter,
            holes: Holes { user, dn },
            attributes: &attributes,
            most: 0,
        };
        let name = groups.attribute.to_ascii_lowercase();
        let found = at.search(&search).await?.into_iter();
        Ok(found.filter_map(|mut entry| entry.attributes.remove(&name)).flatten().collect())
    }
}
