//! Scope tokens and sets of them (RFC 6749 section 3.3).

use std::{fmt, str::FromStr};

/// One scope token: `1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken(Box<str>);

impl ScopeToken {
    /// The token as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ScopeToken {
    type Err = InvalidScopeToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.is_empty() && text.bytes().all(is_nqchar) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidScopeToken)
        }
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text holds a character that RFC 6749 does not allow in a scope token, or is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3)"
)]
pub struct InvalidScopeToken;

/// A set of scope tokens that remembers the order in which they were first named.
///
/// Order matters to what is published: challenges name scopes in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<ScopeToken>);

impl Scope {
    /// Adds a token unless it is there already.
    pub fn insert(&mut self, token: ScopeToken) {
        if !self.0.contains(&token) {
            self.0.push(token);
        }
    }

    /// Whether the set holds this very token; scopes are case-sensitive strings.
    pub fn contains(&self, token: &ScopeToken) -> bool {
        self.0.contains(token)
    }

    /// Whether every token of `required` is here.
    pub fn covers(&self, required: &Scope) -> bool {
        required.iter().all(|token| self.contains(token))
    }

    /// The tokens in their order.
    pub fn iter(&self) -> impl Iterator<Item = &ScopeToken> {
        self.0.iter()
    }

    /// Whether no scope is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the space-separated form of RFC 6749 section 3.3; repeated spaces are forgiven.
    pub fn parse(text: &str) -> Result<Self, InvalidScopeToken> {
        text.split(' ').filter(|token| !token.is_empty()).map(str::parse).collect()
    }
}

impl FromIterator<ScopeToken> for Scope {
    fn from_iter<I: IntoIterator<Item = ScopeToken>>(tokens: I) -> Self {
        let mut scope = Self::default();
        tokens.into_iter().for_each(|token| scope.insert(token));
        scope
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_token_accepts_exactly_the_rfc_6749_characters() {
        for byte in 0..=0x7f_u8 {
            let text = char::from(byte).to_string();
            let allowed = matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert_eq!(text.parse::<ScopeToken>().is_ok(), allowed, "byte {byte:#x}");
        }
        assert_eq!("".parse::<ScopeToken>(), Err(InvalidScopeToken));
        assert_eq!("é".parse::<ScopeToken>(), Err(InvalidScopeToken));
    }

    #[test]
    fn scope_keeps_the_order_of_first_mention_and_drops_repeats() {
        let scope = Scope::parse("b a  b c").unwrap();
        assert_eq!(scope.to_string(), "b a c");
    }

    #[test]
    fn scope_is_compared_whole_and_case_sensitively() {
        let granted = Scope::parse("read:all Write").unwrap();
        assert!(!granted.covers(&Scope::parse("read").unwrap()));
        assert!(!granted.covers(&Scope::parse("write").unwrap()));
        assert!(granted.covers(&Scope::parse("Write").unwrap()));
        assert!(granted.covers(&Scope::default()));
    }
}
