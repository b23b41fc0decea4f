//! Checks who may do what: calls every route of the table as every kind of caller.

use axum::http::header::{HOST, ORIGIN};

use super::*;
use crate::web::route::{Audience, Needs, Route, Takes, Tenants};

const ROLES: [Role; 3] = [Role::Viewer, Role::Responder, Role::Admin];

/// Returns the route's path, filled in for acme and for something that does not exist.
fn path(route: &Route) -> String {
    let named = [("{tenant}", "acme"), ("{id}", "1"), ("{name}", "app.css"), ("{token}", "nothing")];
    named.iter().fold(route.path.to_owned(), |path, (name, value)| path.replace(name, value))
}

impl TestWeb {
    pub(super) async fn token_of(&self, role: Role, tenant: Option<&str>) -> Token {
        let token = Token::generate().unwrap();
        let tenant = tenant.map(|name| TenantId::parse(name).unwrap());
        self.store.add_token(&token, role, tenant, author(), self.clock.now()).await.unwrap();
        token
    }

    /// Calls `route` as a program or a form does.
    fn asking(&self, route: &Route, query: &str) -> RequestBuilder {
        let request = self.request(route.method.clone(), &format!("{}{query}", path(route)));
        match route.rule.takes {
            Takes::Json => request.json(&json!({})),
            Takes::Form => request.form(&[("nothing", "")]),
            Takes::Nothing | Takes::Anything => request,
        }
    }

    async fn status(&self, request: RequestBuilder) -> StatusCode {
        request.send().await.unwrap().status()
    }
}

fn guarded() -> impl Iterator<Item = (Route, Role)> {
    routes::all().into_iter().filter_map(|route| match route.rule.needs {
        Needs::Role(role) => Some((route, role)),
        Needs::Nothing | Needs::OwnProof => None,
    })
}

#[tokio::test]
async fn every_route_that_needs_a_role_refuses_strangers() {
    let web = TestWeb::start().await;
    let stranger = Token::generate().unwrap();
    let denied = StatusCode::UNAUTHORIZED;
    for (route, _) in guarded() {
        let (none, unknown) = (web.asking(&route, ""), web.asking(&route, "").bearer_auth(stranger.expose()));
        let what = format!("{} {}", route.method, route.path);
        // Only readers are sent to the login page; a form is refused, because its content would be lost.
        let looks = route.rule.audience == Audience::Page && route.rule.takes == Takes::Nothing;
        assert_eq!(web.status(none).await, if looks { StatusCode::SEE_OTHER } else { denied }, "{what}");
        // After some guesses an address has to wait.
        let guessed = web.status(unknown).await;
        assert!(guessed == denied || guessed == StatusCode::TOO_MANY_REQUESTS, "{what}: {guessed}");
    }
}

#[tokio::test]
async fn every_route_lets_through_those_whom_its_row_names_and_nobody_else() {
    let web = TestWeb::start().await;
    for role in ROLES {
        for tenant in [None, Some("acme"), Some("globex")] {
            let token = web.token_of(role, tenant).await;
            for (route, needed) in guarded() {
                let found = web.status(web.asking(&route, "").bearer_auth(token.expose())).await;
                let what = format!("{} {} as {role:?} of {tenant:?}", route.method, route.path);
                let foreign =
                    route.rule.tenants == Tenants::Own && path(&route).contains("/acme/") && tenant == Some("globex");
                if role < needed || (route.rule.tenants == Tenants::All && tenant.is_some()) {
                    assert_eq!(found, StatusCode::FORBIDDEN, "{what}");
                } else if foreign {
                    assert_eq!(found, StatusCode::NOT_FOUND, "{what}");
                } else {
                    assert!(!matches!(found.as_u16(), 401 | 403 | 405 | 415 | 500), "{what}: {found}");
                }
            }
        }
    }
}

#[tokio::test]
async fn whoever_asks_for_another_tenant_is_told_that_there_is_none() {
    let web = TestWeb::start().await;
    let (acme, all) = (web.token_of(Role::Admin, Some("acme")).await, web.token_of(Role::Admin, None).await);
    for (route, _) in guarded().filter(|(route, _)| route.rule.tenants == Tenants::Own) {
        let what = format!("{} {}", route.method, route.path);
        let asked =
            async |query, token: &Token| web.status(web.asking(&route, query).bearer_auth(token.expose())).await;
        if !route.path.contains("{tenant}") {
            assert_eq!(asked("?tenant=globex", &acme).await, StatusCode::NOT_FOUND, "{what}");
            assert_eq!(asked("?tenant=nobody", &all).await, StatusCode::NOT_FOUND, "{what}");
        }
    }
}

