//! From a name to the addresses that are connected to. The check is in the resolver of the connections themselves: what was
//! checked is what is used, there is no second look-up that could answer otherwise.

use super::Policy;
use super::address::reserved;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Names that are looked up at the same time.
const MAX_LOOKUPS: usize = 16;

/// Looks a host name up.
pub type Lookup =
    Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Asks the operating system. It may take its time and cannot be interrupted, so that threads are waited for even when nobody
/// wants their answer any more: names of slow servers must not use up the threads for everything else that blocks.
pub(super) fn system() -> Lookup {
    let threads = Arc::new(Semaphore::new(MAX_LOOKUPS));
    Arc::new(move |host| {
        let threads = threads.clone();
        Box::pin(async move {
            let thread = threads.acquire_owned().await.map_err(std::io::Error::other)?;
            let ask = move || {
                let found = (host.as_str(), 0).to_socket_addrs();
                drop(thread);
                found.map(|found| found.map(|address| address.ip()).collect())
            };
            tokio::task::spawn_blocking(ask).await.map_err(std::io::Error::other)?
        })
    })
}

/// A name led to an address that is not public.
#[derive(Debug, thiserror::Error)]
#[error("not public: {0}")]
pub(super) struct NotPublic(pub(super) &'static str);

/// A name led nowhere.
#[derive(Debug, thiserror::Error)]
#[error("unknown host")]
pub(super) struct Unknown;

pub(super) struct GuardedResolver {
    pub(super) lookup: Lookup,
    pub(super) policy: Arc<Policy>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, policy) = (self.lookup.clone(), self.policy.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = lookup(host.clone()).await.map_err(|_| Unknown)?;
            if found.is_empty() {
                return Err(Unknown.into());
            }
            // One private address among public ones is an attempt, not an accident.
            for address in &found {
                policy.check(&host, *address).map_err(NotPublic)?;
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl Policy {
    /// Whether a name may lead to an address; if not, what kind of address it is.
    pub(super) fn check(&self, host: &str, address: IpAddr) -> Result<(), &'static str> {
        let Some(range) = reserved(address) else {
            return Ok(());
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let allowed = self.hosts.contains(&host) || self.networks.iter().any(|network| network.contains(address));
        if allowed { Ok(()) } else { Err(range) }
    }
}
