//! How the gateway authenticates to an authorization server (RFC 6749 section 2.3.1).

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use url::form_urlencoded::{self, Serializer};

use crate::config::settings::ClientAuthentication;

/// Adds our credentials to the form, or returns them as an `Authorization` value.
pub fn apply(
    client: &ClientAuthentication,
    form: &mut Serializer<'_, String>,
) -> Option<HeaderValue> {
    match client {
        ClientAuthentication::ClientSecretBasic { id, secret } => {
            // RFC 6749 section 2.3.1: both are form-encoded before they are joined by the colon.
            let encode = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!("{}:{}", encode(id.as_str()), encode(secret.expose()));
            let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
            // Base64 is visible ASCII, so this is always a header value.
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some(value)
        }
        ClientAuthentication::ClientSecretPost { id, secret } => {
            form.append_pair("client_id", id.as_str());
            form.append_pair("client_secret", secret.expose());
            None
        }
        ClientAuthentication::None { id } => {
            if let Some(id) = id {
                form.append_pair("client_id", id.as_str());
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::{ClientId, Secret};

    fn id(text: &str) -> ClientId {
        ClientId::new(text).unwrap()
    }

    fn applied(client: &ClientAuthentication) -> (Option<String>, String) {
        let mut form = Serializer::new(String::new());
        let value = apply(client, &mut form);
        (value.map(|value| value.to_str().unwrap().to_owned()), form.finish())
    }

    #[test]
    fn basic_credentials_are_form_encoded_first() {
        let secret = Secret::new("p%:ä +");
        let basic = ClientAuthentication::ClientSecretBasic { id: id("a:b"), secret };
        let (header, form) = applied(&basic);
        let encoded = BASE64_STANDARD.encode("a%3Ab:p%25%3A%C3%A4+%2B");
        assert_eq!(header, Some(format!("Basic {encoded}")));
        assert_eq!(form, "");
    }

    #[test]
    fn post_credentials_stand_in_the_form() {
        let secret = Secret::new("p&q");
        let post = ClientAuthentication::ClientSecretPost { id: id("a b"), secret };
        assert_eq!(applied(&post), (None, "client_id=a+b&client_secret=p%26q".to_owned()));
    }

    #[test]
    fn none_sends_at_most_the_identifier() {
        assert_eq!(applied(&ClientAuthentication::None { id: None }), (None, String::new()));
        let named = ClientAuthentication::None { id: Some(id("x")) };
        assert_eq!(applied(&named), (None, "client_id=x".to_owned()));
    }
}
