//! The last refusals, for operators who ask what happened to a request.
//!
//! 1. The last hundred, and the last hundred of callers whose token could be told apart from them:
//!    what a stranger sends by the thousand does not push out what befell somebody.
//! 2. Every text in it is cut, so that all of it stays below a megabyte.
//! 3. Remembering costs one short lock; nothing is put together or thrown away while it is held.
//! 4. It outlives a reload, and is in memory alone.
//!
//! There are no tokens, secrets, fields or arguments in it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, Serializer};

use crate::clock::rfc3339;

/// One request that the gateway answered itself.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// When, in seconds since the Unix epoch.
    #[serde(serialize_with = "as_text")]
    pub time: f64,
    /// Its id.
    pub request_id: Box<str>,
    /// Its route, when it had one.
    pub route: Option<Box<str>>,
    /// The HTTP method, when it is known.
    pub method: Option<Box<str>>,
    /// The JSON-RPC method.
    pub rpc_method: Option<Box<str>>,
    /// The tool, prompt or resource.
    pub rpc_name: Option<Box<str>>,
    /// What was answered.
    pub status: u16,
    /// Why, from a closed set.
    pub reason: &'static str,
    /// Why, in words.
    pub detail: Box<str>,
    /// What would cure it.
    pub remedy: &'static str,
    /// The key of the rule that decided.
    pub rule: Option<Box<str>>,
    /// Whose token it was, as far as its authorization server said so.
    pub issuer: Option<Box<str>>,
    /// The token's subject.
    pub subject: Option<Box<str>>,
    /// The token's client.
    pub client_id: Option<Box<str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn as_text<S: Serializer>(time: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339(*time).serialize(serializer)
}

impl Refusal {
    /// Whether it is one for want of an answer from upstream.
    fn is_of_upstream(&self) -> bool {
        self.reason.starts_with("upstream_")
    }
}

/// What the gateway has refused of late.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    known: VecDeque<Arc<Refusal>>,
    strangers: VecDeque<Arc<Refusal>>,
    /// The last failure of each route's upstream.
    upstreams: HashMap<Box<str>, Arc<Refusal>>,
}

impl Refusals {
    /// Remembers one.
    pub fn keep(&self, refusal: Refusal) {
        let refusal = Arc::new(refusal);
        let of_upstream = refusal.route.clone().filter(|_| refusal.is_of_upstream());
        let mut kept = self.kept();
        let replaced =
            of_upstream.and_then(|route| kept.upstreams.insert(route, Arc::clone(&refusal)));
        let is_known = refusal.issuer.is_some();
        let ring = if is_known { &mut kept.known } else { &mut kept.strangers };
        let oldest = if ring.len() < PLACES { None } else { ring.pop_front() };
        ring.push_back(refusal);
        drop(kept);
        drop((oldest, replaced));
    }

    /// All of them, the newest first.
    pub fn all(&self) -> Vec<Arc<Refusal>> {
        let kept = self.kept();
        let mut all: Vec<_> = kept.known.iter().chain(&kept.strangers).cloned().collect();
        drop(kept);
        all.sort_by(|one, other| other.time.total_cmp(&one.time));
        all
    }

    /// The one of this request.
    pub fn find(&self, request_id: &str) -> Option<Arc<Refusal>> {
        let kept = self.kept();
        let mut all = kept.known.iter().chain(&kept.strangers).rev();
        all.find(|refusal| *refusal.request_id == *request_id).cloned()
    }

    /// The last failure of a route's upstream.
    pub fn of_upstream(&self, route: &str) -> Option<Arc<Refusal>> {
        self.kept().upstreams.get(route).cloned()
    }

    /// Forgets the upstreams of routes that are no more.
    pub(super) fn forget_upstreams_unless(&self, is_there: impl Fn(&str) -> bool) {
        self.kept().upstreams.retain(|route, _| is_there(route));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many are remembered of callers, and how many of strangers.
const PLACES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(number: u32, issuer: Option<&str>) -> Refusal {
        Refusal {
            time: f64::from(number),
            request_id: number.to_string().into(),
            route: Some("notes".into()),
            method: None,
            rpc_method: None,
            rpc_name: None,
            status: 502,
            reason: if issuer.is_some() { "upstream_timeout" } else { "missing_token" },
            detail: "".into(),
            remedy: "",
            rule: None,
            issuer: issuer.map(Into::into),
            subject: None,
            client_id: None,
        }
    }

    #[test]
    fn strangers_do_not_push_out_what_befell_somebody() {
        let refusals = Refusals::default();
        refusals.keep(refusal(1, Some("https://as.example")));
        for number in 2..1000 {
            refusals.keep(refusal(number, None));
        }
        let all = refusals.all();
        assert_eq!(all.len(), 101);
        let ids: Vec<_> = all.iter().map(|refusal| &*refusal.request_id).collect();
        assert_eq!((ids[0], ids[99], ids[100]), ("999", "900", "1"), "the newest first");
        assert!(refusals.find("1").is_some() && refusals.find("900").is_some());
        assert!(refusals.find("899").is_none());
    }

    #[test]
    fn last_failure_of_an_upstream_outlives_its_place_until_its_route_is_gone() {
        let refusals = Refusals::default();
        for number in 0..300 {
            let issuer = Some("https://as.example");
            let reason = if number < 9 { "upstream_timeout" } else { "expired" };
            refusals.keep(Refusal { reason, ..refusal(number, issuer) });
        }
        assert_eq!(refusals.all().len(), 100);
        assert_eq!(&*refusals.of_upstream("notes").unwrap().request_id, "8");
        refusals.forget_upstreams_unless(|route| route == "tasks");
        assert!(refusals.of_upstream("notes").is_none());
    }
}
