//! Certificate, key and client authorities, judged together.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

fn certificate(year: i32) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["mcp.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key)
}

fn material(certificate: &str, key: &str, client_ca: Option<&str>) -> TlsMaterial {
    let private_key = PrivateKeyPem::new(key.as_bytes()).unwrap();
    let identity = TlsIdentity { certificates: certificate.as_bytes().into(), private_key };
    TlsMaterial { identity, client_ca: client_ca.map(|pem| pem.as_bytes().into()) }
}

#[test]
fn pair_is_usable_until_its_certificate_ends() {
    let (pem, key) = certificate(2030);
    let material = material(&pem, &key.serialize_pem(), Some(&pem));
    let usable = material.judge(NEW_YEAR_2030 - 1.0).unwrap();
    assert_eq!((usable.expires, usable.key.cert.len()), (1_893_456_000, 1));
    assert_eq!(usable.client_authorities.unwrap().len(), 1);
    let expired = material.judge(NEW_YEAR_2030).unwrap_err();
    assert_eq!(
        (expired.to_string().as_str(), expired.label(), expired.file()),
        (
            "the certificate ended on Tue, 01 Jan 2030 00:00:00 GMT; renew it",
            "expired",
            TlsFile::Certificate
        )
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    let ((pem, key), (other, _)) = (certificate(2030), certificate(2030));
    let key = key.serialize_pem();
    for (certificate, client_ca, label, file) in [
        (other.as_str(), None, "mismatch", TlsFile::Certificate),
        ("", None, "damaged", TlsFile::Certificate),
        (&key, None, "damaged", TlsFile::Certificate),
        (&pem, Some(""), "damaged", TlsFile::ClientCa),
        (&pem, Some(key.as_str()), "damaged", TlsFile::ClientCa),
    ] {
        let why = material(certificate, &key, client_ca).judge(0.0).unwrap_err();
        assert_eq!((why.label(), why.file()), (label, file), "{why}");
    }
}

const NEW_YEAR_2030: f64 = 1_893_456_000.0;
