//! Which file is read, and what wins over it.
//!
//! 1. The file: `-c`, then `$GATEHOUSE_CONFIG`, then `./gatehouse.yaml`, then
//!    `/etc/gatehouse/gatehouse.yaml`.
//! 2. The addresses: the flags, then `GATEHOUSE_LISTEN_ADDRESS` and `GATEHOUSE_ADMIN_ADDRESS`, then
//!    the file.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{problem::Report, secret::Environment, settings::Settings, values::Address};

/// The configuration file: the one asked for, the environment's, or the first usual one there is.
///
/// When there is none, it is the first usual one, so that the refusal names it.
pub fn find(asked: Option<&Path>, environment: &dyn Environment) -> PathBuf {
    if let Some(path) = asked {
        return path.to_owned();
    }
    match environment.variable("GATEHOUSE_CONFIG") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => {
            let mut usual = USUAL.iter().map(Path::new);
            usual.find(|path| environment.has_file(path)).unwrap_or(Path::new(USUAL[0])).to_owned()
        }
    }
}

const USUAL: [&str; 2] = ["gatehouse.yaml", "/etc/gatehouse/gatehouse.yaml"];

/// Addresses that win over the file's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// For `listen.address`.
    pub listen_address: Option<SocketAddr>,
    /// For `admin.address`.
    pub admin_address: Option<SocketAddr>,
}

impl Overrides {
    /// Puts the addresses in the place of the file's.
    pub fn apply(&self, settings: &mut Settings) {
        settings.listen.address = self.listen_address.unwrap_or(settings.listen.address);
        settings.admin.address = self.admin_address.unwrap_or(settings.admin.address);
    }

    /// The environment's addresses.
    pub(super) fn from_environment(environment: &dyn Environment, report: &mut Report<'_>) -> Self {
        Self {
            listen_address: address("GATEHOUSE_LISTEN_ADDRESS", environment, report),
            admin_address: address("GATEHOUSE_ADMIN_ADDRESS", environment, report),
        }
    }
}

fn address(
    name: &str,
    environment: &dyn Environment,
    report: &mut Report<'_>,
) -> Option<SocketAddr> {
    let value = environment.variable(name).filter(|value| !value.is_empty())?;
    let parsed = value.to_str().and_then(|text| text.parse::<Address>().ok());
    if parsed.is_none() {
        report.outside(name, "not an IP address with a port such as 0.0.0.0:8080");
    }
    parsed.map(|address| address.0)
}
