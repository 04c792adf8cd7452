//! The endpoints, asked as the listener asks them.

use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use url::form_urlencoded;

use super::*;
use crate::{clock::ManualClock, demo::http_server::Service, oauth::Secret};

mod callers;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "http://127.0.0.1:7777/callback";
const NOTES: &str = "http://127.0.0.1:8080/notes";

struct World {
    server: AuthorizationServer,
    clock: Arc<ManualClock>,
    client_id: String,
}

struct Answer {
    status: StatusCode,
    location: String,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    fn redirected(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&self.location).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        let mut gateway = Client::confidential("gatehouse", &Secret::new("s3cr:et &"));
        gateway.may_introspect = true;
        let mut service = Client::confidential("service", &Secret::new("service-secret"));
        service.may_use_client_credentials = true;
        let settings = Settings {
            clients: vec![gateway, service],
            scopes_supported: Scope::parse("notes.read notes.write").unwrap(),
            users: vec![User { name: "demo".to_owned(), password: Secret::new("demo") }],
        };
        let issuer = "http://127.0.0.1:9000".to_owned();
        let server = AuthorizationServer::new(issuer, settings, Arc::clone(&clock) as _);
        let mut world = Self { server, clock, client_id: String::new() };
        let metadata = json!({
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let registered = world.ask(Method::POST, "/register", &metadata.to_string(), None).await;
        assert_eq!(registered.status, StatusCode::CREATED);
        registered.json()["client_id"].as_str().unwrap().clone_into(&mut world.client_id);
        world
    }

    async fn ask(&self, method: Method, uri: &str, body: &str, basic: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(credentials) = basic {
            let value = format!("Basic {}", STANDARD.encode(credentials));
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let (head, body) = self.server.answer(&request).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            location: head
                .headers
                .get(header::LOCATION)
                .map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, path, &encode(form), None).await
    }

    async fn authorize(&self, changes: &[(&str, &str)]) -> Answer {
        let challenge = pkce::challenge(VERIFIER);
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("state", "st&te"),
            ("scope", "notes.read"),
            ("resource", NOTES),
        ];
        for (name, value) in changes {
            query.retain(|(key, _)| key != name);
            query.push((name, value));
        }
        self.ask(Method::GET, &format!("/authorize?{}", encode(&query)), "", None).await
    }

    async fn log_in(&self, page: &Answer, password: &str) -> Answer {
        let (_, rest) = page.text.split_once("name=\"login\" value=\"").expect(&page.text);
        let (handle, _) = rest.split_once('"').unwrap();
        let form = [("login", handle), ("username", "demo"), ("password", password)];
        let mut form = form.to_vec();
        form.push(("decision", "allow"));
        self.post("/login", &form).await
    }

    async fn code(&self) -> String {
        let page = self.authorize(&[]).await;
        self.log_in(&page, "demo").await.redirected("code").unwrap()
    }

    async fn redeem(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("client_id", self.client_id.as_str()),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("resource", NOTES),
        ];
        for (name, value) in changes {
            form.retain(|(key, _)| key != name);
            form.push((name, value));
        }
        self.post("/token", &form).await
    }

    async fn tokens(&self) -> (String, String) {
        let answer = self.redeem(&self.code().await, &[]).await.json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    async fn refresh(&self, token: &str) -> Answer {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("refresh_token", token),
        ];
        self.post("/token", &form).await
    }

    async fn introspect(&self, token: &str) -> Value {
        let form = encode(&[("token", token)]);
        let basic = Some("gatehouse:s3cr%3Aet+%26");
        let answer = self.ask(Method::POST, "/introspect", &form, basic).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json()
    }

    async fn is_active(&self, token: &str) -> bool {
        self.introspect(token).await["active"].as_bool().unwrap()
    }
}

