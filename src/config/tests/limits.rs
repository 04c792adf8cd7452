//! `listen.limits` and `rate_limit`: what is left out, and what makes no sense.

use std::time::Duration;

use super::{MINIMAL, problems, read};
use crate::config::settings::{Limits, RateLimit, RateLimitBy};

fn limits(written: &str) -> Limits {
    let text = format!("listen: {{limits: {{{written}}}}}\n{MINIMAL}");
    read(&text).unwrap().settings.listen.limits
}

#[test]
fn shares_are_a_quarter_of_the_connections_unless_they_are_written() {
    let shares = |limits: &Limits| {
        [
            limits.max_connections_per_source,
            limits.max_requests_per_source,
            limits.max_streams_per_source,
            limits.max_requests_per_principal,
            limits.max_streams_per_principal,
        ]
    };
    // One of several principals at an address has half of what the address has.
    assert_eq!(shares(&limits("")), [2500, 2500, 2500, 1250, 1250]);
    assert_eq!(shares(&limits("max_connections: 1000")), [250, 250, 250, 125, 125]);
    assert_eq!(shares(&limits("max_connections: 10")), [100, 100, 100, 50, 50]);
    let written = "max_connections_per_source: 1, max_requests_per_source: 2, \
                   max_streams_per_source: 3, max_requests_per_principal: 4, \
                   max_streams_per_principal: 5, max_questions_per_source: 6, \
                   max_buffered_bytes: 1048576, max_body_bytes: 1000";
    let written = limits(written);
    assert_eq!(shares(&written), [1, 2, 3, 4, 5]);
    assert_eq!((written.max_questions_per_source, written.max_buffered_bytes), (6, 1_048_576));
}

#[test]
fn written_share_holds_whatever_room_there_is() {
    for (written, room, connections) in [
        ("", 10_000, 2500),
        ("", 1000, 250),
        ("", 368, 100),
        ("", 40, 100),
        ("max_connections: 1000", 5000, 250),
        ("max_connections_per_source: 200", 368, 200),
        ("max_connections_per_source: 2500", 368, 2500),
        ("max_connections_per_source: 3", 10_000, 3),
    ] {
        assert_eq!(limits(written).connections_of_source(room), connections, "{written} {room}");
    }
}

#[test]
fn rate_limit_fills_in_what_was_left_out() {
    let limit = |access: &str, written: &str| {
        let text = format!(
            "public_url: https://mcp.example\nroutes:\n  notes:\n    path: /notes\n    \
             upstream: http://127.0.0.1:1\n    {access}\n    rate_limit: {written}\n"
        );
        let text = match access {
            "access: public" => text,
            _ => format!("{text}authorization_servers: {{corp: {{issuer: https://as.example}}}}\n"),
        };
        read(&text).unwrap().settings.routes[0].rate_limit.unwrap()
    };
    let (protected, second) = ("required_scopes: []", Duration::from_secs(1));
    for (access, written, requests, per, burst, by) in [
        (protected, "{requests: 7}", 7, second, 7, RateLimitBy::Subject),
        ("access: public", "{requests: 7}", 7, second, 7, RateLimitBy::Address),
        (
            protected,
            "{requests: 1, per: 1m, burst: 3, by: client_id}",
            1,
            60 * second,
            3,
            RateLimitBy::ClientId,
        ),
    ] {
        assert_eq!(limit(access, written), RateLimit { requests, per, burst, by }, "{written}");
    }
}

#[test]
fn limits_that_make_no_sense_are_refused_with_what_would() {
    let text = "
public_url: https://mcp.example
listen:
  limits:
    max_connections_per_source: 0
    max_questions_per_source: 513
    max_buffered_bytes: 1000
routes:
  open:
    path: /open
    upstream: http://127.0.0.1:1
    access: public
    rate_limit: {requests: 0, per: 0s, burst: 0, by: subject}
  other:
    path: /other
    upstream: http://127.0.0.1:1
    access: public
    rate_limit: {per: 1s, by: user}
";
    insta::assert_snapshot!(problems(text), @r"
    g.yaml:5:33: listen.limits.max_connections_per_source: must be from 1 to 1000000
    g.yaml:6:31: listen.limits.max_questions_per_source: must be from 1 to 512
    g.yaml:7:25: listen.limits.max_buffered_bytes: must be from 1048576 to 1099511627776
    g.yaml:13:28: routes.open.rate_limit.requests: must be from 1 to 1000000
    g.yaml:13:36: routes.open.rate_limit.per: must be from 1ms to 24h
    g.yaml:13:47: routes.open.rate_limit.burst: must be from 1 to 1000000
    g.yaml:13:54: routes.open.rate_limit.by: no token names anybody on a route with `access: public`; limit it by `address`
    g.yaml:18:5: routes.other.rate_limit.requests: this key is required
    g.yaml:18:31: routes.other.rate_limit.by: none of the known words; expected one of subject, client_id, address
    ");
}

#[test]
fn body_that_would_never_fit_is_warned_of() {
    let text = format!("listen: {{limits: {{max_buffered_bytes: 2097152}}}}\n{MINIMAL}");
    insta::assert_snapshot!(problems(&text), @"g.yaml:1:39: listen.limits.max_buffered_bytes: warning: less than max_body_bytes: a body of that size never fits where it must be read whole; raise this one or lower that one");
}

#[test]
fn burst_that_comes_back_after_years_is_refused() {
    let text = MINIMAL
        .replace("    path:", "    rate_limit: {requests: 1, per: 1h, burst: 721}\n    path:");
    insta::assert_snapshot!(problems(&text), @"g.yaml:9:47: routes.notes.rate_limit.burst: takes more than 30 days to come back; lower `burst`, or raise `requests`");
}
