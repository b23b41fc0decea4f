use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::clock::ManualClock;
use crate::config::{Email, Sms, SmsSender, SmtpTls, Twilio, Voice};
use crate::sla::zone::Tz;

/// Starts a server whose certificate nobody has signed, and returns its port.
async fn imposter() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

fn clock() -> SharedClock {
    Arc::new(ManualClock::at("2026-06-03T12:48:00Z".parse().unwrap()))
}

fn configured(port: u16) -> settings::Notify {
    let email = Email {
        host: "localhost".into(),
        port,
        tls: SmtpTls::Wrapped,
        user: None,
        password: None,
        from: "sla@msp.example".into(),
    };
    let account = Twilio {
        account_sid: "AC01".into(),
        api_key_sid: None,
        secret: SecretString::from("hunter2"),
        base_url: format!("https://localhost:{port}"),
        hook_tokens: Vec::new(),
    };
    let voice = Voice { account: account.clone(), from: "+15005550006".into(), language: "en-US".into() };
    let sms = Sms { account, sender: SmsSender::From("+15005550006".into()), replies: false };
    let ntfy =
        settings::Ntfy { base_url: format!("https://localhost:{port}"), token: None, topics: Default::default() };
    let slack = settings::Slack {
        way: settings::SlackWay::IncomingWebhook { url: format!("https://localhost:{port}/hook").into() },
        signing_secret: None,
    };
    let teams = settings::Teams { webhook_url: format!("https://localhost:{port}/hook").into() };
    let pagerduty = settings::PagerDuty {
        routing_key: "key".into(),
        base_url: format!("https://localhost:{port}"),
        webhook_secret: None,
    };
    let webhook = settings::Webhook {
        url: format!("https://localhost:{port}/hook"),
        secret: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
    };
    settings::Notify {
        email: Some(email),
        ntfy: Some(ntfy),
        sms: Some(sms),
        voice: Some(voice),
        slack: Some(slack),
        teams: Some(teams),
        pagerduty: Some(pagerduty),
        webhook: Some(webhook),
        ..settings::Notify::default()
    }
}

fn message(channel: ChannelKind) -> Message {
    let to = match channel {
        ChannelKind::Email => "ann@client.example",
        ChannelKind::Sms | ChannelKind::Voice => "+15005550101",
        system => system.as_str(),
    };
    Message {
        key: "a1b2c3d4e5f60718293a4b5c6d7e8f90".into(),
        thread: "test".into(),
        continues_thread: false,
        to: to.into(),
        to_name: None,
        timezone: Tz::UTC,
        body: Body::Test,
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_has_signed_is_a_matter_for_the_operator() {
    for channel in connect(&configured(imposter().await), &clock()).unwrap() {
        let error = channel.send(&message(channel.channel())).await.unwrap_err();
        assert!(matches!(error, SendError::Misconfigured { .. }), "{}: {error}", channel.channel().as_str());
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn only_what_is_configured_is_connected() {
    assert!(connect(&settings::Notify::default(), &clock()).unwrap().is_empty());
    let kinds =
        connect(&configured(465), &clock()).unwrap().iter().map(|channel| channel.channel()).collect::<Vec<_>>();
    assert_eq!(kinds, ChannelKind::ALL);
}
