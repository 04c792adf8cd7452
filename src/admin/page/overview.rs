//! Everything but the refusals: whether all is well, routes, authorization servers, settings.

use super::{
    super::status::{Questions, Route, Server, Status, Upstream},
    html::{Html, duration, readable},
};
use crate::config::{Problem, Severity};

/// What it is, and whether it is ready.
pub(super) fn header(page: &mut Html, status: &Status) {
    page.raw("<header>\n<div class=\"name\"><h1>Gatehouse</h1>");
    page.raw(if status.is_ready {
        "<p class=\"badge ok\">Ready</p>"
    } else {
        "<p class=\"badge bad\">Not ready</p>"
    });
    page.raw("</div>\n<dl class=\"facts\">\n");
    page.fact("Version", status.version);
    page.fact("Up for", &duration(status.uptime_seconds));
    page.fact("Configuration", &format!("generation {}", status.configuration.generation));
    let connections = &status.listeners;
    let of = format!("{} of {}", connections.connections, connections.max_connections);
    page.fact("Connections", &of);
    page.fact("As of", &status.time.as_deref().map(readable).unwrap_or_default());
    page.raw("</dl>\n<nav aria-label=\"On this page\"><a href=\"#routes\">Routes</a> ");
    page.raw(
        "<a href=\"#servers\">Authorization servers</a> <a href=\"#refusals\">Last refusals (",
    );
    page.number(status.refusals.len() as i128).raw(")</a> ");
    page.raw("<a href=\"#configuration\">Configuration</a></nav>\n</header>\n");
}

