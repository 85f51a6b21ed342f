//! Certificates in memory (RFC 5280): ECDSA on P-256, version 3, names as DNS names.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use sha2::{Digest, Sha256};

/// A certificate and its key, PEM.
pub struct Made {
    /// The certificate.
    pub cert: String,
    /// The key, PKCS #8.
    pub key: String,
}

/// From when to when, in days.
#[derive(Clone, Copy)]
pub struct Validity {
    from: Date,
    to: Date,
}

impl Validity {
    /// So many days from now on; a day more before, because clocks differ.
    pub fn from_now(now_ms: u64, days: u32) -> Self {
        let now = Timestamp::from_millisecond(now_ms as i64).unwrap_or(Timestamp::UNIX_EPOCH);
        let today = now.to_zoned(TimeZone::UTC).date();
        Self {
            from: today.saturating_sub(1.day()),
            to: today.saturating_add(i64::from(days).days()),
        }
    }
}

/// Who shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Who calls and is called.
    Both,
    /// Who only calls.
    Calls,
}

/// A new authority.
pub fn authority(validity: Validity) -> Result<Made, Error> {
    let key = KeyPair::generate()?;
    let mut params = authority_params(&key);
    within(&mut params, validity);
    Ok(Made {
        cert: params.self_signed(&key)?.pem(),
        key: key.serialize_pem(),
    })
}

/// A certificate of these names, signed by the authority that has this key.
pub fn signed(
    authority_key: &str,
    owner: &str,
    names: Vec<String>,
    validity: Validity,
    what_for: Use,
) -> Result<Made, Error> {
    let authority_key = KeyPair::from_pem(authority_key)?;
    let issuer = Issuer::new(authority_params(&authority_key), authority_key);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, owner);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if what_for == Use::Both {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    within(&mut params, validity);
    let key = KeyPair::generate()?;
    Ok(Made {
        cert: params.signed_by(&key, &issuer)?.pem(),
        key: key.serialize_pem(),
    })
}

/// Its name follows from its key: who has the key can sign, and two authorities of one cluster,
/// while they are exchanged, are never mistaken for each other.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let mark = Sha256::digest(key.public_key_raw());
    let mark: String = mark[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("Usher authority {mark}");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn within(params: &mut CertificateParams, Validity { from, to }: Validity) {
    let at = |date: Date| date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    params.not_before = at(from);
    params.not_after = at(to);
}
