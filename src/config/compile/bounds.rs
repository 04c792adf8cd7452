//! Numbers and durations within what makes sense.

use std::{ops::RangeInclusive, time::Duration};

use crate::config::{
    problem::Report,
    reader::Field,
    values::{Count, Span},
};

/// A duration from the first bound to the second.
pub(super) fn duration(
    field: &Field<Span>,
    bounds: RangeInclusive<Duration>,
    report: &mut Report<'_>,
) -> Option<Duration> {
    let placed = field.placed()?;
    let Span(duration) = placed.value;
    if bounds.contains(&duration) {
        return Some(duration);
    }
    let message =
        format!("must be from {} to {}", written(*bounds.start()), written(*bounds.end()));
    report.error(&placed.place, message);
    None
}

/// A number from the first bound to the second.
pub(super) fn count(
    field: &Field<Count>,
    bounds: RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Option<u64> {
    let placed = field.placed()?;
    let Count(count) = placed.value;
    if bounds.contains(&count) {
        return Some(count);
    }
    let message = format!("must be from {} to {}", bounds.start(), bounds.end());
    report.error(&placed.place, message);
    None
}

/// The same, for what is counted in memory.
pub(super) fn size(
    field: &Field<Count>,
    bounds: RangeInclusive<u64>,
    report: &mut Report<'_>,
) -> Option<usize> {
    count(field, bounds, report).and_then(|count| usize::try_from(count).ok())
}

/// The shortest timeout: zero would let nothing pass.
pub(super) const SHORTEST: Duration = Duration::from_millis(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

fn written(duration: Duration) -> String {
    match (duration.as_millis(), duration.as_secs()) {
        (milliseconds, _) if milliseconds % 1000 != 0 => format!("{milliseconds}ms"),
        (_, seconds) if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        (_, seconds) if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        (_, seconds) => format!("{seconds}s"),
    }
}
