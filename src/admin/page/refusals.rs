//! The last refusals, and the answer to who asks for one.

use super::{super::status::Status, html::Html};
use crate::snapshot::Refusal;

/// The form, and what was found.
pub(super) fn lookup(page: &mut Html, status: &Status) {
    let asked = status.asked.as_ref();
    page.raw("<section aria-labelledby=\"lookup\" class=\"lookup\">\n");
    page.raw("<h2 id=\"lookup\">Why was a request refused?</h2>\n");
    page.raw("<form method=\"get\" action=\"/status\">\n");
    page.raw("<label for=\"request_id\">Request id, from <code>X-Request-Id</code> or the error\u{2019}s ");
    page.raw("<code>data.request_id</code></label>\n<div class=\"ask\"><input id=\"request_id\" ");
    page.raw("name=\"request_id\" maxlength=\"128\" autocomplete=\"off\" spellcheck=\"false\" ");
    page.raw("autocapitalize=\"none\" required value=\"");
    page.text(asked.map_or("", |asked| &asked.request_id));
    page.raw("\"><button>Look up</button></div>\n</form>\n");
    let Some(asked) = asked else {
        page.raw("</section>\n");
        return;
    };
    page.raw("<div class=\"found\" id=\"found\">\n");
    if let Some(refusal) = &asked.refusal {
        in_full(page, refusal);
    } else {
        page.raw("<p>There is no <code>").text(&asked.request_id);
        page.raw("</code> among the last refusals. It was let through, or others have taken ");
        page.raw("its place since: the log has the lines of all requests.</p>\n");
    }
    page.raw("</div>\n</section>\n");
}

fn in_full(page: &mut Html, refusal: &Refusal) {
    page.raw("<p class=\"headline\">");
    badge(page, refusal.status);
    page.raw("<strong>").text(refusal.reason).raw("</strong></p>\n");
    page.raw("<p class=\"remedy\"><b>Remedy</b> ").prose(refusal.remedy).raw("</p>\n");
    page.raw("<p>").text(&refusal.detail).raw("</p>\n<dl class=\"facts\">\n");
    page.raw("<div><dt>Time</dt><dd>").time(refusal.time).raw("</dd></div>\n");
    page.fact("Route", refusal.route.as_deref().unwrap_or("none"));
    page.fact("Request", &operation(refusal));
    for (term, text) in [
        ("Rule", &refusal.rule),
        ("Subject", &refusal.subject),
        ("Client", &refusal.client_id),
        ("Issuer", &refusal.issuer),
    ] {
        if let Some(text) = text {
            page.fact(term, text);
        }
    }
    page.raw("</dl>\n");
}

/// All of them.
pub(super) fn list(page: &mut Html, status: &Status) {
    page.raw("<section aria-labelledby=\"refusals\">\n<h2 id=\"refusals\">Last refusals</h2>\n");
    if status.refusals.is_empty() {
        page.raw("<p class=\"none\">Nothing has been refused since the start.</p>\n</section>\n");
        return;
    }
    page.raw("<ol class=\"refusals\">\n");
    for refusal in &status.refusals {
        one(page, refusal);
    }
    page.raw("</ol>\n</section>\n");
}

fn one(page: &mut Html, refusal: &Refusal) {
    page.raw("<li>\n<div class=\"when\">").time(refusal.time).raw("</div>\n<div class=\"what\">\n");
    page.raw("<p class=\"headline\">");
    badge(page, refusal.status);
    page.raw("<strong>").text(refusal.reason).raw("</strong> <span>");
    page.text(refusal.route.as_deref().unwrap_or("no route")).raw("</span> <code>");
    page.text(&operation(refusal)).raw("</code></p>\n");
    page.raw("<p class=\"detail\">").text(&refusal.detail).raw("</p>\n");
    page.raw("<p class=\"remedy\"><b>Remedy</b> ").prose(refusal.remedy).raw("</p>\n");
    page.raw("<p class=\"who\">");
    if let Some(subject) = &refusal.subject {
        page.raw("subject <code>").text(subject).raw("</code> ");
    }
    if let Some(client) = &refusal.client_id {
        page.raw("client <code>").text(client).raw("</code> ");
    }
    page.raw("request <a href=\"/status?request_id=").text(&refusal.request_id).raw("\"><code>");
    page.text(&refusal.request_id).raw("</code></a></p>\n</div>\n</li>\n");
}

fn badge(page: &mut Html, status: u16) {
    page.raw(match status {
        500.. => "<span class=\"badge bad\">",
        200..300 => "<span class=\"badge quiet\">",
        _ => "<span class=\"badge warn\">",
    });
    page.number(status).raw("</span> ");
}

/// What was asked for, in short.
fn operation(refusal: &Refusal) -> String {
    let parts = [&refusal.method, &refusal.rpc_method, &refusal.rpc_name];
    let parts: Vec<&str> = parts.into_iter().filter_map(|part| part.as_deref()).collect();
    if parts.is_empty() { "unreadable".to_owned() } else { parts.join(" ") }
}
