// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDREPORTs as a TDX module would make them, and a verifier.

use dcap_qvl::verify::{QuoteVerifier, VerifiedReport};
use dcap_qvl::QuoteCollateralV3;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha384};
use tdx_quoting::qgs::{Header, MessageType};
use tdx_quoting::{Collateral, MacError, Platform, PlatformConfig, QuotingEnclave, Timestamp};
use tdx_uapi::{Attributes, Digest, ReportMac, TdReport, TeeTcbInfo};
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub(crate) const SEED: &[u8] = b"seed of the tests";

/// What the MACs of the tests' reports are made with.
const MAC_KEY: &[u8] = b"key of the tests";

/// A time within the validity of everything that the tests make.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A platform, its collateral of the day that [`NOW`] is in, and its quoting enclave.
pub(crate) struct Fixture {
    pub(crate) platform: Platform,
    pub(crate) collateral: Collateral,
    pub(crate) enclave: QuotingEnclave,
}

impl Fixture {
    pub(crate) fn new(config: &PlatformConfig) -> Self {
        let platform = Platform::from_seed(SEED, config).expect("a platform");
        Self {
            collateral: platform
                .collateral(time("2026-11-20T00:00:00Z"))
                .expect("collateral"),
            enclave: QuotingEnclave::new(&platform, check_mac),
            platform,
        }
    }

    /// What the verifier says at [`NOW`].
    pub(crate) fn verify(&self, quote: &[u8]) -> Result<VerifiedReport, String> {
        verify(quote, self.platform.root_der(), &self.collateral, NOW)
    }
}

/// What the verifier says of `quote`.
pub(crate) fn verify(
    quote: &[u8],
    root_der: &[u8],
    collateral: &Collateral,
    now: &str,
) -> Result<VerifiedReport, String> {
    QuoteVerifier::new(root_der.to_vec())
        .verify(quote, &load(collateral), time(now).unix())
        .map_err(|error| format!("{error:#}"))
}

/// The collateral as a program reads it that was given the JSON.
pub(crate) fn load(collateral: &Collateral) -> QuoteCollateralV3 {
    serde_json::from_str(&collateral.to_json()).expect("collateral of dcap-qvl")
}

/// The report of a TD under the default platform's TDX module of version 1.5, nothing peculiar about it.
pub(crate) fn report() -> TdReport {
    report_with(|_| ())
}

/// The same with changes that its TDX module made.
pub(crate) fn report_with(change: impl FnOnce(&mut TdReport)) -> TdReport {
    let config = PlatformConfig::default();
    let mut report = TdReport::new_zeroed();
    report.mac.report_type.kind = 0x81;
    report.mac.cpu_svn = config.cpu_svn;
    report.mac.reportdata = std::array::from_fn(|i| i as u8);
    let module = &mut report.tee_tcb_info;
    module.valid = TeeTcbInfo::VALID_1_5.into();
    module.tee_tcb_svn = config.tee_tcb_svn;
    module.tee_tcb_svn2 = config.tee_tcb_svn;
    module.mr_seam = Digest([0x5e; 48]);
    let td = &mut report.td_info;
    td.attributes = Attributes::SEPT_VE_DISABLE.0.into();
    td.xfam = 0xe7.into();
    td.mrtd = Digest([0x47; 48]);
    td.mr_config_id = Digest([0xc1; 48]);
    td.mr_owner = Digest([0x0e; 48]);
    td.mr_owner_config = Digest([0x0c; 48]);
    td.rtmr = std::array::from_fn(|i| Digest([i as u8 + 1; 48]));
    change(&mut report);
    let (tcb, td) = (&report.tee_tcb_info, &report.td_info);
    report.mac.tee_tcb_info_hash = Digest(Sha384::digest(tcb.as_bytes()).into());
    report.mac.tee_info_hash = Digest(Sha384::digest(td.as_bytes()).into());
    report.mac.mac = mac(&report.mac);
    report
}

/// The report of a TD whose TDX module was updated while it ran: it takes a Quote of version 5.
pub(crate) fn report_after_update() -> TdReport {
    report_with(|report| report.tee_tcb_info.tee_tcb_svn2[0] += 1)
}

/// What the quoting enclaves of the tests check reports with.
pub(crate) fn check_mac(report: &ReportMac) -> Result<(), MacError> {
    if report.cpu_svn != PlatformConfig::default().cpu_svn {
        Err(MacError::CpuSvn)
    } else if report.mac != mac(report) {
        Err(MacError::Mac)
    } else {
        Ok(())
    }
}

fn mac(report: &ReportMac) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(MAC_KEY).expect("a key of any length");
    mac.update(&report.as_bytes()[..224]);
    mac.finalize().into_bytes().into()
}

/// A request for a Quote as a client of a QGS sends it.
pub(crate) fn framed_request(minor_version: u16, report: &[u8]) -> Vec<u8> {
    let lengths = [report.len() as u32, 0].map(U32::new);
    framed(
        minor_version,
        MessageType::GET_QUOTE_REQ,
        &[lengths.as_bytes(), report].concat(),
    )
}

/// A message with its length.
pub(crate) fn framed(minor_version: u16, kind: MessageType, fields: &[u8]) -> Vec<u8> {
    let size = (size_of::<Header>() + fields.len()) as u32;
    let header = Header {
        major_version: 1.into(),
        minor_version: minor_version.into(),
        kind: kind.0.into(),
        size: size.into(),
        error: 0.into(),
    };
    [&size.to_be_bytes(), header.as_bytes(), fields].concat()
}

/// The header of a response to a request for a Quote, and the Quote.
pub(crate) fn unframed(bytes: &[u8]) -> (&Header, &[u8]) {
    let (length, message) = bytes.split_first_chunk().expect("a length");
    assert_eq!(u32::from_be_bytes(*length) as usize, message.len());
    let (header, fields) = Header::ref_from_prefix(message).expect("a header");
    assert_eq!(header.kind, MessageType::GET_QUOTE_RESP.0);
    assert_eq!(header.size.get() as usize, message.len());
    let (lengths, quote) = <[U32; 2]>::ref_from_prefix(fields).expect("lengths");
    assert_eq!(lengths[0].get(), 0);
    assert_eq!(lengths[1].get() as usize, quote.len());
    (header, quote)
}
