//! JSON Web Tokens (RFC 7519), the two algorithms we accept. A key has one algorithm, fixed by
//! configuration: a token's `alg` may only agree with it, never choose (RFC 8725 §3.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use ledger::Timestamp;
use serde::Deserialize;
use sha2::Sha256;

use super::{Caller, Role, person};
use crate::config::{Issuer, IssuerKey};

const TOKEN_BYTES_MAX: usize = 4_096;
/// Clocks of issuers may run ahead of ours by so much.
const AHEAD_S: u64 = 60;

/// A key, ready to verify.
pub struct Key {
    issuer: String,
    key_id: Option<String>,
    verifier: Verifier,
}

enum Verifier {
    Hs256(Hmac<Sha256>),
    EdDsa(Box<VerifyingKey>),
}

impl Key {
    /// Prepares a configured key.
    pub fn new(issuer: &Issuer) -> Result<Self, String> {
        let verifier = match &issuer.key {
            IssuerKey::Hs256(secret) if secret.len() < 32 => {
                return Err(format!(
                    "issuer {}: an HS256 secret needs 32 bytes",
                    issuer.name
                ));
            }
            IssuerKey::Hs256(secret) => Verifier::Hs256(hmac(secret)),
            IssuerKey::EdDsa(bytes) => VerifyingKey::from_bytes(bytes)
                .map(|key| Verifier::EdDsa(Box::new(key)))
                .map_err(|_| format!("issuer {}: not an Ed25519 key", issuer.name))?,
        };
        Ok(Self {
            issuer: issuer.name.clone(),
            key_id: issuer.key_id.clone(),
            verifier,
        })
    }

    fn fits(&self, header: &Header) -> bool {
        let algorithm = match self.verifier {
            Verifier::Hs256(_) => "HS256",
            Verifier::EdDsa(_) => "EdDSA",
        };
        let named = |ours: &String| header.kid.as_ref().is_none_or(|theirs| theirs == ours);
        header.alg == algorithm && self.key_id.as_ref().is_none_or(named)
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            // `verify_slice` compares in constant time.
            Verifier::Hs256(mac) => mac
                .clone()
                .chain_update(message)
                .verify_slice(signature)
                .is_ok(),
            Verifier::EdDsa(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

/// An HMAC ready to be cloned.
pub fn hmac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes keys of any length")
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions we would have to understand (RFC 7515 §4.1.11). We understand none.
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    role: String,
    exp: u64,
    nbf: Option<u64>,
    iat: Option<u64>,
}

/// The caller that `token` vouches for at `now`, or what is wrong with it.
pub fn verify(keys: &[Key], token: &str, now: Timestamp) -> Result<Caller, &'static str> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err("the token is too long");
    }
    let (message, signature) = token.rsplit_once('.').ok_or("the token is no JWT")?;
    let (header, claims) = message.split_once('.').ok_or("the token is no JWT")?;
    let decode = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| "the token is no JWT")
    };
    let signature = decode(signature)?;
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| "the token's header is malformed")?;
    if header.crit.is_some() {
        return Err("the token demands an extension");
    }
    let key = keys
        .iter()
        .find(|key| key.fits(&header) && key.signed(message.as_bytes(), &signature))
        .ok_or("the token's signature is not valid")?;
    let claims: Claims =
        serde_json::from_slice(&decode(claims)?).map_err(|_| "the token's claims are malformed")?;
    let now_s = now.0 / 1_000;
    let begun = |at: Option<u64>| at.is_none_or(|at| at <= now_s.saturating_add(AHEAD_S));
    if claims.iss != key.issuer {
        return Err("the token's issuer is not the key's");
    }
    if claims.exp <= now_s {
        return Err("the token has expired");
    }
    if !begun(claims.nbf) || !begun(claims.iat) {
        return Err("the token is not valid yet");
    }
    let role = Role::parse(&claims.role).ok_or("the token's role is unknown")?;
    if claims.sub.is_empty() {
        return Err("the token has no subject");
    }
    let until = Timestamp(claims.exp.saturating_mul(1_000));
    Ok(Caller {
        person: person(&claims.iss, &claims.sub),
        role,
        until,
        key: None,
        event: None,
    })
}

/// Signs claims with HS256.
pub fn sign(secret: &[u8], claims: &serde_json::Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag = hmac(secret)
        .chain_update(message.as_bytes())
        .finalize()
        .into_bytes();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);
    const SECRET: &[u8] = &[7; 32];

    fn keys() -> Vec<Key> {
        let public = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
        let issuer = |name: &str, key| Issuer {
            name: name.into(),
            key_id: None,
            key,
        };
        [
            issuer("hs", IssuerKey::Hs256(SECRET.to_vec())),
            issuer("ed", IssuerKey::EdDsa(public)),
        ]
        .iter()
        .map(|issuer| Key::new(issuer).expect("a good key"))
        .collect()
    }

    fn claims(change: impl FnOnce(&mut Value)) -> Value {
        let mut claims = json!({"iss": "hs", "sub": "ann", "role": "buyer", "exp": 1_000_060});
        change(&mut claims);
        claims
    }

    fn by_hand(header: &str, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(sign(message.as_bytes()))
        )
    }

    #[test]
    fn a_good_token_names_its_person_under_either_algorithm() {
        let hs = verify(&keys(), &sign(SECRET, &claims(|_| ())), NOW).expect("valid");
        assert_eq!(hs.person, person("hs", "ann"));
        let signer = SigningKey::from_bytes(&[9; 32]);
        let ed = by_hand(
            r#"{"alg":"EdDSA"}"#,
            &claims(|c| c["iss"] = json!("ed")),
            |message| signer.sign(message).to_bytes().to_vec(),
        );
        assert_eq!(
            verify(&keys(), &ed, NOW).expect("valid").person,
            person("ed", "ann")
        );
    }

    #[test]
    fn a_public_key_is_never_used_as_a_shared_secret_and_none_is_no_algorithm() {
        let public = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
        let confused = sign(&public, &claims(|c| c["iss"] = json!("ed")));
        assert!(verify(&keys(), &confused, NOW).is_err());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"hs256"}"#,
        ] {
            let token = by_hand(header, &claims(|_| ()), |_| Vec::new());
            assert!(verify(&keys(), &token, NOW).is_err(), "{header}");
        }
        // One issuer's key does not vouch for another's people.
        assert!(
            verify(
                &keys(),
                &sign(SECRET, &claims(|c| c["iss"] = json!("ed"))),
                NOW
            )
            .is_err()
        );
    }

    #[test]
    fn a_token_ends_at_its_second_and_starts_within_a_minute() {
        let at = |now: u64, change: fn(&mut Value)| {
            verify(
                &keys(),
                &sign(SECRET, &claims(change)),
                Timestamp(now * 1_000),
            )
            .is_ok()
        };
        assert!(at(1_000_059, |_| ()));
        assert!(!at(1_000_060, |_| ()));
        assert!(at(1_000_000, |c| c["nbf"] = json!(1_000_060)));
        assert!(!at(1_000_000, |c| c["nbf"] = json!(1_000_061)));
    }

    #[test]
    fn no_single_flipped_bit_leaves_a_token_valid() {
        let token = sign(SECRET, &claims(|_| ()));
        for place in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                if let Ok(text) = String::from_utf8(bytes) {
                    assert!(
                        verify(&keys(), &text, NOW).is_err(),
                        "byte {place} bit {bit}"
                    );
                }
            }
        }
    }
}
