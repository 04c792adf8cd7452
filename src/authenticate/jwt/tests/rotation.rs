//! Keys that come and go, servers that fail, and how often they are asked.

use super::*;

const TOO_SOON: Duration = Duration::from_secs(29);

#[tokio::test]
async fn i27_a_new_key_is_found_and_a_removed_one_is_refused_after_the_next_fetch() {
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("key-2"));
    let bench = Bench::with(&[old.jwk()]).await;
    let (by_old, by_new) = (old.token(&bench.claims()), new.token(&bench.claims()));
    bench.facts(&by_old).await;
    bench.keys.publish(&[old.jwk(), new.jwk()]);
    bench.facts(&by_new).await;
    assert_eq!(bench.keys.fetches(), 2, "one for the unknown kid");
    bench.keys.publish(&[new.jwk()]);
    assert!(bench.recall(&by_old).is_some(), "nobody knows yet");
    // Regular fetches come before the lifetime of five minutes ends.
    bench.clock.advance(Duration::from_mins(5));
    bench.after_fetches(3).await;
    assert!(bench.recall(&by_old).is_none());
    assert!(bench.recall(&by_new).is_some(), "its key is still there");
    assert!(matches!(bench.fault(&by_old).await, JwtFault::UnknownKey(_)));
    assert_eq!((bench.refreshes("changed"), bench.refreshes("unchanged")), (3, 1));
}

#[tokio::test]
async fn same_kid_with_another_key_is_looked_for_once() {
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let bench = Bench::with(&[old.jwk()]).await;
    let by_old = old.token(&bench.claims());
    bench.facts(&by_old).await;
    bench.keys.publish(&[new.jwk()]);
    bench.facts(&new.token(&bench.claims())).await;
    assert_eq!(bench.keys.fetches(), 2);
    assert!(bench.recall(&by_old).is_none(), "the key that verified it is gone");
    assert!(matches!(bench.fault(&by_old).await, JwtFault::BadSignature(_)));
    assert_eq!(bench.keys.fetches(), 2, "the budget is spent");
    bench.clock.advance(COOLDOWN);
    bench.fault(&by_old).await;
    assert_eq!(bench.keys.fetches(), 3);
}

#[tokio::test]
async fn nameless_key_that_changes_is_looked_for_once() {
    let (old, new) =
        (SigningKey::generate("ES256").nameless(), SigningKey::generate("ES256").nameless());
    let bench = Bench::with(&[old.jwk()]).await;
    bench.keys.publish(&[new.jwk()]);
    bench.facts(&new.token(&bench.claims())).await;
    assert_eq!(bench.keys.fetches(), 2);
}

#[tokio::test]
async fn i25_unknown_kids_fetch_once_per_cooldown_whatever_comes_of_it() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    let good = key.token(&bench.claims());
    bench.facts(&good).await;
    let flood = async |from: usize| {
        let mut unknown = Vec::new();
        for n in from..from + 200 {
            let token = key.named(&format!("k{n}")).token(&bench.claims());
            unknown.extend(bench.is_unknown(&token).await.then_some(n));
        }
        unknown
    };
    assert_eq!(flood(0).await, [0], "one is looked for");
    assert_eq!(bench.keys.fetches(), 2);
    bench.clock.advance(TOO_SOON);
    assert_eq!(flood(1000).await, [0; 0]);
    assert_eq!(bench.keys.fetches(), 2);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(flood(2000).await, [2000]);
    assert_eq!(bench.keys.fetches(), 3);
    // With it the first of those that had come before were looked for too.
    assert_eq!(flood(1).await, (1..=199).collect::<Vec<_>>());
    assert_eq!(bench.keys.fetches(), 3);
    // A fetch that fails or brings nothing spends the budget too.
    for (status, body) in [(500, ""), (200, r#"{"keys":[]}"#)] {
        bench.keys.say(status, None, body);
        bench.clock.advance(COOLDOWN);
        let before = bench.keys.fetches();
        for n in 0..50 {
            let verdict = bench.verify(&key.named(&format!("f{n}")).token(&bench.claims())).await;
            assert!(matches!(verdict, Verified::Unavailable(_)), "nobody can say: {verdict:?}");
        }
        assert_eq!(bench.keys.fetches(), before + 1, "{status}");
        bench.keys.publish(&[key.jwk()]);
        bench.clock.advance(Duration::from_secs(2));
        bench.after_fetches(before + 2).await;
    }
    assert!(bench.recall(&good).is_some(), "good tokens notice nothing");
}

