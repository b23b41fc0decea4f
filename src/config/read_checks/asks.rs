//! What a check asks: an address, by the scheme of its `url`; or nobody, if the service reports to us.

use std::ops::RangeInclusive;

use chrono::TimeDelta;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

use super::token;
use crate::config::reader::{Found, Purpose, Section};
use crate::config::secret::SecretKeys;
use crate::config::{checks, duration};
use crate::probe;
use crate::probe::spec::http_method::{HeaderName, HeaderValue, Method};
use crate::probe::spec::{
    Ask, DnsAsk, HeartbeatAsk, HttpAsk, IcmpAsk, JsonCondition, PostgresAsk, PushedAsk, REDIRECTS, SmtpAsk, SmtpTls,
    TcpAsk,
};

const REDIRECTS_MOST: i64 = 20;

const PASSWORD: SecretKeys = SecretKeys { plain: "password", env: "password_env", file: "password_file" };

/// Headers whose values are secrets; `headers` go wherever redirects lead.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-auth-token"];

/// The keys that only some kinds of check have.
const OF_ONE_KIND: [&str; 19] = [
    "method",
    "headers",
    "headers_env",
    "body",
    "status",
    "contains",
    "json",
    "equals",
    "redirects",
    "send",
    "expect",
    "starttls",
    "record",
    "password_env",
    "password_file",
    "grace",
    "silence",
    "token_env",
    "token_file",
];

/// Reads what is asked: an address, or nobody. If that cannot be read, nobody knows which keys belong to the check, so
/// none is called unknown.
pub(super) fn ask(section: &Section<'_>, interval: TimeDelta) -> Option<Ask> {
    let ask = read(section, interval);
    if ask.is_none() {
        section.overlook(&OF_ONE_KIND);
    }
    ask
}

fn read(section: &Section<'_>, interval: TimeDelta) -> Option<Ask> {
    let is_set = |key| section.flag(key).is_some_and(|found| found.value);
    let (heartbeat, pushed) = (is_set("heartbeat"), is_set("pushed"));
    if heartbeat && pushed {
        section.clash("pushed", "clashes with `heartbeat`: either the service calls, or somebody else sends results");
    }
    match section.text("url") {
        Some(_) if heartbeat || pushed => {
            section.clash(
                "url",
                "clashes with `heartbeat` and `pushed`: a service that reports to us is not asked anything",
            );
            None
        }
        Some(url) => ask_of_url(section, url),
        None if heartbeat => heartbeat_ask(section),
        None if pushed => pushed_ask(section, interval),
        None => {
            if !["heartbeat", "pushed"].into_iter().any(|key| section.may_be_set(key)) && !section.has("url") {
                section
                    .wrong("`url`, `heartbeat = true` or `pushed = true` is needed in [[checks]]: it says how to look");
            }
            None
        }
    }
}

fn heartbeat_ask(section: &Section<'_>) -> Option<Ask> {
    let grace = grace(section).unwrap_or(TimeDelta::minutes(1));
    let token = token(section, ": it is the end of the address that the service calls")?;
    Some(Ask::Heartbeat(HeartbeatAsk { token, grace: grace.num_milliseconds() }))
}

/// `pushed = true`: results that somebody else sends.
fn pushed_ask(section: &Section<'_>, interval: TimeDelta) -> Option<Ask> {
    let grace = grace(section).unwrap_or(interval);
    let silence = section.text("silence").and_then(|t| t.read(|text| silence(text)));
    let token = token(section, ": it is what the sender of results has to show")?;
    let (grace, silent_is_down) = (grace.num_milliseconds(), silence.unwrap_or(false));
    Some(Ask::Pushed(PushedAsk { token, grace, silent_is_down }))
}

/// Whether the service counts as down if nothing is heard.
fn silence(text: &str) -> Result<bool, String> {
    match text {
        "unknown" => Ok(false),
        "down" => Ok(true),
        _ => Err("must be \"unknown\" or \"down\"".to_owned()),
    }
}

fn grace(section: &Section<'_>) -> Option<TimeDelta> {
    section.text("grace").and_then(|t| t.read(|text| duration::parse(text)))
}

