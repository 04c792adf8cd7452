//! Metadata fields that the operator writes: of an authorization server (RFC 8414) and of a
//! protected resource (RFC 9728).

use serde_json::{Map, Value};

use crate::config::{
    problem::{Place, Report},
    reader::{Entries, Json},
    web::HttpUrl,
};
use crate::oauth::{Issuer, is_loopback};

/// Fields of an authorization server's metadata.
pub(super) fn of_authorization_server(
    file: &Entries<Json>,
    issuer: Option<&Issuer>,
    is_http_allowed: bool,
    report: &mut Report<'_>,
) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for (key, field) in &file.0 {
        let Some(placed) = field.placed() else { continue };
        let Json(value) = &placed.value;
        if key.value.as_ref() == "issuer"
            && issuer.is_some_and(|issuer| value.as_str() != Some(issuer.as_str()))
        {
            report.error(&placed.place, "must be the `issuer` above, byte for byte; leave it out");
        }
        if key.value.ends_with("_endpoint") || key.value.as_ref() == "jwks_uri" {
            report_unusable_url(value, &placed.place, is_http_allowed, report);
        }
        fields.insert(key.value.to_string(), value.clone());
    }
    (fields.len() == file.0.len()).then_some(fields)
}

/// Fields of a protected resource's metadata.
pub(super) fn of_resource(
    file: &Entries<Json>,
    report: &mut Report<'_>,
) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    for (key, field) in &file.0 {
        let Some(placed) = field.placed() else { continue };
        let Json(value) = &placed.value;
        if let Some(remedy) = remedy_for_reserved(&key.value) {
            report.error(&key.place, format!("the gateway writes this field; {remedy}"));
        }
        if value.is_null() {
            report.error(&placed.place, "null is no metadata value; leave the field out");
        }
        let is_url = key.value.ends_with("_uri") || key.value.as_ref() == "resource_documentation";
        if is_url && value.as_str().is_none_or(|text| text.parse::<HttpUrl>().is_err()) {
            report.error(&placed.place, "must be an absolute http(s) URL (RFC 9728 section 2)");
        }
        if key.value.as_ref() == "resource_name" && !value.is_string() {
            report.error(&placed.place, "must be a text (RFC 9728 section 2)");
        }
        fields.insert(key.value.to_string(), value.clone());
    }
    (fields.len() == file.0.len()).then_some(fields)
}

/// What the gateway says itself, or must not promise because it does not do it.
fn remedy_for_reserved(key: &str) -> Option<&'static str> {
    match key {
        "resource" => Some("see the route's `resource`"),
        "authorization_servers" => Some("see the route's `authorization_servers`"),
        "scopes_supported" => Some("see the route's `scopes_supported`"),
        "bearer_methods_supported" => Some("tokens are taken from the Authorization header only"),
        "dpop_bound_access_tokens_required"
        | "dpop_signing_alg_values_supported"
        | "signed_metadata"
        | "tls_client_certificate_bound_access_tokens" => {
            Some("this version does not support what it promises")
        }
        _ => None,
    }
}

/// Reports a URL we must not send credentials or tokens to.
fn report_unusable_url(
    value: &Value,
    place: &Place,
    is_http_allowed: bool,
    report: &mut Report<'_>,
) {
    match value.as_str().and_then(|text| text.parse::<HttpUrl>().ok()) {
        Some(HttpUrl(url)) => report_insecure(&url, place, is_http_allowed, report),
        None => report.error(place, "must be an absolute http(s) URL (RFC 8414 section 2)"),
    }
}

/// Reports `http:` beyond this machine.
pub(super) fn report_insecure(
    url: &url::Url,
    place: &Place,
    is_http_allowed: bool,
    report: &mut Report<'_>,
) {
    if url.scheme() == "http" && !is_loopback(url) && !is_http_allowed {
        report.error(
            place,
            "must be https (http only on a loopback host, or with `insecure_allow_http: true`)",
        );
    }
}
