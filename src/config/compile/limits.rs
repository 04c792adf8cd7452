//! `listen.limits`, and `rate_limit` of a route.

use std::{ops::RangeInclusive, time::Duration};

use super::bounds::{DAY, HOUR, MINUTE, SHORTEST, count, duration, size};
use crate::config::{
    file,
    problem::{Place, Report},
    reader::Field,
    settings::{Limits, RateLimit, RateLimitBy, usual_share},
    values::{AccessKind, Count},
};

pub(super) fn limits(file: &file::Limits, report: &mut Report<'_>) -> Option<Limits> {
    let max_connections = size(&file.max_connections, CONNECTIONS, report);
    let share = max_connections.map(usual_share);
    let mut share_of = |field: &Field<Option<Count>>| share_or(field, share, report);
    let max_connections_per_source = share_of(&file.max_connections_per_source);
    let max_requests_per_source = share_of(&file.max_requests_per_source);
    let max_streams_per_source = share_of(&file.max_streams_per_source);
    // Nor can one of several behind the same address.
    let half = share.map(|share| share.div_ceil(2));
    let mut half_of = |field: &Field<Option<Count>>| share_or(field, half, report);
    let max_requests_per_principal = half_of(&file.max_requests_per_principal);
    let max_streams_per_principal = half_of(&file.max_streams_per_principal);
    let max_questions_per_source = size(&file.max_questions_per_source, 1..=512, report);
    let max_header_bytes = size(&file.max_header_bytes, 8192..=1024 * 1024, report);
    let max_body_bytes = size(&file.max_body_bytes, 1..=1024 * 1024 * 1024, report);
    let max_buffered_bytes = size(&file.max_buffered_bytes, BUFFERED, report);
    let header_timeout = duration(&file.header_timeout, SHORTEST..=10 * MINUTE, report);
    let body_timeout = duration(&file.body_timeout, SHORTEST..=HOUR, report);
    let idle_timeout = duration(&file.idle_timeout, SHORTEST..=DAY, report);
    if let (Some(body), Some(all)) = (max_body_bytes, max_buffered_bytes)
        && body > all
        && let Some(placed) = file.max_buffered_bytes.placed()
    {
        let message = "less than max_body_bytes: a body of that size never fits where it must be \
                       read whole; raise this one or lower that one";
        report.warning(&placed.place, message);
    }
    Some(Limits {
        max_connections: max_connections?,
        max_connections_per_source: max_connections_per_source?,
        is_connection_share_usual: file.max_connections_per_source.given().is_none(),
        max_requests_per_source: max_requests_per_source?,
        max_streams_per_source: max_streams_per_source?,
        max_requests_per_principal: max_requests_per_principal?,
        max_streams_per_principal: max_streams_per_principal?,
        max_questions_per_source: max_questions_per_source?,
        max_header_bytes: max_header_bytes?,
        max_body_bytes: max_body_bytes?,
        max_buffered_bytes: max_buffered_bytes?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        idle_timeout: idle_timeout?,
    })
}

/// What is written, or the usual share.
fn share_or(
    field: &Field<Option<Count>>,
    share: Option<usize>,
    report: &mut Report<'_>,
) -> Option<usize> {
    match field.value()? {
        Some(_) => given(field, CONNECTIONS, report).and_then(|count| usize::try_from(count).ok()),
        None => share,
    }
}

/// `rate_limit` of a route: `Some(None)` when there is none.
#[expect(clippy::option_option, reason = "the outer one is that of every compiled key")]
pub(super) fn rate_limit(
    route: &file::Route,
    report: &mut Report<'_>,
) -> Option<Option<RateLimit>> {
    let Some((file, _)) = route.rate_limit.given() else {
        return route.rate_limit.value().map(|_| None);
    };
    let requests = count(&file.requests, REQUESTS, report);
    let burst = match file.burst.value() {
        Some(Some(_)) => given(&file.burst, REQUESTS, report),
        Some(None) => requests,
        None => None,
    };
    let per = duration(&file.per, SHORTEST..=DAY, report);
    let by = by(route, &file.by, report);
    let whole = |count: Option<u64>| count.and_then(|count| u32::try_from(count).ok());
    let (requests, burst) = (whole(requests), whole(burst));
    let (requests, burst, per) = (requests?, burst?, per?);
    // A burst is used up as it comes back: one that takes years is no limit.
    let back = per.as_secs_f64() / f64::from(requests) * f64::from(burst);
    if back > LONGEST_BURST.as_secs_f64() {
        let message = "takes more than 30 days to come back; lower `burst`, or raise `requests`";
        let place = file.burst.placed().or(None).map(|placed| placed.place.clone());
        report.error(place.as_ref()?, message);
        return None;
    }
    Some(Some(RateLimit { requests, per, burst, by: by? }))
}

fn by(
    route: &file::Route,
    field: &Field<Option<RateLimitBy>>,
    report: &mut Report<'_>,
) -> Option<RateLimitBy> {
    let is_public = *route.access.value()? == AccessKind::Public;
    let placed = field.placed()?;
    match placed.value {
        Some(RateLimitBy::ClientId | RateLimitBy::Subject) if is_public => {
            let message = "no token names anybody on a route with `access: public`; limit it by \
                           `address`";
            report.error(&placed.place, message);
            None
        }
        Some(by) => Some(by),
        None if is_public => Some(RateLimitBy::Address),
        None => Some(RateLimitBy::Subject),
    }
}

/// A number that was written, within bounds.
fn given(
    field: &Field<Option<Count>>,
    bounds: RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Option<u64> {
    let (&Count(count), place): (&Count, &Place) = field.given()?;
    if bounds.contains(&count) {
        return Some(count);
    }
    let message = format!("must be from {} to {}", bounds.start(), bounds.end());
    report.error(place, message);
    None
}

const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
const LONGEST_BURST: Duration = Duration::from_hours(30 * 24);
const REQUESTS: RangeInclusive<u64> = 1..=1_000_000;
/// From what a few requests need to all that a machine may have.
const BUFFERED: RangeInclusive<u64> = 1024 * 1024..=1024 * 1024 * 1024 * 1024;