fn encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[tokio::test]
async fn a_login_gives_a_token_for_its_resource_and_scope() {
    let world = World::new().await;
    let page = world.authorize(&[]).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("not for production") && page.text.contains("<code>demo</code>"));
    let back = world.log_in(&page, "demo").await;
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert!(back.location.starts_with("http://127.0.0.1:7777/callback?code="));
    assert_eq!(back.redirected("state").as_deref(), Some("st&te"));
    assert_eq!(back.redirected("iss").as_deref(), Some("http://127.0.0.1:9000"));
    let issued = world.redeem(&back.redirected("code").unwrap(), &[]).await;
    assert_eq!(
        (issued.status, issued.json()["scope"].as_str()),
        (StatusCode::OK, Some("notes.read"))
    );
    assert_eq!(issued.headers[header::CACHE_CONTROL], "no-store");
    let facts = world.introspect(issued.json()["access_token"].as_str().unwrap()).await;
    assert_eq!(facts["active"], true);
    assert_eq!((&facts["aud"], &facts["sub"]), (&json!(NOTES), &json!("demo")));
    assert_eq!(
        (&facts["scope"], &facts["iss"]),
        (&json!("notes.read"), &json!("http://127.0.0.1:9000"))
    );
    world.clock.advance(Duration::from_secs(601));
    assert!(!world.is_active(issued.json()["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn a_wrong_verifier_gets_nothing_and_ends_the_code() {
    let world = World::new().await;
    let code = world.code().await;
    let other = VERIFIER.replace('d', "e");
    let refused = world.redeem(&code, &[("code_verifier", &other)]).await;
    assert_eq!(
        (refused.status, refused.error()),
        (StatusCode::BAD_REQUEST, "invalid_grant".into())
    );
    assert_eq!(world.redeem(&code, &[]).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_used_twice_revokes_what_it_gave() {
    let world = World::new().await;
    let code = world.code().await;
    let issued = world.redeem(&code, &[]).await.json();
    let token = issued["access_token"].as_str().unwrap();
    assert!(world.is_active(token).await);
    assert_eq!(world.redeem(&code, &[]).await.error(), "invalid_grant");
    assert!(!world.is_active(token).await);
    let refreshed = world.refresh(issued["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.error(), "invalid_grant");
}

#[tokio::test]
async fn a_code_lives_for_a_minute_and_belongs_to_its_client_and_redirect() {
    let world = World::new().await;
    let code = world.code().await;
    let service = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let foreign =
        world.ask(Method::POST, "/token", &encode(&service), Some("service:service-secret")).await;
    assert_eq!(foreign.error(), "invalid_grant");
    let moved = world.redeem(&code, &[("redirect_uri", "http://127.0.0.1:7778/callback")]).await;
    assert_eq!(moved.error(), "invalid_grant");
    let code = world.code().await;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.redeem(&code, &[]).await.error(), "invalid_grant");
    let code = world.code().await;
    let elsewhere = world.redeem(&code, &[("resource", "http://127.0.0.1:8080/other")]).await;
    assert_eq!(elsewhere.error(), "invalid_target");
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_reuse_revokes_the_family() {
    let world = World::new().await;
    let (first_access, first_refresh) = world.tokens().await;
    let second = world.refresh(&first_refresh).await.json();
    let (second_access, second_refresh) =
        (second["access_token"].as_str().unwrap(), second["refresh_token"].as_str().unwrap());
    assert_ne!(first_refresh, second_refresh);
    assert_eq!(world.introspect(second_access).await["aud"], NOTES);
    assert_eq!(world.refresh(&first_refresh).await.error(), "invalid_grant");
    for token in [first_access.as_str(), second_access] {
        assert!(!world.is_active(token).await);
    }
    assert_eq!(world.refresh(second_refresh).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_foreign_redirect_uri_is_shown_and_never_followed() {
    let world = World::new().await;
    for uri in [
        "https://evil.example/callback",
        "http://127.0.0.1:7777/callback/../x",
        "http://127.0.0.1:7777/callback?x",
    ] {
        let refused = world.authorize(&[("redirect_uri", uri)]).await;
        assert_eq!(
            (refused.status, refused.location.as_str()),
            (StatusCode::BAD_REQUEST, ""),
            "{uri}"
        );
    }
    let unknown = world.authorize(&[("client_id", "<script>")]).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(!unknown.text.contains("<script>"));
}

#[tokio::test]
async fn other_mistakes_go_back_to_the_client_with_state_and_issuer() {
    let world = World::new().await;
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("scope", "admin"), "invalid_scope"),
        (("resource", "notes"), "invalid_target"),
    ] {
        let refused = world.authorize(&[change]).await;
        assert_eq!(refused.status, StatusCode::SEE_OTHER, "{change:?}");
        assert_eq!(refused.redirected("error").as_deref(), Some(error));
        assert_eq!(refused.redirected("state").as_deref(), Some("st&te"));
        assert_eq!(refused.redirected("iss").as_deref(), Some("http://127.0.0.1:9000"));
        assert_eq!(refused.redirected("code"), None);
    }
}

#[tokio::test]
async fn a_login_takes_five_attempts_and_can_be_denied() {
    let world = World::new().await;
    let page = world.authorize(&[]).await;
    for _ in 0..4 {
        assert_eq!(world.log_in(&page, "wrong").await.status, StatusCode::OK);
    }
    assert_eq!(world.log_in(&page, "wrong").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.log_in(&page, "demo").await.status, StatusCode::BAD_REQUEST);
    let page = world.authorize(&[]).await;
    assert_eq!(world.log_in(&page, "demo").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.log_in(&page, "demo").await.status, StatusCode::BAD_REQUEST);
    let page = world.authorize(&[]).await;
    let (_, rest) = page.text.split_once("name=\"login\" value=\"").unwrap();
    let (handle, _) = rest.split_once('"').unwrap();
    let denied = world.post("/login", &[("login", handle), ("decision", "deny")]).await;
    assert_eq!(denied.redirected("error").as_deref(), Some("access_denied"));
}
