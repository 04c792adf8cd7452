//! `client`: what each method needs, and what has no meaning with it.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::client;
use crate::config::{Environment, Problem, parse, tests::TestEnvironment};

/// The problems of a client with key and certificate files about, named without their places.
fn problems(client: &str) -> String {
    problems_in(client, &environment())
}

fn problems_in(text: &str, environment: &dyn Environment) -> String {
    let problems = match parse("g.yaml", &client(text), environment) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let line = |problem: &Problem| {
        let line = problem.to_string();
        let line = line.splitn(4, ':').nth(3).unwrap().trim_start();
        line.replace("authorization_servers.corp.client", "client")
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn environment() -> TestEnvironment {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    let both = format!("{certificate}{}", key.serialize_pem());
    TestEnvironment::default()
        .with_file("key.pem", key.serialize_pem().as_bytes())
        .with_file("other.pem", other.serialize_pem().as_bytes())
        .with_file("client.pem", certificate.as_bytes())
        .with_file("both.pem", both.as_bytes())
        .with_file("short.pem", include_bytes!("../../../../tests/data/keys/rsa-1024.pem"))
        .with_file("p384.pem", include_bytes!("../../../../tests/data/keys/p384-sec1.pem"))
        .with_file("locked.pem", include_bytes!("../../../../tests/data/keys/p256-encrypted.pem"))
        .with_file("token", b"a.b~c==\n")
        .with_file("tokens", b"one two\n")
}

#[test]
fn each_method_has_what_it_needs() {
    for text in [
        "{id: x, secret: 0123456789abcdef0123456789abcdef, authentication: client_secret_jwt}",
        "{id: x, private_key_file: key.pem, authentication: private_key_jwt}",
        "{id: x, private_key_file: key.pem, authentication: private_key_jwt, assertion_audience: endpoint}",
        "{id: x, private_key_file: key.pem, authentication: private_key_jwt, key_id: '12'}",
        "{id: x, private_key_file: key.pem, certificate_file: client.pem, authentication: tls_client_auth}",
        "{id: x, private_key_file: both.pem, certificate_file: both.pem, authentication: tls_client_auth}",
        "{id: x, private_key_file: p384.pem, authentication: tls_client_auth, certificate_file: client.pem}",
        "{token_file: token, authentication: bearer}",
        "{id: x, token_file: token, authentication: bearer}",
    ] {
        let expected = if text.contains("p384") {
            "client.certificate_file: the first certificate does not belong to the key of `private_key_file`; put the pair beside each other"
        } else {
            ""
        };
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn what_a_method_lacks_is_named_with_its_remedy() {
    let jwt = "authentication: private_key_jwt";
    let tls = "authentication: tls_client_auth";
    let rows = [
        (
            "{id: x, secret: short, authentication: client_secret_jwt}".to_owned(),
            "client.secret: `client_secret_jwt` signs with the secret, and HS256 needs 32 bytes or more; have a longer one generated (RFC 7518 section 3.2)",
        ),
        (
            "{id: x, secret_file: secret, authentication: client_secret_jwt}".to_owned(),
            "client.secret_file: `client_secret_jwt` signs with the secret, and HS256 needs 32 bytes or more; have a longer one generated (RFC 7518 section 3.2)",
        ),
        (
            format!("{{{jwt}}}"),
            "client.id: this key is required (unless `authentication: none` or `bearer`)\nclient.private_key_file: this key is required with `authentication: private_key_jwt`",
        ),
        (
            format!("{{id: x, {jwt}, private_key_file: nowhere}}"),
            "client.private_key_file: the file cannot be read (no such file)",
        ),
        (
            format!("{{id: x, {jwt}, private_key_file: client.pem}}"),
            "client.private_key_file: the file holds no PEM private key (PKCS#8, PKCS#1 or SEC1)",
        ),
        (
            format!("{{id: x, {jwt}, private_key_file: locked.pem}}"),
            "client.private_key_file: the private key is encrypted; decrypt it, as with `openssl pkey`",
        ),
        (
            format!("{{id: x, {jwt}, private_key_file: short.pem}}"),
            "client.private_key_file: the RSA key is too short; it needs 2048 bits or more",
        ),
        (
            format!("{{id: x, {jwt}, private_key_file: p384.pem}}"),
            "client.private_key_file: the private key is damaged or none of RSA, P-256 and Ed25519; make one of those",
        ),
        (
            format!("{{id: x, {tls}}}"),
            "client.private_key_file: this key is required with `authentication: tls_client_auth`\nclient.certificate_file: this key is required with `authentication: tls_client_auth`",
        ),
        (
            format!("{{id: x, {tls}, certificate_file: client.pem, private_key_file: other.pem}}"),
            "client.certificate_file: the first certificate does not belong to the key of `private_key_file`; put the pair beside each other",
        ),
        (
            format!("{{id: x, {tls}, certificate_file: key.pem, private_key_file: key.pem}}"),
            "client.certificate_file: the file holds no PEM certificate, or a damaged one",
        ),
        (
            "{authentication: bearer}".to_owned(),
            "client.token_file: this key is required with `authentication: bearer`",
        ),
        (
            "{authentication: bearer, token_file: tokens}".to_owned(),
            "client.token_file: the file holds no bearer token: one line of letters, digits and `-._~+/=` (RFC 6750 section 2.1)",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn keys_of_another_method_are_errors_that_name_it() {
    let rows = [
        (
            "{authentication: none, secret: x}",
            "client.secret: has no meaning with `authentication: none`; drop it, or write `authentication: client_secret_basic` or `authentication: client_secret_post` or `authentication: client_secret_jwt`",
        ),
        (
            "{id: x, private_key_file: key.pem}",
            "client.private_key_file: has no meaning with `authentication: client_secret_basic`; drop it, or write `authentication: private_key_jwt` or `authentication: tls_client_auth`",
        ),
        (
            "{token_file: token}",
            "client.id: this key is required (unless `authentication: none` or `bearer`)\nclient.token_file: has no meaning with `authentication: client_secret_basic`; drop it, or write `authentication: bearer`",
        ),
        (
            "{id: x, secret: y, authentication: private_key_jwt, private_key_file: key.pem}",
            "client.secret: has no meaning with `authentication: private_key_jwt`; drop it, or write `authentication: client_secret_basic` or `authentication: client_secret_post` or `authentication: client_secret_jwt`",
        ),
        (
            "{id: x, authentication: private_key_jwt, private_key_file: key.pem, certificate_file: client.pem}",
            "client.certificate_file: has no meaning with `authentication: private_key_jwt`; drop it, or write `authentication: tls_client_auth`",
        ),
        (
            "{id: x, secret: y, assertion_audience: endpoint}",
            "client.assertion_audience: has no meaning with `authentication: client_secret_basic`; drop it, or write `authentication: client_secret_jwt` or `authentication: private_key_jwt`",
        ),
        (
            "{id: x, secret: y, key_id: k}",
            "client.key_id: has no meaning with `authentication: client_secret_basic`; drop it, or write `authentication: private_key_jwt`",
        ),
        (
            "{id: x, authentication: private_key_jwt, private_key_file: key.pem, key_id: ''}",
            "client.key_id: empty; expected a text",
        ),
        (
            "{id: x, secret: y, authentication: private_key}",
            "client.authentication: probably `private_key_jwt` is meant; expected one of client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth, bearer, none",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(problems(text), expected, "{text}");
    }
}

/// Q03: a private key that others may read.
#[test]
fn key_that_everybody_may_read_is_a_warning() {
    struct Open(TestEnvironment);

    impl Environment for Open {
        fn variable(&self, name: &str) -> Option<std::ffi::OsString> {
            self.0.variable(name)
        }

        fn read_file(&self, path: &std::path::Path, limit: usize) -> std::io::Result<Vec<u8>> {
            self.0.read_file(path, limit)
        }

        fn has_file(&self, path: &std::path::Path) -> bool {
            self.0.has_file(path)
        }

        fn is_open_to_all(&self, path: &std::path::Path) -> bool {
            path.ends_with("key.pem")
        }
    }
    let text = "{id: x, private_key_file: key.pem, authentication: private_key_jwt}";
    assert_eq!(
        problems_in(text, &Open(environment())),
        "client.private_key_file: warning: every user of this machine may read this private key; take that permission away (mode 0600 or 0640)"
    );
}

#[test]
fn clients_have_what_their_authentication_needs() {
    let path = "authorization_servers.corp.client";
    super::expect(&[
        (client("{authentication: none}"), ""),
        (client("{authentication: none, id: x}"), ""),
        (client("{authentication: client_secret_post, id: x, secret: y}"), ""),
        (client("{id: x, secret_file: secret}"), ""),
        (
            client("{id: x}"),
            &format!(
                "{path}.secret: this key, or `secret_file`, is required (unless `authentication: none`)"
            ),
        ),
        (
            client("{secret: x}"),
            &format!("{path}.id: this key is required (unless `authentication: none` or `bearer`)"),
        ),
        (
            client("{id: x, secret: y, secret_file: secret}"),
            &format!(
                "{path}.secret_file: `secret` and `secret_file` stand beside each other; keep one"
            ),
        ),
        (client("{id: x, secret_file: empty}"), &format!("{path}.secret_file: the file is empty")),
        (
            client("{id: x, secret_file: nowhere}"),
            &format!("{path}.secret_file: the file cannot be read (no such file)"),
        ),
        (client("{id: x, secret: ''}"), &format!("{path}.secret: empty; expected a secret")),
        (
            client("{id: x, secret: 12}"),
            &format!("{path}.secret: expected a secret, found a number; quote it"),
        ),
        (client("null"), ""),
    ]);
}
