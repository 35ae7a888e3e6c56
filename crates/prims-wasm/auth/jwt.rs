//! Signed access tokens (RFC 7519, profile RFC 9068): parsing, signatures, claims. Three algorithms and nothing else; which one is
//! used is decided by the key, not by the token.

use super::Denied;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a token must say.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) scopes: Vec<String>,
    pub(super) leeway: Duration,
}

/// The algorithms of RFC 7518 and RFC 8037 that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn named(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "ES256" => Algorithm::Es256,
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            _ => return None,
        })
    }
}

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key as a key set has it (RFC 7517).
#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// A key that can verify, or nothing if it is for something else.
    pub(super) fn new(jwk: &Jwk) -> Option<Key> {
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let of = |text: &Option<String>, length| bytes(text).filter(|bytes| bytes.len() == length);
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => {
                let mut n = bytes(&jwk.n)?;
                let zeros = n.iter().take_while(|byte| **byte == 0).count();
                Material::Rsa {
                    n: n.split_off(zeros),
                    e: bytes(&jwk.e)?,
                }
            }
            // The uncompressed form of a point.
            ("EC", Some("P-256")) => Material::P256([vec![4], of(&jwk.x, 32)?, of(&jwk.y, 32)?].concat()),
            ("OKP", Some("Ed25519")) => Material::Ed25519(of(&jwk.x, 32)?),
            _ => return None,
        };
        let key = Key {
            id: jwk.kid.clone(),
            material,
        };
        let fits = |name: &str| Algorithm::named(name) == Some(key.algorithm());
        jwk.alg.as_deref().is_none_or(fits).then_some(key)
    }

    fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Material::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature),
        };
        verified.is_ok()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    exp: Option<f64>,
    nbf: Option<f64>,
    scope: Option<OneOrMany>,
    /// What some issuers call it.
    scp: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// A token whose parts were read and nothing was believed yet.
pub(super) struct Token {
    algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    message: String,
    signature: Vec<u8>,
    claims: Claims,
}

impl Token {
    pub(super) fn parse(text: &str) -> Result<Token, &'static str> {
        const SHAPE: &str = "the token is neither known nor a signed token";
        let (message, signature) = text.rsplit_once('.').ok_or(SHAPE)?;
        let (header, claims) = message.split_once('.').ok_or(SHAPE)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| SHAPE);
        let header: Header =
            serde_json::from_slice(&decoded(header)?).map_err(|_| "the token's header is malformed")?;
        let algorithm = Algorithm::named(&header.alg).ok_or("the token's algorithm is not RS256, ES256 or EdDSA")?;
        if header.crit.is_some() {
            return Err("the token has critical extensions");
        }
        let kind = header.typ.unwrap_or_else(|| "JWT".into()).to_ascii_lowercase();
        // An ID token or a logout token signed with the same key is not an access token.
        if !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()) {
            return Err("the token is not an access token");
        }
        let claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| "the token's claims are malformed")?;
        Ok(Token {
            algorithm,
            key_id: header.kid,
            message: message.to_owned(),
            signature: decoded(signature)?,
            claims,
        })
    }

    /// Whether a key could be the one that signed it.
    pub(super) fn fits(&self, key: &Key) -> bool {
        key.algorithm() == self.algorithm && (self.key_id.is_none() || self.key_id == key.id)
    }

    /// Whether one of the keys signed it.
    pub(super) fn verify(&self, keys: &[Key]) -> Result<(), &'static str> {
        let mut fitting = keys.iter().filter(|key| self.fits(key));
        if fitting.any(|key| key.verifies(self.message.as_bytes(), &self.signature)) {
            return Ok(());
        }
        Err("the token's signature is not one of the issuer")
    }

    /// Whether a verified token is meant for this server and now; whose it is.
    pub(super) fn judge(&self, expected: &Expected, now: SystemTime) -> Result<String, Denied> {
        let claims = &self.claims;
        if claims.iss.as_deref() != Some(&expected.issuer) {
            return Err(Denied::Invalid("the token is from another issuer"));
        }
        let audience = claims.aud.as_ref().map_or(&[][..], OneOrMany::as_slice);
        if !audience.iter().any(|name| same_audience(name, &expected.audience)) {
            return Err(Denied::Invalid("the token is for another audience"));
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = expected.leeway.as_secs_f64();
        let ends = claims.exp.ok_or(Denied::Invalid("the token does not expire"))?;
        if now >= ends + leeway {
            return Err(Denied::Invalid("the token is expired"));
        }
        if claims.nbf.is_some_and(|begins| now + leeway < begins) {
            return Err(Denied::Invalid("the token is not valid yet"));
        }
        let given = [&claims.scope, &claims.scp];
        let given = given.into_iter().flatten().flat_map(OneOrMany::as_slice);
        let given: Vec<&str> = given.flat_map(|scopes| scopes.split_ascii_whitespace()).collect();
        if !expected.scopes.iter().all(|scope| given.contains(&scope.as_str())) {
            return Err(Denied::Scope);
        }
        let subject = claims
            .sub
            .as_deref()
            .filter(|subject| (1..=255).contains(&subject.len()));
        subject
            .map(Into::into)
            .ok_or(Denied::Invalid("the token has no subject"))
    }
}

/// Equal up to a slash at the end, which issuers add and drop.
fn same_audience(a: &str, b: &str) -> bool {
    a.strip_suffix('/').unwrap_or(a) == b.strip_suffix('/').unwrap_or(b)
}
