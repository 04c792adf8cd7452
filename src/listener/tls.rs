//! TLS towards clients: what handshakes are made with, and following the files it comes from.
//!
//! 1. TLS 1.3 and 1.2 alone, with the suites of rustls; no early data, no renegotiation.
//! 2. ALPN offers `h2` and `http/1.1` (RFC 7301); a client that offers neither is refused.
//! 3. With `client_ca` clients are asked for a certificate, and one that does not verify fails the
//!    handshake; nothing is resumed then, so that every connection shows its certificate.
//! 4. What changes in the files is put in force for new connections, open ones go on. What cannot
//!    be used is said and counted once, and the old goes on; a file that is only half written gets
//!    until the next look.
//! 5. Sessions are never resumed across a change.
//! 6. When it changes whom clients' certificates are taken from, connections that were let in before
//!    end as in draining: what they are doing goes on, what is new needs a new handshake.
//!
//! Whether a client's certificate has been revoked is not asked: what shall not be let in any more is
//! left to its end, or to another authority.
//!
//! The name a client asks for (SNI) chooses nothing here: one certificate is served, and the Host is
//! judged with the request (421).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use prometheus::IntGauge;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::UnixTime,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::SingleCertAndKey,
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    clock::Clock,
    config::{
        Environment,
        server_tls::{ServerTls, TlsMaterial, UnusableTls, UsableTls},
    },
    metrics::Metrics,
};

/// What the handshakes of the public listener are made with; shared by all workers.
#[derive(Debug)]
pub struct Handshakes {
    current: ArcSwap<Agreed>,
    followed: Mutex<Followed>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    expiry: IntGauge,
    drain: CancellationToken,
}

/// What is in force for handshakes, and for the connections they made.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) config: Arc<ServerConfig>,
    /// Cancelled when these connections shall end.
    pub(super) farewell: CancellationToken,
    clients: Clients,
}

/// Whose certificates clients show: what decides whether a connection may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clients {
    authorities: Option<Arc<[u8]>>,
    is_required: bool,
}

/// The files that are followed, and what was last wrong with them.
#[derive(Debug)]
struct Followed {
    settings: ServerTls,
    refused: Option<Refused>,
}

/// What was seen and could not be used, and whether that has been said.
#[derive(Debug)]
struct Refused {
    seen: Result<TlsMaterial, UnusableTls>,
    is_said: bool,
}

/// Why TLS cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The files.
    #[error("listen.tls.{key}: {0}", key = .0.file().key())]
    Unusable(#[from] UnusableTls),
    /// What was made of them.
    #[error("listen.tls: {0}")]
    Library(Box<str>),
}

impl Handshakes {
    /// Begins with what was read with the configuration.
    pub fn new(
        settings: ServerTls,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        drain: &CancellationToken,
    ) -> Result<Self, TlsError> {
        let usable = settings.material.judge(clock.unix_seconds())?;
        let expiry = metrics.tls_certificate_expiry.with_label_values::<&str>(&[]);
        expiry.set(usable.expires);
        let clients = Clients::of(&settings.material, settings.require_client_certificate);
        let config = Arc::new(server_config(usable, clients.is_required, &clock)?);
        let current = Agreed { config, farewell: drain.child_token(), clients };
        let current = ArcSwap::from_pointee(current);
        let followed = Mutex::new(Followed { settings, refused: None });
        Ok(Self { current, followed, clock, metrics, expiry, drain: drain.clone() })
    }

    /// What a handshake that begins now is made with.
    pub(super) fn agreed(&self) -> Arc<Agreed> {
        self.current.load_full()
    }

    /// Puts other settings in force and follows their files from now on; on an error all stays.
    pub fn replace(&self, settings: ServerTls) -> Result<(), TlsError> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        self.install(&settings.material, settings.require_client_certificate)?;
        *followed = Followed { settings, refused: None };
        Ok(())
    }

    /// Follows the files for as long as it is polled.
    pub async fn follow(self: Arc<Self>, environment: impl Environment + Copy + Send + 'static) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let handshakes = Arc::clone(&self);
            // A file system may take its time.
            let look = tokio::task::spawn_blocking(move || handshakes.look(&environment));
            if look.await.is_err() {
                return;
            }
        }
    }

    /// Looks at the files once, and puts in force what has changed in them.
    pub fn look(&self, environment: &dyn Environment) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = followed.settings.reread(environment);
        if seen.as_ref() == Ok(&followed.settings.material) {
            followed.refused = None;
            return;
        }
        if let Some(refused) = followed.refused.as_mut().filter(|refused| refused.seen == seen) {
            if !std::mem::replace(&mut refused.is_said, true) {
                let why = self.attempt(&mut followed, seen).err();
                self.say(why.as_ref());
            }
            return;
        }
        match self.attempt(&mut followed, seen.clone()) {
            Ok(()) => self.say(None),
            Err(_) => followed.refused = Some(Refused { seen, is_said: false }),
        }
    }

    fn attempt(
        &self,
        followed: &mut Followed,
        seen: Result<TlsMaterial, UnusableTls>,
    ) -> Result<(), TlsError> {
        let material = seen?;
        self.install(&material, followed.settings.require_client_certificate)?;
        followed.settings.material = material;
        followed.refused = None;
        Ok(())
    }

    fn install(&self, material: &TlsMaterial, is_required: bool) -> Result<(), TlsError> {
        let usable = material.judge(self.clock.unix_seconds())?;
        let expires = usable.expires;
        let config = Arc::new(server_config(usable, is_required, &self.clock)?);
        let clients = Clients::of(material, is_required);
        let old = self.current.load_full();
        let is_same = old.clients == clients;
        let farewell = if is_same { old.farewell.clone() } else { self.drain.child_token() };
        self.current.store(Arc::new(Agreed { config, farewell, clients }));
        self.expiry.set(expires);
        if !is_same {
            old.farewell.cancel();
        }
        Ok(())
    }

    fn say(&self, error: Option<&TlsError>) {
        let outcome = match error {
            None => "changed",
            Some(TlsError::Unusable(why)) => why.label(),
            Some(TlsError::Library(_)) => "damaged",
        };
        self.metrics.tls_reloads.with_label_values(&[outcome]).inc();
        match error {
            None => info!("the files of listen.tls have changed and are in force"),
            Some(why) => warn!(
                error = %why,
                "the files of listen.tls have changed and cannot be used; the old go on"
            ),
        }
    }
}

impl Clients {
    fn of(material: &TlsMaterial, is_required: bool) -> Self {
        Self { authorities: material.client_ca.clone(), is_required }
    }
}

fn server_config(
    usable: UsableTls,
    is_required: bool,
    clock: &Arc<dyn Clock>,
) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let asks = usable.client_authorities.is_some();
    let verifier = match usable.client_authorities {
        Some(authorities) => {
            let provider = Arc::clone(&provider);
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
            let builder = if is_required { builder } else { builder.allow_unauthenticated() };
            builder.build().map_err(|why| TlsError::Library(why.to_string().into()))?
        }
        None => WebPkiClientVerifier::no_client_auth(),
    };
    let time = Arc::new(Time(Arc::clone(clock)));
    let mut config = ServerConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|why| TlsError::Library(why.to_string().into()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(usable.key)));
    config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    if asks {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

/// The gateway's clock, by which clients' certificates are judged.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since = Duration::try_from_secs_f64(self.0.unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}

/// HTTP/2 among the names of ALPN (RFC 9113 section 3.1).
pub(super) const HTTP_2: &[u8] = b"h2";

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
