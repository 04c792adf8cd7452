//! What files that are right compile to.

use std::time::Duration;

use super::{MINIMAL, problems, read};
use crate::config::settings::{Access, AudienceMatch, ClientAuthentication, LogFormat};

#[test]
fn the_smallest_file_fills_all_settings() {
    assert_eq!(problems(MINIMAL), "");
    let settings = read(MINIMAL).unwrap().settings;
    assert_eq!(settings.public_url.as_str(), "https://mcp.example.com");
    assert_eq!(settings.listen.address.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.listen.limits.max_body_bytes, 4_194_304);
    assert_eq!(settings.listen.limits.idle_timeout, Duration::from_secs(75));
    assert_eq!(settings.admin.address.to_string(), "127.0.0.1:9464");
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    let server = &settings.authorization_servers[0];
    assert_eq!((&*server.name, server.issuer.as_str()), ("corp", "https://auth.example.com"));
    let ClientAuthentication::ClientSecretBasic { id, secret } = &server.client else { panic!() };
    assert_eq!((id.as_str(), secret.expose()), ("gatehouse", super::environment::CANARY));
    assert_eq!(server.introspection.cache_ttl, Duration::from_mins(1));
    let route = &settings.routes[0];
    assert_eq!((&*route.name, &*route.path), ("notes", "/notes"));
    assert_eq!(route.upstream.url.as_str(), "http://127.0.0.1:3001/mcp");
    let Access::Protected(protected) = &route.access else { panic!() };
    assert_eq!(&*protected.authorization_server, "corp");
    assert_eq!(protected.resource.as_str(), "https://mcp.example.com/notes");
    assert_eq!(protected.audiences, ["https://mcp.example.com/notes".into()]);
    assert_eq!(protected.audience_match, AudienceMatch::Exact);
    assert_eq!(protected.required_scopes.to_string(), "notes.read");
    assert_eq!(protected.scopes_supported.to_string(), "notes.read");
}
