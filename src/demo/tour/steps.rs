//! The steps, in the order they are told.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Refusal, TestUser, TourFailure, Walk, check,
    exchange::{Answer, Call},
    login::Client,
    mcp::{call_tool, list_tools},
    older_clients, unexpected,
};

/// All of it.
pub(super) async fn walk_through(walk: &mut Walk<'_>, user: TestUser) -> Result<(), TourFailure> {
    without_a_token(walk).await?;
    let metadata = resource_metadata(walk).await?;
    let metadata = authorization_server_metadata(walk, &metadata).await?;
    walk.step("The client registers; the user logs in for /notes with notes.read")?;
    let mut client = Client::register(walk, &metadata, user).await?;
    let notes_token = client.log_in(walk, &walk.url("/notes"), "notes.read").await?;
    walk.screen.verdict("a token for this resource and this scope, and no other")?;
    allowed_call(walk, &notes_token).await?;
    older_clients::session(walk, &notes_token).await?;
    let sse_token = older_clients::server_sent_events(walk, &mut client).await?;
    tools_in_sight(walk, &notes_token).await?;
    too_little_scope(walk, &notes_token).await?;
    let wide_token = wider_token(walk, &mut client).await?;
    revoked_token(walk, &client, &wide_token).await?;
    foreign_token(walk, &sse_token).await
}

async fn without_a_token(walk: &mut Walk<'_>) -> Result<(), TourFailure> {
    walk.step("A call without a token is refused, and the answer says where to get one")?;
    let id = walk.next_id();
    let answer = walk.ask(&call_tool(&walk.url("/notes"), "list_notes", &json!({}), id)).await?;
    let refusal = Refusal { route: "notes", error: None, scope: "notes.read" };
    walk.check_refusal(&answer, id, &refusal)?;
    Ok(walk.screen.verdict("401, and a challenge that names everything a client needs next")?)
}

async fn resource_metadata(walk: &mut Walk<'_>) -> Result<Value, TourFailure> {
    walk.step("The challenge names the protected resource metadata (RFC 9728)")?;
    let answer = walk.ask(&Call::get(walk.resource_metadata("notes"))).await?;
    check(answer.status == 200, "status 200")?;
    let metadata = answer.json();
    check(metadata.get("resource") == Some(&json!(walk.url("/notes"))), "this very resource")?;
    check(metadata.get("scopes_supported") == Some(&json!(["notes.read"])), "its scopes")?;
    walk.screen.verdict("the resource, its scopes, and who issues its tokens")?;
    Ok(metadata)
}

async fn authorization_server_metadata(
    walk: &mut Walk<'_>,
    resource_metadata: &Value,
) -> Result<Value, TourFailure> {
    walk.step("The authorization server describes itself (RFC 8414)")?;
    let issuer = resource_metadata.pointer("/authorization_servers/0").and_then(Value::as_str);
    let issuer = issuer.ok_or_else(|| unexpected("an authorization server"))?;
    let url = format!("{issuer}/.well-known/oauth-authorization-server");
    let answer = walk.ask(&Call::get(url)).await?;
    check(answer.status == 200, "status 200")?;
    let metadata = answer.json();
    // RFC 8414 section 3.3: otherwise the document must not be used.
    check(metadata.get("issuer") == Some(&json!(issuer)), "the issuer's own name")?;
    let methods = metadata.get("code_challenge_methods_supported");
    check(methods == Some(&json!(["S256"])), "PKCE with S256")?;
    walk.screen.verdict("endpoints, PKCE with S256, and the issuer's own name")?;
    Ok(metadata)
}

async fn allowed_call(walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
    walk.step("The same call with the token goes through")?;
    let answer = use_tool(walk, "/notes", "list_notes", &json!({}), token).await?.1;
    check_result(&answer, "4: Call Grandmother")?;
    Ok(walk.screen.verdict("200 with the tool's result")?)
}

async fn tools_in_sight(walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
    walk.step("The same token sees every tool that a wider scope could open")?;
    let call = list_tools(&walk.url("/notes"), walk.next_id());
    let answer = walk.ask(&Call { token: Some(token.to_owned()), ..call }).await?;
    check(answer.status == 200, "status 200")?;
    let listed = answer.json().pointer("/result/tools").cloned().unwrap_or_default();
    let listed = listed.as_array().into_iter().flatten();
    let names: Vec<_> = listed.filter_map(|tool| tool.get("name").cloned()).collect();
    check(names == [json!("delete_note"), json!("list_notes")], "both tools in the list")?;
    Ok(walk.screen.verdict("delete_note is listed: nobody could step up to what is hidden")?)
}