/// A key that was found has one more looked for at once; a flood gains one fetch by it and no more.
#[tokio::test]
async fn i25_second_rotation_within_the_cooldown_is_seen_and_a_third_is_not() {
    let (first, second, third, fourth) =
        (key("ES256"), key("ES384").named("key-2"), key("EdDSA").named("key-3"), key("ES512"));
    let bench = Bench::with(&[first.jwk()]).await;
    let claims = bench.claims();
    bench.keys.publish(&[second.jwk()]);
    bench.facts(&second.token(&claims)).await;
    bench.clock.advance(Duration::from_secs(5));
    // Tokens of the old key are still about, and forged ones of the new.
    assert!(matches!(bench.fault(&first.token(&claims)).await, JwtFault::UnknownKey(_)));
    let forged = SigningKey::generate("ES384").named("key-2").token(&claims);
    assert!(matches!(bench.fault(&forged).await, JwtFault::BadSignature(_)));
    assert_eq!(bench.keys.fetches(), 3, "a doubt about a key has a budget of its own");
    bench.keys.publish(&[third.jwk()]);
    bench.facts(&third.token(&claims)).await;
    bench.clock.advance(Duration::from_secs(5));
    bench.keys.publish(&[fourth.named("key-4").jwk()]);
    let token = fourth.named("key-4").token(&claims);
    assert!(!bench.is_unknown(&token).await, "nobody has looked");
    assert_eq!(bench.keys.fetches(), 4);
    bench.clock.advance(Duration::from_secs(25));
    bench.facts(&token).await;
    assert_eq!(bench.keys.fetches(), 5);
}

/// Two nodes of a server that disagree about its keys cost two fetches per cooldown, not one per
/// token.
#[tokio::test]
async fn i25_flood_before_a_server_whose_answers_alternate_has_two_fetches_per_cooldown() {
    let (one, other, flood) = (key("ES256"), key("ES384"), key("EdDSA"));
    let bench = Bench::with(&[one.jwk()]).await;
    let claims = bench.claims();
    for n in 0..50 {
        let node = if n % 2 == 0 { &other } else { &one };
        bench.keys.publish(&[node.jwk()]);
        let token = flood.named(&format!("unknown-{n}")).token(&claims);
        assert_eq!(bench.is_unknown(&token).await, n < 2);
    }
    assert_eq!(bench.keys.fetches(), 1 + 2);
}

#[tokio::test]
async fn i25_one_unknown_kid_is_looked_for_ever_more_rarely() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    let stale = key.named("gone").token(&bench.claims());
    for (advance, fetches) in [(0, 2), (30, 3), (30, 3), (30, 4)] {
        bench.clock.advance(Duration::from_secs(advance));
        bench.fault(&stale).await;
        assert_eq!(bench.keys.fetches(), fetches);
    }
    // Another name has the budget to itself.
    bench.clock.advance(COOLDOWN);
    bench.keys.publish(&[key.jwk(), key.named("key-2").jwk()]);
    bench.facts(&key.named("key-2").token(&bench.claims())).await;
    assert_eq!(bench.keys.fetches(), 5);
}

#[tokio::test]
async fn i26_regular_fetches_and_those_on_demand_have_budgets_of_their_own() {
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("key-2"));
    let bench = Bench::with(&[old.jwk()]).await;
    bench.clock.advance(Duration::from_mins(5) - Duration::from_secs(31));
    bench.fault(&old.named("junk").token(&bench.claims())).await;
    assert_eq!(bench.keys.fetches(), 2, "the budget is spent just before the regular fetch");
    bench.keys.publish(&[old.jwk(), new.jwk()]);
    assert!(!bench.is_unknown(&new.token(&bench.claims())).await, "nobody has looked");
    bench.clock.advance(Duration::from_mins(5));
    bench.after_fetches(3).await;
    bench.facts(&new.token(&bench.claims())).await;
    assert_eq!(bench.keys.fetches(), 3);
}

