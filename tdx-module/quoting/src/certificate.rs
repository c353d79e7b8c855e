// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Certificates.
//!
//! They have what *Intel SGX PCK Certificate and Certificate Revocation List Profile Specification* asks of those of a
//! platform, in the same order. Verifiers insist on its names; an organisational unit, which they do not look at, says
//! whose these are.

use crate::seed::Seed;
use crate::PlatformConfig;
use der::asn1::{
    Any, BitString, Ia5String, OctetString, PrintableStringRef, SetOfVec, Utf8StringRef,
};
use der::oid::ObjectIdentifier;
use der::pem::LineEnding;
use der::{Encode, EncodePem as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::{Digest as _, Sha256};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::oid::db::{rfc4519, rfc5912};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, KeyUsage, KeyUsages,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{AsExtension as _, Extension};
use x509_cert::name::{Name, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Validity;

/// What every name of a test platform says besides what the profile asks for.
const UNIT: &str = "Software TDX model: test platform, not Intel";

/// A holder of a certificate: its name, its key, and the serial number that its issuer gave it.
pub(crate) struct Holder {
    pub(crate) name: Name,
    pub(crate) key: SigningKey,
    pub(crate) serial: SerialNumber,
}

/// A certificate, in both of its forms.
pub(crate) struct Issued {
    pub(crate) der: Vec<u8>,
    pub(crate) pem: String,
}

/// What the key of a certificate is for.
pub(crate) enum Use {
    /// Signs certificates, with at most so many further issuers below it, and CRLs.
    Authority(u8),
    /// Signs other data.
    Data,
}

impl Holder {
    /// The holder with this common name, whose key and serial number `seed` has under it.
    pub(crate) fn new(seed: &Seed, common_name: &str) -> der::Result<Self> {
        let mut serial: [u8; 20] = seed.bytes(&format!("{common_name} serial number"));
        // Positive, and as long as the profile has it.
        serial[0] = (serial[0] & 0x7f) | 0x40;
        Ok(Self {
            name: name(common_name)?,
            key: seed.key(&format!("{common_name} key")),
            serial: SerialNumber::new(&serial)?,
        })
    }

    /// The identifier of the key (RFC 7093, section 2, method 1: from its SHA-256).
    pub(crate) fn key_id(&self) -> der::Result<OctetString> {
        let point = self.key.verifying_key().to_encoded_point(false);
        OctetString::new(&Sha256::digest(point.as_bytes())[..20])
    }

    fn public_key_info(&self) -> der::Result<SubjectPublicKeyInfoOwned> {
        let point = self.key.verifying_key().to_encoded_point(false);
        Ok(SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned {
                oid: rfc5912::ID_EC_PUBLIC_KEY,
                parameters: Some(Any::from(&rfc5912::SECP_256_R_1)),
            },
            subject_public_key: BitString::from_bytes(point.as_bytes())?,
        })
    }

    /// A signature in the form that certificates have, deterministic as in RFC 6979.
    pub(crate) fn sign_der(&self, message: &[u8]) -> der::Result<BitString> {
        let signature: DerSignature = self.key.sign(message);
        BitString::from_bytes(signature.as_bytes())
    }

    /// The certificate that `issuer` gives to this holder; the same holder for that of a root.
    ///
    /// `crl_url` is where the CRL of the issuer is; `extra` is an extension of this kind of certificate.
    pub(crate) fn certificate(
        &self,
        issuer: &Self,
        key_use: Use,
        crl_url: &str,
        extra: Option<Extension>,
        config: &PlatformConfig,
    ) -> der::Result<Issued> {
        let mut tbs = TbsCertificate {
            version: Version::V3,
            serial_number: self.serial.clone(),
            signature: ecdsa_with_sha256(),
            issuer: issuer.name.clone(),
            validity: Validity {
                not_before: config.not_before.to_x509(),
                not_after: config.not_after.to_x509(),
            },
            subject: self.name.clone(),
            subject_public_key_info: self.public_key_info()?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: None,
        };
        let mut extensions = vec![
            authority_key_id(issuer)?.to_extension(&tbs.subject, &[])?,
            distribution_points(crl_url)?.to_extension(&tbs.subject, &[])?,
            SubjectKeyIdentifier(self.key_id()?).to_extension(&tbs.subject, &[])?,
        ];
        let (usages, constraints) = match key_use {
            Use::Authority(below) => (
                KeyUsages::KeyCertSign | KeyUsages::CRLSign,
                BasicConstraints {
                    ca: true,
                    path_len_constraint: Some(below),
                },
            ),
            Use::Data => (
                KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
                BasicConstraints {
                    ca: false,
                    path_len_constraint: None,
                },
            ),
        };
        extensions.push(critical(KeyUsage(usages).to_extension(&tbs.subject, &[])?));
        extensions.push(critical(constraints.to_extension(&tbs.subject, &[])?));
        extensions.extend(extra);
        tbs.extensions = Some(extensions);
        let certificate = Certificate {
            signature: issuer.sign_der(&tbs.to_der()?)?,
            signature_algorithm: ecdsa_with_sha256(),
            tbs_certificate: tbs,
        };
        Ok(Issued {
            der: certificate.to_der()?,
            pem: certificate.to_pem(LineEnding::LF)?,
        })
    }
}

/// The extension that says which key signed a certificate or CRL.
pub(crate) fn authority_key_id(issuer: &Holder) -> der::Result<AuthorityKeyIdentifier> {
    Ok(AuthorityKeyIdentifier {
        key_identifier: Some(issuer.key_id()?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    })
}

/// The only algorithm of the profile.
pub(crate) fn ecdsa_with_sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: rfc5912::ECDSA_WITH_SHA_256,
        parameters: None,
    }
}

fn critical(extension: Extension) -> Extension {
    Extension {
        critical: true,
        ..extension
    }
}

fn distribution_points(url: &str) -> der::Result<CrlDistributionPoints> {
    let name = GeneralName::UniformResourceIdentifier(Ia5String::new(url)?);
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    }]))
}

fn name(common_name: &str) -> der::Result<Name> {
    let text = |oid: ObjectIdentifier, value| {
        let value = Any::from(Utf8StringRef::new(value)?);
        relative_name(oid, value)
    };
    Ok(Name::from(vec![
        text(rfc4519::CN, common_name)?,
        text(rfc4519::OU, UNIT)?,
        text(rfc4519::O, "Intel Corporation")?,
        text(rfc4519::L, "Santa Clara")?,
        text(rfc4519::ST, "CA")?,
        relative_name(rfc4519::C, Any::from(PrintableStringRef::new("US")?))?,
    ]))
}

fn relative_name(oid: ObjectIdentifier, value: Any) -> der::Result<RelativeDistinguishedName> {
    let attribute = AttributeTypeAndValue { oid, value };
    Ok(RelativeDistinguishedName::from(SetOfVec::try_from(vec![
        attribute,
    ])?))
}
