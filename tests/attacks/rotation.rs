//! What a reload takes along from its predecessor, and what it must not; files in strange places.

use std::{fs, process::Command};

use gatehouse::reload::Outcome;

use crate::harness::{
    NOTES, Parties, World, assert_answered,
    authorization_server::StubAuthorizationServer,
    clock::{eventually, eventually_heard},
    json,
    jwt::SigningKey,
    running::Running,
    upstream::Feed,
};

/// Q13, J35: a question that was asked with the old secret is answered, and the next has the new one.
#[tokio::test]
async fn question_under_way_survives_a_rotated_secret() {
    let world = World::start().await;
    world.authorization_server.expect_client(|_| true);
    world.authorization_server.hold();
    let (first, second) = (world.token(), world.token());
    let mut asking = world.call().bearer(&first).open().await;
    eventually("the question", || match world.authorization_server.introspection_count() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let yaml = NOTES.replace("introspection-secret", "rotated-secret");
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    world.authorization_server.release();
    assert_answered(&asking.response().await);
    assert_answered(&world.call().bearer(&second).send().await);
    let asked = world.authorization_server.introspections();
    let secrets: Vec<_> = asked.iter().map(|request| request.header("authorization")).collect();
    assert_eq!(secrets.len(), 2);
    assert_ne!(secrets[0], secrets[1]);
}

/// Q13: a secret that only questions need ends no stream that no question was asked about, and the
/// keys are still known.
#[tokio::test]
async fn rotated_secret_ends_no_stream_of_a_signed_token() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = NOTES.replace("    client:", "    access_tokens: auto\n    client:");
    let world = parties.with(&yaml).await;
    let claims = world.claims().with("iss", world.authorization_server.issuer());
    let token = key.token(&json(&claims.json()));
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/notes").bearer(&token).open().await;
    assert_eq!(client.head().await.status, 200);
    let fetches = world.authorization_server.key_fetches();
    let rotated = yaml.replace("introspection-secret", "rotated-secret");
    assert_eq!(world.reload(&rotated), Outcome::Applied);
    assert_answered(&world.call().bearer(&token).send().await);
    assert_eq!(world.authorization_server.key_fetches(), fetches);
    // Whatever ends streams has had its look when one that must end has ended.
    let other = rotated.replace("[notes.read]", "[notes.read, notes.write]");
    feed.chunk("data: 1\n\n");
    assert_eq!(client.events("data: 1\n\n").await, "data: 1\n\n");
    assert_eq!(world.reload(&other), Outcome::Applied);
    assert_eq!(client.chunk().await, Some(Vec::new()));
    // Other algorithms are another verifier's.
    let narrower =
        rotated.replace("access_tokens", "jwt: {algorithms: [RS256]}\n    access_tokens");
    assert_eq!(world.reload(&narrower), Outcome::Applied);
    world.gateway.ready().await;
    assert_eq!(world.call().bearer(&token).send().await.status, 401);
}

/// I10, J35: another issuer under the same name begins without anything that was learnt of the first.
#[tokio::test]
async fn another_issuer_of_the_same_name_remembers_nothing() {
    let world = World::start().await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    let seen = world.upstream.bytes_received();
    let other = StubAuthorizationServer::start().await;
    assert_eq!(world.reload(&NOTES.replace("ISSUER", other.issuer())), Outcome::Applied);
    world.gateway.ready().await;
    let response = world.call().bearer(&token).send().await;
    assert_eq!(response.status, 401, "{response:?}");
    assert_eq!(other.introspection_count(), 1, "it was asked anew");
    assert_eq!(other.fetched().len(), 1, "its own metadata was read");
    assert_eq!(world.upstream.bytes_received(), seen);
}

/// Q10: what a server remembered that is not configured any more is not shown for ever.
#[tokio::test]
async fn memory_of_a_removed_server_is_not_shown() {
    let world = World::start().await;
    assert_answered(&world.authorized().send().await);
    let series =
        |name| format!(r#"gatehouse_token_cache_entries{{authorization_server="{name}"}}"#);
    world.gateway.counts(&series("corp"), 1.0).await;
    assert_eq!(world.reload(&NOTES.replace("corp:", "renamed:")), Outcome::Applied);
    world.gateway.ready().await;
    assert_answered(&world.authorized().send().await);
    world.gateway.counts(&series("renamed"), 1.0).await;
    world.gateway.counts(&series("corp"), 0.0).await;
}

/// Q10: metadata that was good for asking is not good for verifying: what is missing is said.
#[tokio::test]
async fn metadata_is_judged_anew_for_another_kind_of_tokens() {
    let world = World::start().await;
    let yaml = NOTES.replace("    client:", "    access_tokens: jwt\n    client:");
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    eventually_heard("what is missing", async || {
        let answer = world.gateway.operate("/readyz").await;
        let text = answer.text();
        if answer.status == 503 && text.contains("no jwks_uri") { Ok(()) } else { Err(text) }
    })
    .await;
}

/// Q08: a whole folder that is moved away and replaced by another, which ends every watch on it.
#[tokio::test]
async fn replaced_folder_is_followed() {
    let mut running = Running::start("folder", |folder, yaml| {
        fs::create_dir(folder.join("conf")).unwrap();
        fs::write(folder.join("conf/gatehouse.yaml"), yaml).unwrap();
        std::os::unix::fs::symlink("conf/gatehouse.yaml", folder.join("gatehouse.yaml")).unwrap();
    })
    .await;
    let conf = running.folder.join("conf");
    fs::rename(&conf, running.folder.join("old")).unwrap();
    fs::create_dir(&conf).unwrap();
    fs::write(conf.join("gatehouse.yaml"), running.with_tasks()).unwrap();
    running.has_tasks(401).await;
    running.assert_nothing_lost().await;
    // And what is written into the new one counts too.
    let text = fs::read_to_string(running.folder.join("old/gatehouse.yaml")).unwrap();
    fs::write(conf.join("gatehouse.yaml"), text).unwrap();
    running.has_tasks(404).await;
    running.assert_nothing_lost().await;
}

/// Q08: a pipe in the place of a secret keeps nobody from reading, nor from stopping.
#[tokio::test]
async fn pipe_in_the_place_of_a_file_stops_nothing() {
    let mut running = Running::start("pipe", |folder, yaml| {
        fs::write(folder.join("secret"), "introspection-secret\n").unwrap();
        let yaml = yaml.replace("secret: introspection-secret", "secret_file: secret");
        fs::write(folder.join("gatehouse.yaml"), yaml).unwrap();
    })
    .await;
    let (secret, pipe) = (running.folder.join("secret"), running.folder.join("pipe"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::rename(&pipe, &secret).unwrap();
    running.outcomes("rejected", 1).await;
    running.assert_nothing_lost().await;
    running.process.signal("HUP");
    running.outcomes("rejected", 2).await;
    let log = running.process.lines().join("\n");
    assert!(log.contains("not a regular file"), "{log}");
    running.process.signal("TERM");
    assert_eq!(running.process.ended().await.code(), Some(0));
}
