// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Certificate revocation lists.

use crate::certificate::{authority_key_id, ecdsa_with_sha256, Holder};
use crate::Timestamp;
use der::asn1::{OctetString, Uint};
use der::Encode;
use x509_cert::certificate::Version;
use x509_cert::crl::{CertificateList, RevokedCert, TbsCertList};
use x509_cert::der::oid::db::rfc5280;
use x509_cert::ext::pkix::CrlReason;
use x509_cert::ext::{AsExtension as _, Extension};

/// The CRL of `issuer`, in DER, with the certificate of `revoked` in it.
pub(crate) fn crl(
    issuer: &Holder,
    revoked: Option<&Holder>,
    this_update: Timestamp,
    next_update: Timestamp,
) -> der::Result<Vec<u8>> {
    let this_update = this_update.to_x509();
    let reason = extension(rfc5280::ID_CE_CRL_REASONS, &CrlReason::KeyCompromise)?;
    let revoked = revoked.map(|holder| {
        vec![RevokedCert {
            serial_number: holder.serial.clone(),
            revocation_date: this_update,
            crl_entry_extensions: Some(vec![reason]),
        }]
    });
    let tbs = TbsCertList {
        version: Version::V2,
        signature: ecdsa_with_sha256(),
        issuer: issuer.name.clone(),
        this_update,
        next_update: Some(next_update.to_x509()),
        revoked_certificates: revoked,
        crl_extensions: Some(vec![
            extension(rfc5280::ID_CE_CRL_NUMBER, &Uint::new(&[1])?)?,
            authority_key_id(issuer)?.to_extension(&issuer.name, &[])?,
        ]),
    };
    CertificateList {
        signature: issuer.sign_der(&tbs.to_der()?)?,
        signature_algorithm: ecdsa_with_sha256(),
        tbs_cert_list: tbs,
    }
    .to_der()
}

fn extension(id: der::oid::ObjectIdentifier, value: &impl Encode) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: id,
        critical: false,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}
