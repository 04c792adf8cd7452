//! T14: cache, questions and forgetting under a scheduler that is a seeded sequence of steps.
//!
//! Every step that holds a lock is one step here, so each interleaving of threads is some sequence;
//! a sequence that breaks a rule is named by its seed, and is the same each time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch::Receiver;

use super::{Flight, Flights, Joined, Lookup, TokenCache};
use crate::{
    authenticate::{
        claims::Claims, introspection::Rules, tests::settings, token_facts::TokenFacts,
    },
    clock::{Clock, ManualClock},
    oauth::TokenDigest,
};

const TOKENS: usize = 3;
const TTL: Duration = Duration::from_mins(1);

/// Whether a token is active, as the server said.
type Answer = Option<Arc<TokenFacts>>;

struct Question {
    token: usize,
    flight: Flight<Answer>,
    put: Instant,
    /// What was true when it reached the server.
    was_active: bool,
    waiting: Vec<Receiver<Option<Answer>>>,
    is_forgotten: bool,
}

struct Simulation {
    random: u64,
    rules: Rules,
    now: Instant,
    cache: TokenCache,
    flights: Flights<Answer>,
    questions: Vec<Question>,
    /// Since when a token is not active any more.
    revoked: [Option<Instant>; TOKENS],
    /// Whether all was forgotten since it was revoked.
    is_forgotten: [bool; TOKENS],
    /// Whether the last that was remembered of a token is that it is not active.
    is_inactive: [bool; TOKENS],
    hits: usize,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut settings = settings("https://as.example");
        settings.introspection.stale_if_error = TTL;
        Self {
            // Any odd factor scatters neighbouring seeds.
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            rules: Rules::new(&settings),
            now: ManualClock::new().instant(),
            cache: TokenCache::new(&settings.introspection),
            flights: Flights::default(),
            questions: Vec::new(),
            revoked: [None; TOKENS],
            is_forgotten: [false; TOKENS],
            is_inactive: [false; TOKENS],
            hits: 0,
        }
    }

    /// A number below `end` (Marsaglia's xorshift).
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random >> 33).unwrap() % end
    }

    fn step(&mut self) {
        let token = self.below(TOKENS);
        match self.below(16) {
            0..6 => self.ask(token),
            6..10 if !self.questions.is_empty() => self.answer(),
            10 if !self.questions.is_empty() => self.fail(),
            11 => self.forget(),
            12 => self.revoked[token] = self.revoked[token].or(Some(self.now)),
            13 => (self.revoked[token], self.is_forgotten[token]) = (None, false),
            _ => {
                let milliseconds = self.below(20_000) as u64;
                self.now += Duration::from_millis(milliseconds);
            }
        }
        for token in 0..TOKENS {
            let asking = self.questions.iter().filter(|q| q.token == token && !q.is_forgotten);
            assert!(asking.count() <= 1, "one question about a token at a time");
            self.look_up(token);
            let stale = self.cache.stale(&digest(token), self.now);
            assert!(!self.is_inactive[token] || stale.is_none(), "served although inactive");
        }
    }

    fn look_up(&mut self, token: usize) -> Option<Answer> {
        match self.cache.look_up(&digest(token), self.now) {
            Lookup::Active(facts) => {
                self.hits += 1;
                let exp = u32::try_from(token).unwrap().into();
                assert_eq!(facts.expires_at, Some(exp), "another token's answer");
                if let Some(revoked) = self.revoked[token] {
                    assert!(self.now < revoked + TTL, "revoked longer ago than the ttl");
                    assert!(!self.is_forgotten[token], "forgotten since it was revoked");
                }
                Some(Some(facts))
            }
            Lookup::Inactive => Some(None),
            Lookup::Nothing => None,
        }
    }

    fn ask(&mut self, token: usize) {
        if let Some(waiting) = self.flights.follow(&digest(token)) {
            return self.wait(token, waiting);
        }
        let known = self.look_up(token);
        match self.flights.join(digest(token), || known) {
            Joined::Answered(_) => {}
            Joined::Following(waiting) => self.wait(token, waiting),
            Joined::Leading(flight, waiting) => self.questions.push(Question {
                token,
                flight,
                put: self.now,
                was_active: self.revoked[token].is_none(),
                waiting: vec![waiting],
                is_forgotten: false,
            }),
            Joined::Full => panic!("{TOKENS} questions are not too many"),
        }
    }

    /// Nobody follows a question that was forgotten.
    fn wait(&mut self, token: usize, waiting: Receiver<Option<Answer>>) {
        let mut asking = self.questions.iter_mut().filter(|q| q.token == token && !q.is_forgotten);
        asking.next().expect("a question under way").waiting.push(waiting);
    }

    fn answer(&mut self) {
        let index = self.below(self.questions.len());
        let Question { token, flight, put, was_active, waiting, .. } =
            self.questions.swap_remove(index);
        let answer = was_active.then(|| self.facts(token));
        flight.remember(|| {
            match &answer {
                Some(facts) => self.cache.remember_active(digest(token), Arc::clone(facts), put),
                None => self.cache.remember_inactive(digest(token), put),
            }
            self.is_inactive[token] = answer.is_none();
        });
        flight.land(answer.clone());
        for receiver in waiting {
            let heard = receiver.borrow().clone().expect("an answer");
            assert_eq!(heard.map(|facts| facts.expires_at), answer.as_ref().map(|f| f.expires_at));
        }
    }

    fn fail(&mut self) {
        let index = self.below(self.questions.len());
        let Question { flight, waiting, .. } = self.questions.swap_remove(index);
        drop(flight);
        for receiver in waiting {
            assert!(receiver.has_changed().is_err(), "released, without an answer");
        }
    }

    fn forget(&mut self) {
        self.flights.forget();
        self.cache.clear();
        for question in &mut self.questions {
            question.is_forgotten = true;
        }
        self.is_forgotten = self.revoked.map(|revoked| revoked.is_some());
    }

    /// The token's number stands in them.
    fn facts(&self, token: usize) -> Arc<TokenFacts> {
        let claims = format!(r#"{{"active":true,"exp":{token}}}"#);
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        Arc::new(TokenFacts::read(&claims, &self.rules, &digest(token)).unwrap())
    }
}

fn digest(token: usize) -> TokenDigest {
    TokenDigest::of(&token.to_be_bytes())
}

#[test]
fn no_sequence_of_steps_shows_what_is_over() {
    let mut hits = 0;
    for seed in 0..400 {
        let mut simulation = Simulation::new(seed);
        for _ in 0..300 {
            simulation.step();
        }
        hits += simulation.hits;
    }
    assert!(hits > 10_000, "the rules were asked {hits} times");
}
