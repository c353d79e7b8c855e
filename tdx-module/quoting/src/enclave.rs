// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The quoting enclave.

use crate::qe_identity::{qe_mr_signer, QE_ATTRIBUTES, QE_PROD_ID};
use crate::quote::{
    BodyDescriptor, EnclaveReport, QuoteHeader, TdBody, TdBody1_5, ECDSA_P256, INTEL_VENDOR_ID,
    PCK_CERTIFICATE_CHAIN, QE_REPORT, TEE_TDX,
};
use crate::report_rules::{quote_form, QuoteForm, ReportError};
use crate::Platform;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};
use tdx_uapi::{ReportMac, TdReport};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromZeros, IntoBytes};

/// What checks that a report was made on this platform, as TDG.MR.VERIFYREPORT does.
pub type MacCheck = dyn Fn(&ReportMac) -> Result<(), MacError> + Send + Sync;

/// Why a REPORTMACSTRUCT is not of this platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// The platform never had this CPUSVN.
    #[error("its CPUSVN is not one of this platform")]
    CpuSvn,
    /// The MAC does not hold: another platform made the report, or it was changed.
    #[error("its MAC does not hold: it was made on another platform, or changed")]
    Mac,
}

/// What the quoting enclave hashes with its key, and every Quote carries: it has no meaning.
const AUTHENTICATION_DATA: [u8; 32] = {
    let mut data = [0; 32];
    let mut i = 0;
    while i < data.len() {
        data[i] = i as u8;
        i += 1;
    }
    data
};

/// The quoting enclave of a [`Platform`]: it turns TDREPORTs into Quotes.
pub struct QuotingEnclave {
    attestation_key: SigningKey,
    /// The signature data of every Quote, after the signature itself.
    certification: Vec<u8>,
    info: PlatformInfo,
    check_mac: Box<MacCheck>,
}

/// What a quoting service tells of its platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformInfo {
    /// The ID of the quoting enclave: the same on this platform for ever.
    pub platform_id: [u8; 16],
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// The security version of the quoting enclave.
    pub qe_svn: u16,
    /// The security version of the PCE.
    pub pce_svn: u16,
}

impl QuotingEnclave {
    /// The quoting enclave of `platform`, which makes Quotes of reports that `check_mac` accepts.
    pub fn new(
        platform: &Platform,
        check_mac: impl Fn(&ReportMac) -> Result<(), MacError> + Send + Sync + 'static,
    ) -> Self {
        let (seed, config) = (&platform.seed, &platform.config);
        let attestation_key = seed.key("attestation key");
        let point = attestation_key.verifying_key().to_encoded_point(false);
        // x and y; the first byte says that both follow.
        let public_key = &point.as_bytes()[1..];

        let mut report_data = [0; 64];
        let hash = Sha256::new()
            .chain_update(public_key)
            .chain_update(AUTHENTICATION_DATA);
        report_data[..32].copy_from_slice(&hash.finalize());
        let report = EnclaveReport {
            cpu_svn: config.cpu_svn,
            attributes: QE_ATTRIBUTES,
            mr_enclave: seed.bytes("QE MRENCLAVE"),
            mr_signer: qe_mr_signer(seed),
            isv_prod_id: QE_PROD_ID.into(),
            isv_svn: config.qe_svn.into(),
            report_data,
            ..EnclaveReport::new_zeroed()
        };
        let report_signature: Signature = platform.pck.key.sign(report.as_bytes());

        let mut qe_data = report.as_bytes().to_vec();
        qe_data.extend(report_signature.to_bytes());
        qe_data.extend((AUTHENTICATION_DATA.len() as u16).to_le_bytes());
        qe_data.extend(AUTHENTICATION_DATA);
        // The provisioning library hands the text over with the NUL that ends it in C.
        let chain = [platform.pck_chain_pem().as_bytes(), &[0]].concat();
        append_certification(&mut qe_data, PCK_CERTIFICATE_CHAIN, &chain);

        let mut certification = public_key.to_vec();
        append_certification(&mut certification, QE_REPORT, &qe_data);
        Self {
            attestation_key,
            certification,
            info: PlatformInfo {
                platform_id: seed.bytes("QE ID"),
                cpu_svn: config.cpu_svn,
                qe_svn: config.qe_svn,
                pce_svn: config.pce_svn,
            },
            check_mac: Box::new(check_mac),
        }
    }

    /// The platform, as a quoting service tells of it.
    pub fn platform_info(&self) -> &PlatformInfo {
        &self.info
    }

    /// The length of every Quote of this enclave in bytes.
    pub fn quote_len(&self) -> usize {
        size_of::<QuoteHeader>()
            + size_of::<BodyDescriptor>()
            + size_of::<TdBody1_5>()
            + size_of::<U32>()
            + size_of::<[u8; 64]>()
            + self.certification.len()
    }

    /// A Quote for the TD of `report`.
    ///
    /// It is of version 4 where that can tell everything, else of version 5. Like those of the real enclave, all Quotes
    /// have the length of a Quote of version 5: one of version 4 is followed by zeros.
    ///
    /// # Errors
    ///
    /// [`ReportError`] says why the report is not one of this platform's TDX module.
    pub fn quote(&self, report: &TdReport) -> Result<Vec<u8>, ReportError> {
        let form = quote_form(report)?;
        (self.check_mac)(&report.mac)?;
        report.check_hashes(|bytes| sha2::Sha384::digest(bytes).into())?;

        let mut quote = Vec::with_capacity(self.quote_len());
        let base = TdBody::of(report);
        match form {
            QuoteForm::Version4 => {
                quote.extend(self.header(4).as_bytes());
                quote.extend(base.as_bytes());
            }
            QuoteForm::Version5 {
                tee_tcb_svn2,
                mr_service_td,
            } => {
                let descriptor = BodyDescriptor {
                    kind: BodyDescriptor::TD_1_5.into(),
                    size: (size_of::<TdBody1_5>() as u32).into(),
                };
                let body = TdBody1_5 {
                    base,
                    tee_tcb_svn2,
                    mr_service_td,
                };
                quote.extend(self.header(5).as_bytes());
                quote.extend(descriptor.as_bytes());
                quote.extend(body.as_bytes());
            }
        }
        let signature: Signature = self.attestation_key.sign(&quote);
        let length = size_of::<[u8; 64]>() + self.certification.len();
        quote.extend((length as u32).to_le_bytes());
        quote.extend(signature.to_bytes());
        quote.extend(&self.certification);
        quote.resize(self.quote_len(), 0);
        Ok(quote)
    }

    fn header(&self, version: u16) -> QuoteHeader {
        let mut user_data = [0; 20];
        user_data[..16].copy_from_slice(&self.info.platform_id);
        QuoteHeader {
            version: U16::new(version),
            attestation_key_type: ECDSA_P256.into(),
            tee_type: TEE_TDX.into(),
            reserved: [0; 4],
            vendor_id: INTEL_VENDOR_ID,
            user_data,
        }
    }
}

/// Certification data: its type, its length, the data.
fn append_certification(to: &mut Vec<u8>, kind: u16, data: &[u8]) {
    to.extend(kind.to_le_bytes());
    to.extend((data.len() as u32).to_le_bytes());
    to.extend(data);
}
