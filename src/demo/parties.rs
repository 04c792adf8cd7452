//! The two parties beside the gateway: authorization server and MCP server, and the gateway's
//! configuration that joins them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::net::TcpListener;

use super::{
    authorization_server::{AuthorizationServer, Client, Settings, User},
    http_server::Background,
    mcp_server::McpServer,
    random::random_text,
    tour::TestUser,
};
use crate::{
    clock::Clock,
    oauth::{Scope, ScopeToken, Secret},
};

/// Who can log in at the demo's authorization server.
pub const TEST_USER: TestUser = TestUser { name: "demo", password: "demo" };

/// Both servers, running.
#[derive(Debug)]
pub struct Parties {
    issuer: String,
    mcp_server: SocketAddr,
    introspection_secret: Secret,
    background: Background,
}

/// The ports to listen on; 0 is any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Of the authorization server.
    pub authorization_server: u16,
    /// Of the MCP server.
    pub mcp_server: u16,
}

impl Parties {
    /// Starts both on loopback; a port in use is replaced by a free one.
    pub async fn start(ports: Ports, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let background = Background::default();
        let introspection_secret = Secret::new(random_text().map_err(io::Error::other)?);
        let mut gateway = Client::confidential(INTROSPECTION_CLIENT, &introspection_secret);
        gateway.may_introspect = true;
        let scopes = ["notes.read", "notes.write"].map(str::parse::<ScopeToken>);
        let settings = Settings {
            clients: vec![gateway],
            scopes_supported: scopes.into_iter().filter_map(Result::ok).collect::<Scope>(),
            users: vec![User {
                name: TEST_USER.name.to_owned(),
                password: Secret::new(TEST_USER.password),
            }],
        };
        let listener = listen(ports.authorization_server).await?;
        let issuer = AuthorizationServer::start(listener, settings, clock, &background)?;
        let mcp_server = McpServer::start(listen(ports.mcp_server).await?, &background)?;
        Ok(Self { issuer, mcp_server, introspection_secret, background })
    }

    /// The authorization server's issuer, which is its URL as well.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the MCP server listens, without any protection.
    pub fn mcp_server(&self) -> SocketAddr {
        self.mcp_server
    }

    /// The configuration of a gateway at `address` that protects the MCP server.
    pub fn configuration(&self, address: SocketAddr) -> String {
        let Self { issuer, mcp_server, .. } = self;
        let secret = self.introspection_secret.expose();
        format!(
            r#"public_url: http://{address}
listen: {{address: "{address}", limits: {{max_connections: 1000}}}}
admin: {{address: "127.0.0.1:0"}}
telemetry: {{access_log: false}}
authorization_servers:
  demo:
    issuer: {issuer}
    client: {{id: {INTROSPECTION_CLIENT}, secret: "{secret}"}}
    introspection:
      cache: {{ttl: 1s, negative_ttl: 1s}}  # so that the tour need not wait long for a revocation
routes:
  notes:
    path: /notes
    upstream: http://{mcp_server}/mcp
    required_scopes: [notes.read]  # by whatever is asked
    tools:
      delete_note: [notes.write]  # besides
  notes-sse:
    path: /notes-sse
    upstream: http://{mcp_server}/sse
    required_scopes: [notes.read]
    tools:
      delete_note: [notes.write]
"#
        )
    }

    /// Ends both servers.
    pub async fn stop(&self) {
        self.background.stop().await;
    }
}

/// A loopback address that is free now, on this port when possible.
pub(super) async fn free_address(port: u16) -> io::Result<SocketAddr> {
    listen(port).await?.local_addr()
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && port != 0 => {
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
        }
        listener => listener,
    }
}

const INTROSPECTION_CLIENT: &str = "gatehouse";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemClock, config, demo::NoEnvironment};

    #[tokio::test]
    async fn the_gateways_configuration_has_no_problems() {
        let parties = Parties::start(Ports::default(), Arc::new(SystemClock)).await.unwrap();
        let text = parties.configuration(([127, 0, 0, 1], 8080).into());
        let loaded = config::parse("demo.yaml", &text, &NoEnvironment).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(loaded.settings.routes.len(), 2);
        parties.stop().await;
    }

    #[tokio::test]
    async fn a_port_in_use_is_replaced_by_a_free_one() {
        let taken = listen(0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_address(port).await.unwrap().port(), port);
    }
}
