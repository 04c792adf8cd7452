//! Bodies that a server might read otherwise, case by case.

use super::*;

fn fault(body: &str) -> MessageFault {
    match Messages::read(body.as_bytes()) {
        Err(fault) => fault,
        Ok(messages) => panic!("{body} was read as {messages:?}"),
    }
}

fn assert_invalid(body: &str) {
    assert!(matches!(fault(body), MessageFault::Invalid(_)), "{body}: {:?}", fault(body));
}

fn one(body: &str) -> Message<'_> {
    match Messages::read(body.as_bytes()) {
        Ok(Messages::One(message)) => *message,
        other => panic!("{body}: {other:?}"),
    }
}

/// A request with these further members.
fn request(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,{members}}}"#)
}

#[test]
fn call_is_read() {
    let body = request(
        r#""method":"tools/call","params":{"name":"a","arguments":{"name":"b","x":[1]},
           "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":1}}"#,
    );
    let message = one(&body);
    assert_eq!(message.kind, MessageKind::Request);
    assert_eq!(message.id, Some("1"));
    assert_eq!(&body[message.id_span.unwrap()], "1");
    assert!(message.method.unwrap().is("tools/call"));
    assert!(message.params.name.unwrap().is("a"));
    assert_eq!(message.params.arguments, Some(r#"{"name":"b","x":[1]}"#));
    assert!(message.params.protocol_version.unwrap().is("2026-07-28"));
    assert!(message.params.uri.is_none());
}

#[test]
fn f01_f02_members_twice_are_refused() {
    for members in [
        r#""method":"a","method":"b""#,
        r#""method":"a","method":"a""#,
        r#""method":"a","params":{},"params":{}"#,
        r#""method":"a","id":1"#,
        r#""method":"a","jsonrpc":"2.0""#,
        r#""method":"a","params":{"name":"x","name":"y"}"#,
        r#""method":"a","params":{"uri":"x","uri":"x"}"#,
        r#""method":"a","params":{"_meta":{},"_meta":{}}"#,
        r#""method":"a","params":{"_meta":{"a":1,"a":2}}"#,
        r#""method":"a","params":{"arguments":{},"arguments":{}}"#,
        r#""method":"a","params":{"other":1,"other":2}"#,
        r#""method":"a","other":1,"other":2"#,
        r#""method":"a","params":{"ref":{"name":"x","name":"y"}}"#,
        r#""method":"a","params":{"notifications":{"resourceSubscriptions":[],"resourceSubscriptions":[]}}"#,
    ] {
        assert_invalid(&request(members));
    }
    // However many there are, and wherever the two stand.
    let many: Vec<String> = (0..40).map(|n| format!(r#""n{n}":{n}"#)).collect();
    one(&request(&format!(r#""method":"a",{}"#, many.join(","))));
    for again in [0, 7, 8, 9, 39] {
        let members = format!(r#""method":"a",{},"n{again}":1"#, many.join(","));
        assert_invalid(&request(&members));
    }
}

#[test]
fn f03_escaped_name_is_the_name_it_says() {
    assert!(one(&request(r#""\u006dethod":"a""#)).method.unwrap().is("a"));
    assert!(one(&request(r#""method":"tools\/call""#)).method.unwrap().is("tools/call"));
    // F04: twice, once escaped.
    assert_invalid(&request(r#""method":"a","\u006dethod":"b""#));
}

#[test]
fn f05_f06_f07_cve_2026_27896_look_alikes_are_refused() {
    for name in [
        "Method",
        "METHOD",
        "Params",
        "parameters\u{17f}",
        "param\u{17f}",
        "tool\u{17f}",
        "\u{212a}ey",
        r"method\u0000",
        "method ",
        " method",
        r"method\u200b",
        r"\ufeffmethod",
        "m\u{e9}thod",
    ] {
        assert_invalid(&request(&format!(r#""method":"a","{name}":"b""#)));
        assert_invalid(&request(&format!(r#""{name}":"b""#)));
    }
    for name in ["Name", "NAME", r"name\u0000", "URI", "Arguments", "_Meta", "na\u{301}me"] {
        assert_invalid(&request(&format!(r#""method":"a","params":{{"name":"x","{name}":"y"}}"#)));
        assert_invalid(&request(&format!(r#""method":"a","params":{{"{name}":"y"}}"#)));
    }
    for name in ["_name", "na_me", "n-a-m-e", "U_RI", "meta", "__proto__"] {
        assert_invalid(&request(&format!(r#""method":"a","params":{{"{name}":"y"}}"#)));
    }
    let snake = r#"{"resource_subscriptions":["a:b"]}"#;
    assert_invalid(&request(&format!(r#""method":"a","params":{{"notifications":{snake}}}"#)));
    let upper = PROTOCOL_VERSION.to_uppercase();
    assert_invalid(&request(&format!(r#""method":"a","params":{{"_meta":{{"{upper}":"x"}}}}"#)));
}

#[test]
fn f08_arguments_are_left_alone() {
    let message = request(
        r#""method":"tools/call","params":{"name":"x","arguments":{"é":1,"Name":2,"a":1,"a":2}}"#,
    );
    assert_eq!(one(&message).params.arguments, Some(r#"{"é":1,"Name":2,"a":1,"a":2}"#));
}

#[test]
fn f09_f10_arrays_are_batches_of_objects_or_nothing() {
    for body in [
        r#"["2.0","tools/call",{"name":"x"},1]"#,
        "[]",
        "[[]]",
        r#"[[{"jsonrpc":"2.0","method":"a"}]]"#,
        r#"[{"jsonrpc":"2.0","method":"a"},1]"#,
        "1",
        "\"a\"",
        "null",
    ] {
        assert_invalid(body);
    }
    let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"a"}"#; MAX_BATCH + 1].join(","));
    assert_invalid(&many);
    let two = r#" [ {"jsonrpc":"2.0","method":"a"} , {"jsonrpc":"2.0","id":"x","method":"b"} ] "#;
    let messages = Messages::read(two.as_bytes()).unwrap();
    assert!(matches!(messages, Messages::Batch(_)));
    let ids: Vec<_> = messages.iter().map(|message| message.id).collect();
    assert_eq!(ids, [None, Some("\"x\"")]);
}

#[test]
fn f12_f13_f14_kinds_are_told_apart() {
    let kind = |body| one(body).kind;
    assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"a"}"#), MessageKind::Notification);
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), MessageKind::Response);
    assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#), MessageKind::Response);
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        "{}",
    ] {
        assert_invalid(body);
    }
}

#[test]
fn f17_f19_parameters_of_the_wrong_type_are_refused() {
    for params in [
        r#"["delete",{}]"#,
        r#""x""#,
        "1",
        "null",
        r#"{"name":1}"#,
        r#"{"name":null}"#,
        r#"{"name":["a"]}"#,
        r#"{"name":{}}"#,
        r#"{"uri":7}"#,
        r#"{"ref":"x"}"#,
        r#"{"ref":{"name":1}}"#,
        r#"{"_meta":[]}"#,
        r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}"#,
        r#"{"notifications":{"resourceSubscriptions":"x"}}"#,
        r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
    ] {
        assert_invalid(&request(&format!(r#""method":"a","params":{params}"#)));
    }
}

#[test]
fn f20_f21_what_is_not_json_is_told_from_what_is_no_request() {
    let message = r#"{"jsonrpc":"2.0","method":"a"}"#;
    for body in [
        format!("{message} {message}"),
        format!("{message}\n{message}"),
        format!("{message}\0"),
        format!("{message} // c"),
        r#"{"jsonrpc":"2.0","method":"a",}"#.to_owned(),
        format!("\u{feff}{message}"),
        r#"{"jsonrpc":"2.0","method":"\ud800"}"#.to_owned(),
        String::new(),
    ] {
        assert!(matches!(fault(&body), MessageFault::NotJson(_)), "{body}");
    }
    let utf16: Vec<u8> = message.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // As UTF-8 that is text with NULs in it.
    assert!(matches!(Messages::read(&utf16), Err(MessageFault::NotJson(_))));
    let overlong = b"{\"jsonrpc\":\"2.0\",\"method\":\"\xc0\xae\"}";
    assert!(matches!(Messages::read(overlong), Err(MessageFault::NotUtf8)));
}

#[test]
fn f22_f23_depth_and_size_cost_no_stack() {
    let deep = "[".repeat(100_000);
    assert_invalid(&request(&format!(r#""method":"a","params":{{"arguments":{deep}"#)));
    let many: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = request(&format!(r#""method":"a","params":{{{}}}"#, many.join(",")));
    assert_eq!(one(&body).kind, MessageKind::Request);
}

#[test]
fn f24_ids_are_strings_or_integers_and_keep_their_text() {
    for id in ["0", "-7", "123456789012345678901234567890", r#""""#, r#""\u0041""#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id": {id} ,"method":"a"}}"#);
        assert_eq!(one(&body).id, Some(id));
    }
    for id in ["null", "1.5", "1e2", "1.0", "true", "{}", "[]", "[1]"] {
        assert_invalid(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"a"}}"#));
    }
}

#[test]
fn f25_other_versions_of_json_rpc_are_refused() {
    for version in [r#""1.0""#, "2.0", "null", r#""2""#, r#""2.0 ""#] {
        assert_invalid(&format!(r#"{{"jsonrpc":{version},"id":1,"method":"a"}}"#));
    }
    assert_invalid(r#"{"id":1,"method":"a"}"#);
}

#[test]
fn what_names_an_object_elsewhere_is_read_too() {
    let body = request(
        r#""method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}"#,
    );
    let reference = one(&body).params.reference.unwrap();
    assert!(reference.kind.unwrap().is("ref/prompt"));
    assert!(reference.name.unwrap().is("p"));
    let body = request(
        r#""method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b","c:d"]}}"#,
    );
    let uris: Vec<String> =
        one(&body).params.subscriptions.iter().map(|uri| uri.value().into_owned()).collect();
    assert_eq!(uris, ["a:b", "c:d"]);
}

#[test]
fn members_are_read_as_written() {
    let found = members(r#"{"format":"csv","n":1.0}"#, &["format"]).unwrap().unwrap();
    assert_eq!(found.get("n"), Some(&"1.0"));
    assert!(members("[1]", &[]).unwrap().is_none());
    assert!(members(r#"{"a":1,"a":2}"#, &[]).is_err());
    for name in [
        "Format",
        "format ",
        r"format\u0000",
        r"\ufeffformat",
        "forma\u{200b}t",
        "\u{212a}ind",
        "kind\u{17f}",
    ] {
        let text = format!(r#"{{"{name}":1}}"#);
        assert!(members(&text, &["format", "kind", "kinds"]).is_err(), "{name}");
    }
}
