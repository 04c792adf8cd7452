//! Who may log in, and the page on which they do.
//!
//! Everything that came with the request is escaped before it stands on the page. The test user's
//! name and password are printed on it: that is what this server is for.

use http::{Response, StatusCode};

use super::{
    answer::{escape, page},
    client::{Client, is_same_secret},
    storage::PendingLogin,
};
use crate::{demo::http_server::Body, oauth::Secret};

/// A person who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// What they type, and the token's `sub`.
    pub name: String,
    /// What they type beside it.
    pub password: Secret,
}

/// The user with this name and password.
pub(super) fn authenticate_user<'a>(
    users: &'a [User],
    name: &str,
    password: &str,
) -> Option<&'a User> {
    let user = users.iter().find(|user| user.name == name)?;
    is_same_secret(user.password.expose(), password).then_some(user)
}

/// The login and consent page for a pending authorization request.
pub(super) fn login_page(
    client: &Client,
    login: &PendingLogin,
    handle: &str,
    users: &[User],
    notice: Option<&'static str>,
) -> Response<Body> {
    let resource = login.resource.as_ref().map_or("no resource in particular", |it| it.as_str());
    let scopes: Vec<String> = login
        .scope
        .iter()
        .map(|scope| format!("<li><code>{}</code></li>", escape(scope.as_str())))
        .collect();
    let test_users: Vec<String> = users
        .iter()
        .map(|user| {
            format!(
                "<li>user <code>{}</code>, password <code>{}</code></li>",
                escape(&user.name),
                escape(user.password.expose())
            )
        })
        .collect();
    let notice = notice.map(|text| format!("<p><strong>{text}</strong></p>")).unwrap_or_default();
    let body = format!(
        "<h1>Log in</h1>{notice}\
         <p><strong>{client}</strong> asks for access to <code>{resource}</code> with</p>\
         <ul>{scopes}</ul><p>and will get the answer at <code>{redirect_uri}</code>.</p>\
         <p>Test users:</p><ul>{test_users}</ul>\
         <form method=\"post\" action=\"/login\">\
         <input type=\"hidden\" name=\"login\" value=\"{handle}\">\
         <label>User <input name=\"username\" autocomplete=\"username\"></label>\
         <label>Password <input name=\"password\" type=\"password\" \
         autocomplete=\"current-password\"></label>\
         <button name=\"decision\" value=\"allow\">Log in and allow</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        scopes = scopes.concat(),
        test_users = test_users.concat(),
        client = escape(&client.name),
        resource = escape(resource),
        redirect_uri = escape(&login.redirect_uri),
        handle = escape(handle),
    );
    page(StatusCode::OK, "Log in", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Scope;

    #[test]
    fn what_the_client_says_of_itself_is_escaped() {
        let hostile = "<img src=x onerror=\"alert('x')\">";
        let mut client = Client::confidential("c", &Secret::new("s"));
        hostile.clone_into(&mut client.name);
        let login = PendingLogin {
            client_id: "c".to_owned(),
            redirect_uri: format!("http://127.0.0.1/{hostile}"),
            state: None,
            code_challenge: String::new(),
            scope: Scope::parse("<b> 'x'").unwrap(),
            resource: None,
        };
        let Body::Whole(body) = login_page(&client, &login, "\"><h>", &[], None).into_body() else {
            panic!("a page is no stream");
        };
        let text = format!("{body:?}");
        for raw in ["<img", "<b>", "<h>", "'x'"] {
            assert!(!text.contains(raw), "{raw} in {text}");
        }
        assert!(text.contains("&lt;img src=x onerror=&quot;alert(&#39;x&#39;)&quot;&gt;"));
    }

    #[test]
    fn a_user_needs_the_right_password() {
        let users = [User { name: "demo".to_owned(), password: Secret::new("demo") }];
        assert!(authenticate_user(&users, "demo", "demo").is_some());
        assert!(authenticate_user(&users, "demo", "Demo").is_none());
        assert!(authenticate_user(&users, "demo", "").is_none());
        assert!(authenticate_user(&users, "", "").is_none());
    }
}
