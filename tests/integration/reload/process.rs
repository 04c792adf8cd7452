//! The binary: what makes it read its configuration again, and what it says then.

use std::{fs, os::unix::fs::symlink};

use crate::harness::{assert_answered, clock::eventually, gateway::free_port, running::Running};

#[tokio::test]
async fn sighup_reads_it_again_and_one_line_says_what_is_different() {
    let mut running = Running::plain("sighup").await;
    running.write(&running.with_tasks());
    running.process.signal("HUP");
    running.has_tasks(401).await;
    let event = running.process.event("configuration reloaded").await;
    assert_eq!(event["difference"], "routes added: tasks");
    running.assert_nothing_lost().await;
    running.process.signal("HUP");
    running.outcomes("unchanged", 1).await;
    running.outcomes("applied", 1).await;
    running.process.event("configuration unchanged").await;
    running.assert_nothing_lost().await;
}

#[tokio::test]
async fn file_that_is_renamed_over_it_counts() {
    let mut running = Running::plain("rename").await;
    fs::write(running.folder.join("new"), running.with_tasks()).unwrap();
    fs::rename(running.folder.join("new"), running.folder.join("gatehouse.yaml")).unwrap();
    running.has_tasks(401).await;
    running.assert_nothing_lost().await;
}

/// As Kubernetes mounts a `ConfigMap`: a link to a file in a folder that is itself a link.
#[tokio::test]
async fn swapped_symlink_counts() {
    let mut running = Running::start("symlink", |folder, yaml| {
        fs::create_dir(folder.join("..1")).unwrap();
        fs::write(folder.join("..1/gatehouse.yaml"), yaml).unwrap();
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/gatehouse.yaml", folder.join("gatehouse.yaml")).unwrap();
    })
    .await;
    fs::create_dir(running.folder.join("..2")).unwrap();
    fs::write(running.folder.join("..2/gatehouse.yaml"), running.with_tasks()).unwrap();
    symlink("..2", running.folder.join("..data_tmp")).unwrap();
    fs::rename(running.folder.join("..data_tmp"), running.folder.join("..data")).unwrap();
    fs::remove_dir_all(running.folder.join("..1")).unwrap();
    running.has_tasks(401).await;
    running.assert_nothing_lost().await;
}

#[tokio::test]
async fn secret_file_counts() {
    let running = Running::start("secret", |folder, yaml| {
        fs::write(folder.join("secret"), "introspection-secret\n").unwrap();
        let yaml = yaml.replace("secret: introspection-secret", "secret_file: secret");
        fs::write(folder.join("gatehouse.yaml"), yaml).unwrap();
    })
    .await;
    let server = &running.parties.authorization_server;
    let secret = |request: &crate::harness::raw::Received| {
        request.header("authorization").map(ToOwned::to_owned)
    };
    let first = secret(&server.introspections()[0]);
    server.expect_client(|_| true);
    fs::write(running.folder.join("new"), "canary-new-secret\n").unwrap();
    fs::rename(running.folder.join("new"), running.folder.join("secret")).unwrap();
    let event = running.process.event("configuration reloaded").await;
    assert_eq!(event["difference"], "authorization servers changed: corp");
    assert_answered(&running.post("/notes").send().await);
    let second = secret(server.introspections().last().unwrap());
    assert_ne!(first, second, "the new secret is in use");
    assert!(!running.process.lines().join("\n").contains("canary"));
}

#[tokio::test]
async fn bad_file_changes_nothing_and_is_told_once() {
    let mut running = Running::plain("bad").await;
    let bad = running.with_tasks().replace("path: /tasks", "path: tasks\n    upsteam: 1");
    running.write(&bad);
    let event = running.process.event("configuration refused; nothing of it is in force").await;
    assert_eq!((&event["level"], &event["problems"]), (&"ERROR".into(), &2.into()), "{event}");
    running.outcomes("rejected", 1).await;
    running.has_tasks(404).await;
    running.assert_nothing_lost().await;
    let problems = || {
        let lines = running.process.lines();
        lines.iter().filter(|line| line.contains("routes.tasks")).count()
    };
    assert_eq!(problems(), 2, "{:#?}", running.process.lines());
    running.process.signal("HUP");
    running.outcomes("rejected", 2).await;
    assert_eq!(problems(), 2, "not again until the file changes");
    running.write(&running.with_tasks());
    running.has_tasks(401).await;
    running.assert_nothing_lost().await;
}

#[tokio::test]
async fn changed_address_needs_a_restart_and_changes_nothing() {
    for key in ["listen", "admin"] {
        let mut running = Running::plain(&format!("address-{key}")).await;
        let old = if key == "listen" { running.port } else { running.admin };
        let moved = running.with_tasks().replace(
            &format!("{key}: {{address: '127.0.0.1:{old}'}}"),
            &format!("{key}: {{address: '127.0.0.1:{}'}}", free_port()),
        );
        running.write(&moved);
        running.outcomes("rejected", 1).await;
        let line = eventually("a line", || {
            let lines = running.process.lines();
            let found = lines.iter().find(|line| line.contains("needs a restart")).cloned();
            found.ok_or_else(|| lines.join("\n"))
        })
        .await;
        assert!(line.contains(&format!("{key}.address changed")), "{line}");
        running.has_tasks(404).await;
        running.assert_nothing_lost().await;
    }
}
