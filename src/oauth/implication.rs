//! Scopes that imply others.
//!
//! 1. Whoever has the broader scope has the narrower ones, and theirs.
//! 2. A scope that implies itself, over however many steps, is a mistake.
//! 3. What a token was granted is not changed: implication counts when scopes are judged.

use std::collections::{HashMap, HashSet};

use super::{Scope, ScopeToken};

/// Which scopes stand for which others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Implications {
    /// For each narrower scope all broader ones, however many steps away.
    broader: HashMap<ScopeToken, Vec<ScopeToken>>,
}

/// A scope implies itself: the scopes on the way around.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} imply each other in a circle", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
pub struct Cycle(pub Vec<ScopeToken>);

impl Implications {
    /// Follows `broader: [narrower, ...]` to its end.
    pub fn new<'a>(
        direct: impl IntoIterator<Item = (&'a ScopeToken, &'a Scope)>,
    ) -> Result<Self, Cycle> {
        let direct: HashMap<&ScopeToken, &Scope> = direct.into_iter().collect();
        let mut broader: HashMap<ScopeToken, Vec<ScopeToken>> = HashMap::new();
        for start in direct.keys() {
            let mut seen: HashSet<&ScopeToken> = HashSet::new();
            let mut waiting: Vec<&ScopeToken> = vec![start];
            while let Some(scope) = waiting.pop() {
                for narrower in direct.get(scope).into_iter().flat_map(|scopes| scopes.iter()) {
                    if narrower == *start {
                        let mut around: Vec<_> = seen.into_iter().cloned().collect();
                        around.push((*start).clone());
                        around.sort();
                        around.dedup();
                        return Err(Cycle(around));
                    }
                    if seen.insert(narrower) {
                        broader.entry(narrower.clone()).or_default().push((*start).clone());
                        waiting.push(narrower);
                    }
                }
            }
        }
        for scopes in broader.values_mut() {
            scopes.sort();
        }
        Ok(Self { broader })
    }

    /// Whether the granted scopes hold one, or a broader one that stands for it.
    pub fn grant(&self, granted: &Scope, needed: &ScopeToken) -> bool {
        granted.contains(needed)
            || self
                .broader
                .get(needed)
                .is_some_and(|broader| broader.iter().any(|scope| granted.contains(scope)))
    }

    /// Whether the granted scopes hold all of these.
    pub fn cover(&self, granted: &Scope, needed: &Scope) -> bool {
        needed.iter().all(|scope| self.grant(granted, scope))
    }

    /// The scopes that stand for this one.
    pub fn broader(&self, scope: &ScopeToken) -> &[ScopeToken] {
        self.broader.get(scope).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn implications(direct: &[(&str, &str)]) -> Result<Implications, Cycle> {
        let direct: Vec<(ScopeToken, Scope)> = direct
            .iter()
            .map(|(broader, narrower)| (broader.parse().unwrap(), Scope::parse(narrower).unwrap()))
            .collect();
        Implications::new(direct.iter().map(|(broader, narrower)| (broader, narrower)))
    }

    fn cover(implications: &Implications, granted: &str, needed: &str) -> bool {
        implications.cover(&Scope::parse(granted).unwrap(), &Scope::parse(needed).unwrap())
    }

    #[test]
    fn broader_scopes_stand_for_narrower_ones_over_any_distance() {
        let scopes = implications(&[("admin", "write"), ("write", "read list")]).unwrap();
        for (granted, needed) in
            [("admin", "read"), ("admin", "write list"), ("write", "read"), ("read", "read")]
        {
            assert!(cover(&scopes, granted, needed), "{granted} for {needed}");
        }
        for (granted, needed) in [
            ("read", "write"),
            ("write", "admin"),
            ("list", "read"),
            ("", "read"),
            ("Admin", "read"),
        ] {
            assert!(!cover(&scopes, granted, needed), "{granted} for {needed}");
        }
    }

    #[test]
    fn circles_are_told() {
        let around = |direct| {
            let Cycle(scopes) = implications(direct).unwrap_err();
            scopes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(around(&[("a", "a")]), ["a"]);
        let three = around(&[("a", "b"), ("b", "c"), ("c", "a")]);
        assert_eq!(three, ["a", "b", "c"]);
        // Two ways to the same scope are no circle.
        assert!(implications(&[("a", "b c"), ("b", "d"), ("c", "d")]).is_ok());
    }
}
