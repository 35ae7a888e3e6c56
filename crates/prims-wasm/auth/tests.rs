//! Callers: tokens of a file, and tokens that an authorization server signs. The server here is a real one on a socket, its keys
//! are made by the test, except the RSA key: there is nothing here that makes those.

use super::{Authenticator, Caller, Denied, Error, KeyTimes};
use crate::settings::{AuthSettings, Settings};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ALICE: &str = "alice-0123456789abcdef0123456789";
const BOB: &str = "bob-fedcba9876543210fedcba9876543210";

fn settings(flags: &[(&'static str, &str)]) -> AuthSettings {
    Settings::of(flags).auth
}

fn endpoint() -> url::Url {
    "https://prims.example/mcp".parse().unwrap()
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.parse().unwrap());
    headers
}

async fn with_token(authenticator: &Authenticator, token: &str) -> Result<Caller, Denied> {
    authenticator.caller(&headers(&format!("Bearer {token}"))).await
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn from_file(path: &Path) -> Result<Authenticator, Error> {
    Authenticator::new(&settings(&[("auth-token-file", path.to_str().unwrap())]), &endpoint())
}

fn named(name: &str) -> Result<Caller, Denied> {
    Ok(Caller(Some(name.into())))
}

#[tokio::test]
async fn nobody_is_asked_unless_there_is_a_way_to_answer() {
    let open = Authenticator::new(&settings(&[]), &endpoint()).unwrap();
    assert!(!open.required() && open.metadata().is_none());
    assert_eq!(open.caller(&HeaderMap::new()).await, Ok(Caller(None)));
}

#[tokio::test]
async fn tokens_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    write(&path, &format!("# people\n\nalice:{ALICE}\n  {BOB}  \n"), 0o600);
    let tokens = from_file(&path).unwrap();
    assert_eq!(with_token(&tokens, ALICE).await, named("token:alice"));
    // A token without a name is known by a part of its digest.
    let Ok(Caller(Some(name))) = with_token(&tokens, BOB).await else {
        panic!("not let in")
    };
    assert!(name.starts_with("token:") && name.len() == 18 && !BOB.contains(&name[6..]));
    assert_eq!(
        tokens.caller(&headers(&format!("bearer   {ALICE}"))).await,
        named("token:alice")
    );
    let unknown = Err(Denied::Invalid("the token is not known"));
    for bad in [&ALICE[1..], "alice", &format!("{ALICE}0"), &ALICE.to_uppercase()] {
        assert_eq!(with_token(&tokens, bad).await, unknown, "{bad}");
    }
    assert_eq!(tokens.caller(&HeaderMap::new()).await, Err(Denied::Missing));
    for missing in ["", "Bearer", &format!("Basic {ALICE}"), ALICE] {
        assert_eq!(
            tokens.caller(&headers(missing)).await,
            Err(Denied::Missing),
            "{missing}"
        );
    }
    for malformed in [
        "Bearer ",
        &format!("Bearer {ALICE} {BOB}"),
        &format!("Bearer {ALICE},{BOB}"),
        &format!("Bearer {}", "a".repeat(9000)),
    ] {
        let denied = tokens.caller(&headers(malformed)).await;
        assert_eq!(denied, Err(Denied::Invalid("the token is malformed")), "{malformed}");
    }
    let mut twice = headers(&format!("Bearer {ALICE}"));
    twice.append(AUTHORIZATION, format!("Bearer {ALICE}").parse().unwrap());
    assert!(matches!(tokens.caller(&twice).await, Err(Denied::Invalid(_))));
    assert_eq!(tokens.challenge(&Denied::Missing), "Bearer realm=\"prims-wasm\"");
}

#[tokio::test]
async fn a_changed_file_is_read_again_and_a_broken_one_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    write(&path, &format!("alice:{ALICE}\n"), 0o600);
    let tokens = from_file(&path).unwrap();
    let until = async |token: &str, expected: bool| {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while with_token(&tokens, token).await.is_ok() != expected {
            assert!(tokio::time::Instant::now() < deadline, "the file is not looked at");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // Replaced, as careful people do it.
    let new = folder.path().join("new");
    write(&new, &format!("bob:{BOB}\n"), 0o600);
    std::fs::rename(&new, &path).unwrap();
    until(BOB, true).await;
    assert!(with_token(&tokens, ALICE).await.is_err());
    write(&path, "short\n", 0o600);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(with_token(&tokens, BOB).await.is_ok());
    write(&path, &format!("alice:{ALICE}\n"), 0o600);
    until(ALICE, true).await;
    until(BOB, false).await;
}

#[test]
fn files_that_are_not_safe_or_not_sound_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    for mode in [0o640, 0o604, 0o644, 0o660, 0o602] {
        write(&path, &format!("{ALICE}\n"), mode);
        let error = from_file(&path).unwrap_err();
        assert!(matches!(error, Error::Exposed { .. }), "{mode:o}: {error}");
        assert!(error.hint().is_some_and(|hint| hint.starts_with("chmod 600")));
    }
    let long = "a".repeat(600);
    for (text, line) in [
        ("short\n", 1),
        (&format!("{ALICE}\nname with spaces:{BOB}\n"), 2),
        (&format!(":{ALICE}\n"), 1),
        (&format!("{ALICE} {BOB}\n"), 1),
        (&long, 1),
        (&format!("{ALICE}\n").repeat(1001), 1001),
    ] {
        write(&path, text, 0o600);
        let error = from_file(&path).unwrap_err();
        assert!(
            matches!(error, Error::Token { line: found, .. } if found == line),
            "{error}"
        );
        assert!(!error.to_string().contains(ALICE));
    }
    write(&path, "# nobody\n", 0o600);
    assert!(matches!(from_file(&path), Err(Error::NoToken { .. })));
    write(&path, &"\n".repeat(2 << 20), 0o600);
    assert!(matches!(from_file(&path), Err(Error::Read { .. })));
    assert!(matches!(
        from_file(&folder.path().join("none")),
        Err(Error::Read { .. })
    ));
}

/// A key of each kind.
enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn rsa() -> Signer {
        Signer::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("test_rsa.pk8")).unwrap())
    }

    fn ec() -> Signer {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Signer::Ec(pair.unwrap())
    }

    fn ed() -> Signer {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_) => "RS256",
            Signer::Ec(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Signer::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": text(&public.n), "e": text(&public.e)})
            }
            Signer::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Signer::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(pair.public_key().as_ref())})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Signer::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes())))
    }

    fn good(&self, id: &str, issuer: &str) -> String {
        self.token(
            &json!({"alg": self.algorithm(), "kid": id, "typ": "at+jwt"}),
            &claims(issuer),
        )
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(issuer: &str) -> Value {
    json!({"iss": issuer, "sub": "alice", "aud": "https://prims.example/mcp", "exp": now() + 600, "scope": "openid run"})
}

/// The same with one claim changed; null removes it.
fn but(issuer: &str, name: &str, value: Value) -> Value {
    let mut claims = claims(issuer);
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

/// An authorization server, as far as a resource server sees one.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    fetches: Arc<AtomicUsize>,
    /// What its metadata says it is.
    name: Arc<Mutex<String>>,
    /// Whether those who ask for keys wait for an answer in vain.
    hangs: Arc<AtomicBool>,
}

impl Issuer {
    async fn start(keys: Vec<Value>) -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer {
            url: url.clone(),
            keys: Arc::new(Mutex::new(keys)),
            fetches: Arc::default(),
            name: Arc::new(Mutex::new(url.clone())),
            hangs: Arc::default(),
        };
        let (keys, fetches, name) = (issuer.keys.clone(), issuer.fetches.clone(), issuer.name.clone());
        let hangs = issuer.hangs.clone();
        let metadata = move || {
            let metadata = json!({"issuer": *name.lock().unwrap(), "jwks_uri": format!("{url}/keys")});
            async move { Json(metadata) }
        };
        let set = move || {
            fetches.fetch_add(1, Ordering::SeqCst);
            let (set, hangs) = (json!({"keys": *keys.lock().unwrap()}), hangs.load(Ordering::SeqCst));
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Json(set)
            }
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(set));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        issuer
    }

    fn resource(&self, times: KeyTimes) -> Authenticator {
        let flags = [("oauth-issuer", self.url.as_str()), ("oauth-scopes", "run")];
        Authenticator::with(&settings(&flags), &endpoint(), times).unwrap()
    }
}