async fn too_little_scope(walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
    walk.step("With notes.read alone, delete_note needs more scope: a rule of the route says so")?;
    let (id, answer) = delete_note(walk, token).await?;
    let scope = "notes.read notes.write";
    let refusal = Refusal { route: "notes", error: Some("insufficient_scope"), scope };
    walk.check_refusal(&answer, id, &refusal)?;
    let body = answer.json();
    let granted = body.pointer("/error/data/granted_scopes");
    check(granted == Some(&json!(["notes.read"])), "the body to name the granted scopes")?;
    let tool = body.pointer("/error/data/tool");
    check(tool == Some(&json!("delete_note")), "the body to name the tool")?;
    Ok(walk.screen.verdict("403, naming every scope to ask for at once")?)
}

async fn wider_token(walk: &mut Walk<'_>, client: &mut Client) -> Result<String, TourFailure> {
    walk.step("The client steps up: it asks for the scopes named, and the call succeeds")?;
    let scope = "notes.read notes.write";
    let token = client.log_in(walk, &walk.url("/notes"), scope).await?;
    let answer = delete_note(walk, &token).await?.1;
    // Had the refused call reached the server, the note would be gone already.
    check_result(&answer, "Deleted note 4: Call Grandmother")?;
    walk.screen.verdict("200; the note was still there, so the refused call never arrived")?;
    Ok(token)
}

async fn revoked_token(
    walk: &mut Walk<'_>,
    client: &Client,
    token: &str,
) -> Result<(), TourFailure> {
    walk.step("A revoked token is refused (the demo's gateway believes an answer for 1 s)")?;
    client.revoke(walk, token).await?;
    for _ in 0..REVOCATION_ATTEMPTS {
        let id = walk.next_id();
        let call = call_tool(&walk.url("/notes"), "list_notes", &json!({}), id);
        let call = Call { token: Some(token.to_owned()), ..call };
        let answer = walk.ask_unseen(&call).await?;
        if answer.status != 200 {
            walk.screen.exchange(&call, &answer)?;
            // What a login is for is the route's own scope, whatever the token had.
            let scope = "notes.read";
            let refusal = Refusal { route: "notes", error: Some("invalid_token"), scope };
            walk.check_refusal(&answer, id, &refusal)?;
            return Ok(walk.screen.verdict("401: what was granted can be taken back")?);
        }
        walk.screen.brief_exchange(&call, &answer)?;
        tokio::time::sleep(REVOCATION_PAUSE).await;
    }
    Err(unexpected("a revoked token to be refused within seconds"))
}

async fn foreign_token(walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
    walk.step("A token for /notes-sse, good as it is, does not open /notes")?;
    let stream = older_clients::connect(walk, token).await?;
    drop(stream);
    let (id, answer) = use_tool(walk, "/notes", "list_notes", &json!({}), token).await?;
    let scope = "notes.read";
    let refusal = Refusal { route: "notes", error: Some("invalid_token"), scope };
    walk.check_refusal(&answer, id, &refusal)?;
    Ok(walk.screen.verdict("401: it was issued for another resource")?)
}

async fn delete_note(walk: &mut Walk<'_>, token: &str) -> Result<(u32, Answer), TourFailure> {
    use_tool(walk, "/notes", "delete_note", &json!({"id": 4}), token).await
}

async fn use_tool(
    walk: &mut Walk<'_>,
    path: &str,
    tool: &str,
    arguments: &Value,
    token: &str,
) -> Result<(u32, Answer), TourFailure> {
    let id = walk.next_id();
    let call = call_tool(&walk.url(path), tool, arguments, id);
    let call = Call { token: Some(token.to_owned()), ..call };
    Ok((id, walk.ask(&call).await?))
}

/// The answer is a tool's good result and says this.
pub(super) fn check_result(answer: &Answer, text: &str) -> Result<(), TourFailure> {
    check(answer.status == 200, "status 200")?;
    check_result_message(&answer.json(), text)
}

/// The message is a tool's good result and says this.
pub(super) fn check_result_message(message: &Value, text: &str) -> Result<(), TourFailure> {
    let said = message.pointer("/result/content/0/text").and_then(Value::as_str);
    check(said.is_some_and(|said| said.contains(text)), format!("the tool to say `{text}`"))?;
    check(message.pointer("/result/isError") == Some(&json!(false)), "the tool to succeed")
}

const REVOCATION_ATTEMPTS: u32 = 10;
const REVOCATION_PAUSE: Duration = Duration::from_millis(600);
