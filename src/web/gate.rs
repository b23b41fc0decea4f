//! The gate in front of every route: checks who asks, whether they may, whose data it is, and that it is our own page.
//!
//! A handler behind it gets a [`Caller`] with a scope no wider than the route and the query allow, and decides none of
//! this itself.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use tokio::time::Instant;
use url::{Host, Url, form_urlencoded};

use super::auth::{Caller, bearer, login_for, words};
use super::rule::{Audience, Needs, Rule, Takes, Tenants};
use super::{Problem, Web};
use crate::config::Network;
use crate::service::Reach;
use crate::store::tokens::Role;
use crate::telemetry::web::{AnswerLabels, RouteLabels};
use crate::ticket::TenantId;

/// The method and path of a route, as the metrics name it.
pub type Name = (&'static str, &'static str);

/// What the gate of one route needs to know.
pub type Passage = (Arc<Web>, Rule, Name);

/// Lets a request through to its handler if it satisfies `rule`.
pub async fn pass(State((web, rule, name)): State<Passage>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (mut parts, body) = request.into_parts();
    // A signature covers the address as it came.
    if rule.needs != Needs::OwnProof
        && let Some(uri) = without_blanks(&parts.uri)
    {
        parts.uri = uri;
    }
    let mut answer = match admit(&web, rule, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => refusal(rule.audience, &parts, problem),
    };
    answer.extensions_mut().insert(rule.audience);
    count(&web, name, answer.status().as_u16(), began.elapsed().as_secs_f64());
    answer
}

fn count(web: &Web, (method, route): Name, status: u16, seconds: f64) {
    let figures = &web.telemetry.web;
    figures.answers.get_or_create(&AnswerLabels { method, route, status }).inc();
    figures.seconds.get_or_create(&RouteLabels { route }).observe(seconds);
}

/// Returns the address without the parts of its query that are blank, if there are any: a form sends an empty text for
/// a field left blank.
fn without_blanks(uri: &Uri) -> Option<Uri> {
    let is_blank = |pair: &str| form_urlencoded::parse(pair.as_bytes()).all(|(_, value)| value.trim().is_empty());
    let query = uri.query().filter(|query| query.split('&').any(is_blank))?;
    let said: Vec<&str> = query.split('&').filter(|pair| !is_blank(pair)).collect();
    let rest = if said.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), said.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.parse().ok()?);
    Uri::from_parts(parts).ok()
}

async fn admit(web: &Arc<Web>, rule: Rule, parts: &mut Parts) -> Result<(), Problem> {
    called_by_a_good_name(web, &parts.headers)?;
    if rule.needs != Needs::OwnProof && !parts.method.is_safe() {
        not_from_elsewhere(web, &parts.headers)?;
    }
    match rule.needs {
        Needs::Role(role) => {
            let caller = caller(web, role, rule.tenants, parts).await?;
            parts.extensions.insert(caller);
        }
        Needs::Nothing => {
            let caller = known_caller(web, parts).await;
            if rule.is_limited {
                match &caller {
                    Some(caller) => counted(web, caller.counted_as())?,
                    None => counted(web, &words(address(web, parts)))?,
                }
            }
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
        }
        Needs::OwnProof => {}
    }
    of_the_right_kind(rule.takes, &parts.headers)
}

/// Returns the caller, limited to what they may see here, if their role allows at least `role`.
async fn caller(web: &Arc<Web>, role: Role, tenants: Tenants, parts: &mut Parts) -> Result<Caller, Problem> {
    let address = address(web, parts);
    let caller = match Caller::identify(&parts.headers, address, web).await {
        Err(problem) if problem.is_unauthorized() => {
            counted(web, &words(address))?;
            return Err(problem);
        }
        identified => identified?,
    };
    counted(web, caller.counted_as())?;
    if caller.session.is_some() && !parts.method.is_safe() {
        from_our_own_page(&parts.headers)?;
    }
    caller.needs(role)?;
    let scope = allowed(web, tenants, &caller, parts).await?;
    Ok(caller.within(scope))
}

