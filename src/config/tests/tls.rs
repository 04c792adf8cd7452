//! `listen.tls`: each file alone, and what they are together.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::{MINIMAL, TestEnvironment};
use crate::config::{Loaded, Problem, parse};

/// A certificate and its key, in PEM.
pub(super) fn pair() -> (String, String) {
    pair_until(2100)
}

fn pair_until(year: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["mcp.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn read(tls: &str, files: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let mut environment = TestEnvironment::default();
    for (path, text) in files {
        environment = environment.with_file(path, text.as_bytes());
    }
    parse("etc/g.yaml", &format!("{MINIMAL}listen:\n  tls: {tls}\n"), &environment)
}

#[test]
fn files_are_named_relative_to_the_configuration() {
    let (certificate, key) = pair();
    let files = [("etc/tls.crt", &*certificate), ("/k/tls.key", &*key)];
    let loaded = read("{certificate: tls.crt, private_key: /k/tls.key}", &files).unwrap();
    let tls = loaded.settings.listen.tls.unwrap();
    assert_eq!(tls.certificate, std::path::Path::new("etc/tls.crt"));
    assert_eq!(tls.private_key, std::path::Path::new("/k/tls.key"));
    assert_eq!((tls.client_ca, tls.require_client_certificate), (None, false));
    assert!(!format!("{:?}", tls.material).contains("PRIVATE KEY"));
    assert!(read("null", &[]).unwrap().settings.listen.tls.is_none());
}

/// R03, R04: nothing starts with files that do not do what was asked for.
#[test]
fn files_that_cannot_be_used_are_errors_with_their_places() {
    let ((certificate, key), (other, _), (old, old_key)) = (pair(), pair(), pair_until(2020));
    let pem = |name: &str| match name {
        "good" => certificate.as_str(),
        "key" => key.as_str(),
        "other" => other.as_str(),
        "old" => old.as_str(),
        "old key" => old_key.as_str(),
        _ => "",
    };
    for (tls, [c, k, ca], expected) in MISFITS {
        let files = [("/c", pem(c)), ("/k", pem(k)), ("/ca", pem(ca))];
        let problems = read(&format!("{{certificate: {tls}}}"), &files).unwrap_err();
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(
            format!("{}: {}", problem.path, problem.message),
            format!("listen.tls.{expected}")
        );
        assert!(problem.line > 0, "{problem:?}");
    }
}

/// Keys, what stands in `/c`, `/k` and `/ca`, and what is wrong.
const MISFITS: &[(&str, [&str; 3], &str)] = &[
    (
        "/c, private_key: /k",
        ["other", "key", ""],
        "certificate: the first certificate does not belong to the key of `private_key`; put the pair beside each other",
    ),
    (
        "/c, private_key: /k",
        ["old", "old key", ""],
        "certificate: the certificate ended on Wed, 01 Jan 2020 00:00:00 GMT; renew it",
    ),
    (
        "/c, private_key: /k",
        ["key", "key", ""],
        "certificate: the file holds no PEM certificate, or a damaged one",
    ),
    (
        "/c, private_key: /k",
        ["good", "good", ""],
        "private_key: the file holds no PEM private key (PKCS#8, PKCS#1 or SEC1)",
    ),
    (
        "/c, private_key: /none",
        ["good", "key", ""],
        "private_key: the file cannot be read (no such file)",
    ),
    (
        "/none, private_key: /k",
        ["good", "key", ""],
        "certificate: the file cannot be read (no such file)",
    ),
    (
        "/c, private_key: /k, client_ca: /ca",
        ["good", "key", ""],
        "client_ca: the file holds no PEM certificate, or a damaged one",
    ),
    (
        "/c, private_key: /k, client_ca: /none",
        ["good", "key", ""],
        "client_ca: the file cannot be read (no such file)",
    ),
    (
        "/c, private_key: /k, require_client_certificate: true",
        ["good", "key", ""],
        "require_client_certificate: names nobody whose clients to accept; name the authorities in `client_ca`",
    ),
];
