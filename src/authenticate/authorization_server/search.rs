//! The search for a server's metadata, which goes on for as long as somebody needs the server.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tracing::{info, warn};

use super::AuthorizationServer;
use crate::authenticate::discovery::{self, Discovered, DiscoveryError};

impl AuthorizationServer {
    /// Begins with the metadata that another one has found at the same place, with the same trust,
    /// when it looked for the same in it.
    pub(super) fn learn_from(&self, other: &Self) {
        let (ours, theirs) = (&self.settings, &other.settings);
        let is_same_document = ours.issuer == theirs.issuer
            && ours.metadata_url == theirs.metadata_url
            && ours.metadata == theirs.metadata
            && ours.access_tokens == theirs.access_tokens
            && ours.client.shows_certificate() == theirs.client.shows_certificate()
            && ours.tls_ca_pem == theirs.tls_ca_pem
            && ours.insecure_allow_http == theirs.insecure_allow_http
            && self.needs_whole_document == other.needs_whole_document;
        if let (true, None, Some(found)) = (is_same_document, self.discovered(), other.discovered())
        {
            self.found(found);
        }
    }

    /// Puts newly found metadata in force; whether they are the first.
    pub(super) fn found(&self, discovered: Arc<Discovered>) -> bool {
        if let (Some(verifier), Some(url)) = (&self.verifier, &discovered.jwks_uri) {
            verifier.set_jwks_uri(url.clone());
        }
        self.discovered.swap(Some(discovered)).is_none()
    }

    async fn discover(&self) -> Result<(), DiscoveryError> {
        let discovered = discovery::discover(&self.outbound, &self.settings).await?;
        if self.found(Arc::new(discovered)) {
            let name = &*self.settings.name;
            info!(authorization_server = name, "authorization server metadata found");
        }
        Ok(())
    }
}

/// Looks for the metadata now and then, for as long as somebody needs the server.
pub(super) async fn keep_discovering(server: Weak<AuthorizationServer>) {
    let mut pause = FIRST_PAUSE;
    while let Some(server) = server.upgrade() {
        let wait = match server.discover().await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                REFRESH_PAUSE
            }
            Err(error) => {
                warn!(
                    authorization_server = &*server.settings.name,
                    error = %error,
                    retry_in_seconds = pause.as_secs_f64(),
                    "authorization server metadata cannot be read"
                );
                server.last_failure.store(Some(Arc::new(error)));
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
        };
        // Who waits needs no server.
        drop(server);
        tokio::time::sleep(wait).await;
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const REFRESH_PAUSE: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;
    use tokio_util::{sync::CancellationToken, task::TaskTracker};

    use super::*;
    use crate::{
        authenticate::{
            authorization_server::Means, background::Background, outbound::Network, tests::settings,
        },
        clock::SystemClock,
        config::settings::AccessTokens,
        metrics::Metrics,
    };

    #[tokio::test]
    async fn server_that_nobody_needs_any_more_leaves_no_task_behind() {
        let tasks = TaskTracker::new();
        let background =
            Background::new(Handle::current(), tasks.clone(), CancellationToken::new());
        let means = Means { clock: Arc::new(SystemClock), background, network: Network::Open };
        let mut settings = settings("http://127.0.0.1:1");
        settings.access_tokens = AccessTokens::Auto;
        let metrics = Metrics::new().unwrap().authorization_server("corp");
        let server =
            AuthorizationServer::start(Arc::new(settings), false, metrics, means, None).unwrap();
        assert_eq!(tasks.len(), 2, "it looks for metadata and for keys");
        drop(server);
        tasks.close();
        let gone = tokio::time::timeout(Duration::from_secs(10), tasks.wait()).await;
        assert!(gone.is_ok(), "{} tasks", tasks.len());
    }
}
