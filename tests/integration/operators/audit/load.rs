//! P11: under load, and through reloads, every decision has its line.

use tokio::task::JoinSet;

use super::*;
use crate::harness::{client::RawClient, gateway::TestGateway};

const CLIENTS: usize = 16;
const CALLS: usize = 120;

/// Sends calls one after the other on one connection; returns their request ids and statuses.
async fn keep_calling(gateway: std::net::SocketAddr, calls: Vec<Call>) -> Vec<(String, u16)> {
    let mut client = RawClient::connect(gateway).await;
    let mut answered = Vec::new();
    for call in calls {
        client.send(call.bytes()).await;
        let response = client.response().await;
        answered.push((response.header("x-request-id").unwrap().to_owned(), response.status));
    }
    answered
}

#[tokio::test]
async fn every_decision_under_load_has_its_line_and_reloads_lose_none() {
    let path = path("load");
    let parties = Parties::start().await;
    let yaml = parties.fill(&audited(&path, ""));
    let gateway = Arc::new(TestGateway::prepare(&yaml).workers(2).start());
    gateway.ready().await;
    let token = |scope| {
        use crate::harness::token::Token;
        let claims = Token::new().audience(&gateway.url("/notes")).scope(scope);
        parties.authorization_server.mint(&claims)
    };
    let (good, poor) = (token("notes.read"), token("other"));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let call = |number: usize| {
            let call = gateway.post("/notes").body(PING);
            match number % 3 {
                0 => call.bearer(&good),
                1 => call.bearer(&poor),
                _ => call.bearer("unknown"),
            }
        };
        clients.spawn(keep_calling(gateway.address(), (0..CALLS).map(call).collect()));
    }
    let mut reloads = 0;
    let mut answered = Vec::new();
    while let Some(of_one) = clients.join_next().await {
        let with_scope = yaml.replace("write_note:", &format!("write_note_{reloads}:"));
        assert_eq!(gateway.reload(&with_scope), Outcome::Applied);
        reloads += 1;
        answered.extend(of_one.unwrap());
    }
    assert_eq!(answered.len(), CLIENTS * CALLS);
    let found = lines(&path, CLIENTS * CALLS).await;
    let key = |id: &str, status: u64, outcome: &str| (id.to_owned(), status, outcome.to_owned());
    let mut told: Vec<_> = found
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap();
            key(text("request_id"), line["status"].as_u64().unwrap(), text("outcome"))
        })
        .collect();
    let outcome = |status| if status == 200 { "allowed" } else { "denied" };
    let mut expected: Vec<_> =
        answered.iter().map(|(id, status)| key(id, u64::from(*status), outcome(*status))).collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected, "each once, and as it was answered");
    assert_eq!(decisions(&gateway).await, answered.len().to_string());
    let dropped = r#"gatehouse_audit_lines_dropped_total{reason="queue_full"}"#;
    assert!(gateway.metric(dropped).await < 0.5);
}

/// How many decisions the metrics count.
async fn decisions(gateway: &TestGateway) -> String {
    let mut sum = 0.0;
    for (outcome, reason) in
        [("allowed", "none"), ("denied", "insufficient_scope"), ("denied", "inactive")]
    {
        let labels = format!(r#"outcome="{outcome}",reason="{reason}",route="notes""#);
        sum += gateway.metric(&format!("gatehouse_auth_decisions_total{{{labels}}}")).await;
    }
    sum.to_string()
}
