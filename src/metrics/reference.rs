//! The reference of every metric, as Markdown, from the list that registers them.

use std::fmt::Write as _;

use super::{DESCRIBED, SECONDS};

/// What the list says of one metric.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static [&'static str],
}

/// The reference of every metric: what `config/METRICS.md` has.
pub fn reference() -> String {
    let mut out = INTRODUCTION.to_owned();
    for Described { name, kind, labels, help } in DESCRIBED {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let help: Vec<_> = help.iter().map(|line| line.trim()).collect();
        // Writing to memory does not fail.
        let _ = writeln!(out, "| `{name}` | {kind} | {} | {} |", labels.join(", "), help.join(" "));
    }
    let bounds: Vec<_> = SECONDS.iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "\nBuckets of the histograms, in seconds: {}.", bounds.join(", "));
    out
}

const INTRODUCTION: &str = "\
# Every metric

Generated from the list that registers them: change the doc comments in `src/metrics.rs`, then

```sh
cargo run -- schema --metrics > config/METRICS.md
```

They are at `/metrics` of `admin.address`, in the Prometheus text format. Labels come from names in the
configuration and from closed sets, never from the text of a request: no client can add a series. A series of a
route or an authorization server exists from the start of the process, at 0; one with a `reason`, and one with a rare
method or status, from its first count.

| metric | type | labels | what |
|---|---|---|---|
";
