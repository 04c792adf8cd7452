//! Whole messages, named after the rows of group H that they prove.

use serde_json::{Value, json};

use super::*;
use crate::{
    authorize::rules::Rules,
    clock::ManualClock,
    config::settings::{Demand, FilterLists, Rule, RuleSettings, WhenDenied},
    oauth::{Implications, Scope},
};

pub(super) fn rule(pattern: &str, demand: Demand) -> Rule {
    Rule { pattern: pattern.parse().unwrap(), demand }
}

pub(super) fn deny() -> Demand {
    Demand { deny: true, ..Demand::default() }
}

fn needs(scopes: &str) -> Demand {
    Demand { required_scopes: Scope::parse(scopes).unwrap(), ..Demand::default() }
}

/// Rules that deny what begins with `x`, of every kind.
fn denies_x() -> RuleSettings {
    RuleSettings {
        tools: vec![rule("x*", deny())],
        prompts: vec![rule("x*", deny())],
        resources: vec![rule("x:*", deny())],
        ..RuleSettings::default()
    }
}

struct Asking<'a> {
    settings: RuleSettings,
    scope: Option<&'a str>,
    seconds_left: Option<f64>,
    asked: &'a [(&'a str, ListKind)],
}

fn filter(asking: Asking<'_>) -> ListFilter {
    let rules = Rules::new(asking.settings, Implications::default());
    let demands = Arc::new(Demands::new(Scope::parse("read").unwrap(), rules));
    let clock = Arc::new(ManualClock::new());
    let expires_at = asking.seconds_left.map(|left| clock.unix_seconds() + left);
    let scope = asking.scope.map(|scope| Scope::parse(scope).unwrap());
    let holder = scope.as_ref().map(|scope| Holder { scope, claim: &|_| None });
    let asked = asking.asked.iter();
    let asked = asked.map(|(id, kind)| (RequestId::read(id).unwrap(), *kind)).collect();
    let clock: Arc<dyn Clock> = clock;
    ListFilter::new(&demands, Viewer { holder, expires_at }, asked, &clock)
}

pub(super) fn stream(settings: RuleSettings) -> ListFilter {
    filter(Asking { settings, scope: Some("read"), seconds_left: None, asked: &[] })
}

/// A filter that hides what begins with `x`.
pub(super) fn hides_x() -> ListFilter {
    stream(denies_x())
}

