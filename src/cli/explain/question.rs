//! What is asked: the request that a command line describes.
//!
//! 1. The URL is taken as it is written: path and query reach the gateway's checks untouched. A
//!    path alone is one below `public_url`.
//! 2. The token comes from an option, a file, or `GATEHOUSE_TOKEN`, in this order.
//! 3. Without a body and a method the request is a `ping`.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request::Parts,
    uri::PathAndQuery,
};
use serde_json::json;

use crate::{
    authenticate::outbound::Network,
    cli::token,
    config::{Environment, Settings},
};

/// A request to explain.
#[derive(Clone, Debug, Default, Args)]
pub struct Asked {
    /// The URL that the client calls, or its path.
    #[arg(long)]
    pub url: String,
    /// The access token; other users of this machine can see it: prefer --token-file.
    #[arg(long, conflicts_with = "token_file")]
    pub token: Option<String>,
    /// A file with the access token [default: the environment variable `GATEHOUSE_TOKEN`].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The JSON-RPC body.
    #[arg(long, value_name = "JSON", conflicts_with_all = ["method", "name"])]
    pub body: Option<String>,
    /// The JSON-RPC method, such as tools/call.
    #[arg(long)]
    pub method: Option<String>,
    /// The tool, prompt or resource that the method is about.
    #[arg(long, requires = "method")]
    pub name: Option<String>,
    /// The HTTP method.
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    pub http_method: String,
    /// A further header field, such as `Origin: null`.
    #[arg(long, value_name = "FIELD")]
    pub header: Vec<String>,
    /// Ask nobody: judge a JWT by --key-set, and say what is unknown.
    #[arg(long)]
    pub offline: bool,
    /// A file with the key set (JWKS) for --offline.
    #[arg(long, value_name = "FILE", requires = "offline")]
    pub key_set: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A request as the gateway would see it.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
    pub(super) network: Network,
    /// Whether it comes without credentials.
    pub(super) is_anonymous: bool,
}

impl Question {
    /// Reads the command line, or says what is wrong with it.
    pub(super) fn read(
        asked: &Asked,
        settings: &Settings,
        environment: &dyn Environment,
    ) -> Result<Self, String> {
        let (authority, target) = split(&asked.url, settings.public_url.as_str())?;
        let method: Method =
            asked.http_method.parse().map_err(|_| "--http-method: no HTTP method".to_owned())?;
        let token = token::read(asked.token.as_deref(), asked.token_file.as_deref(), environment)?;
        let body = if method == Method::POST { body(asked) } else { Bytes::new() };
        let headers = headers(&authority, token.as_deref(), &asked.header)?;
        let parts = parts(method, target, headers);
        let is_anonymous = !parts.headers.contains_key(header::AUTHORIZATION);
        let network = match (asked.offline, &asked.key_set) {
            (false, _) => Network::Open,
            (true, None) => Network::Offline(None),
            (true, Some(path)) => {
                let read = environment.read_file(path, token::MAX_FILE_BYTES);
                let read = read.map_err(|error| format!("--key-set: {}", error.kind()))?;
                Network::Offline(Some(read.into()))
            }
        };
        Ok(Self { parts, body, network, is_anonymous })
    }
}

/// The head of a POST with a token to this URL.
pub(in crate::cli) fn post(url: &str, token: &str) -> Result<Parts, String> {
    let (authority, target) = split(url, "")?;
    Ok(parts(Method::POST, target, headers(&authority, Some(token), &[])?))
}

fn parts(method: Method, target: PathAndQuery, headers: HeaderMap) -> Parts {
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    request.into_parts().0
}

/// Authority and target of a URL, unchanged.
fn split(url: &str, public_url: &str) -> Result<(String, PathAndQuery), String> {
    let rest = if url.starts_with('/') { format!("{public_url}{url}") } else { url.to_owned() };
    let no_url = || "--url: an http or https URL, or a path that begins with `/`".to_owned();
    let (_, rest) = rest
        .split_once("://")
        .filter(|(scheme, _)| ["http", "https"].contains(scheme))
        .ok_or_else(no_url)?;
    // A fragment never reaches a server.
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let target = target.parse().map_err(|_| {
        "--url: the path holds what no HTTP request can (RFC 9112 section 3.2)".to_owned()
    })?;
    if authority.is_empty() { Err(no_url()) } else { Ok((authority.to_owned(), target)) }
}

fn body(asked: &Asked) -> Bytes {
    if let Some(body) = &asked.body {
        return Bytes::from(body.clone());
    }
    let method = asked.method.as_deref().unwrap_or("ping");
    let key = if method.starts_with("resources/") { "uri" } else { "name" };
    let message = match &asked.name {
        Some(name) => json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {key: name}}),
        None => json!({"jsonrpc": "2.0", "id": 1, "method": method}),
    };
    message.to_string().into()
}

fn headers(authority: &str, token: Option<&str>, more: &[String]) -> Result<HeaderMap, String> {
    let value = |text: &str, option: &str| {
        HeaderValue::from_str(text.trim())
            .map_err(|_| format!("{option}: holds what no header field can"))
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, value(authority, "--url")?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        let mut credentials = value(&format!("Bearer {token}"), "--token")?;
        credentials.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, credentials);
    }
    for field in more {
        let (name, text) = field.split_once(':').ok_or("--header: write `Name: value`")?;
        let name: HeaderName = name.parse().map_err(|_| "--header: no field name".to_owned())?;
        let text = value(text, "--header")?;
        if name == header::HOST {
            headers.insert(name, text);
        } else {
            headers.append(name, text);
        }
    }
    Ok(headers)
}