/// What somebody must look after.
pub(super) fn alerts(page: &mut Html, status: &Status) {
    if !status.is_ready {
        page.raw("<section class=\"alert\" aria-labelledby=\"not-ready\">\n");
        page.raw("<h2 id=\"not-ready\">Not ready</h2>\n<ul>\n");
        for reason in &status.reasons {
            page.raw("<li>").text(reason).raw("</li>\n");
        }
        page.raw("</ul>\n</section>\n");
    }
    let last = status.configuration.last_reload.as_ref();
    let Some(last) = last.filter(|last| last.outcome == "rejected") else { return };
    page.raw("<section class=\"alert\" aria-labelledby=\"rejected\">\n");
    page.raw("<h2 id=\"rejected\">The changed configuration is not in force</h2>\n<p>Read at ");
    page.time(last.time).raw(": ").text(&last.detail).raw("</p>\n");
    let is_error = |problem: &&Problem| problem.severity == Severity::Error;
    let errors: Vec<_> = last.problems.iter().filter(is_error).collect();
    if !errors.is_empty() {
        page.raw("<ul>\n");
        for problem in errors {
            page.raw("<li><code>").text(&problem.to_string()).raw("</code></li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("</section>\n");
}

pub(super) fn routes(page: &mut Html, status: &Status) {
    page.raw("<section aria-labelledby=\"routes\">\n<h2 id=\"routes\">Routes</h2>\n");
    page.raw("<div class=\"cards\">\n");
    status.routes.iter().for_each(|each| route(page, each));
    page.raw("</div>\n</section>\n");
}

fn route(page: &mut Html, route: &Route) {
    page.raw("<article class=\"card\">\n<h3>").text(&route.name);
    if !route.is_protected {
        page.raw(" <span class=\"badge warn\">public</span>");
    }
    if route.is_shadowed {
        page.raw(" <span class=\"badge warn\">shadow</span>");
    }
    page.raw("</h3>\n<p class=\"place\">").text(&route.resource).raw("</p>\n");
    page.raw("<dl class=\"counts\">\n<div><dt>Allowed</dt><dd>").number(route.allowed);
    page.raw("</dd></div>\n<div><dt>Denied</dt><dd>").number(route.denied);
    page.raw("</dd></div>\n<div><dt>Streams</dt><dd>").number(route.active_streams);
    page.raw("</dd></div>\n</dl>\n<dl class=\"rows\">\n");
    if !route.denied_by_reason.is_empty() {
        let mut reasons: Vec<_> = route.denied_by_reason.iter().collect();
        reasons.sort_by(|one, other| other.1.cmp(one.1));
        let reasons: Vec<_> =
            reasons.iter().map(|(why, count)| format!("{why} ({count})")).collect();
        page.fact("Denied for", &reasons.join(", "));
    }
    if route.would_deny > 0 {
        page.fact("Would deny", &route.would_deny.to_string());
    }
    if route.is_protected {
        page.fact("Scopes", &listed(&route.required_scopes));
        page.fact("Rules", &rules(route));
        page.fact("Tokens of", &listed(&route.authorization_servers));
    }
    let upstream = &route.upstream;
    page.fact("Upstream", &upstream.url);
    page.fact("Requests", &ended(upstream));
    page.fact("Idle", &format!("{} connections", upstream.idle_connections));
    if let Some(failure) = &upstream.last_failure {
        let time = failure.time.as_deref().map(readable).unwrap_or_default();
        page.fact("Last failure", &format!("{time}: {}", failure.detail));
    }
    page.raw("</dl>\n</article>\n");
}

/// How requests to an upstream ended.
fn ended(upstream: &Upstream) -> String {
    let words = [
        ("response", "answered"),
        ("cancelled", "cancelled by the client"),
        ("error", "failed"),
        ("refused", "with an answer that does not pass"),
        ("timeout", "too slow"),
    ];
    let count = |outcome| upstream.requests.get(outcome).copied().filter(|count| *count > 0);
    let some =
        words.iter().filter_map(|(outcome, word)| Some(format!("{} {word}", count(*outcome)?)));
    listed(&some.collect::<Vec<_>>())
}

fn rules(route: &Route) -> String {
    let rules = &route.rules;
    let counts = [
        (rules.tools, "tools"),
        (rules.prompts, "prompts"),
        (rules.resources, "resources"),
        (rules.methods, "methods"),
    ];
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<_> = some.map(|(count, what)| format!("{count} for {what}")).collect();
    listed(&some)
}

fn listed(texts: &[String]) -> String {
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

pub(super) fn servers(page: &mut Html, status: &Status) {
    if status.authorization_servers.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=\"servers\">\n");
    page.raw("<h2 id=\"servers\">Authorization servers</h2>\n<div class=\"cards\">\n");
    status.authorization_servers.iter().for_each(|each| server(page, each));
    page.raw("</div>\n</section>\n");
}

fn server(page: &mut Html, server: &Server) {
    page.raw("<article class=\"card\">\n<h3>").text(&server.name);
    page.raw(if server.is_ready {
        " <span class=\"badge ok\">ready</span>"
    } else {
        " <span class=\"badge bad\">not ready</span>"
    });
    page.raw("</h3>\n<p class=\"place\">").text(&server.issuer).raw("</p>\n");
    if let Some(reason) = &server.reason {
        page.raw("<p class=\"problem\">").text(reason).raw("</p>\n");
    }
    let cache = &server.token_cache;
    page.raw("<dl class=\"counts\">\n<div><dt>Remembered</dt><dd>").number(cache.entries);
    page.raw("</dd></div>\n<div><dt>Hits</dt><dd>").number(cache.hits);
    page.raw("</dd></div>\n<div><dt>Misses</dt><dd>").number(cache.misses);
    page.raw("</dd></div>\n</dl>\n<dl class=\"rows\">\n");
    page.fact("Tokens", server.access_tokens);
    if let Some(provider) = server.provider {
        page.fact("Product", provider);
    }
    let asked = &server.questions;
    if asked.active + asked.inactive + asked.error + asked.timeout > 0 {
        let Questions { active, inactive, error, timeout } = asked;
        let asked = format!("{active} active, {inactive} not, {error} failed, {timeout} too slow");
        page.fact("Asked", &asked);
    }
    keys(page, server);
    match &server.endpoints {
        None => {
            page.fact("Metadata", "not found yet");
        }
        Some(endpoints) => {
            for (term, url) in [
                ("Introspection", &endpoints.introspection),
                ("Key set at", &endpoints.jwks),
                ("Userinfo", &endpoints.userinfo),
            ] {
                if let Some(url) = url {
                    page.fact(term, url);
                }
            }
        }
    }
    page.raw("</dl>\n</article>\n");
}

fn keys(page: &mut Html, server: &Server) {
    let Some(keys) = &server.key_set else { return };
    let names =
        if keys.kids.is_empty() { String::new() } else { format!(": {}", listed(&keys.kids)) };
    page.fact("Keys", &format!("{}{names}", keys.count));
    let age = keys.age_seconds.map(|age| format!("confirmed {} ago", duration(age)));
    let next = keys.next_fetch_seconds.map(|wait| format!("fetched again in {}", duration(wait)));
    let when: Vec<_> = age.into_iter().chain(next).collect();
    if !when.is_empty() {
        page.fact("Key set", &when.join(", "));
    }
    if let Some(failure) = &keys.last_failure {
        page.fact("Last failure", failure);
    }
    if !keys.not_used.is_empty() {
        page.fact("Not used", &keys.not_used.join("; "));
    }
}

pub(super) fn configuration(page: &mut Html, status: &Status) {
    let (configuration, listeners) = (&status.configuration, &status.listeners);
    page.raw("<section aria-labelledby=\"configuration\">\n");
    page.raw("<h2 id=\"configuration\">Configuration and listeners</h2>\n");
    page.raw("<div class=\"card\">\n<dl class=\"rows\">\n");
    page.fact("File", configuration.file.as_deref().unwrap_or("not followed"));
    page.raw("<div><dt>In force since</dt><dd>");
    match &configuration.in_force_since {
        Some(time) => page.written_time(time),
        None => page.text_or_dash(None),
    };
    page.raw(" (generation ").number(configuration.generation).raw(")</dd></div>\n");
    if let Some(last) = &configuration.last_reload {
        page.raw("<div><dt>Last reload</dt><dd>").text(last.outcome).raw(", ").time(last.time);
        if !last.detail.is_empty() {
            page.raw(": ").text(&last.detail);
        }
        page.raw("</dd></div>\n");
    }
    page.fact("Public URL", &listeners.public_url);
    let speaks = if listeners.tls { "HTTPS" } else { "HTTP" };
    page.fact("Listens at", &format!("{} ({speaks})", listeners.listen));
    if let (Some(expires), Some(days)) =
        (&listeners.certificate_expires, listeners.certificate_days_left)
    {
        page.fact("Certificate", &format!("ends {} ({days} days)", readable(expires)));
    }
    page.fact("Operators at", &listeners.admin.to_string());
    page.fact("Audit stream", listeners.audit.as_deref().unwrap_or("off"));
    if listeners.audit_lines_dropped > 0 {
        page.fact("Audit lines lost", &listeners.audit_lines_dropped.to_string());
    }
    page.fact("Revision", status.revision);
    page.raw(
        "</dl>\n<p class=\"none\">The same as JSON: <a href=\"/status.json\">/status.json</a></p>",
    );
    page.raw("\n</div>\n</section>\n");
}
