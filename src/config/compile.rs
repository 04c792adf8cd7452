//! From the file as written to settings: what its values mean together.
//!
//! 1. Pure: no clock, no environment, no files.
//! 2. All problems are collected, each at the value or key that causes it. A value that was
//!    faulty by itself has been reported and is passed over here.
//! 3. Settings come out only when there is no error.

mod access_tokens;
mod authorization_server;
mod bounds;
mod client;
mod implications;
mod limits;
mod listen;
mod metadata;
mod protected;
mod route;
mod rules;
mod traces;
mod upstream;

use std::sync::Arc;

use super::{
    file::ConfigFile,
    problem::Report,
    settings::{AuthorizationServerSettings, RouteSettings, Settings},
};

/// Compiles a file; nothing when there is an error.
pub(super) fn compile(file: &ConfigFile, report: &mut Report<'_>) -> Option<Settings> {
    let listen = file.listen.value().and_then(|listen| listen::listen(listen, report));
    let admin = file.admin.value().and_then(listen::admin);
    let telemetry = file.telemetry.value().and_then(|file| listen::telemetry(file, report));
    let session_keys = file.sessions.value().and_then(|keys| listen::session_keys(keys, report));
    let servers = authorization_server::all(file, report);
    let routes = route::all(file, &servers, report);
    listen::report_shared_address(file, report);
    servers.report_unused(report);
    let routes = routes?;
    Some(Settings {
        public_url: file.public_url.value()?.clone(),
        listen: listen?,
        admin: admin?,
        telemetry: telemetry?,
        authorization_servers: keeping(servers.settings()?, &routes),
        session_keys: session_keys?,
        routes,
    })
}

/// Has every server's tokens keep the claims that rules name.
fn keeping(
    mut servers: Vec<Arc<AuthorizationServerSettings>>,
    routes: &[RouteSettings],
) -> Vec<Arc<AuthorizationServerSettings>> {
    let mut kept: Vec<Box<str>> = routes
        .iter()
        .filter_map(RouteSettings::protected)
        .flat_map(|protected| protected.rules.claims())
        .map(Into::into)
        .collect();
    kept.sort();
    kept.dedup();
    for server in &mut servers {
        Arc::make_mut(server).claims.kept.clone_from(&kept);
    }
    servers
}