/// Counts a request of `caller`, a token or an address, and refuses one too many.
fn counted(web: &Web, caller: &str) -> Result<(), Problem> {
    web.limits.take(caller).map_err(|wait| {
        web.telemetry.web.limited.inc();
        Problem::too_much(wait, "ask less often")
    })
}

/// Returns the caller on a route that needs no token: monitoring that sends one is told more.
async fn known_caller(web: &Web, parts: &Parts) -> Option<Caller> {
    bearer(&parts.headers)?;
    Caller::identify(&parts.headers, address(web, parts), web).await.ok()
}

/// The caller's address, as an argument of a handler.
pub struct Asked(pub Option<IpAddr>);

impl FromRequestParts<Arc<Web>> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Self, Infallible> {
        Ok(Self(address(web, parts)))
    }
}

/// Returns the caller's address: the one that a trusted proxy names, or else the one that connected.
fn address(web: &Web, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())?;
    Some(behind(&web.options.trusted_proxies, peer, &parts.headers))
}

/// Returns the last address of the chain that is not a trusted proxy: anybody may have written those before it.
fn behind(proxies: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let chain = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<_> = chain.flat_map(|value| value.split(',')).map(str::trim).filter(|hop| !hop.is_empty()).collect();
    let mut address = peer;
    for hop in chain.iter().rev() {
        let Some(before) = hop_address(hop).filter(|_| is_proxy(address)) else { break };
        address = before;
    }
    // A socket for both kinds shows an IPv4 address mapped into IPv6: it is the same host.
    address.to_canonical()
}

/// Reads one address of the chain. Some proxies put an IPv6 address in brackets, and some add a port.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse::<IpAddr>().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Where anybody may act without a token, a page of another site must not reach us under its own host name.
fn called_by_a_good_name(web: &Web, headers: &HeaderMap) -> Result<(), Problem> {
    if web.options.anonymous.is_none() {
        return Ok(());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let url = Url::parse(&format!("http://{host}")).ok();
    let public = web.options.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    let is_good = match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => {
            name == "localhost" || public.as_ref().and_then(Url::host_str).is_some_and(|public| public == name)
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    let detail = "this service answers only to `localhost`, to its address, and to its `server.public_url`";
    if is_good { Ok(()) } else { Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)) }
}

/// Returns the part of the caller's scope that the request is about.
async fn allowed(web: &Arc<Web>, tenants: Tenants, caller: &Caller, parts: &mut Parts) -> Result<Reach, Problem> {
    match tenants {
        Tenants::None => Ok(caller.scope.clone()),
        Tenants::All if caller.scope == Reach::All => Ok(Reach::All),
        Tenants::All => {
            let detail = "this is of all tenants; use a token made without `--tenant`";
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        }
        Tenants::Own => match wanted(web, parts).await {
            Some(name) => narrowed(web, &caller.scope, &name).ok_or_else(|| Problem::not_found("tenant")),
            None => Ok(caller.scope.clone()),
        },
    }
}

/// Returns the tenant that the path or the query names.
async fn wanted(web: &Arc<Web>, parts: &mut Parts) -> Option<String> {
    if let Ok(named) = RawPathParams::from_request_parts(parts, web).await
        && let Some((_, name)) = named.iter().find(|(key, _)| *key == "tenant")
    {
        return Some(name.to_owned());
    }
    let query = parts.uri.query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, name) = pairs.find(|(key, _)| key == "tenant")?;
    Some(name.trim().to_owned())
}

/// Returns the one tenant `name` if it exists and `scope` reaches it.
fn narrowed(web: &Web, scope: &Reach, name: &str) -> Option<Reach> {
    let wanted = TenantId::parse(name).ok().filter(|tenant| web.service.knows(tenant))?;
    scope.includes(&wanted).then_some(Reach::One(wanted))
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that another site's page made a browser send. Browsers say so, and no page can prevent that.
fn not_from_elsewhere(web: &Web, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = match (text(ORIGIN), text(FETCH_SITE)) {
        (Some(origin), _) => {
            is_ours(web, origin, text(HOST).unwrap_or_default())
                || (bearer(headers).is_some() && web.options.cors_origins.iter().any(|known| known == origin))
        }
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        (None, None) => true,
    };
    let detail = "another site may not make a browser change anything here; if this is our own page, see that \
                  `server.public_url` is the address that people use";
    if ours { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, detail)) }
}

