//! What filtering a list of 500 tools costs.

use std::{fmt::Write as _, hint::black_box, sync::Arc};

use divan::{Bencher, counter::BytesCount};
use gatehouse::{
    authorize::{
        Demands,
        rules::{Holder, Rules},
    },
    clock::{Clock, SystemClock},
    config::settings::{Demand, Rule, RuleSettings},
    forward::list_filter::{ListFilter, Viewer, events::EventFilter},
    oauth::{Implications, Scope},
};

const TOOLS: usize = 500;

/// As servers list them: a description and a schema each, one in ten an `admin_` tool.
fn list() -> String {
    let mut text = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["#.to_owned();
    for number in 0..TOOLS {
        let comma = if number == 0 { "" } else { "," };
        let group = if number % 10 == 0 { "admin" } else { "notes" };
        write!(
            text,
            r#"{comma}{{"name":"{group}_tool_{number}","title":"Tool {number}","description":"{}","inputSchema":{{"type":"object","properties":{{"id":{{"type":"string","description":"The note's \"id\""}},"limit":{{"type":"integer","minimum":1}}}},"required":["id"]}},"annotations":{{"readOnlyHint":true}}}}"#,
            "Finds what is asked for and returns it in pages. ".repeat(4),
        )
        .expect("a string takes everything");
    }
    text.push_str(r#"],"nextCursor":"2"}}"#);
    text
}

fn filter(annotate_tools: bool) -> ListFilter {
    let rule = |pattern: &str, demand| Rule { pattern: pattern.parse().expect("a glob"), demand };
    let write = Scope::parse("notes.write").expect("a scope");
    let settings = RuleSettings {
        tools: vec![
            rule("admin_*", Demand { deny: true, ..Demand::default() }),
            rule("notes_tool_1*", Demand { required_scopes: write, ..Demand::default() }),
        ],
        annotate_tools,
        ..RuleSettings::default()
    };
    let scope = Scope::parse("notes.read").expect("a scope");
    let rules = Rules::new(settings, Implications::default());
    let demands = Arc::new(Demands::new(scope.clone(), rules));
    let holder = Holder { scope: &scope, claim: &|_| None };
    let viewer = Viewer { holder: Some(holder), expires_at: Some(4e9) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    ListFilter::for_stream(&demands, viewer, &clock).expect("a filter")
}

#[divan::bench(args = [false, true])]
fn filter_500_tools(bencher: Bencher<'_, '_>, annotate_tools: bool) {
    let (filter, list) = (filter(annotate_tools), list());
    let bencher = bencher.counter(BytesCount::of_str(&list));
    bencher.bench_local(|| filter.json(black_box(list.as_bytes())));
}

#[divan::bench]
fn filter_500_tools_in_an_event(bencher: Bencher<'_, '_>) {
    let event = format!("event: message\ndata: {}\n\n", list());
    bencher
        .counter(BytesCount::of_str(&event))
        .with_inputs(|| EventFilter::new(filter(false)))
        .bench_local_values(|mut events| events.push(black_box(event.as_bytes())));
}