fn ask_of_url(section: &Section<'_>, found: Found<'_, &str>) -> Option<Ask> {
    let url = found.clone().read(|text| address(text))?;
    match url.scheme() {
        "http" | "https" => http(section, url).map(Ask::Http),
        "ws" | "wss" => Some(Ask::WebSocket(web_socket(section, url))),
        "tcp" | "tls" => found.read(|_| tcp(section, &url)),
        "smtp" | "smtps" => found.read(|_| smtp(section, &url)),
        "dns" => found.read(|_| dns(section, &url)),
        "postgres" | "postgresql" => found.read(|_| postgres(section, &url)),
        "icmp" => found.read(|_| Ok(Ask::Icmp(IcmpAsk { host: host(&url)? }))),
        other => {
            found.wrong(format!(
                "begins with `{other}:`, which is not known: use http, https, ws, wss, tcp, tls, smtp, smtps, dns, postgres or icmp"
            ));
            None
        }
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!(
            "must be a whole address, such as \"https://shop.example.com/\" or \"tcp://mail.example.com:25\": {error}"
        )
    })?;
    if url.password().is_some() {
        return Err(
            "must not hold a password, since this file is copied and backed up: use `password_env` or `headers_env`"
                .to_owned(),
        );
    }
    if !url.username().is_empty() && !url.scheme().starts_with("postgres") {
        return Err("must not hold a user: use `headers_env`".to_owned());
    }
    host(&url)?;
    Ok(url)
}

fn host(url: &Url) -> Result<String, String> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("must name a host")?;
    // Only for web addresses has the name been brought into the form in which it is resolved.
    in_ascii(host).map_err(|error| format!("must name a host: {error}"))
}

/// Returns the name that is resolved for `host`, which may be international and written in percent.
fn in_ascii(host: &str) -> Result<String, url::ParseError> {
    Host::parse(host).map(|host| host.to_string())
}

/// Decodes a part of an address that is not sent as a part of one.
fn decoded(part: &str, what: &str) -> Result<String, String> {
    let text = percent_decode_str(part).decode_utf8();
    let text = text.map_err(|_| format!("has a {what} that is not valid text"))?;
    if text.contains('\0') {
        return Err(format!("has a {what} with a zero byte, which cannot be sent"));
    }
    Ok(text.into_owned())
}

fn port(url: &Url, usual: Option<u16>) -> Result<u16, String> {
    url.port().or(usual).ok_or_else(|| "must name a port, such as \"tcp://mail.example.com:25\"".to_owned())
}

fn tcp(section: &Section<'_>, url: &Url) -> Result<Ask, String> {
    let text = |key| section.text(key).map(|found| found.value.to_owned());
    let tls = url.scheme() == "tls";
    let port = port(url, tls.then_some(443))?;
    let expect = text("expect").filter(|text| !text.is_empty());
    Ok(Ask::Tcp(TcpAsk { host: host(url)?, port, tls, send: text("send"), expect }))
}

fn smtp(section: &Section<'_>, url: &Url) -> Result<Ask, String> {
    let wrapped = url.scheme() == "smtps";
    let needed = section.flag("starttls").is_some_and(|found| found.value);
    let tls = match (wrapped, needed) {
        (true, _) => SmtpTls::Wrapped,
        (false, true) => SmtpTls::Start,
        (false, false) => SmtpTls::IfOffered,
    };
    Ok(Ask::Smtp(SmtpAsk { host: host(url)?, port: port(url, Some(if wrapped { 465 } else { 25 }))?, tls }))
}

/// `dns://1.1.1.1/example.com`, with `record` and `expect` beside it.
fn dns(section: &Section<'_>, url: &Url) -> Result<Ask, String> {
    let name = decoded(url.path().trim_matches('/'), "name to ask for")?;
    if name.is_empty() {
        return Err("must name the server and what it is asked for, such as \"dns://1.1.1.1/example.com\"".to_owned());
    }
    // Names of services and of policies have underscores and more: only what is international is converted.
    let name = if name.is_ascii() { Some(name) } else { in_ascii(&name).ok() };
    let name = name.filter(|name| probe::is_dns_name(name)).ok_or("asks for a name that no name server can have")?;
    let record = section.text("record").and_then(|found| found.read(|text| record(text)));
    let expect = section.text("expect").map(|found| found.value.to_owned());
    let record = record.unwrap_or_else(|| "A".to_owned());
    Ok(Ask::Dns(DnsAsk { server: host(url)?, port: port(url, Some(53))?, name, record, expect }))
}

fn record(text: &str) -> Result<String, String> {
    let record = text.trim().to_uppercase();
    if probe::is_record_type(&record) {
        return Ok(record);
    }
    Err(format!("must be a type of DNS record, such as \"A\", \"AAAA\", \"MX\" or \"TXT\", not `{text}`"))
}

fn postgres(section: &Section<'_>, url: &Url) -> Result<Ask, String> {
    let user = Some(decoded(url.username(), "user")?).filter(|user| !user.is_empty());
    let user = user.unwrap_or_else(|| "postgres".to_owned());
    let database = Some(decoded(url.path().trim_matches('/'), "database")?).filter(|database| !database.is_empty());
    let tls = match url.query_pairs().find(|(key, _)| key == "sslmode").as_ref().map(|(_, mode)| mode.as_ref()) {
        None | Some("disable") => false,
        Some("require" | "verify-ca" | "verify-full") => true,
        Some(_) => return Err("has an `sslmode` that is neither \"disable\" nor \"require\"".to_owned()),
    };
    let password = PASSWORD.read(section).and_then(|named| named.value);
    Ok(Ask::Postgres(PostgresAsk {
        host: host(url)?,
        port: port(url, Some(5432))?,
        database: database.unwrap_or_else(|| user.clone()),
        user,
        password,
        tls,
    }))
}

