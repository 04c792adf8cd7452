use super::*;
use crate::config::{self, ProcessEnvironment};

const YAML: &str = "\
public_url: https://mcp.example
listen:
  limits:
    max_connections_per_source: 2
    max_requests_per_source: 4
    max_streams_per_source: 3
    max_requests_per_principal: 3
    max_streams_per_principal: 2
routes:
  notes: {path: /notes, upstream: 'http://127.0.0.1:9001/mcp', access: public}
";

fn settings() -> settings::Limits {
    config::parse("gatehouse.yaml", YAML, &ProcessEnvironment).unwrap().settings.listen.limits
}

fn limits() -> Arc<Limits> {
    Limits::new(&Metrics::new().unwrap())
}

fn is_idle(limits: &Limits) -> bool {
    limits.sources.is_empty() && limits.principals.is_empty() && limits.questions.len() == 0
}

#[test]
fn request_is_counted_for_its_source_and_its_principal_until_it_is_dropped() {
    let (limits, settings) = (limits(), settings());
    let begin = |source| InFlight::begin(&limits, Some(Key::new(source)), &settings);
    let mut held: Vec<_> = (0..4).map(|_| begin(1).unwrap()).collect();
    assert_eq!(begin(1).unwrap_err(), Busy::RequestsOfSource);
    let mut other = begin(2).unwrap();
    for request in held.iter_mut().take(3) {
        request.is_of(Key::new(7), &settings).unwrap();
    }
    assert_eq!(other.is_of(Key::new(7), &settings), Err(Busy::RequestsOfPrincipal));
    assert_eq!(other.is_of(Key::new(8), &settings), Ok(()));
    held.pop();
    begin(1).unwrap();
    drop((held, other));
    assert!(is_idle(&limits));
}

#[test]
fn stream_that_is_refused_to_its_principal_is_not_left_with_its_source() {
    let (limits, settings) = (limits(), settings());
    let request = |source| {
        let mut request = InFlight::begin(&limits, Some(Key::new(source)), &settings).unwrap();
        request.is_of(Key::new(7), &settings).unwrap();
        request
    };
    let (mut one, mut two, mut three) = (request(1), request(1), request(2));
    assert_eq!((one.is_stream(&settings), two.is_stream(&settings)), (Ok(()), Ok(())));
    assert_eq!(three.is_stream(&settings), Err(Busy::StreamsOfPrincipal));
    drop(three);
    assert_eq!(limits.sources.len(), 1);
    drop(one);
    let mut three = request(2);
    assert_eq!(three.is_stream(&settings), Ok(()));
    drop((two, three));
    assert!(is_idle(&limits));
}

#[test]
fn request_from_nowhere_is_nobodys() {
    let (limits, settings) = (limits(), settings());
    let held: Vec<_> = (0..100).map(|_| InFlight::begin(&limits, None, &settings)).collect();
    assert!(held.iter().all(Result::is_ok) && is_idle(&limits));
}

#[tokio::test]
async fn each_refusal_is_counted_by_what_there_was_too_much_of() {
    let metrics = Metrics::new().unwrap();
    let (limits, settings) = (Limits::new(&metrics), settings());
    let held = [(); 2]
        .map(|()| limits.connection(Key::new(1), settings.max_connections_per_source).unwrap());
    assert_eq!(
        limits.connection(Key::new(1), settings.max_connections_per_source).unwrap_err(),
        Busy::ConnectionsOfSource
    );
    let ask = async |source| limits.question((Key::new(source), "corp"), 1, Duration::ZERO).await;
    let question = ask(1).await.unwrap();
    assert_eq!(ask(1).await.unwrap_err(), Busy::QuestionsOfSource);
    ask(2).await.unwrap();
    let text = String::from_utf8(metrics.render()).unwrap();
    for (limit, count) in [
        ("too_many_connections_of_source", 1),
        ("too_many_questions_of_source", 1),
        ("too_many_requests_of_source", 0),
        ("rate_limited", 0),
    ] {
        let line = format!("gatehouse_limit_refusals_total{{limit=\"{limit}\"}} {count}");
        assert!(text.contains(&line), "{line} in {text}");
    }
    drop((held, question));
    assert!(is_idle(&limits));
}
