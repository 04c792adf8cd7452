//! Which spellings are refused, which one is named instead, and what the others may be read as.

use super::*;

#[test]
fn what_may_be_read_in_two_ways_is_not_plain() {
    for uri in [
        "note://x/a%25b",
        "note://x/team%253Aops",
        "file:///C|/x",
        "file:///c|",
        "file:///C%7C/x",
        "file://a@b/secret",
        "file%3A///secret",
        "note://x/%C0%AF",
        "note://x/%FF",
        "note://x/%C2%85",
        "note://x/payroll%20",
        "file:///a/..;x/b",
        "file:///a/..%20/b",
        "file:///a/..%3Bx/b",
        "https://h%3A443/x",
        "note://notes%3A/x",
        "note://%40notes/x",
        "%20note://notes/x",
        &format!("note://{}", "x".repeat(MAX_BYTES)),
    ] {
        assert!(!is_plain(uri), "{uri}");
    }
    for uri in [
        "note://notes/team%3Aops",
        "note://notes/pay%28roll%29",
        "file:///C:/x",
        "file:///C%3A/x",
        "file:///ab%7C/x",
        "note://a|/x",
        "file:///x#a",
        "https://{host}:{port}/x",
        "note://x?q=%20",
        "note://%C3%A9/x",
        "note://a%3Ab/%C3%A9",
        "note://x%3A1?q",
        "urn:a%3Ab",
        "note://x#a%20",
        "a/b%3Ac",
    ] {
        assert!(is_plain(uri), "{uri}");
    }
}

#[test]
fn plain_form_is_named_where_there_is_one() {
    for (uri, expected) in [
        ("https://Example.com/secret", Some("https://example.com/secret")),
        ("FILE:///x", Some("file:///x")),
        ("file:///a/../b", Some("file:///b")),
        ("file:///a%2ftop", Some("file:///a/top")),
        ("note://x/%c3%a9%61", Some("note://x/%C3%A9a")),
        ("https://h", Some("https://h/")),
        ("file:/x", Some("file:///x")),
        ("note://x/%", None),
        ("note://x/%25", None),
        ("note://x/%FF", None),
    ] {
        assert_eq!(plain(uri).as_deref(), expected, "{uri}");
    }
}

#[test]
fn readings_are_those_of_servers() {
    for (uri, readings) in [
        ("note://notes/team%3Aops", &["note://notes/team:ops"][..]),
        ("note://notes/a#b", &["note://notes/a"]),
        ("note://notes/a%23b", &["note://notes/a#b", "note://notes/a"]),
        ("note://N?q=a+b%2Bc", &["note://N?q=a+b+c", "note://n?q=a b%2Bc", "note://n?q=a b c"]),
        ("file:///secret?a#b", &["file:///secret?a", "file:///secret"]),
        ("file:///secret#a?b", &["file:///secret"]),
        ("file:///secret%3Fa", &["file:///secret?a", "file:///secret"]),
        ("file://host//secret/", &["file:///secret"]),
        ("file:///C%3A/x%20y?z", &["file:///C:/x y"]),
        // What nobody sends, but servers list.
        ("FILE:///a/../secret", &["file:///secret"]),
        ("https://H/%2525", &["https://h/%25"]),
    ] {
        let all = spellings(uri);
        assert_eq!(all[0], uri);
        for reading in readings {
            assert!(all.contains(&Cow::Borrowed(reading)), "{uri} as {reading}: {all:?}");
        }
    }
    assert_eq!(spellings("note://x/a"), ["note://x/a"]);
    assert_eq!(spellings("note://x?a"), ["note://x?a"]);
    assert_eq!(spellings("plain"), ["plain"]);
    assert_eq!(spellings("file:///"), ["file:///"]);
    // However much may be left out of it, it is compared a few times only.
    let worst = "FILE://H//a%3Fb%23c+d/?e+%23f?#g%23h+/";
    assert!(spellings(worst).len() <= 64, "{}", spellings(worst).len());
}