fn http(section: &Section<'_>, url: Url) -> Option<HttpAsk> {
    let method = section.text("method").and_then(|t| t.read(|text| method(text))).unwrap_or(Method::GET);
    let statuses = section.texts("status").unwrap_or_default().into_iter();
    let contains = section.text("contains").and_then(|t| t.read(|text| checks::not_blank(text)));
    let equals = section.text("equals").map(|found| found.value.to_owned());
    let pointer = section.text("json").and_then(|t| t.read(|text| pointer(text)));
    if equals.is_some() && !section.has("json") {
        section.clash("equals", "needs `json`, which says where in the document to look");
    }
    if method == Method::HEAD {
        for key in ["contains", "json"] {
            section.clash(key, "clashes with `method = \"HEAD\"`: the answer to that has no body to look in");
        }
    }
    let redirects = section.integer("redirects").and_then(|n| n.read(|n| redirects(*n)));
    Some(HttpAsk {
        url,
        method,
        headers: headers(section),
        secret_headers: secret_headers(section),
        body: section.text("body").map(|found| found.value.to_owned()),
        statuses: statuses.filter_map(|found| found.read(|text| status(text))).collect(),
        contains,
        json: pointer.map(|pointer| JsonCondition { pointer, equals }),
        redirects: redirects.unwrap_or(REDIRECTS),
    })
}

/// Only what opens the socket: its answer has one right status, and no body.
fn web_socket(section: &Section<'_>, url: Url) -> HttpAsk {
    HttpAsk { headers: headers(section), secret_headers: secret_headers(section), ..HttpAsk::get(url) }
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS];
    known
        .into_iter()
        .find(|method| method.as_str() == text)
        .ok_or_else(|| format!("must be \"GET\", \"HEAD\", \"POST\", \"PUT\" or \"OPTIONS\", not `{text}`"))
}

/// `200` or `200-299`.
fn status(text: &str) -> Result<RangeInclusive<u16>, String> {
    let form = || format!("must hold statuses such as \"200\" or \"200-299\", not `{text}`");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse().ok().filter(|status| (100..=599).contains(status)).ok_or_else(form);
    let (first, last): (u16, u16) = (number(first)?, number(last)?);
    if first <= last { Ok(first..=last) } else { Err(form()) }
}

fn pointer(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err("must be a path into the document, such as \"/status\" or \"/checks/0/state\"".to_owned())
}

fn redirects(number: i64) -> Result<u32, String> {
    u32::try_from(number)
        .ok()
        .filter(|n| i64::from(*n) <= REDIRECTS_MOST)
        .ok_or_else(|| format!("must be from 0 to {REDIRECTS_MOST}"))
}

fn headers(section: &Section<'_>) -> Vec<(String, String)> {
    let pair = |(name, value): (Found<'_, &str>, Found<'_, &str>)| {
        let name = name.read(|text| header_name(text))?;
        let value = value.read(|text| match HeaderValue::from_str(text) {
            _ if SECRET_HEADERS.contains(&name.as_str()) => {
                Err("must not stand in this file: name an environment variable in `headers_env`".to_owned())
            }
            Ok(_) => Ok((*text).to_owned()),
            Err(_) => Err("is not a valid value of a header".to_owned()),
        })?;
        Some((name, value))
    };
    section.entries("headers").into_iter().filter_map(pair).collect()
}

/// `headers_env = { Authorization = "SHOP_TOKEN" }`: the variable holds the whole value.
fn secret_headers(section: &Section<'_>) -> Vec<(String, SecretString)> {
    let inspection = section.inspection;
    let pair = |(name, variable): (Found<'_, &str>, Found<'_, &str>)| {
        let name = name.read(|text| header_name(text))?;
        if inspection.purpose == Purpose::Offline {
            return None;
        }
        let value = variable.read(|variable| {
            let value = inspection
                .env
                .var(variable)
                .ok_or_else(|| "names an environment variable that is not set".to_owned())?;
            match HeaderValue::from_str(value.trim()) {
                Ok(_) => Ok(SecretString::from(value.trim().to_owned())),
                Err(_) => Err("names an environment variable whose value no header can have".to_owned()),
            }
        })?;
        Some((name, value))
    };
    section.entries("headers_env").into_iter().filter_map(pair).collect()
}

fn header_name(text: &str) -> Result<String, String> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| "is not the name of a header".to_owned())?;
    if ["host", "connection", "content-length", "transfer-encoding"].contains(&name.as_str()) {
        return Err("is set by us, and cannot be chosen".to_owned());
    }
    Ok(name.as_str().to_owned())
}
