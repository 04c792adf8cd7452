//! What the present rules say about what is listed, and what a token could use.

use super::{assert_proposed, command, configuration, file, said, suggest, with_sessions};
use crate::harness::{Parties, token::Token};

const RULES: &str = "    tools:
      list_notes: []
      'del*': [notes.write]
    resources:
      'notes://*/text': [notes.write]
";

fn claims() -> Token {
    Token::new().audience("http://127.0.0.1:8080/notes").scope("notes.read")
}

#[tokio::test]
async fn what_no_rule_covers_is_named() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let said = suggest(&configuration(&parties, RULES), &[]).await;
    assert_proposed(&said);
    let expected = "\
routes.notes.tools: no rule covers save, send, \"mystery*\"
routes.notes.prompts: no rule covers \"sum up\"
routes.notes.resources: no rule covers \"notes://1\"
";
    assert_eq!(said.err, expected);

    let denying = format!("{RULES}    unlisted_tools: deny\n");
    let said = suggest(&configuration(&parties, &denying), &[]).await;
    let more = "routes.notes.unlisted_tools: denies the tools that no rule covers\n";
    assert_eq!(said.err, format!("{expected}{more}"));
}

#[tokio::test]
async fn a_token_is_judged_by_the_present_rules_and_not_sent_upstream() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let token = parties.authorization_server.mint(&claims());
    let yaml = configuration(&parties, RULES);
    let path = file(&yaml);
    for by_variable in [false, true] {
        let mut run = command(&["suggest", "-c", path.to_str().unwrap(), "--route", "notes"]);
        run.env_remove("GATEHOUSE_TOKEN");
        if by_variable {
            run.env("GATEHOUSE_TOKEN", &token);
        } else {
            run.args(["--token", &token]);
        }
        let said = tokio::task::spawn_blocking(move || said(run)).await.unwrap();
        assert_eq!(said.code, Some(0), "{said:?}");
        let (_, told) = said.out.split_once("# The token").unwrap();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], ", whose scopes are [notes.read], by the present rules, of 7 items:");
        assert_eq!(lines[1], "#   tools list_notes: may");
        assert!(lines[2].starts_with("#   tools delete_note: may not: "), "{told}");
        assert!(lines[2].contains("notes.write"), "{told}");
        assert_eq!(lines[7], "#   resources \"notes://1\": may");
        assert!(!format!("{said:?}").contains(&token), "{said:?}");
    }
    assert!(!parties.upstream.log().contains(&token));
}

#[tokio::test]
async fn a_token_that_is_not_good_may_nothing() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let said = suggest(&configuration(&parties, RULES), &["--token", "unknown"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let (_, told) = said.out.split_once("# The token").unwrap();
    assert!(told.lines().skip(1).all(|line| line.contains(": may not: ")), "{told}");
}

#[tokio::test]
async fn a_token_that_nobody_can_judge_is_exit_status_1() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let yaml = configuration(&parties, RULES);
    let yaml = yaml.replace(parties.authorization_server.issuer(), "http://127.0.0.1:1");
    let said = suggest(&yaml, &["--token", "t"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("# What the token could use is not known: "), "{said:?}");
}
