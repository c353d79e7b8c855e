// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A platform: its certificates, and the collateral about it.

use crate::certificate::{Holder, Issued, Use};
use crate::crl::crl;
use crate::qe_identity::qe_identity;
use crate::seed::Seed;
use crate::sgx_extension::sgx_extension;
use crate::tcb_info::tcb_info;
use crate::{Collateral, PlatformConfig, Revoked, Timestamp, TimestampError};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::Signature;
use serde::Serialize;

/// A platform of its own: a certificate hierarchy, a processor with its PCK certificate, and a quoting enclave.
///
/// The same seed and configuration give the same platform, byte for byte. Nothing but [`Platform::collateral`] depends
/// on the time, so Quotes that were made elsewhere, from the same seed, verify with collateral that is made today.
pub struct Platform {
    pub(crate) seed: Seed,
    pub(crate) config: PlatformConfig,
    root: Holder,
    platform_ca: Holder,
    pub(crate) pck: Holder,
    tcb_signing: Holder,
    certificates: Certificates,
}

struct Certificates {
    root: Issued,
    platform_ca: Issued,
    pck: Issued,
    tcb_signing: Issued,
}

/// Why there is no such platform or collateral.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// Something of the configuration cannot be written into a certificate or CRL.
    #[error("a certificate or CRL cannot be written with this configuration (is pcs_url a plain URL?): {0}")]
    Der(#[from] der::Error),
    /// The collateral would end after all time.
    #[error("the collateral cannot be valid so long: {0}")]
    Validity(#[from] TimestampError),
}

impl Platform {
    /// The platform of `seed`, which may be of any length.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Der`] when a field of `config` does not fit into a certificate.
    pub fn from_seed(seed: &[u8], config: &PlatformConfig) -> Result<Self, PlatformError> {
        let seed = Seed::new(seed);
        let root = Holder::new(&seed, "Intel SGX Root CA")?;
        let platform_ca = Holder::new(&seed, "Intel SGX PCK Platform CA")?;
        let pck = Holder::new(&seed, "Intel SGX PCK Certificate")?;
        let tcb_signing = Holder::new(&seed, "Intel SGX TCB Signing")?;

        let root_crl = format!("{}/IntelSGXRootCA.der", config.pcs_url);
        let pck_crl = format!(
            "{}/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            config.pcs_url
        );
        let certificates = Certificates {
            root: root.certificate(&root, Use::Authority(1), &root_crl, None, config)?,
            platform_ca: platform_ca.certificate(
                &root,
                Use::Authority(0),
                &root_crl,
                None,
                config,
            )?,
            pck: pck.certificate(
                &platform_ca,
                Use::Data,
                &pck_crl,
                Some(sgx_extension(&seed, config)?),
                config,
            )?,
            tcb_signing: tcb_signing.certificate(&root, Use::Data, &root_crl, None, config)?,
        };
        Ok(Self {
            seed,
            config: config.clone(),
            root,
            platform_ca,
            pck,
            tcb_signing,
            certificates,
        })
    }

    /// The root certificate in DER: what a verifier is told to trust.
    pub fn root_der(&self) -> &[u8] {
        &self.certificates.root.der
    }

    /// The root certificate as PEM.
    pub fn root_pem(&self) -> &str {
        &self.certificates.root.pem
    }

    /// The PCK certificate, the platform CA's and the root's as PEM, in this order.
    pub fn pck_chain_pem(&self) -> String {
        let Certificates {
            root,
            platform_ca,
            pck,
            ..
        } = &self.certificates;
        [&*pck.pem, &platform_ca.pem, &root.pem].concat()
    }

    /// The collateral for this platform, issued at `issued` and valid as long as the configuration says.
    ///
    /// # Errors
    ///
    /// [`PlatformError::Validity`] when it would be valid beyond the year 9999.
    pub fn collateral(&self, issued: Timestamp) -> Result<Collateral, PlatformError> {
        let Certificates {
            root,
            platform_ca,
            tcb_signing,
            ..
        } = &self.certificates;
        let config = &self.config;
        let next_update = issued.add_days(config.collateral_days)?;
        let revoked_by_root = match config.revoked {
            Some(Revoked::PlatformCa) => Some(&self.platform_ca),
            Some(Revoked::TcbSigning) => Some(&self.tcb_signing),
            Some(Revoked::Pck) | None => None,
        };
        let revoked_pck = (config.revoked == Some(Revoked::Pck)).then_some(&self.pck);

        let signer_chain = [&*tcb_signing.pem, &root.pem].concat();
        let (tcb_info, tcb_info_signature) = self.sign_json(&tcb_info(config, issued, next_update));
        let (qe_identity, qe_identity_signature) =
            self.sign_json(&qe_identity(&self.seed, config, issued, next_update));
        Ok(Collateral {
            pck_crl_issuer_chain: [&*platform_ca.pem, &root.pem].concat(),
            root_ca_crl: crl(&self.root, revoked_by_root, issued, next_update)?,
            pck_crl: crl(&self.platform_ca, revoked_pck, issued, next_update)?,
            tcb_info_issuer_chain: signer_chain.clone(),
            tcb_info,
            tcb_info_signature,
            qe_identity_issuer_chain: signer_chain,
            qe_identity,
            qe_identity_signature,
        })
    }

    /// The kind of platform, as hexadecimal digits: what the PCS is asked with.
    pub fn fmspc(&self) -> String {
        hex::encode_upper(self.config.fmspc)
    }

    /// JSON without a space, and the signature of exactly these bytes.
    fn sign_json(&self, body: &impl Serialize) -> (String, [u8; 64]) {
        let json = serde_json::to_string(body).expect("text and numbers are JSON");
        let signature: Signature = self.tcb_signing.key.sign(json.as_bytes());
        (json, signature.to_bytes().into())
    }
}
