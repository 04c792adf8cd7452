//! Tests of the page: what escapes, and what its head allows.

use std::sync::Arc;

use super::*;
use crate::{
    admin::status::{Asked, Configuration, Listeners},
    snapshot::Refusal,
};

fn status(text: &str) -> Status {
    let refusal = Arc::new(Refusal {
        time: 0.0,
        request_id: text.into(),
        route: Some(text.into()),
        method: Some(text.into()),
        rpc_method: Some(text.into()),
        rpc_name: Some(text.into()),
        status: 403,
        reason: "insufficient_scope",
        detail: text.into(),
        remedy: "Ask `check`.",
        rule: Some(text.into()),
        issuer: Some(text.into()),
        subject: Some(text.into()),
        client_id: Some(text.into()),
    });
    let address = ([127, 0, 0, 1], 1).into();
    Status {
        version: "0",
        revision: "r",
        time: None,
        uptime_seconds: 90_061,
        is_ready: false,
        reasons: vec![text.to_owned()],
        configuration: Configuration {
            file: Some(text.to_owned()),
            generation: 1,
            in_force_since: None,
            last_reload: None,
        },
        listeners: Listeners {
            public_url: text.to_owned(),
            listen: address,
            tls: false,
            certificate_expires: None,
            certificate_days_left: None,
            connections: 0,
            max_connections: 1,
            admin: address,
            audit: None,
            audit_lines_dropped: 0,
        },
        routes: Vec::new(),
        authorization_servers: Vec::new(),
        asked: Some(Asked { request_id: text.to_owned(), refusal: Some(Arc::clone(&refusal)) }),
        refusals: vec![refusal],
    }
}

/// P05: nothing that others wrote becomes markup, in text or in attributes.
#[test]
fn texts_of_others_are_escaped_wherever_they_stand() {
    let quiet = render(&status("TEXT"));
    let hostile = "<img src=x onerror=y>\"'&\u{202e}\u{1b}\n<";
    let escaped = "&lt;img src=x onerror=y&gt;&quot;&#39;&amp;\\u202e\\u001b\\u000a&lt;";
    assert_eq!(render(&status(hostile)), quiet.replace("TEXT", escaped));
    assert!(quiet.matches("TEXT").count() > 15);
    assert!(quiet.contains("Ask <code>check</code>."), "only our own words are marked up");
    assert!(quiet.contains("1 d 1 h"));
}

#[test]
fn page_allows_its_own_style_sheet_and_nothing_else() {
    let response = html(&status("text"));
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = render(&status("text"));
    assert_eq!(page.matches("<style>").count(), 1);
    for forbidden in ["<script", " style=", "javascript:", "@import", "url(", "onclick"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}
