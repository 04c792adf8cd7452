use super::*;

const TRUSTED: &str = "10.0.0.1";

fn read_fields(fields: &[(&str, &str)], peer: &str) -> Result<Option<Way>, Inadmissible> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    read(&headers, peer.parse().unwrap(), &trusted).map(|way| way.map(|way| *way))
}

/// Client, chain and scheme.
fn told(fields: &[(&str, &str)]) -> (String, Option<String>, Option<String>) {
    let way = read_fields(fields, TRUSTED).unwrap_or_else(|why| panic!("{fields:?}: {why}"));
    let way = way.unwrap();
    let scheme = way.scheme.map(|scheme| scheme.to_str().unwrap().to_owned());
    (way.client.to_string(), way.chain, scheme)
}

#[test]
fn nobody_but_a_trusted_proxy_is_read() {
    for (name, value) in
        [("forwarded", "for=9.9.9.9"), ("forwarded", "="), ("x-forwarded-for", "9.9.9.9")]
    {
        assert_eq!(read_fields(&[(name, value)], "192.0.2.1"), Ok(None), "{name}: {value}");
    }
}

#[test]
fn client_is_the_rightmost_that_is_no_trusted_proxy() {
    for (value, client) in [
        ("9.9.9.9", "9.9.9.9"),
        ("8.8.8.8, 9.9.9.9", "9.9.9.9"),
        ("8.8.8.8,9.9.9.9 , 10.2.3.4", "9.9.9.9"),
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("::ffff:10.1.1.1", "10.1.1.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:80, fd00::1", "2001:db8::1"),
        ("9.9.9.9:8080", "9.9.9.9"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("9.9.9.9, garbage", TRUSTED),
        ("9.9.9.9, unknown, 10.5.5.5", "10.5.5.5"),
        ("9.9.9.9,", TRUSTED),
        ("", TRUSTED),
    ] {
        let (found, chain, _) = told(&[("x-forwarded-for", value)]);
        assert_eq!((found.as_str(), chain.as_deref()), (client, Some(value)), "{value}");
    }
    assert_eq!(told(&[]), (TRUSTED.to_owned(), None, None));
}

#[test]
fn forwarded_says_the_same_in_its_own_words() {
    for (value, client, chain, scheme) in [
        ("for=9.9.9.9", "9.9.9.9", "9.9.9.9", None),
        ("For=9.9.9.9;PROTO=HTTPS", "9.9.9.9", "9.9.9.9", Some("https")),
        ("for=\"9.9.9.9:4711\";by=_a;host=\"x:1\"", "9.9.9.9", "9.9.9.9", None),
        ("for=\"[2001:db8::1]\"", "2001:db8::1", "2001:db8::1", None),
        ("for=\"[2001:db8::1]:_port\"", "2001:db8::1", "2001:db8::1", None),
        ("for=\"[::ffff:9.9.9.9]\"", "9.9.9.9", "9.9.9.9", None),
        (
            "for=8.8.8.8;proto=http, for=9.9.9.9;proto=https",
            "9.9.9.9",
            "8.8.8.8, 9.9.9.9",
            Some("https"),
        ),
        (
            "for=9.9.9.9;proto=https,for=10.2.2.2;proto=http",
            "9.9.9.9",
            "9.9.9.9, 10.2.2.2",
            Some("https"),
        ),
        ("for=9.9.9.9, for=unknown;proto=https", TRUSTED, "9.9.9.9, unknown", Some("https")),
        ("for=9.9.9.9, for=\"_hidden:_p\"", TRUSTED, "9.9.9.9, _hidden", None),
        ("for=9.9.9.9, for=_hidden, for=10.2.2.2", "10.2.2.2", "9.9.9.9, _hidden, 10.2.2.2", None),
        ("proto=https", TRUSTED, "unknown", Some("https")),
        ("proto=gopher;for=9.9.9.9", "9.9.9.9", "9.9.9.9", None),
        (";for=9.9.9.9;;secret=\"a,b;for=\\\"x\"", "9.9.9.9", "9.9.9.9", None),
        ("for=UNKNOWN \t,\t for=9.9.9.9", "9.9.9.9", "unknown, 9.9.9.9", None),
    ] {
        let (found, told_chain, told_scheme) = told(&[("forwarded", value)]);
        assert_eq!(found, client, "{value}");
        assert_eq!(told_chain.as_deref(), Some(chain), "{value}");
        assert_eq!(told_scheme.as_deref(), scheme, "{value}");
    }
    let lines = [("forwarded", "for=8.8.8.8"), ("forwarded", "for=9.9.9.9")];
    assert_eq!(told(&lines).0, "9.9.9.9");
}

#[test]
fn forwarded_that_breaks_its_grammar_is_refused() {
    for value in [
        "",
        ",",
        ";",
        "for",
        "for=",
        "=9.9.9.9",
        "for=9.9.9.9,",
        "for=9.9.9.9,,for=9.9.9.9",
        "for=9.9.9.9; proto=https",
        "for= 9.9.9.9",
        "for =9.9.9.9",
        "for=9.9.9.9 proto=https",
        "for=9.9.9.9;for=8.8.8.8",
        "for=9.9.9.9;FOR=9.9.9.9",
        "for=9.9.9.9:80",
        "for=2001:db8::1",
        "for=[2001:db8::1]",
        "for=\"2001:db8::1\"",
        "for=\"[2001:db8::1\"",
        "for=\"[2001:db8::1]x\"",
        "for=\"[fe80::1%eth0]\"",
        "for=\"[9.9.9.9]\"",
        "for=\"9.9.9.9",
        "for=\"9.9.9.9\"x",
        "for=\"9.9.9.9:\"",
        "for=\"9.9.9.9:65536\"",
        "for=\"9.9.9.9:+80\"",
        "for=\" 9.9.9.9\"",
        "for=\"9.9.9\\.9\"",
        "for=09.9.9.9",
        "for=9.9.9",
        "for=localhost",
        "for=_",
        "for=\"_a b\"",
        "for=\"\"",
        "proto=\"\"",
        "proto=\"ht tp\"",
        "proto=1http",
        "x=\"\u{e9}\"",
        "for=9.9.9.9\u{e9}",
    ] {
        let refused = read_fields(&[("forwarded", value)], TRUSTED);
        assert_eq!(refused, Err(Inadmissible::Field("forwarded")), "{value}");
        let good = ("forwarded", "for=9.9.9.9");
        assert!(read_fields(&[("forwarded", value), good], TRUSTED).is_err(), "{value}");
    }
    let many: Vec<String> = (0..17).map(|n| format!("x{n}=1")).collect();
    assert!(read_fields(&[("forwarded", &many.join(";"))], TRUSTED).is_err());
    assert!(read_fields(&[("forwarded", &many[1..].join(";"))], TRUSTED).is_ok());
}

#[test]
fn both_must_agree() {
    let agreeing =
        [("x-forwarded-for", "8.8.8.8, 9.9.9.9"), ("forwarded", "for=9.9.9.9;proto=https")];
    let chain = Some("8.8.8.8, 9.9.9.9".to_owned());
    assert_eq!(told(&agreeing), ("9.9.9.9".to_owned(), chain, Some("https".to_owned())));
    for (listed, told) in [
        ("9.9.9.9", "for=8.8.8.8"),
        ("9.9.9.9", "for=unknown"),
        ("garbage", "for=8.8.8.8"),
        ("9.9.9.9", "for=9.9.9.9, for=8.8.8.8"),
        ("9.9.9.9, 8.8.8.8", "for=9.9.9.9"),
        ("9.9.9.9", "proto=https"),
    ] {
        let fields = [("x-forwarded-for", listed), ("forwarded", told)];
        let refused = read_fields(&fields, TRUSTED);
        assert_eq!(refused, Err(Inadmissible::Field(TWO_CLIENTS)), "{listed} | {told}");
    }
    let schemes = [("x-forwarded-proto", "http"), ("forwarded", "proto=https")];
    assert_eq!(read_fields(&schemes, TRUSTED), Err(Inadmissible::Field(TWO_SCHEMES)));
    for odd in ["gopher", "https, http", ""] {
        let schemes = [("x-forwarded-proto", odd), ("forwarded", "proto=https")];
        assert_eq!(told(&schemes).2.as_deref(), Some("https"), "{odd}");
        assert_eq!(told(&schemes[..1]).2, None, "{odd}");
    }
    let twice = [("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")];
    assert_eq!(told(&twice).2, None);
}

#[test]
fn unreadable_lists_are_refused() {
    let fields = [("x-forwarded-for", "\u{e9}, 9.9.9.9")];
    assert_eq!(read_fields(&fields, TRUSTED), Err(Inadmissible::Field("x-forwarded-for")));
}