#[tokio::test]
async fn signed_tokens_of_all_three_algorithms() {
    let signers = [Signer::rsa(), Signer::ec(), Signer::ed()];
    let keys = signers.iter().map(|signer| signer.jwk(signer.algorithm())).collect();
    let issuer = Issuer::start(keys).await;
    let resource = issuer.resource(KeyTimes::DEFAULT);
    for signer in &signers {
        let token = signer.good(signer.algorithm(), &issuer.url);
        assert_eq!(
            with_token(&resource, &token).await,
            named("oauth:alice"),
            "{}",
            signer.algorithm()
        );
        // Without the name of a key, every key of the kind is tried.
        let token = signer.token(&json!({"alg": signer.algorithm()}), &claims(&issuer.url));
        assert_eq!(with_token(&resource, &token).await, named("oauth:alice"));
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1);
    let ed = &signers[2];
    for (name, value) in [
        ("aud", json!(["other", "https://prims.example/mcp"])),
        ("aud", json!("https://prims.example/mcp/")),
        ("exp", json!(now() - 30)),
        ("exp", json!(now() as f64 + 0.5)),
        ("nbf", json!(now() + 30)),
        ("scope", json!(["run"])),
    ] {
        let token = ed.token(&json!({"alg": "EdDSA"}), &but(&issuer.url, name, value.clone()));
        assert_eq!(
            with_token(&resource, &token).await,
            named("oauth:alice"),
            "{name} {value}"
        );
    }
    let mut scp = but(&issuer.url, "scope", Value::Null);
    scp["scp"] = json!(["openid", "run"]);
    assert!(
        with_token(&resource, &ed.token(&json!({"alg": "EdDSA"}), &scp))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn tokens_that_are_not_for_this_server_or_not_for_now() {
    let signer = Signer::ed();
    let issuer = Issuer::start(vec![signer.jwk("a")]).await;
    let resource = issuer.resource(KeyTimes::DEFAULT);
    for (name, value, reason) in [
        (
            "iss",
            json!("https://other.example"),
            "the token is from another issuer",
        ),
        ("iss", Value::Null, "the token is from another issuer"),
        (
            "aud",
            json!("https://other.example/mcp"),
            "the token is for another audience",
        ),
        ("aud", json!([]), "the token is for another audience"),
        ("aud", Value::Null, "the token is for another audience"),
        ("exp", json!(now() - 120), "the token is expired"),
        ("exp", Value::Null, "the token does not expire"),
        ("exp", json!("tomorrow"), "the token's claims are malformed"),
        ("nbf", json!(now() + 600), "the token is not valid yet"),
        ("sub", Value::Null, "the token has no subject"),
        ("sub", json!(""), "the token has no subject"),
        ("sub", json!("a".repeat(300)), "the token has no subject"),
    ] {
        let token = signer.token(
            &json!({"alg": "EdDSA", "kid": "a"}),
            &but(&issuer.url, name, value.clone()),
        );
        assert_eq!(
            with_token(&resource, &token).await,
            Err(Denied::Invalid(reason)),
            "{name} {value}"
        );
    }
    for scope in [Value::Null, json!("openid"), json!("runs"), json!("RUN")] {
        let token = signer.token(&json!({"alg": "EdDSA", "kid": "a"}), &but(&issuer.url, "scope", scope));
        assert_eq!(with_token(&resource, &token).await, Err(Denied::Scope));
    }
    let challenge = resource.challenge(&Denied::Scope);
    assert_eq!(
        challenge,
        "Bearer resource_metadata=\"https://prims.example/.well-known/oauth-protected-resource/mcp\", scope=\"run\", \
         error=\"insufficient_scope\""
    );
    assert_eq!(Denied::Scope.status(), StatusCode::FORBIDDEN);
    assert!(
        resource
            .challenge(&Denied::Invalid("x"))
            .ends_with("error=\"invalid_token\", error_description=\"x\"")
    );
    let metadata = resource.metadata().unwrap();
    assert_eq!(metadata["resource"], "https://prims.example/mcp");
    assert_eq!(metadata["authorization_servers"], json!([issuer.url]));
    assert_eq!(metadata["scopes_supported"], json!(["run"]));
}

#[tokio::test]
async fn forged_tokens() {
    let (rsa, ed, other) = (Signer::rsa(), Signer::ed(), Signer::ed());
    let issuer = Issuer::start(vec![rsa.jwk("rsa"), ed.jwk("ed")]).await;
    let resource = issuer.resource(KeyTimes::DEFAULT);
    let claims = claims(&issuer.url);
    let good = ed.good("ed", &issuer.url);
    assert!(with_token(&resource, &good).await.is_ok());
    let mut refused = vec![];
    // No signature, by any name.
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let message = unsigned(&json!({"alg": name, "kid": "ed"}), &claims);
        refused.extend([format!("{message}."), format!("{message}.AAAA"), message]);
    }
    // The public key as the secret of a symmetric algorithm.
    let secret = rsa.jwk("rsa").to_string();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    for name in ["HS256", "RS256", "ES256", "PS256", "RS512"] {
        let message = unsigned(&json!({"alg": name, "kid": "rsa"}), &claims);
        let tag = ring::hmac::sign(&key, message.as_bytes());
        refused.push(format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref())));
    }
    // The right algorithm for the wrong key, a key of nobody, a key in the token itself.
    refused.push(ed.token(&json!({"alg": "EdDSA", "kid": "rsa"}), &claims));
    refused.push(ed.token(&json!({"alg": "RS256", "kid": "rsa"}), &claims));
    refused.push(ed.token(&json!({"alg": "RS256", "kid": "ed"}), &claims));
    refused.push(other.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims));
    refused.push(other.token(&json!({"alg": "EdDSA", "jwk": other.jwk("x")}), &claims));
    refused.push(other.token(&json!({"alg": "EdDSA", "kid": "../../dev/null"}), &claims));
    // Not an access token, or one with rules nobody here knows.
    refused.push(ed.token(&json!({"alg": "EdDSA", "kid": "ed", "typ": "logout+jwt"}), &claims));
    refused.push(ed.token(
        &json!({"alg": "EdDSA", "kid": "ed", "crit": ["b64"], "b64": false}),
        &claims,
    ));
    // One character changed, parts missing, parts added.
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        refused.push(String::from_utf8(bytes).unwrap());
    }
    refused.extend([
        format!("{good}.x"),
        good.replacen('.', "", 1),
        format!(".{good}"),
        "..".into(),
        ".".into(),
    ]);
    // Claims that are said twice.
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#);
    let text = claims
        .to_string()
        .replacen('{', "{\"iss\":\"https://other.example\",", 1);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(text));
    refused.push(format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(ed.sign(message.as_bytes()))
    ));
    for token in refused {
        let denied = with_token(&resource, &token).await;
        assert!(matches!(denied, Err(Denied::Invalid(_))), "{token}: {denied:?}");
    }
}

