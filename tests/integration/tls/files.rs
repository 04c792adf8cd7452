//! Files that change: new connections get the new certificate, open ones go on, and what does not
//! fit together changes nothing.

use std::{fs, os::unix::fs::symlink};

use gatehouse::reload::Outcome;

use crate::harness::{
    NOTES, assert_answered,
    clock::eventually_heard,
    process,
    tls::{Authority, NAME, TlsWorld, der},
    upstream::Feed,
};

/// Waits until new connections get this certificate.
async fn serves(world: &TlsWorld, certificate: &str) {
    eventually_heard("the certificate", async || {
        let client = world.connect(&world.client()).await.map_err(|error| error.to_string())?;
        if client.certificate == der(certificate) { Ok(()) } else { Err("another".to_owned()) }
    })
    .await;
}

fn reloads(outcome: &str) -> String {
    format!("gatehouse_tls_reloads_total{{outcome=\"{outcome}\"}}")
}

const EXPIRY: &str = "gatehouse_tls_certificate_expiry_timestamp_seconds";

#[tokio::test]
async fn changed_files_are_for_new_connections_and_open_streams_go_on() {
    let world = TlsWorld::start().await;
    let gateway = &world.world.gateway;
    let first = world.authority.identity_until(NAME, 2090);
    first.write(&world.folder);
    serves(&world, &first.certificate).await;
    gateway.counts(EXPIRY, 3_786_912_000.0).await;
    gateway.counts(&reloads("changed"), 1.0).await;
    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let mut open = world.connect(&world.client()).await.unwrap();
    open.send(gateway.get("/notes").bearer(&world.world.token()).bytes()).await.unwrap();
    assert_eq!(open.head().await.status, 200);

    let second = world.authority.identity_until(NAME, 2091);
    second.write(&world.folder);
    serves(&world, &second.certificate).await;
    gateway.counts(EXPIRY, 3_818_448_000.0).await;
    feed.chunk("data: 1\n\n");
    assert_eq!(open.chunk().await.as_deref(), Some("data: 1\n\n"));
    feed.end();
    assert_eq!(open.chunk().await.as_deref(), Some(""));
    open.send(world.world.authorized().bytes()).await.unwrap();
    assert_answered(&open.response().await);
    assert_eq!(open.certificate, der(&first.certificate));
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_the_old_and_are_said_once() {
    let world = TlsWorld::start().await;
    let gateway = &world.world.gateway;
    let (certificate, key) = (world.folder.join("tls.crt"), world.folder.join("tls.key"));
    let old = fs::read_to_string(&certificate).unwrap();
    let new = world.authority.identity(NAME);
    fs::write(&certificate, &new.certificate).unwrap();
    gateway.counts(&reloads("mismatch"), 1.0).await;
    serves(&world, &old).await;
    fs::write(&certificate, "").unwrap();
    gateway.counts(&reloads("damaged"), 1.0).await;
    fs::remove_file(&key).unwrap();
    gateway.counts(&reloads("unreadable"), 1.0).await;
    world.authority.identity_until(NAME, 2020).write(&world.folder);
    gateway.counts(&reloads("expired"), 1.0).await;
    serves(&world, &old).await;
    assert_answered(&world.call(&world.client()).await.unwrap());
    new.write(&world.folder);
    serves(&world, &new.certificate).await;
    gateway.counts(&reloads("changed"), 1.0).await;
    for outcome in ["mismatch", "damaged", "unreadable", "expired"] {
        assert!((gateway.metric(&reloads(outcome)).await - 1.0).abs() < 0.1, "{outcome}");
    }
}

/// As Kubernetes changes a mounted secret: one link to a folder is renamed over another.
#[tokio::test]
async fn links_that_are_swapped_are_followed() {
    let world = TlsWorld::start().await;
    let (one, two) = (world.folder.join("..one"), world.folder.join("..two"));
    let data = world.folder.join("..data");
    let identity = world.authority.identity(NAME);
    for folder in [&one, &two] {
        fs::create_dir(folder).unwrap();
        identity.write(folder);
    }
    symlink("..one", &data).unwrap();
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(world.folder.join(name)).unwrap();
        symlink(format!("..data/{name}"), world.folder.join(name)).unwrap();
    }
    serves(&world, &identity.certificate).await;
    let renewed = world.authority.identity(NAME);
    renewed.write(&two);
    symlink("..two", world.folder.join("..data_tmp")).unwrap();
    fs::rename(world.folder.join("..data_tmp"), &data).unwrap();
    serves(&world, &renewed.certificate).await;
}

/// Whoever reads the files first, a reload or the look at them: a change counts once.
#[tokio::test]
async fn certificate_that_a_reload_brings_counts_once() {
    let world = TlsWorld::start().await;
    let renewed = world.authority.identity(NAME);
    renewed.write(&world.folder);
    let section = "listen:\n  tls: {certificate: FOLDER/tls.crt, private_key: FOLDER/tls.key}\n";
    let section = section.replace("FOLDER", world.folder.to_str().unwrap());
    let outcome = world.world.reload(&format!("{section}{NOTES}"));
    assert_eq!(outcome, Outcome::Applied);
    serves(&world, &renewed.certificate).await;
    world.world.gateway.counts(&reloads("changed"), 1.0).await;
}

/// R10: nothing that was agreed under other rules is resumed.
#[tokio::test]
async fn sessions_are_not_resumed_when_client_authorities_change() {
    let (before, after) = (Authority::new(), Authority::new());
    let lines = "\n    client_ca: FOLDER/clients.pem\n    require_client_certificate: true";
    let world = TlsWorld::among(lines, "", &before).await;
    let client = world.client().showing(before.identity("client.example"));
    let config = std::sync::Arc::new(client.config());
    assert_answered(&world.call_with(&config).await.unwrap());
    assert_answered(&world.call_with(&config).await.unwrap());
    fs::write(world.folder.join("clients.pem"), &after.pem).unwrap();
    world.world.gateway.counts(&reloads("changed"), 1.0).await;
    assert!(world.call_with(&config).await.is_err());
    let client = world.client().showing(after.identity("client.example"));
    assert_answered(&world.call(&client).await.unwrap());
}

#[tokio::test]
async fn process_does_not_start_with_a_foreign_key() {
    let world = TlsWorld::start().await;
    fs::write(world.folder.join("tls.key"), world.authority.identity(NAME).key).unwrap();
    let section = "listen:\n  address: 127.0.0.1:0\n  tls:\n    certificate: FOLDER/tls.crt\n    private_key: FOLDER/tls.key\n";
    let section = section.replace("FOLDER", world.folder.to_str().unwrap());
    let notes =
        NOTES.replace("ISSUER", "http://127.0.0.1:1").replace("UPSTREAM", "http://127.0.0.1:1");
    let file = process::file(&format!("public_url: https://mcp.example\n{section}{notes}"));
    let file = file.to_str().unwrap();
    for command in ["serve", "check"] {
        let said = process::say(&[command, "-c", file]);
        assert_eq!(said.code, Some(2), "{said:?}");
        let all = said.out + &said.err;
        assert!(all.contains(":5:5: listen.tls.certificate: the first certificate"), "{all}");
        assert!(!all.contains("PRIVATE"), "{all}");
    }
}