#[tokio::test]
async fn rotation_under_load_costs_one_fetch_and_no_refusal() {
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("key-2"));
    let bench = Bench::with(&[old.jwk()]).await;
    bench.keys.publish(&[old.jwk(), new.jwk()]);
    bench.keys.held.send_replace(true);
    let verify = |token: String| {
        let token = BearerToken::parse(token.as_bytes()).unwrap();
        let verifier = Arc::clone(&bench.verifier);
        TaskTracker::new().spawn(async move { verifier.verify(&token, token.digest()).await })
    };
    let by_new: Vec<_> =
        (0..100).map(|n| verify(new.token(&bench.claims_but(json!({"jti": n}))))).collect();
    bench.keys.begun.notified().await;
    bench.keys.begun.notified().await;
    // Whose key is there waits for nothing.
    for n in 0..20 {
        bench.facts(&old.token(&bench.claims_but(json!({"jti": n})))).await;
    }
    bench.keys.held.send_replace(false);
    for each in by_new {
        let verdict = each.await.unwrap();
        assert!(matches!(verdict, Verified::Valid(_)), "{verdict:?}");
    }
    assert_eq!(bench.keys.fetches(), 2);
}

#[tokio::test]
async fn i28_without_keys_nobody_can_say_until_they_come() {
    let bench = Bench::without_address(|_| {});
    let token = key("ES256").token(&bench.claims());
    assert!(matches!(*bench.verifier.not_ready().unwrap(), KeySetError::NotYet));
    assert!(matches!(bench.verify(&token).await, Verified::Unavailable(_)));
    bench.verifier.set_jwks_uri("https://as.example/jwks".parse().unwrap());
    bench.after_fetches(1).await;
    assert!(matches!(*bench.verifier.not_ready().unwrap(), KeySetError::Outbound(_)));
    let verdict = bench.verify(&token).await;
    assert!(matches!(verdict, Verified::Unavailable(_)), "{verdict:?}");
    assert_eq!(bench.keys.fetches(), 2, "the token had it fetched once more");
    bench.keys.publish(&[key("ES256").jwk()]);
    bench.clock.advance(Duration::from_secs(2));
    bench.after_fetches(3).await;
    assert!(bench.verifier.not_ready().is_none());
    bench.facts(&token).await;
    // The same address again, as discovery says it every hour, is no reason to fetch.
    bench.verifier.set_jwks_uri("https://as.example/jwks".parse().unwrap());
    bench.facts(&key("ES256").token(&bench.claims_but(json!({"jti": 1})))).await;
    assert_eq!(bench.keys.fetches(), 3);
    bench.verifier.set_jwks_uri("https://as.example/other".parse().unwrap());
    bench.after_fetches(4).await;
}