#[tokio::test]
async fn keys_are_replaced_when_the_issuer_replaces_them() {
    let (old, new) = (Signer::ec(), Signer::ec());
    let issuer = Issuer::start(vec![old.jwk("old")]).await;
    let times = KeyTimes {
        between: Duration::ZERO,
        ..KeyTimes::DEFAULT
    };
    let resource = issuer.resource(times);
    assert!(with_token(&resource, &old.good("old", &issuer.url)).await.is_ok());
    assert!(with_token(&resource, &new.good("new", &issuer.url)).await.is_err());
    *issuer.keys.lock().unwrap() = vec![
        new.jwk("new"),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!("nonsense"),
    ];
    assert!(with_token(&resource, &new.good("new", &issuer.url)).await.is_ok());
    assert!(with_token(&resource, &old.good("old", &issuer.url)).await.is_err());

    // Tokens of unknown keys do not make the server ask again and again, nor many at once.
    let issuer = Issuer::start(vec![old.jwk("old")]).await;
    let resource = Arc::new(issuer.resource(KeyTimes::DEFAULT));
    let mut tasks = vec![];
    for _ in 0..50 {
        let (resource, token) = (resource.clone(), new.good("new", &issuer.url));
        tasks.push(tokio::spawn(async move { with_token(&resource, &token).await }));
    }
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Err(Denied::Invalid(_))));
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_issuer_that_hangs_locks_nobody_out() {
    let signer = Signer::ed();
    let issuer = Issuer::start(vec![signer.jwk("a")]).await;
    let times = KeyTimes {
        between: Duration::ZERO,
        fresh: Duration::ZERO,
        answer: Duration::from_secs(300),
        ..KeyTimes::DEFAULT
    };
    let resource = Arc::new(issuer.resource(times));
    let token = signer.good("a", &issuer.url);
    assert!(with_token(&resource, &token).await.is_ok());
    issuer.hangs.store(true, Ordering::SeqCst);
    let waiting = tokio::spawn({
        let (resource, token) = (resource.clone(), token.clone());
        async move { with_token(&resource, &token).await }
    });
    let fetches = async |count: usize| {
        while issuer.fetches.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), fetches(2)).await.unwrap();
    // One request asks; what is known of keys is good for the others meanwhile.
    let others = async {
        for _ in 0..20 {
            assert!(with_token(&resource, &token).await.is_ok());
        }
    };
    tokio::time::timeout(Duration::from_secs(30), others).await.unwrap();
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 2);
    waiting.abort();

    // Those who cannot but wait wait for one answer, and not for one each.
    let times = KeyTimes {
        between: Duration::from_secs(3),
        answer: Duration::from_secs(3),
        ..KeyTimes::DEFAULT
    };
    let resource = Arc::new(issuer.resource(times));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (resource, token) = (resource.clone(), token.clone());
        tasks.spawn(async move { with_token(&resource, &token).await });
    }
    for denied in tasks.join_all().await {
        assert_eq!(denied, Err(Denied::Unavailable));
    }
    assert_eq!(issuer.fetches.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_issuer_that_is_away_or_not_itself() {
    let signer = Signer::ed();
    let issuer = Issuer::start(vec![signer.jwk("a")]).await;
    *issuer.name.lock().unwrap() = "https://other.example".into();
    let times = KeyTimes {
        between: Duration::ZERO,
        fresh: Duration::ZERO,
        ..KeyTimes::DEFAULT
    };
    let resource = issuer.resource(times);
    let token = signer.good("a", &issuer.url);
    assert_eq!(with_token(&resource, &token).await, Err(Denied::Unavailable));
    *issuer.name.lock().unwrap() = issuer.url.clone();
    assert!(with_token(&resource, &token).await.is_ok());
    // Known keys stay good for a while when the issuer is away.
    *issuer.name.lock().unwrap() = "https://other.example".into();
    assert!(with_token(&resource, &token).await.is_ok());
    // Keys at a place the operator names.
    let place = format!("{}/keys", issuer.url);
    let flags = [
        ("oauth-issuer", "https://issuer.example"),
        ("oauth-jwks-url", place.as_str()),
    ];
    let resource = Authenticator::new(&settings(&flags), &endpoint()).unwrap();
    let token = signer.good("a", "https://issuer.example");
    assert!(with_token(&resource, &token).await.is_ok());
    assert_eq!(
        with_token(&resource, &signer.good("a", &issuer.url)).await,
        Err(Denied::Invalid("the token is from another issuer"))
    );
    assert_eq!(Denied::Unavailable.status(), StatusCode::SERVICE_UNAVAILABLE);
}
