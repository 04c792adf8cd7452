//! A file written by hand with many mistakes: every one is reported, with its place.

use super::problems;

#[test]
fn all_mistakes_are_reported_at_once_with_their_places() {
    let text = r#"
public_url: http://mcp.example.com
listen:
  adress: 127.0.0.1:8080
  limits: {max_connections: 0, header_timeout: 10}
  trusted_proxies: [10.0.0.0/8, 0.0.0.0/0, proxy]
  tls: {certificate: a.pem}
authorization_servers:
  corp:
    issuer: http://auth.example.com
    client: {id: gatehouse, secret: "${MISSING}", secret: twice}
  spare:
    metadata_url: https://spare.example.com
    tls: {ca: nowhere.pem}
routes:
  Notes:
    path: /notes//x
    upstream: http://127.0.0.1:3001/mcp?x=1
    required_scopes:
    authorization_servers: [crop]
  mail:
    path: /mail
    upstream: {urls: [http://a, http://b], headers: {Host: x, X-Key: "a\nb"}}
    authorization_servers: [corp, spare]
    tools: {"*": [a b], "[": {deny: maybe}, x: y}
    access: protect
"#;
    insta::assert_snapshot!(problems(text), @r"
    g.yaml:2:13: public_url: must be https (http only on a loopback host); expected an origin such as https://mcp.example.com
    g.yaml:4:3: listen.adress: unknown key; did you mean `address`?
    g.yaml:5:29: listen.limits.max_connections: must be from 1 to 1000000
    g.yaml:5:48: listen.limits.header_timeout: not a duration; expected a whole number with its unit, such as 500ms, 2s, 5m or 1h
    g.yaml:6:33: listen.trusted_proxies[1]: a network of all addresses would let everybody say where a request comes from; expected an IP network such as 10.1.0.0/16
    g.yaml:6:44: listen.trusted_proxies[2]: not a network; expected an IP network such as 10.1.0.0/16
    g.yaml:7:3: listen.tls.private_key: this key is required
    g.yaml:7:22: listen.tls.certificate: the file cannot be read (no such file)
    g.yaml:10:13: authorization_servers.corp.issuer: must be https (http only on a loopback host, or with `insecure_allow_http: true`)
    g.yaml:11:37: authorization_servers.corp.client.secret: the environment variable MISSING is not set; set it, or write ${MISSING:-default}
    g.yaml:11:51: authorization_servers.corp.client.secret: this key is written twice; keep one
    g.yaml:12:3: authorization_servers.spare.issuer: this key is required
    g.yaml:14:15: authorization_servers.spare.tls.ca: the file cannot be read (no such file)
    g.yaml:16:3: routes.Notes: a name is 1 to 63 lower-case letters, digits, `_` and `-`, beginning with a letter or digit
    g.yaml:17:11: routes.Notes.path: has an empty segment (`//`); expected a path such as /notes
    g.yaml:18:15: routes.Notes.upstream: a query (`?…`) is not allowed: the client's own is passed on; expected a URL such as http://127.0.0.1:3001/mcp
    g.yaml:19:5: routes.Notes.required_scopes: expected a list, found null
    g.yaml:20:29: routes.Notes.authorization_servers[0]: no authorization server has this name; known: corp, spare
    g.yaml:23:33: routes.mail.upstream.urls[1]: this version supports one URL for each upstream
    g.yaml:23:54: routes.mail.upstream.headers.Host: the gateway itself sets, checks or removes this header
    g.yaml:23:70: routes.mail.upstream.headers.X-Key: not a header value: printable ASCII without line breaks, and without spaces at its ends
    g.yaml:25:19: routes.mail.tools.*[0]: a scope is printable ASCII without space, double quote or backslash (RFC 6749 section 3.3); expected one scope
    g.yaml:25:37: routes.mail.tools.?.deny: expected true or false, found a text
    g.yaml:25:48: routes.mail.tools.x: expected a list of scopes, or keys such as `required_scopes`, found a text
    g.yaml:26:13: routes.mail.access: probably `protected` is meant; expected one of protected, public
    ");
}
