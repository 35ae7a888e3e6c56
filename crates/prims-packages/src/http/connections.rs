//! Connections to servers, and the thread that serves them.

use reqwest::RequestBuilder;
use reqwest::redirect::Policy;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use url::Url;

/// Headers of an answer.
const MAX_HEADERS: usize = 100;

/// Connections, and the thread that serves them. Whoever asks blocks.
pub(super) struct Connections {
    client: reqwest::Client,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Connections {
    /// Makes no connection yet. `certificates` is a file with the only ones to trust; otherwise the system's are.
    pub(super) fn open(certificates: Option<&Path>, patience: Duration) -> Result<Connections, String> {
        // Fails when one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::ClientBuilder::new()
            .user_agent(concat!("prims-wasm/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .http1_only()
            .http1_max_headers(MAX_HEADERS)
            .pool_max_idle_per_host(8)
            .connect_timeout(patience);
        if let Some(path) = certificates {
            let read =
                std::fs::read(path).map_err(|error| format!("the file of certificates cannot be read: {error}"))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&read)
                .map_err(|_| "the file of certificates does not read".to_owned())?;
            builder = builder.tls_certs_only(certificates);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("prims-http")
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let client = builder.build().map_err(|error| super::cause(&error))?;
        let runtime = Some(runtime);
        Ok(Connections { client, runtime })
    }

    /// Begins a request.
    pub(super) fn get(&self, url: &Url) -> RequestBuilder {
        self.client.get(url.clone())
    }

    /// Waits for what the network brings, for at most this long; `None` when it brought nothing.
    pub(super) fn wait<T>(&self, at_most: Duration, what: impl Future<Output = T>) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        runtime.block_on(async { tokio::time::timeout(at_most, what).await.ok() })
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        // The last user may be in a place that must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
