//! Reloads that should do no harm: files that are not what they should be, and reloads under load.
//!
//! Rows of group Q that are proven elsewhere: Q01 to Q07 where configurations are read
//! (`src/config/tests`), Q11 in `integration::reload`, Q12 in `src/reload/tests.rs` as well, Q13 in
//! `rotation`, Q15 in `lifecycle` and Q16 in `integration::operators`. The memory of a process that
//! reloads again and again under load is measured by `tests/soak`.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use gatehouse::reload::Outcome;

use crate::harness::{
    NOTES, TASKS, World, assert_answered,
    client::Call,
    clock::{eventually, within},
    running::Running,
};

/// Q08: a file that is cut short, replaced by a folder or gone leaves the old configuration in
/// force, is told, and can be mended.
#[tokio::test]
async fn file_that_cannot_be_read_changes_nothing() {
    let mut running = Running::plain("unreadable").await;
    let path = running.folder.join("gatehouse.yaml");
    let whole = fs::read_to_string(&path).unwrap();
    let (half, _) = whole.split_at(whole.len() - 20);
    fs::write(&path, half).unwrap();
    running.outcomes("rejected", 1).await;
    running.assert_nothing_lost().await;
    fs::remove_file(&path).unwrap();
    running.outcomes("rejected", 2).await;
    running.assert_nothing_lost().await;
    fs::create_dir(&path).unwrap();
    running.outcomes("rejected", 3).await;
    running.assert_nothing_lost().await;
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "").unwrap();
    running.outcomes("rejected", 4).await;
    running.has_tasks(404).await;
    fs::write(&path, running.with_tasks()).unwrap();
    running.has_tasks(401).await;
    running.assert_nothing_lost().await;
}

/// Q08: while a file is written again and again nothing is read half-way; what it is in the end
/// counts.
#[tokio::test]
async fn storm_of_writes_ends_in_one_reload() {
    let mut running = Running::plain("storm").await;
    let (path, last) = (running.folder.join("gatehouse.yaml"), running.with_tasks());
    let writing = thread::spawn(move || {
        for number in 0..3_000 {
            fs::write(&path, format!("# {number}\n{last}")).unwrap();
        }
    });
    eventually("the storm is over", || {
        if writing.is_finished() { Ok(()) } else { Err("writing".to_owned()) }
    })
    .await;
    running.has_tasks(401).await;
    running.outcomes("applied", 1).await;
    running.outcomes("rejected", 0).await;
    running.assert_nothing_lost().await;
}

/// Q14: what is wrong with a file is told without what is written in it.
#[tokio::test]
async fn refused_file_is_not_quoted() {
    let running = Running::plain("quoted").await;
    let canary = "canary-secret-0123456789";
    let known = running.with_tasks();
    for (number, text) in [
        known.replace("introspection-secret", &format!("[{canary}")),
        known.replace("id: gatehouse", &format!("id: [gatehouse, {canary}]")),
        known.replace("[notes.read]", &format!("{{scope: {canary}}}")),
        format!("{known}\n\tx: \"{canary}\n"),
    ]
    .into_iter()
    .enumerate()
    {
        running.write(&text);
        running.outcomes("rejected", u32::try_from(number).unwrap() + 1).await;
    }
    let log = running.process.lines().join("\n");
    assert!(log.contains("configuration refused"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

/// Q12: what a reload leaves behind goes away again, descriptors and threads at least.
#[tokio::test]
async fn many_reloads_leave_nothing_behind() {
    let mut running = Running::plain("many").await;
    let (with, without) =
        (running.with_tasks(), fs::read_to_string(running.folder.join("gatehouse.yaml")).unwrap());
    let mut early = (0, 0);
    for round in 1..=60_u32 {
        let text = if round % 2 == 1 { &with } else { &without };
        running.write(text);
        running.process.signal("HUP");
        running.has_tasks(if round % 2 == 1 { 401 } else { 404 }).await;
        if round == 10 {
            early = running.process.resources();
        }
    }
    let (descriptors, threads) = running.process.resources();
    assert!(early.0 > 0 && early.1 > 0, "{early:?}");
    assert!(descriptors <= early.0 + 8, "{descriptors} descriptors, {} before", early.0);
    assert_eq!(threads, early.1, "threads");
    running.assert_nothing_lost().await;
}

/// Q09: under load no request fails, and none sees one configuration here and another there: the
/// scope that is demanded and the header that the upstream gets belong together.
#[tokio::test]
async fn requests_under_load_see_one_configuration_each() {
    let world = Arc::new(World::with(&configuration("read")).await);
    let reader = world.authorization_server.mint(&world.claims().scope("read"));
    let writer = world.authorization_server.mint(&world.claims().subject("writer").scope("write"));
    let (is_over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let tasks = tokio_util::task::TaskTracker::new();
    let loads: Vec<_> = [("reader", reader), ("writer", writer)]
        .into_iter()
        .cycle()
        .take(8)
        .map(|(who, token)| {
            let (world, is_over, answered) =
                (Arc::clone(&world), Arc::clone(&is_over), Arc::clone(&answered));
            tasks.spawn(async move {
                let call: Call = world.call().bearer(&token).header("X-Who", who);
                let (mut let_in, mut refused) = (0, 0);
                while !is_over.load(Ordering::SeqCst) {
                    let response = call.send().await;
                    match response.status {
                        200 => let_in += 1,
                        403 => refused += 1,
                        other => panic!("{who} got {other}: {response:?}"),
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                (let_in, refused)
            })
        })
        .collect();
    for round in 0..20 {
        let before = answered.load(Ordering::SeqCst);
        let scope = if round % 2 == 0 { "write" } else { "read" };
        assert_eq!(world.reload(&configuration(scope)), Outcome::Applied);
        within("requests between reloads", async {
            while answered.load(Ordering::SeqCst) < before + 40 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    is_over.store(true, Ordering::SeqCst);
    for load in loads {
        let (let_in, refused) = load.await.unwrap();
        assert!(let_in > 0 && refused > 0, "{let_in} {refused}");
    }
    for request in world.upstream.requests() {
        let expected = if request.header("x-who") == Some("reader") { "read" } else { "write" };
        assert_eq!(request.header("x-configuration"), Some(expected), "a mixed request");
    }
    assert_eq!(world.authorization_server.introspection_count(), 2, "each token once");
}

/// A configuration that demands a scope and tells the upstream which.
fn configuration(scope: &str) -> String {
    let yaml = NOTES.replace("[notes.read]", &format!("[{scope}]"));
    yaml.replace(
        "upstream: UPSTREAM",
        &format!("upstream: {{urls: [UPSTREAM], headers: {{X-Configuration: {scope}}}}}"),
    )
}

/// Q10: a refused configuration takes nothing away: not even where only a part of it is wrong.
#[tokio::test]
async fn part_of_a_refused_configuration_is_not_in_force() {
    let world = World::start().await;
    let call = world.authorized();
    assert_answered(&call.send().await);
    let bad = format!("{}{TASKS}    surplus: 1\n", NOTES.replace("notes.read", "notes.write"));
    assert_eq!(world.reload(&bad), Outcome::Rejected);
    assert_answered(&call.send().await);
    assert_eq!(world.gateway.post("/tasks").send().await.status, 404);
    let moved = world.fill(&NOTES.replace("notes.read", "notes.write"));
    let elsewhere = ([127, 0, 0, 1], 1).into();
    assert_eq!(world.gateway.reload_at(&moved, elsewhere), Outcome::Rejected);
    assert_answered(&call.send().await);
}