#[tokio::test]
async fn i29_the_last_good_set_stays_in_force_for_a_day() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    let mut fetches = 1;
    let day = Duration::from_hours(24);
    let claims = bench.claims_but(json!({"exp": bench.clock.unix_seconds() + 2e5}));
    let known = key.token(&claims);
    bench.facts(&known).await;
    for (n, (status, body)) in [
        (500, ""),
        (404, "{}"),
        (302, ""),
        (200, ""),
        (200, "<html>"),
        (200, r#"{"keys":[]}"#),
        (200, r#"{"keys":{}}"#),
        (200, r#"[[{"kty":"EC"}]]"#),
        (200, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
        (200, r#"{"keys":[],"keys":[]}"#),
    ]
    .into_iter()
    .enumerate()
    {
        bench.keys.say(status, Some(0), body);
        bench.clock.advance(Duration::from_mins(5));
        fetches += 1;
        bench.after_fetches(fetches).await;
        assert!(bench.verifier.not_ready().is_none(), "{body}");
        assert!(bench.recall(&known).is_some(), "{body}");
        let other = bench.claims_but(json!({"jti": n}));
        bench.facts(&key.token(&other)).await;
    }
    bench.keys.fail();
    bench.clock.advance(day);
    let why = bench.verifier.not_ready().unwrap();
    assert!(matches!(*why, KeySetError::TooOld(_)), "{why}");
    assert!(bench.recall(&known).is_none());
    let verdict = bench.verify(&known).await;
    assert!(matches!(verdict, Verified::Unavailable(_)), "{verdict:?}");
    bench.keys.publish(&[key.jwk()]);
    bench.clock.advance(Duration::from_mins(1));
    bench.verifier.not_ready();
    bench.facts(&known).await;
    assert!(bench.recall(&known).is_some());
}

#[tokio::test]
async fn lifetimes_are_bounded_below_and_above() {
    for (max_age, is_still_fresh, is_due) in [(0, 50, 60), (86_400, 3500, 3600), (600, 560, 600)] {
        let key = key("ES256");
        let bench = Bench::without_address(|_| {});
        bench.keys.say(200, Some(max_age), &key_set(&[key.jwk()]));
        bench.verifier.set_jwks_uri("https://as.example/jwks".parse().unwrap());
        bench.after_fetches(1).await;
        bench.clock.advance(Duration::from_secs(is_still_fresh));
        bench.facts(&key.token(&bench.claims())).await;
        assert_eq!(bench.keys.fetches(), 1, "{max_age}");
        bench.clock.advance(Duration::from_secs(is_due - is_still_fresh));
        bench.after_fetches(2).await;
    }
}

#[tokio::test]
async fn key_set_in_the_clear_is_not_fetched() {
    let bench = Bench::without_address(|_| {});
    bench.keys.publish(&[key("ES256").jwk()]);
    for url in ["http://as.example/jwks", "http://127.0.0.1.evil.example/", "file:///etc/passwd"] {
        bench.verifier.set_jwks_uri(url.parse().unwrap());
        let why = bench.verifier.not_ready().unwrap();
        assert!(matches!(*why, KeySetError::Insecure(_)), "{url}: {why}");
    }
    assert_eq!(bench.keys.fetches(), 0);
    bench.verifier.set_jwks_uri("http://127.0.0.1:1/jwks".parse().unwrap());
    bench.after_fetches(1).await;
    let allowed = Bench::without_address(|settings| settings.insecure_allow_http = true);
    allowed.keys.publish(&[key("ES256").jwk()]);
    allowed.verifier.set_jwks_uri("http://as.example/jwks".parse().unwrap());
    allowed.after_fetches(1).await;
}

#[tokio::test]
async fn i30_keys_are_no_longer_kept_when_the_verifier_is_gone() {
    let bench = Bench::with(&[key("ES256").jwk()]).await;
    let keys = Arc::downgrade(&bench.verifier.keys);
    drop(bench.verifier);
    for _ in 0..10_000 {
        if keys.upgrade().is_none() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("something still holds the keys");
}

/// Log lines in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_left_out_of_a_set_is_told_when_that_changes() {
    let (oct, enc) = (json!({"kty": "oct", "k": "AAAA"}), json!({"kty": "EC", "use": "enc"}));
    let good = key("ES256").jwk();
    // What logs must have done so once before somebody listens: met for the first time by a test
    // elsewhere, to which nobody listens, it would be off for this one too.
    Bench::with(&[oct.clone(), good.clone()]).await;
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let count = |text: &str| {
        let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        log.matches(text).count()
    };
    let bench = Bench::with(&[oct.clone(), good.clone(), enc.clone()]).await;
    assert_eq!((count("key 0: it is a shared secret"), count("key 2: it is not for")), (1, 1));
    for fetches in 2..4 {
        bench.clock.advance(Duration::from_mins(5));
        bench.after_fetches(fetches).await;
    }
    assert_eq!((count("key 0: it is a shared secret"), count("key 2: it is not for")), (1, 1));
    bench.keys.publish(&[enc, good]);
    bench.clock.advance(Duration::from_mins(5));
    bench.after_fetches(4).await;
    assert_eq!((count("key 0: it is not for"), count("key set changed")), (1, 1));
}
