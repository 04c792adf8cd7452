use super::*;

fn at(body: &str) -> Glance {
    Glance::at(&Bytes::copy_from_slice(body.as_bytes()))
}

fn seen(glance: &Glance) -> (Option<&str>, Option<&str>, Option<&str>) {
    (glance.id(), glance.method(), glance.name())
}

#[test]
fn glance_reads_id_method_and_name() {
    let glance = at(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"name":"y"}}}"#,
    );
    assert_eq!(seen(&glance), (Some("1"), Some("tools/call"), Some("x")));
    let glance = at(r#"{"id":"a\"b","method":"resources\/read","params":{"uri":"n:\u002f"}}"#);
    assert_eq!(seen(&glance), (Some(r#""a\"b""#), Some("resources/read"), Some("n:/")));
}

#[test]
fn glance_keeps_the_text_of_an_id() {
    for id in ["1e2", "-0", "123456789012345678901234567890", "1.50", r#""\u0041""#] {
        assert_eq!(at(&format!(r#"{{"id": {id} ,"method":"ping"}}"#)).id(), Some(id));
    }
    for id in ["null", "true", "{}", "[1]"] {
        assert_eq!(at(&format!(r#"{{"id":{id},"method":"ping"}}"#)).id(), None);
    }
}

#[test]
fn glance_at_something_ambiguous_is_empty() {
    for body in [
        r#"{"id":1,"id":2,"method":"ping"}"#,
        r#"{"id":1,"method":"a","\u006dethod":"b"}"#,
        r#"[{"id":1,"method":"ping"}]"#,
        r#"["2.0","tools/call",{"name":"x"},1]"#,
        r#"{"id":1,"method":"ping"} {}"#,
        r#"{"id":1,"method":"ping""#,
        "",
        "\u{feff}{}",
    ] {
        assert_eq!(seen(&at(body)), (None, None, None), "{body}");
    }
    assert_eq!(Glance::at(&Bytes::from_static(b"{\"id\":1,\"a\":\"\xff\"}")).id(), None);
}

#[test]
fn odd_members_empty_only_themselves() {
    for (body, method) in [
        (r#"{"id":1,"method":"a","params":{"name":"x","name":"y"}}"#, Some("a")),
        (r#"{"id":1,"method":"a","params":{"name":"x","uri":"y"}}"#, Some("a")),
        (r#"{"id":1,"method":"a","params":{"name":5}}"#, Some("a")),
        (r#"{"id":1,"method":"a","params":"s"}"#, Some("a")),
        (r#"{"id":1,"method":"a","params":-1.5}"#, Some("a")),
        (r#"{"id":1,"method":7}"#, None),
    ] {
        assert_eq!(seen(&at(body)), (Some("1"), method, None), "{body}");
    }
}

#[test]
fn trace_context_stands_in_meta_alone_and_once() {
    let found = |params: &str| {
        let glance = at(&format!(r#"{{"id":1,"method":"a","params":{params}}}"#));
        assert_eq!(glance.method(), Some("a"), "{params}");
        (glance.traceparent().map(str::to_owned), glance.tracestate().map(str::to_owned))
    };
    let is = |parent: Option<&str>, state: Option<&str>| {
        (parent.map(str::to_owned), state.map(str::to_owned))
    };
    let both = r#"{"_meta":{"progressToken":1,"traceparent":"p","tracestate":"\u0073"}}"#;
    assert_eq!(found(both), is(Some("p"), Some("s")));
    assert_eq!(found(r#"{"_meta":{"traceparent":5,"tracestate":"s"}}"#), is(None, Some("s")));
    for nothing in [
        r#"{"traceparent":"p"}"#,
        r#"{"arguments":{"_meta":{"traceparent":"p"}}}"#,
        r#"{"_meta":{"x":{"traceparent":"p"}}}"#,
        r#"{"_meta":"traceparent"}"#,
        r#"{"_meta":{"traceparent":"p","traceparent":"q","tracestate":"s"}}"#,
        r#"{"_meta":{"traceparent":"p"},"_meta":{"traceparent":"p"}}"#,
    ] {
        assert_eq!(found(nothing), is(None, None), "{nothing}");
    }
}

#[test]
fn glance_at_a_prefix_has_no_id() {
    let prefix = r#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":"bé"#;
    for cut in [0, 1] {
        let bytes = Bytes::copy_from_slice(&prefix.as_bytes()[..prefix.len() - cut]);
        let glance = Glance::at_prefix(&bytes);
        assert_eq!(seen(&glance), (None, Some("tools/call"), Some("x")));
    }
    // The whole message may have come before what is cut off.
    for behind in ["", "  \n"] {
        let whole = format!("{prefix}\"}}}}}}{behind}");
        let glance = Glance::at_prefix(&Bytes::from(whole.into_bytes()));
        assert_eq!(seen(&glance), (None, Some("tools/call"), Some("x")));
    }
    for wrong in [r#"{"method":"a" "b"#, r#"{"method":"a"}{"#, r#"{"method":"a",x"#] {
        let wrong = Bytes::copy_from_slice(wrong.as_bytes());
        assert_eq!(seen(&Glance::at_prefix(&wrong)), (None, None, None));
    }
}

#[test]
fn only_another_method_that_everybody_reads_alike_rules_a_subscription_out() {
    for (body, may_be_listening) in [
        (r#"{"id":1,"method":"tools/call","params":{"method":"subscriptions/listen"}}"#, false),
        (r#"{"id":1,"result":{},"methods":1,"x":"method"}"#, false),
        (r#"{"id":1,"method":"subscriptions/listens"}"#, false),
        ("{}", false),
        (r#"{"id":1,"method":"subscriptions/listen"}"#, true),
        (r#"{"id":1,"method":" Subscriptions\/listen"}"#, true),
        (r#"{"id":1,"method":7}"#, true),
        (r#"{"id":1,"method":"ping","Method":1}"#, true),
        (r#"{"id":1,"method":"ping","_method_":1}"#, true),
        (r#"{"id":1,"meth\u006fd":"ping"}"#, true),
        (r#"{"id":1,"method":"ping","\u0078":1}"#, true),
        (r#"{"id":1,"method":"ping","method":"ping"}"#, true),
        (r#"{"id":1,"method":"ping","id":1}"#, true),
        (r#"[{"id":1,"method":"ping"}]"#, true),
        (r#"{"id":1,"method":"ping"}x"#, true),
        (r#"{"id":1,"method":"ping""#, true),
        ("method", true),
    ] {
        assert_eq!(at(body).may_be_listening(), may_be_listening, "{body}");
    }
    assert!(Glance::at(&Bytes::from_static(b"{\"\xff\":1}")).may_be_listening());
    assert!(!Glance::default().may_be_listening(), "no body asks for nothing");
}

#[test]
fn prefix_rules_a_subscription_out_where_it_has_the_method() {
    for (prefix, may_be_listening) in [
        (r#"{"method":"ping","params":{"x":"#, false),
        (r#"{"id":1,"method":"ping"}  "#, false),
        (r#"{"id":1,"method":"pin"#, true),
        (r#"{"id":1,"params":{"method":"ping","x":"#, true),
        (r#"{"method":"subscriptions/listen","params":{"x":"#, true),
        (r#"{"method":"ping","x":[1}"#, true),
        (r#"{"method":"ping"} {"#, true),
        (r#"[{"method":"ping","x":"#, true),
    ] {
        let glance = Glance::at_prefix(&Bytes::copy_from_slice(prefix.as_bytes()));
        assert_eq!(glance.may_be_listening(), may_be_listening, "{prefix}");
    }
}

#[test]
fn body_that_is_let_go_is_judged_as_before() {
    let params = "x".repeat(SHORT_BODY);
    for method in ["tools/call", "subscriptions/listen"] {
        let mut glance =
            at(&format!(r#"{{"id":1,"method":"{method}","params":{{"x":"{params}"}}}}"#));
        let before = glance.may_be_listening();
        glance.let_go();
        assert_eq!((glance.may_be_listening(), glance.method()), (before, Some(method)));
    }
}
