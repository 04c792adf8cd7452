//! An upstream's answer, and the same bytes as an event stream cut where the first byte says.
//!
//! Holds: what is let through parses as JSON and is what came without what is hidden, with the hints
//! for caches that a filtered list has; wherever a stream is cut, the same bytes come out.
#![no_main]

use std::sync::Arc;

use gatehouse::{
    authorize::{Demands, rules::Rules},
    clock::{Clock, SystemClock},
    config::settings::{Demand, Rule, RuleSettings},
    forward::{
        event_stream::EventError,
        list_filter::{ListFilter, Viewer, events::EventFilter},
    },
    oauth::{Implications, Scope},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Hides tools, prompts and URIs that begin with an x.
fn filter() -> ListFilter {
    let pattern = "x*".parse().expect("a glob");
    let rules = vec![Rule { pattern, demand: Demand { deny: true, ..Demand::default() } }];
    let settings = RuleSettings {
        tools: rules.clone(),
        prompts: rules.clone(),
        resources: rules,
        ..RuleSettings::default()
    };
    let rules = Rules::new(settings, Implications::default());
    let demands = Arc::new(Demands::new(Scope::default(), rules));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let viewer = Viewer { holder: None, expires_at: None };
    ListFilter::for_stream(&demands, viewer, &clock).expect("a filter")
}

/// What may be seen, found the slow way.
fn without_hidden(message: &mut Value) {
    if let Value::Array(messages) = message {
        return messages.iter_mut().for_each(without_hidden);
    }
    let Some(Value::Object(result)) = message.get_mut("result") else { return };
    let mut is_filtered = false;
    for (list, key) in [
        ("tools", "name"),
        ("prompts", "name"),
        ("resources", "uri"),
        ("resourceTemplates", "uriTemplate"),
    ] {
        let Some(Value::Array(items)) = result.get_mut(list) else { continue };
        is_filtered = true;
        items.retain(|item| !item[key].as_str().expect("a name").starts_with('x'));
    }
    if !is_filtered {
        return;
    }
    if ["cacheScope", "ttlMs", "resultType"].iter().any(|hint| result.contains_key(*hint)) {
        result.insert("cacheScope".to_owned(), "private".into());
    }
    if let Some(ttl) = result.get_mut("ttlMs").filter(|ttl| !ttl.is_number()) {
        *ttl = 0.into();
    }
}

fn stream(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), EventError> {
    let mut events = EventFilter::new(filter());
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&events.push(piece)?);
    }
    Ok((out, events.is_between_events()))
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = data.split_first() else { return };
    if let (Ok(filtered), Ok(mut expected)) =
        (filter().json(data), serde_json::from_slice::<Value>(data))
    {
        let passed = filtered.as_deref().unwrap_or(data);
        let passed: Value = serde_json::from_slice(passed).expect("JSON");
        without_hidden(&mut expected);
        assert_eq!(passed, expected);
    }
    let pieces: Vec<_> = data.chunks(usize::from(*cut).max(1)).collect();
    match (stream(&[data]), stream(&pieces)) {
        (Ok((whole, is_between)), Ok((cut, is_cut_between))) => {
            // Comments pass at once, but for one that has not ended.
            assert!(whole.starts_with(&cut) || cut.starts_with(&whole));
            assert_eq!(is_between, is_cut_between);
        }
        (whole, cut) => assert_eq!(whole.err(), cut.err()),
    }
});
