//! The other's clock against ours, by the `Date` of its answer (RFC 9110 section 6.6.1) and, where a
//! cache kept it, its `Age` (RFC 9111 section 5.1).

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, header};

use super::{Asked, finding::Findings};

/// Compares the clocks; says nothing when the answer has no date.
pub(super) fn compare(asked: &Asked<'_>, headers: &HeaderMap, findings: &mut Findings<'_>) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(date) = text(header::DATE).and_then(seconds) else {
        return findings.ok("clock", "cannot be told: the answer has no Date");
    };
    let age = text(header::AGE).and_then(|age| age.trim().parse::<u32>().ok()).unwrap_or_default();
    let theirs = date + f64::from(age);
    let ahead = theirs - asked.clock.unix_seconds();
    let skew = asked.settings.clock_skew.as_secs_f64();
    // A date is cut to whole seconds, and the answer took its time.
    if ahead.abs() <= skew + GRANULARITY {
        return findings.ok("clock", format!("within {:.0} s of ours", ahead.abs().ceil()));
    }
    let write = "synchronise both clocks (NTP); a larger clock_skew only hides the difference";
    let beyond = format!("more than clock_skew ({skew:.0} s)");
    if ahead > 0.0 {
        let seen = format!(
            "the server's clock is {ahead:.0} s ahead of ours, {beyond}: new tokens are refused as \
             not yet valid"
        );
        findings.error("clock", seen, "clock_skew", write);
    } else {
        let seen = format!(
            "the server's clock is {:.0} s behind ours, {beyond}: tokens expire here before they do \
             there",
            -ahead
        );
        findings.warning("clock", seen, "clock_skew", write);
    }
}

fn seconds(date: &str) -> Option<f64> {
    let date: SystemTime = httpdate::parse_http_date(date).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

const GRANULARITY: f64 = 2.0;
