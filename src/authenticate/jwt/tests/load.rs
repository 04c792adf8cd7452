//! Many tokens at once, and much of what is bad.

use super::*;

#[tokio::test]
async fn one_token_is_verified_once_for_all_who_bring_it() {
    let bench = Bench::with(&[key("ES256").jwk()]).await;
    let token = key("ES256").token(&bench.claims());
    let token = BearerToken::parse(token.as_bytes()).unwrap();
    let turn = bench.verifier.turn.acquire().await.unwrap();
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (Arc::clone(&bench.verifier), token.clone());
            TaskTracker::new().spawn(async move { verifier.verify(&token, token.digest()).await })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(turn);
    let mut facts = Vec::new();
    for each in waiting {
        let Verified::Valid(each) = each.await.unwrap() else { panic!("not valid") };
        facts.push(each);
    }
    assert!(facts.iter().all(|each| Arc::ptr_eq(each, &facts[0])), "one reading for all");
}

#[tokio::test]
async fn i32_waiting_verifications_are_bounded_and_known_tokens_do_not_wait() {
    let bench = Bench::with(&[key("ES256").jwk()]).await;
    let known = key("ES256").token(&bench.claims());
    bench.facts(&known).await;
    // Whoever has the turn does not give it back: all others wait.
    let turn = bench.verifier.turn.acquire().await.unwrap();
    let stranger = SigningKey::generate("ES256");
    let waiting: Vec<_> = (0..600)
        .map(|n| {
            let token = stranger.token(&bench.claims_but(json!({"jti": n})));
            let token = BearerToken::parse(token.as_bytes()).unwrap();
            let verifier = Arc::clone(&bench.verifier);
            TaskTracker::new().spawn(async move { verifier.verify(&token, token.digest()).await })
        })
        .collect();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(bench.recall(&known).is_some(), "known tokens are answered at once");
    let verdict = bench.verify(&key("ES256").token(&bench.claims_but(json!({"jti": "x"})))).await;
    let Verified::Unavailable(why) = verdict else { panic!("{verdict:?}") };
    assert!(matches!(*why, KeySetError::TooMany));
    drop(turn);
    let (mut refused, mut unavailable) = (0, 0);
    for each in waiting {
        match each.await.unwrap() {
            Verified::Invalid(JwtFault::BadSignature(_)) => refused += 1,
            Verified::Unavailable(_) => unavailable += 1,
            other @ (Verified::Valid(_) | Verified::Invalid(_)) => panic!("{other:?}"),
        }
    }
    assert_eq!((refused, unavailable), (512, 88));
    assert_eq!(bench.keys.fetches(), 2, "one fetch for all of them");
    bench.facts(&key("ES256").token(&bench.claims_but(json!({"jti": "x"})))).await;
}

#[tokio::test]
async fn what_failed_is_not_remembered_and_evicts_nothing() {
    let bench = Bench::with_settings(&[key("ES256").jwk()], |settings| {
        settings.jwt.cache_max_entries = 10;
    })
    .await;
    let good = key("ES256").token(&bench.claims());
    bench.facts(&good).await;
    let stranger = SigningKey::generate("ES256");
    for n in 0..100 {
        bench.fault(&stranger.token(&bench.claims_but(json!({"jti": n})))).await;
    }
    bench.verifier.memory.settle();
    assert_eq!(bench.verifier.cached(), 1);
    assert!(bench.recall(&good).is_some());
}

#[tokio::test]
async fn remembered_tokens_are_bounded() {
    let bench = Bench::with_settings(&[key("EdDSA").jwk()], |settings| {
        settings.jwt.cache_max_entries = 10;
    })
    .await;
    for n in 0..50 {
        bench.facts(&key("EdDSA").token(&bench.claims_but(json!({"jti": n})))).await;
    }
    bench.verifier.memory.settle();
    assert!(bench.verifier.cached() <= 10, "{}", bench.verifier.cached());
}

#[tokio::test]
async fn a_caller_who_leaves_leaves_the_verification_to_others() {
    let bench = Bench::with(&[key("ES256").jwk()]).await;
    let token = key("ES256").token(&bench.claims());
    let token = BearerToken::parse(token.as_bytes()).unwrap();
    let turn = bench.verifier.turn.acquire().await.unwrap();
    let mut leader = Box::pin(bench.verifier.verify(&token, token.digest()));
    let is_waiting = tokio::time::timeout(Duration::from_millis(5), &mut leader).await.is_err();
    assert!(is_waiting);
    drop(leader);
    drop(turn);
    bench.facts(token.expose()).await;
}
