//! Request parameters, from a query or a form.
//!
//! 1. RFC 6749 section 3.1: a parameter without value counts as left out, and none may come twice.
//! 2. `resource` may come more than once in general (RFC 8707 section 2); this server wants one.

use url::form_urlencoded;

use super::answer::OAuthError;

/// The parameters in the order they came.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the form encoding. The whole is bounded by what the listener takes.
    pub(super) fn read(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded).filter(|(_, value)| !value.is_empty());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The one value of `name`, when there is one.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            Some(_) if name == "resource" => Err(OAuthError::InvalidTarget),
            Some(_) => Err(OAuthError::InvalidRequest("a parameter came more than once")),
            None => Ok(value),
        }
    }

    /// The one value of `name`.
    pub(super) fn required(&self, name: &str) -> Result<&str, OAuthError> {
        self.one(name)?.ok_or(OAuthError::InvalidRequest("a required parameter is missing"))
    }
}
