//! The series of one authorization server.

use prometheus::{Histogram, IntCounter, IntGauge};

use super::Metrics;

impl Metrics {
    /// The series of one authorization server.
    pub fn authorization_server(&self, name: &str) -> AuthorizationServerMetrics {
        let lookup = |result| self.token_cache_lookups.with_label_values(&[name, result]);
        let request = |outcome| self.introspection_requests.with_label_values(&[name, outcome]);
        AuthorizationServerMetrics {
            hit: lookup("hit"),
            negative_hit: lookup("negative_hit"),
            miss: lookup("miss"),
            coalesced: lookup("coalesced"),
            stale: lookup("stale"),
            entries: self.token_cache_entries.with_label_values(&[name]),
            silent: self.authorization_server_silent.with_label_values(&[name]),
            active: request("active"),
            inactive: request("inactive"),
            error: request("error"),
            timeout: request("timeout"),
            duration: self.introspection_duration.with_label_values(&[name]),
            key_set: self.key_set(name),
        }
    }

    /// The series of the key set of one authorization server.
    pub fn key_set(&self, name: &str) -> KeySetMetrics {
        let refresh = |outcome| self.jwks_refreshes.with_label_values(&[name, outcome]);
        KeySetMetrics {
            changed: refresh("changed"),
            unchanged: refresh("unchanged"),
            unusable: refresh("unusable"),
            error: refresh("error"),
            timeout: refresh("timeout"),
        }
    }
}

/// The series of one authorization server, looked up once.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is the label value of the same name")]
pub struct AuthorizationServerMetrics {
    pub hit: IntCounter,
    pub negative_hit: IntCounter,
    pub miss: IntCounter,
    pub coalesced: IntCounter,
    pub stale: IntCounter,
    pub entries: IntGauge,
    pub silent: IntGauge,
    pub active: IntCounter,
    pub inactive: IntCounter,
    pub error: IntCounter,
    pub timeout: IntCounter,
    pub duration: Histogram,
    pub key_set: KeySetMetrics,
}

/// The series of the key set of one authorization server, looked up once.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is the label value of the same name")]
pub struct KeySetMetrics {
    pub changed: IntCounter,
    pub unchanged: IntCounter,
    pub unusable: IntCounter,
    pub error: IntCounter,
    pub timeout: IntCounter,
}
