//! The grammar, case by case, and agreement with a full parser on whatever strings come.

use super::*;

fn scan(text: &str) -> Result<(), Fault> {
    let mut scanner = Scanner::new(text);
    scanner.skip_value()?;
    scanner.end()
}

#[test]
fn json_is_json() {
    for text in [
        "0",
        "-0",
        "1.5e+10",
        "1E-2",
        "123456789012345678901234567890",
        "1e400",
        r#""""#,
        r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀""#,
        "true",
        "false",
        "null",
        "[]",
        "[ ]",
        "[[],{}]",
        "{}",
        r#" { "a" : [ 1 , { "b" : null } ] , "" : -1 } "#,
    ] {
        assert_eq!(scan(text), Ok(()), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "trueX",
        "nul",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        "{1:2}",
        "{'a':1}",
        r#"{"a":1"#,
        r#"{"a":[1}"#,
        r#"[{"a":1]"#,
        "\"a\nb\"",
        "\"a\u{0}b\"",
        "\"a\u{1f}\"",
        r#""\x""#,
        r#""\u12g4""#,
        r#""\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""abc"#,
        "1 2",
        "{} {}",
        "// c\n1",
        "\u{feff}1",
        "\u{a0}1",
        "",
        " ",
    ] {
        assert!(scan(text).is_err(), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "the case is wrong");
    }
}

#[test]
fn depth_is_bounded_in_every_shape() {
    let nested = |depth: usize, open: &str, close: &str| {
        scan(&(open.repeat(depth) + "1" + &close.repeat(depth)))
    };
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":["#, "]}]")] {
        let each = open.matches(['[', '{']).count();
        let most = MAX_DEPTH as usize / each;
        assert_eq!(nested(most, open, close), Ok(()), "{open}");
        assert_eq!(nested(most + 1, open, close), Err(Fault::Depth), "{open}");
        assert_eq!(nested(100_000, open, close), Err(Fault::Depth), "{open}");
    }
}

#[test]
fn special_bytes_are_found_at_every_place() {
    for special in ["\"", "\\", "\u{0}", "\u{1f}", "\n"] {
        for before in 0..40 {
            // Bytes that differ from a special one in a single bit, and from 0x80.
            for filler in ["#", "!", "]", " ", "\u{ff}", "\u{7f}"] {
                let text = filler.repeat(before);
                let length = plain_length(format!("{text}{special}\"tail").as_bytes());
                assert_eq!(length, text.len(), "{filler:?} {special:?}");
            }
        }
    }
    assert_eq!(plain_length(b"abcdefghij"), 10);
}

#[test]
fn strings_say_what_a_full_parser_says() {
    for text in [
        r#""""#,
        r#""plain""#,
        r#""\u0041\n\ud83d\ude00 tail\\""#,
        r#""\u00e9\/""#,
        r#""\\u0041""#,
        r#""é\té""#,
    ] {
        let read = Scanner::new(text).string().unwrap();
        let full: String = serde_json::from_str(text).unwrap();
        assert_eq!(read.value(), full, "{text}");
        assert!(read.is(&full));
        assert!(!read.is("other"));
        if let Some(span) = read.span() {
            assert_eq!(text[span], full);
        }
    }
}

#[test]
fn members_and_elements_come_in_order() {
    let mut seen = Vec::new();
    let mut scanner = Scanner::new(r#" {"a":1,"b" : [true, "x" ],"\u0063":{}} "#);
    scanner
        .object(|scanner, name| -> Result<(), Fault> {
            if name.is("b") {
                scanner.array(|scanner| {
                    seen.push(scanner.value()?.to_owned());
                    Ok::<_, Fault>(())
                })
            } else {
                seen.push(format!("{}={}", name.value(), scanner.value()?));
                Ok(())
            }
        })
        .unwrap();
    assert_eq!(seen, ["a=1", "true", "\"x\"", "c={}"]);
    assert_eq!(scanner.end(), Ok(()));
}

#[test]
fn halves_of_pairs_pass_where_they_are_asked_for_and_nothing_is_read_there() {
    let skip = |mut scanner: Scanner<'_>| scanner.skip_value().and_then(|()| scanner.end());
    for text in [r#""\ud83d""#, r#"{"a":["\udc00x","\ud800\u0041"]}"#] {
        assert_eq!(skip(Scanner::new(text)), Err(Fault::Syntax), "{text}");
        assert_eq!(skip(Scanner::passing_halves(text)), Ok(()), "{text}");
    }
    assert!(skip(Scanner::passing_halves(r#""\ud83""#)).is_err());
    assert!(Scanner::passing_halves(r#""\ud83d""#).string().is_err());
    assert!(skip(Scanner::passing_halves(r#"{"\ud83d":1}"#)).is_err());
}
