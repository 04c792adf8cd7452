//! `listen`, `admin`, `telemetry` and `sessions`.

use std::{sync::Arc, time::Duration};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    bounds::{HOUR, duration},
    limits::limits,
    traces,
};
use crate::{
    config::{
        file::{self, ConfigFile},
        problem::{Place, Report},
        server_tls::{ServerTls, TlsMaterial},
        settings::{
            Admin, AllowedHost, AllowedOrigin, AuditSettings, Listen, Telemetry, TlsIdentity,
        },
    },
    oauth::Secret,
};

pub(super) fn listen(file: &file::Listen, report: &mut Report<'_>) -> Option<Listen> {
    let limits = file.limits.value().and_then(|file| limits(file, report));
    let drain_timeout = duration(&file.drain_timeout, Duration::ZERO..=HOUR, report);
    let compiled_tls = file.tls.given().and_then(|(file, place)| tls(file, place, report));
    for origin in file.allowed_origins.value().into_iter().flatten() {
        if origin.value == AllowedOrigin::Any {
            report.warning(&origin.place, "pages of every web site may call MCP routes");
        }
    }
    for host in file.allowed_hosts.value().into_iter().flatten() {
        if host.value == AllowedHost::Any {
            report.warning(&host.place, "every Host is served, so DNS rebinding is not noticed");
        }
    }
    Some(Listen {
        address: file.address.value()?.0,
        tls: if file.tls.value()?.is_some() { Some(compiled_tls?) } else { None },
        trusted_proxies: values(file.trusted_proxies.value()?, |network| network.0),
        proxy_protocol: values(file.proxy_protocol.value()?, |network| network.0),
        limits: limits?,
        drain_timeout: drain_timeout?,
        allowed_origins: values(file.allowed_origins.value()?, Clone::clone),
        allowed_hosts: values(file.allowed_hosts.value()?, Clone::clone),
    })
}

/// TLS towards clients; nothing when there is an error.
fn tls(file: &file::ListenTls, place: &Place, report: &mut Report<'_>) -> Option<ServerTls> {
    let is_required = file.require_client_certificate.placed();
    let client_ca = file.client_ca.placed();
    if let (Some(is_required), Some(client_ca)) = (is_required, client_ca)
        && is_required.value.0
        && client_ca.value.is_none()
    {
        let message = "names nobody whose clients to accept; name the authorities in `client_ca`";
        report.error(&is_required.place, message);
        return None;
    }
    let (certificate, private_key) = (&file.certificate.value()?.0, file.private_key.value()?);
    let client_ca = client_ca?.value.as_ref();
    let identity = TlsIdentity {
        certificates: Arc::clone(&certificate.file.0),
        private_key: private_key.file.0.clone(),
    };
    let client_pem = client_ca.map(|named| Arc::clone(&named.file.0));
    let material = TlsMaterial { identity, client_ca: client_pem };
    // The certificate's own validity was judged where it was read: here is no clock.
    if let Err(why) = material.judge(f64::NEG_INFINITY) {
        report.error(&place.below(why.file().key()), why.to_string());
        return None;
    }
    Some(ServerTls {
        certificate: certificate.path.clone(),
        private_key: private_key.path.clone(),
        client_ca: client_ca.map(|named| named.path.clone()),
        require_client_certificate: is_required?.value.0,
        material,
    })
}

pub(super) fn admin(file: &file::Admin) -> Option<Admin> {
    let token = file.token_file.value()?.as_ref().map(|file| file.0.clone());
    Some(Admin { address: file.address.value()?.0, token })
}

pub(super) fn telemetry(file: &file::Telemetry, report: &mut Report<'_>) -> Option<Telemetry> {
    let traces = file.traces.value().and_then(|file| traces::traces(file, report).ok());
    let log = file.log.value()?;
    Some(Telemetry {
        log_format: *log.format.value()?,
        log_level: log.level.value()?.0,
        access_log: file.access_log.value()?.0,
        audit: match file.audit.value()? {
            Some(file::Audit(file)) => Some(AuditSettings {
                file: file.file.value()?.as_ref().map(|path| path.0.clone()),
                client_address: file.client_address.value()?.0,
            }),
            None => None,
        },
        traces: traces?,
    })
}

pub(super) fn session_keys(file: &file::Sessions, report: &mut Report<'_>) -> Option<Vec<Secret>> {
    let keys = file.keys.value()?.iter().map(|key| (&key.value.0, &key.place));
    let files = file.key_files.value()?.iter().map(|key| (&key.value.0, &key.place));
    let keys: Vec<_> =
        keys.chain(files).map(|(key, place)| session_key(key, place, report)).collect();
    keys.into_iter().collect()
}

fn session_key(key: &Secret, place: &Place, report: &mut Report<'_>) -> Option<Secret> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    match GeneralPurpose::new(&URL_SAFE, config).decode(key.expose()) {
        Ok(bytes) if bytes.len() >= MIN_KEY_BYTES => Some(key.clone()),
        Ok(_) => {
            report.error(place, format!("shorter than {MIN_KEY_BYTES} bytes; {NEW_KEY}"));
            None
        }
        Err(_) => {
            report.error(place, format!("not base64url; {NEW_KEY}"));
            None
        }
    }
}

const MIN_KEY_BYTES: usize = 32;
const NEW_KEY: &str = "`openssl rand -base64 32 | tr '+/' '-_'` makes a key";

/// One address cannot be listened on twice.
pub(super) fn report_shared_address(file: &ConfigFile, report: &mut Report<'_>) {
    let listen = file.listen.value().and_then(|listen| listen.address.placed());
    let admin = file.admin.value().and_then(|admin| admin.address.placed());
    if let (Some(listen), Some(admin)) = (listen, admin)
        && listen.value.0 == admin.value.0
        && listen.value.0.port() != 0
    {
        let place = if admin.is_written { &admin.place } else { &listen.place };
        report.error(place, "listen.address and admin.address are the same; each needs its own");
    }
}

fn values<T, U>(placed: &[crate::config::reader::Placed<T>], value: impl Fn(&T) -> U) -> Vec<U> {
    placed.iter().map(|placed| value(&placed.value)).collect()
}
