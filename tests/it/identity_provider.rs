//! An identity provider that does what the standards say, with keys of its own, and can be told to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, Query, State};
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use superops_sla::clock::{Clock, ManualClock};
use tokio::net::TcpListener;

use crate::support::{any_port, begin};

pub const CLIENT: &str = "sla watch";
pub const SECRET: &str = "client secret & more";

/// Keys that were made for these tests alone, and sign nothing anywhere.
const RSA: [&str; 2] =
    [include_str!("../../fixtures/sign_in/rsa-1.pem"), include_str!("../../fixtures/sign_in/rsa-2.pem")];

/// A key pair under the name that it is published by.
pub struct Key {
    pub id: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl Key {
    /// One of the two RSA keys.
    pub fn rsa(id: &str, number: usize) -> Self {
        let text: String = RSA[number].lines().filter(|line| !line.starts_with('-')).collect();
        let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
        Self { id: id.to_owned(), pair: Pair::Rsa(Box::new(pair)) }
    }

    /// A new one on the curve P-256.
    pub fn p256(id: &str) -> Self {
        let (how, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair: Pair::P256(Box::new(pair)) }
    }

    fn algorithm(&self) -> &'static str {
        if matches!(self.pair, Pair::Rsa(_)) { "RS256" } else { "ES256" }
    }

    fn published(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Rsa(pair) => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "use": "sig", "kid": self.id, "n": encode(&public.n), "e": encode(&public.e)})
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "x": encode(x), "y": encode(y)})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    /// With its key, as it says.
    #[default]
    Honestly,
    /// Not at all, and says so.
    WithNothing,
    /// With HMAC, and what anybody can read of the key as the secret.
    WithThePublicKey,
    /// With a key that is not published, under the name of the one that is.
    WithAnotherKey,
}

/// What it does, and what was done.
pub struct Behaviour {
    pub published: Vec<Key>,
    /// Which of the published signs.
    pub signing: usize,
    /// One that is not published.
    pub hidden: Option<Key>,
    pub signs: Signs,
    /// What tokens say instead, claim by claim; null takes one away.
    pub claims: Map<String, Value>,
    /// What discovery says instead.
    pub says_of_itself: Map<String, Value>,
    /// What is sent back with the code; none: its own name.
    pub names_itself: Option<String>,
    pub is_down: bool,
    /// Takes a secret in the body alone.
    pub wants_secret_in_body: bool,
    pub times_keys_were_read: usize,
    codes_given: usize,
    /// Who was let in and has not come for a token: what they began with.
    codes: HashMap<String, HashMap<String, String>>,
    clock: ManualClock,
}

#[derive(Clone)]
pub struct IdentityProvider {
    pub issuer: String,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl IdentityProvider {
    /// With an RSA key.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Behaviour {
            published: vec![Key::rsa("first", 0)],
            signing: 0,
            hidden: None,
            signs: Signs::Honestly,
            claims: Map::new(),
            says_of_itself: Map::new(),
            names_itself: None,
            is_down: false,
            wants_secret_in_body: false,
            times_keys_were_read: 0,
            codes_given: 0,
            codes: HashMap::new(),
            clock: ManualClock::at(begin()),
        };
        let provider = Self { issuer, behaviour: Arc::new(Mutex::new(behaviour)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn tells_time_by(&self, clock: ManualClock) {
        self.now().clock = clock;
    }

    /// What it does from now on.
    pub fn now(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour.lock().unwrap()
    }

    /// Says `value` of whoever signs in.
    pub fn claims(&self, name: &str, value: Value) {
        self.now().claims.insert(name.to_owned(), value);
    }
}

fn overlaid(mut base: Value, other: &Map<String, Value>) -> Value {
    for (name, value) in other {
        base[name] = value.clone();
    }
    if let Some(base) = base.as_object_mut() {
        base.retain(|_, value| !value.is_null());
    }
    base
}

async fn discovery(State(provider): State<IdentityProvider>) -> Response {
    let (issuer, now) = (&provider.issuer, provider.now());
    if now.is_down {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let method = if now.wants_secret_in_body { "client_secret_post" } else { "client_secret_basic" };
    let honest = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/leave"),
        "token_endpoint_auth_methods_supported": [method],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    Json(overlaid(honest, &now.says_of_itself)).into_response()
}

async fn keys(State(provider): State<IdentityProvider>) -> Json<Value> {
    let mut now = provider.now();
    now.times_keys_were_read += 1;
    Json(json!({"keys": now.published.iter().map(Key::published).collect::<Vec<_>>()}))
}

/// Whoever asks is let in, and sent back with a code.
async fn authorize(
    State(provider): State<IdentityProvider>,
    Query(asked): Query<HashMap<String, String>>,
) -> impl IntoResponse {
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
    assert_eq!(asked["code_challenge_method"], "S256");
    let mut now = provider.now();
    now.codes_given += 1;
    let code = format!("code-{}", now.codes_given);
    let mut back: url::Url = asked["redirect_uri"].parse().unwrap();
    let issuer = now.names_itself.as_deref().unwrap_or(&provider.issuer);
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]).append_pair("iss", issuer);
    now.codes.insert(code, asked);
    (StatusCode::FOUND, [(LOCATION, back.to_string())])
}

/// A code is worth a token once, for the client that asked, with the verifier of its challenge.
async fn token(
    State(provider): State<IdentityProvider>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let mut now = provider.now();
    if now.is_down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    if client(&headers, &form, now.wants_secret_in_body).as_deref() != Some("sla+watch:client+secret+%26+more") {
        return refused("invalid_client");
    }
    let Some(asked) = form.get("code").and_then(|code| now.codes.remove(code)) else {
        return refused("invalid_grant");
    };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    if asked["code_challenge"] != challenge || asked["redirect_uri"] != form["redirect_uri"] {
        return refused("invalid_grant");
    }
    let seconds = now.clock.now().timestamp();
    let honest = json!({
        "iss": provider.issuer, "aud": CLIENT, "sub": "248289761001", "nonce": asked["nonce"],
        "iat": seconds, "exp": seconds + 300, "name": "Mia Meyer", "email": "mia@example.com", "email_verified": true,
    });
    let token = now.sign(&overlaid(honest, &now.claims));
    Json(json!({"access_token": "of no use here", "token_type": "Bearer", "id_token": token})).into_response()
}

/// Who asks for a token, as both ways of saying so come to.
fn client(headers: &HeaderMap, form: &HashMap<String, String>, in_body: bool) -> Option<String> {
    if in_body {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        return Some(format!("{}:{}", encode(form.get("client_id")?), encode(form.get("client_secret")?)));
    }
    let basic = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    String::from_utf8(STANDARD.decode(basic).ok()?).ok()
}

impl Behaviour {
    fn sign(&self, claims: &Value) -> String {
        let key = &self.published[self.signing];
        let algorithm = match self.signs {
            Signs::WithNothing => "none",
            Signs::WithThePublicKey => "HS256",
            Signs::Honestly | Signs::WithAnotherKey => key.algorithm(),
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": algorithm, "kid": key.id})), part(claims));
        let signature = match self.signs {
            Signs::WithNothing => Vec::new(),
            Signs::WithThePublicKey => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.published()["n"].as_str().unwrap().as_bytes());
                hmac::sign(&secret, message.as_bytes()).as_ref().to_vec()
            }
            Signs::WithAnotherKey => self.hidden.as_ref().unwrap().sign(message.as_bytes()),
            Signs::Honestly => key.sign(message.as_bytes()),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