#[tokio::test]
async fn no_route_lets_another_site_make_a_browser_change_anything() {
    let web = TestWeb::start().await;
    let admin = web.token_of(Role::Admin, None).await;
    let cookie = web.sign_in(&admin).await;
    let host = web.url.trim_start_matches("http://").to_owned();
    for route in
        routes::all().into_iter().filter(|route| !route.method.is_safe() && route.rule.needs != Needs::OwnProof)
    {
        let what = format!("{} {}", route.method, route.path);
        let asking = || web.asking(&route, "").header(COOKIE, &cookie).header(HOST, &host);
        for origin in ["https://evil.example", "null", &format!("http://{host}.evil.example")] {
            assert_eq!(web.status(asking().header(ORIGIN, origin)).await, StatusCode::FORBIDDEN, "{what} {origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                web.status(asking().header("sec-fetch-site", site)).await,
                StatusCode::FORBIDDEN,
                "{what} {site}"
            );
        }
        let own = web.status(asking().header(ORIGIN, &web.url)).await;
        assert_ne!(own, StatusCode::FORBIDDEN, "{what}");
        let cookie = web.sign_in(&admin).await;
        let asking = || web.asking(&route, "").header(COOKIE, &cookie).header(HOST, &host);
        if route.rule.needs != Needs::Nothing {
            assert_eq!(
                web.status(asking()).await,
                StatusCode::FORBIDDEN,
                "{what}: a cookie with no word of where from"
            );
        }
    }
}

#[tokio::test]
async fn what_is_blank_in_a_query_counts_as_left_out() {
    let web = TestWeb::start().await;
    let token = web.token_of(Role::Admin, None).await;
    let mut seen = 0;
    for (route, _) in guarded() {
        if route.method != Method::GET || route.path.ends_with("/events") {
            continue;
        }
        let of = async |query: &str| web.status(web.asking(&route, query).bearer_auth(token.expose())).await;
        let without = of("").await;
        let operation = route.operation(&mut Vec::new());
        let asked = operation["parameters"].as_array().into_iter().flatten();
        for one in asked.filter(|one| one["in"] == "query" && one["required"] != json!(true)) {
            let name = one["name"].as_str().unwrap();
            assert_eq!(of(&format!("?{name}=")).await, without, "{} {name}", route.path);
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen}");
}

#[tokio::test]
async fn a_body_of_another_kind_is_refused() {
    let web = TestWeb::start().await;
    let token = web.token_of(Role::Admin, None).await;
    for route in routes::all().into_iter().filter(|route| matches!(route.rule.takes, Takes::Json | Takes::Form)) {
        let request = web.request(route.method.clone(), &path(&route)).bearer_auth(token.expose());
        let request = request.header(CONTENT_TYPE, "text/plain").body("{\"by\": \"mia\"}");
        assert_eq!(web.status(request).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{} {}", route.method, route.path);
    }
}

#[tokio::test]
async fn behind_a_proxy_our_own_pages_are_known_by_the_public_address() {
    let options = Options { public_url: Some("https://sla.example.com/watch".into()), ..Options::default() };
    let web = TestWeb::start_with(options).await;
    let leave = |origin: &str| web.request(Method::POST, "/logout").header(ORIGIN, origin);
    assert_eq!(web.status(leave("https://sla.example.com")).await, StatusCode::SEE_OTHER);
    for other in
        ["https://sla.example.co", "http://sla.example.com", "https://sla.example.com.evil.example", "https:", ""]
    {
        assert_eq!(web.status(leave(other)).await, StatusCode::FORBIDDEN, "{other}");
    }
}

#[test]
fn what_needs_no_role_is_known_and_short() {
    let open: Vec<_> = routes::all()
        .iter()
        .filter(|route| !matches!(route.rule.needs, Needs::Role(_)))
        .map(|route| format!("{} {} {:?}", route.method, route.path, route.rule.needs))
        .collect();
    insta::assert_snapshot!(open.join("\n"));
}