/// Whether `origin` belongs to our own pages: the address that was asked, or the public one.
fn is_ours(web: &Web, origin: &str, host: &str) -> bool {
    let asked =
        origin.split_once("://").is_some_and(|(scheme, rest)| matches!(scheme, "http" | "https") && rest == host);
    let known = web.options.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    asked || known.is_some_and(|known| known.origin().ascii_serialization() == origin)
}

/// Cookies are sent automatically, so a cookie only counts if the browser says where the request comes from.
fn from_our_own_page(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(ORIGIN) || headers.contains_key(FETCH_SITE) {
        return Ok(());
    }
    let detail = "send `Origin` with a cookie, as browsers do, or use `Authorization: Bearer TOKEN`";
    Err(Problem::new(StatusCode::FORBIDDEN, detail))
}

/// Another site's form can send a body as plain text or as a form, but not as JSON.
fn of_the_right_kind(takes: Takes, headers: &HeaderMap) -> Result<(), Problem> {
    let wanted = match takes {
        Takes::Json => "application/json",
        Takes::Form => "application/x-www-form-urlencoded",
        Takes::Nothing | Takes::Anything => return Ok(()),
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if is_empty(headers) || kind.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("send `Content-Type: {wanted}`")))
}

/// Whether a request has no body.
fn is_empty(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0") && !headers.contains_key(TRANSFER_ENCODING)
}

/// Sends a person who is not signed in to the login page. A program with a wrong token is told so, and so is a person
/// who sent a form, because its content is lost.
fn refusal(audience: Audience, parts: &Parts, problem: Problem) -> Response {
    if audience != Audience::Page || !problem.is_unauthorized() || bearer(&parts.headers).is_some() {
        return problem.into_response();
    }
    if is_empty(&parts.headers) {
        // A button press is not repeated after the sign-in: only pages can be gone back to.
        let back = if parts.method.is_safe() { login_for(&parts.uri) } else { "/login".to_owned() };
        return Redirect::to(&back).into_response();
    }
    Problem::unauthorized("you are not signed in, so nothing that you sent was saved; sign in and send it again")
        .into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The address that counts for a request of `peer`, where the network 10.0.0.0/8 is of proxies.
    fn asks(peer: &str, forwarded: &str) -> String {
        let proxies = [Network::parse("10.0.0.0/8").unwrap()];
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_str(forwarded).unwrap())]);
        behind(&proxies, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_who_asks_and_only_for_the_hop_before_it() {
        assert_eq!(asks("192.0.2.1", "198.51.100.7"), "192.0.2.1", "a stranger's word is nothing");
        assert_eq!(asks("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(asks("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2"), "198.51.100.7", "the first was made up");
        assert_eq!(asks("10.0.0.1", "nonsense"), "10.0.0.1");
    }

    #[test]
    fn a_proxy_may_name_the_port_write_brackets_and_leave_a_place_empty() {
        for (forwarded, expected) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("198.51.100.7, ", "198.51.100.7"),
            ("198.51.100.7:4711, , 10.0.0.2:80", "198.51.100.7"),
        ] {
            assert_eq!(asks("10.0.0.1", forwarded), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn a_visitor_has_one_address_whatever_socket_it_came_by() {
        assert_eq!(asks("::ffff:192.0.2.1", ""), "192.0.2.1");
        assert_eq!(asks("::ffff:10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(asks("10.0.0.1", "[::ffff:198.51.100.7]:4711"), "198.51.100.7");
        assert_eq!(asks("2001:db8::1", ""), "2001:db8::1");
    }
}
