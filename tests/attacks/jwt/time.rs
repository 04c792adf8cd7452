//! When a token is good, whatever is remembered of it.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::{Clock as _, ManualClock};
use serde_json::json;

use super::{EXPIRED, NOT_VALID, call, claims, claims_but, with_clock, world};
use crate::harness::{assert_answered, jwt::SigningKey, token::now};

/// I13: numbers that are no time to come.
#[tokio::test]
async fn expiry_that_has_passed_is_refused_however_it_is_written() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    for exp in [json!(0), json!(-1), json!(1.5), json!(-1e300), json!(now() - 31)] {
        let token = key.token(&claims_but(&world, &json!({ "exp": exp })));
        world.assert_invalid_token(&call(&world, &token).await, EXPIRED);
    }
    let text = claims(&world).to_string();
    let header = key.header().to_string();
    let (start, _) = text.split_once(r#""exp":"#).unwrap();
    for exp in ["1e400", "-1e400", "NaN", "Infinity", "01", "0x1"] {
        let rest = text.split_once(r#""exp":"#).unwrap().1;
        let rest = rest.split_once(',').map_or("}".to_owned(), |(_, rest)| format!(",{rest}"));
        let payload = format!(r#"{start}"exp":{exp}{rest}"#);
        let response = call(&world, &key.sign(&header, &payload)).await;
        world.assert_invalid_token(&response, NOT_VALID);
    }
    // Far away is far away, and not an overflow.
    for exp in [json!(u64::MAX), json!(1e308), json!(i64::MAX)] {
        let token = key.token(&claims_but(&world, &json!({ "exp": exp })));
        for _ in 0..2 {
            assert_answered(&call(&world, &token).await);
        }
    }
}

/// I14, I33: `exp` has the skew, to the second, remembered or not.
#[tokio::test]
async fn remembered_token_expires_to_the_second() {
    let key = SigningKey::generate("ES256");
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[key.jwk()]).await;
    // Whole seconds, and steps well beside the edge: a fraction that JSON rounds decides nothing.
    let ends = (clock.unix_seconds() + 100.0).floor();
    let advance_to = |time: f64| {
        clock.advance(Duration::from_secs_f64(time - clock.unix_seconds()));
    };
    let token = |jti: u32| key.token(&claims_but(&world, &json!({"exp": ends, "jti": jti})));
    assert_answered(&call(&world, &token(1)).await);
    advance_to(ends + 29.5);
    assert_answered(&call(&world, &token(1)).await);
    assert_answered(&call(&world, &token(2)).await);
    let before = world.upstream.requests().len();
    advance_to(ends + 30.01);
    for jti in [1, 2, 3] {
        let response = call(&world, &token(jti)).await;
        assert_eq!(response.status, 401, "{response:?}");
        let challenge = format!(r#", error="invalid_token", error_description="{EXPIRED}""#);
        assert_eq!(response.header("www-authenticate"), Some(&*world.challenge(&challenge)));
    }
    assert_eq!(world.upstream.requests().len(), before);
}

/// I15: `nbf` and `iat` have the skew, and a token becomes good when its time comes.
#[tokio::test]
async fn token_of_the_future_is_refused_until_its_time() {
    let key = SigningKey::generate("ES256");
    for claim in ["nbf", "iat"] {
        let clock = Arc::new(ManualClock::new());
        let world = with_clock(&clock, &[key.jwk()]).await;
        let begins = clock.unix_seconds() + 100.0;
        let token = key.token(&claims_but(&world, &json!({ claim: begins })));
        for ahead in [100.0, 30.1] {
            let wait = begins - ahead - clock.unix_seconds();
            clock.advance(Duration::from_secs_f64(wait.max(0.0)));
            world.assert_invalid_token(&call(&world, &token).await, NOT_VALID);
        }
        clock.advance(Duration::from_millis(200));
        assert_answered(&call(&world, &token).await);
    }
}