#[test]
fn answer_elsewhere_is_for_who_asked_with_its_id() {
    let of = |asked| {
        let scope = Some("read");
        filter(Asking { settings: denies_x(), scope, seconds_left: None, asked })
    };
    let (long, short) = (format!("\"{}\"", "a".repeat(257)), format!("\"{}\"", "b".repeat(256)));
    let asked: Vec<_> = [&*long, &*short, "1", "1"].map(|id| (id, ListKind::Tools)).to_vec();
    let asking = of(&asked);
    let mut stream = of(&[]);
    let no_list = |id: &str| format!(r#"{{"result":{{"tools":1}},"id":{id}}}"#);
    let lists = Arc::<AskedLists>::default();
    stream.join(Arc::clone(&lists));
    untouched(&stream, &no_list("1"));
    lists.note(&asking);
    for id in [&*short, "1", " 1 "] {
        refused(&stream, &no_list(id));
        refused(&stream, &format!("[{},{}]", no_list("2"), no_list(id)));
    }
    for id in [&*long, "\"1\"", "1.0", "2", "null"] {
        untouched(&stream, &no_list(id));
    }
    let many: Vec<_> = (100..100 + asked::MAX_LISTS).map(|id| id.to_string()).collect();
    let many: Vec<_> = many.iter().map(|id| (&**id, ListKind::Tools)).collect();
    lists.note(&of(&many));
    untouched(&stream, &no_list("1"));
    refused(&stream, &no_list("100"));
}

fn passed(filter: &ListFilter, message: &str) -> String {
    let filtered = filter.json(message.as_bytes()).unwrap();
    filtered.map_or_else(|| message.into(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn untouched(filter: &ListFilter, message: &str) {
    assert_eq!(filter.json(message.as_bytes()), Ok(None), "{message}");
}

fn refused(filter: &ListFilter, message: &str) {
    assert!(filter.json(message.as_bytes()).is_err(), "{message}");
}

#[test]
fn h01_what_is_hidden_goes_with_its_comma_and_all_else_stays() {
    let filter = hides_x();
    for (items, kept) in [
        (r#"[{"name":"x"}]"#, "[]"),
        (r#"[ {"name":"x"} ]"#, "[  ]"),
        (r#"[{"name":"x"},{"name":"a"}]"#, r#"[{"name":"a"}]"#),
        (r#"[{"name":"a"},{"name":"x"}]"#, r#"[{"name":"a"}]"#),
        (r#"[{"name":"x1"} , {"name":"x2"} , {"name":"x3"}]"#, "[]"),
        (r#"[{"name":"a"} , {"name":"x"} , {"name":"b"}]"#, r#"[{"name":"a"} , {"name":"b"}]"#),
        (r#"[{"name":"x"},{"name":"x"},{"name":"b"},{"name":"x"}]"#, r#"[{"name":"b"}]"#),
        ("[{\"name\":\"a\"}\n,\n{\"name\":\"x\"}\n]", "[{\"name\":\"a\"}\n]"),
        (
            r#"[{"z":1e2,"name":"\u0078"},{"z":-0.10e+2,"name":"\u0061"}]"#,
            r#"[{"z":-0.10e+2,"name":"\u0061"}]"#,
        ),
        (r#"[{"name":"a"},{"inputSchema":{"name":"a"},"name":"x"}]"#, r#"[{"name":"a"}]"#),
    ] {
        for around in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":ITEMS}}"#,
            "{ \"result\" :\t{ \"n\": 1.0, \"tools\": ITEMS , \"nextCursor\": \"x\" },\r\n\"id\": 01e }"
                .replace("01e", "1e0").as_str(),
            r#"[{"id":1,"result":{}},{"id":2,"result":{"tools":ITEMS}},{"id":3,"error":{}}]"#,
        ] {
            assert_eq!(
                passed(&filter, &around.replace("ITEMS", items)),
                around.replace("ITEMS", kept)
            );
        }
    }
}

#[test]
fn h01_every_kind_of_list_is_filtered_by_its_own_rules() {
    let filter = hides_x();
    for (list, kept) in [
        (r#""prompts":[{"name":"x"},{"name":"a"}]"#, r#""prompts":[{"name":"a"}]"#),
        (
            r#""resources":[{"uri":"x:1","name":"a"},{"uri":"a:1","name":"x"}]"#,
            r#""resources":[{"uri":"a:1","name":"x"}]"#,
        ),
        (
            r#""resourceTemplates":[{"uriTemplate":"x:{id}"},{"uriTemplate":"a:{x}"}]"#,
            r#""resourceTemplates":[{"uriTemplate":"a:{x}"}]"#,
        ),
    ] {
        let message = |list| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{list}}}}}"#);
        assert_eq!(passed(&filter, &message(list)), message(kept));
    }
    // Lists of a kind without rules are not even read.
    let tools_only = RuleSettings { tools: vec![rule("x", deny())], ..RuleSettings::default() };
    untouched(&stream(tools_only), r#"{"id":1,"result":{"prompts":[{"name":"x"},7]}}"#);
}

#[test]
fn h02_what_is_no_list_passes_as_it_is() {
    let filter = hides_x();
    for message in [
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"tools":[{"name":"x"}]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x","data":{"tools":[{"name":"x"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{}},"tools":{"name":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[{"name":"x"}]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":"x"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}],"other":1,"other":2}}"#,
        "[]",
        " {} ",
    ] {
        untouched(&filter, message);
    }
}

#[test]
fn h07_lists_are_known_by_what_they_hold_and_ids_by_type_and_value() {
    let list = |id: &str| format!(r#"{{"id":{id},"result":{{"tools":[{{"name":"x"}}]}}}}"#);
    let asking =
        |asked| filter(Asking { settings: denies_x(), scope: None, seconds_left: None, asked });
    let by_number = asking(&[("1", ListKind::Tools)]);
    for id in ["1", "\"1\"", "2", "null", "1.0"] {
        assert!(passed(&by_number, &list(id)).contains(r#""tools":[]"#), "{id}");
        assert!(passed(&hides_x(), &list(id)).contains(r#""tools":[]"#), "{id}");
    }
    assert!(passed(&by_number, r#"{"result":{"tools":[{"name":"x"}]}}"#).contains("[]"));
    // What was asked for is a list or nothing; what was not may be anything.
    let no_list =
        |id: &str| format!(r#"{{"id":{id},"result":{{"tools":{{"0":{{"name":"x"}}}}}}}}"#);
    refused(&by_number, &no_list("1"));
    refused(&by_number, r#"{"id":1,"result":"x"}"#);
    refused(&by_number, r#"{"result":[{"name":"x"}],"id": 1}"#);
    for id in ["\"1\"", "2", "null"] {
        untouched(&by_number, &no_list(id));
    }
    let by_text = asking(&[(r#""\u0061b""#, ListKind::Tools), ("7", ListKind::Prompts)]);
    refused(&by_text, &no_list(r#""ab""#));
    refused(&by_text, &no_list(r#""\u0061\u0062""#));
    untouched(&by_text, &no_list("7"));
    untouched(&by_number, r#"{"id":1,"result":{"resultType":"input_required"}}"#);
}

#[test]
fn h08_what_could_be_read_in_two_ways_is_refused() {
    let filter = hides_x();
    for message in [
        r#"{"result":{"tools":[{"name":"a"}],"tools":[{"name":"x"}]}}"#,
        r#"{"result":{"tools":[],"Tools":[{"name":"x"}]}}"#,
        r#"{"result":{"TOOLS":[{"name":"x"}]}}"#,
        r#"{"result":{"tools\u0000":[{"name":"x"}]}}"#,
        r#"{"result":{"tool\u017f":[{"name":"x"}]}}"#,
        r#"{"result":{" prompts":[{"name":"x"}]}}"#,
        r#"{"result":{"resourcetemplates":[]}}"#,
        r#"{"result":{},"Result":{"tools":[{"name":"x"}]}}"#,
        r#"{"result":{},"result":{"tools":[{"name":"x"}]}}"#,
        r#"{"result":{},"error":{}}"#,
        r#"{"method":"m","result":{}}"#,
        r#"{"result":{"tools":[{"name":"a","Name":"x"}]}}"#,
        r#"{"result":{"tools":[{"name":"a","name":"x"}]}}"#,
        r#"{"result":{"tools":[{"title":"x"}]}}"#,
        r#"{"result":{"tools":[{"name":null}]}}"#,
        r#"{"result":{"tools":["x"]}}"#,
        r#"{"result":{"resources":[{"name":"x"}]}}"#,
        r#"{"result":{"resources":[{"uri":"a:1","URI":"x:1"}]}}"#,
        r#"{"result":{"resourceTemplates":[{"uri":"x:1"}]}}"#,
        r#"{"result":{"tools":[],"cacheScope":"private","CacheScope":"public"}}"#,
        r#"{"result":{"tools":[],"ttlMs":1,"ttlms":2}}"#,
        r#"{"result":{"tools":[]}} {"result":{"tools":[{"name":"x"}]}}"#,
        r#"{"result":{"tools":[{"name":"a"},]}}"#,
        r#"{"result":{"tools":[{"name":"a"}]}"#,
        r#"[[{"result":{"tools":[{"name":"x"}]}}]]"#,
        "\u{feff}{}",
        "",
        "7",
        "not JSON",
    ] {
        refused(&filter, message);
    }
    let deep = format!(r#"{{"result":{{"tools":[{}{}]}}}}"#, "[".repeat(80), "]".repeat(80));
    refused(&filter, &deep);
    assert_eq!(filter.json(b"{\"a\":\"\xff\"}"), Err(MessageFault::NotUtf8.into()));
}

#[test]
fn texts_that_were_cut_in_a_character_pass_and_names_do_not() {
    let tools = |tools: &str| format!(r#"{{"id":1,"result":{{"tools":[{tools}]}}}}"#);
    let cut = r#"{"description":"a\ud83d","name":"a"}"#;
    assert_eq!(passed(&hides_x(), &tools(&format!(r#"{{"name":"x"}},{cut}"#))), tools(cut));
    refused(&hides_x(), &tools(r#"{"name":"\ud83dx"}"#));
    refused(&hides_x(), r#"{"result":{"tools\ud83d":[{"name":"x"}]}}"#);
}

#[test]
fn h09_cursors_stay_and_pages_may_be_empty() {
    let page = r#"{"id":1,"result":{"nextCursor":"x","tools":[{"name":"x"}]}}"#;
    let empty = r#"{"id":1,"result":{"nextCursor":"x","tools":[]}}"#;
    assert_eq!(passed(&hides_x(), page), empty);
    untouched(&hides_x(), empty);
}

#[test]
fn h10_what_was_filtered_is_private_and_ends_with_the_token() {
    let asking = |seconds_left| {
        let scope = Some("read");
        filter(Asking { settings: denies_x(), scope, seconds_left, asked: &[] })
    };
    let minute = asking(Some(60.25));
    let result = |hints: &str| format!(r#"{{"id":1,"result":{{"tools":[]{hints}}}}}"#);
    for (before, after) in [
        (r#","ttlMs":300000,"cacheScope":"public""#, r#","ttlMs":60250,"cacheScope":"private""#),
        (r#","ttlMs":3e5"#, r#","ttlMs":60250,"cacheScope":"private""#),
        (r#","ttlMs":1e999,"cacheScope":7"#, r#","ttlMs":60250,"cacheScope":"private""#),
        (r#","ttlMs":null,"cacheScope":null"#, r#","ttlMs":0,"cacheScope":"private""#),
        (r#","cacheScope" : "public""#, r#","cacheScope" : "private""#),
        (r#","resultType":"complete""#, r#","resultType":"complete","cacheScope":"private""#),
    ] {
        assert_eq!(passed(&minute, &result(before)), result(after));
    }
    for unchanged in
        [r#","ttlMs":60000.0,"cacheScope":"private""#, r#","ttlMs":-5,"cacheScope":"private""#, ""]
    {
        untouched(&minute, &result(unchanged));
    }
    let before_the_list = r#"{"result":{"cacheScope":"public","ttlMs":9,"tools":[{"name":"x"}]}}"#;
    assert_eq!(
        passed(&asking(Some(-1.0)), before_the_list),
        r#"{"result":{"cacheScope":"private","ttlMs":0,"tools":[]}}"#
    );
    let endless = r#"{"result":{"cacheScope":"private","ttlMs":9e99,"tools":[]}}"#;
    untouched(&asking(None), endless);
    // What is not filtered may stay public.
    untouched(&minute, r#"{"result":{"contents":[],"cacheScope":"public","ttlMs":9e9}}"#);
}

#[test]
fn scopes_decide_only_where_they_are_told_to() {
    let list = r#"{"id":1,"result":{"tools":[{"name":"free"},{"name":"write"},{"name":"hide"}]}}"#;
    let shown = |filter_lists, scope| {
        let hide = Demand { when_denied: Some(WhenDenied::Hide), ..needs("write") };
        let tools = vec![rule("write", needs("write")), rule("hide", hide)];
        let settings = RuleSettings { tools, filter_lists, ..RuleSettings::default() };
        let filter = filter(Asking { settings, scope, seconds_left: None, asked: &[] });
        let value: Value = serde_json::from_str(&passed(&filter, list)).unwrap();
        let tools = value["result"]["tools"].as_array().unwrap().iter();
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(FilterLists::Denied, Some("read")), ["free", "write"]);
    assert_eq!(shown(FilterLists::Scopes, Some("read")), ["free"]);
    assert_eq!(shown(FilterLists::Scopes, Some("read write")), ["free", "write", "hide"]);
    assert_eq!(shown(FilterLists::Scopes, None), ["free", "write"]);
    assert_eq!(shown(FilterLists::Off, Some("read")), ["free", "write", "hide"]);
    assert_eq!(shown(FilterLists::Off, None), ["free", "write"]);
}

#[test]
fn tools_are_told_what_they_need_and_keep_what_they_say_themselves() {
    let settings = RuleSettings {
        tools: vec![rule("w*", needs("write")), rule("x", deny())],
        annotate_tools: true,
        ..RuleSettings::default()
    };
    let filter = stream(settings);
    let schemes = r#""securitySchemes":[{"type":"oauth2","scopes":["read","write"]}]"#;
    let ours = r#""gatehouse/required_scopes":["read","write"]"#;
    for (tool, annotated) in [
        (r#"{"name":"w"}"#, format!(r#"{{"name":"w","_meta":{{{ours}}},{schemes}}}"#)),
        (r#"{"_meta":{},"name":"w" }"#, format!(r#"{{"_meta":{{{ours}}},"name":"w" ,{schemes}}}"#)),
        (r#"{"_meta":null,"name":"w"}"#, format!(r#"{{"_meta":{{{ours}}},"name":"w",{schemes}}}"#)),
        (
            r#"{"name":"w","_meta":{"a":1 }}"#,
            format!(r#"{{"name":"w","_meta":{{"a":1 ,{ours}}},{schemes}}}"#),
        ),
        (
            r#"{"name":"w","securitySchemes":[{"type":"noauth"}],"_meta":{"gatehouse/required_scopes":[] }}"#,
            format!(
                r#"{{"name":"w","securitySchemes":[{{"type":"noauth"}}],"_meta":{{{ours} }}}}"#
            ),
        ),
    ] {
        let list = |tools: &str| format!(r#"{{"id":1,"result":{{"tools":[{tools}]}}}}"#);
        assert_eq!(passed(&filter, &list(tool)), list(&annotated));
        let with_hidden = format!(r#"{tool},{{"name":"x"}}"#);
        assert_eq!(passed(&filter, &list(&with_hidden)), list(&annotated));
    }
    let free = passed(&filter, r#"{"result":{"tools":[{"name":"a"}],"cacheScope":"public"}}"#);
    let free: Value = serde_json::from_str(&free).unwrap();
    assert_eq!(free["result"]["tools"][0]["_meta"], json!({"gatehouse/required_scopes": ["read"]}));
    assert_eq!(free["result"]["cacheScope"], "private");
    refused(&filter, r#"{"result":{"tools":[{"name":"a","_meta":[]}]}}"#);
    let twice = r#"{"gatehouse/required_scopes":[],"gatehouse/required_scopes":[]}"#;
    refused(&filter, &format!(r#"{{"result":{{"tools":[{{"name":"a","_meta":{twice}}}]}}}}"#));
    // Saying what tools need makes nothing private.
    let settings = RuleSettings { annotate_tools: true, ..RuleSettings::default() };
    let open = passed(&stream(settings), r#"{"result":{"tools":[],"cacheScope":"public"}}"#);
    assert!(open.contains("public"), "{open}");
}
