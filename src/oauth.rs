//! The OAuth vocabulary that all stages share: values that cannot be wrong once they exist.
//!
//! Rules:
//! 1. Every constructor is `FromStr` or `TryFrom`; possession of a value means validity.
//! 2. Strings that are compared byte for byte (issuers, resource identifiers, scope tokens) keep
//!    the bytes they were written with; nothing here normalises.
//! 3. A credential never shows itself: [`BearerToken`], [`Secret`] and private keys redact their
//!    `Debug` and have no `Display`.
//!
//! It knows nothing of HTTP, YAML or JSON-RPC.

mod identifier;
mod implication;
mod private_key;
mod scope;
mod signature_algorithm;
mod token;

pub use identifier::{
    ClientId, InvalidIdentifier, Issuer, PublicOrigin, ResourceIdentifier, Subject, is_loopback,
};
pub use implication::{Cycle, Implications};
pub use private_key::{AssertionKey, PrivateKeyPem, UnusableKey, key_set};
pub use scope::{InvalidScopeToken, Scope, ScopeToken};
pub use signature_algorithm::SignatureAlgorithm;
pub use token::{BearerToken, MalformedToken, Secret, TokenDigest};
