// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What a Quote begins with, and the report of the enclave that signed it.

use core::mem::{offset_of, size_of};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The type of the attestation key: ECDSA-256 with the curve P-256. The only one that there is for TDX.
pub const ECDSA_P256: u16 = 2;

/// The type of TEE that a Quote is for: TDX.
pub const TEE_TDX: u32 = 0x81;

/// Whose quoting enclave made a Quote: Intel's vendor ID, which verifiers insist on.
pub const INTEL_VENDOR_ID: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// Certification data: the certificates of the PCK as PEM.
pub const PCK_CERTIFICATE_CHAIN: u16 = 5;

/// Certification data: the report of the quoting enclave, its signature, and further certification data.
pub const QE_REPORT: u16 = 6;

/// What a Quote begins with.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct QuoteHeader {
    /// 4 or 5.
    pub version: U16,
    /// [`ECDSA_P256`].
    pub attestation_key_type: U16,
    /// [`TEE_TDX`].
    pub tee_type: U32,
    /// Reserved, zero.
    pub reserved: [u8; 4],
    /// [`INTEL_VENDOR_ID`].
    pub vendor_id: [u8; 16],
    /// The ID of the quoting enclave in the first 16 bytes, then zeros.
    pub user_data: [u8; 20],
}

/// REPORT of an SGX enclave without its MAC: what the quoting enclave is.
///
/// Source: Intel SDM, volume 3D, "REPORT".
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct EnclaveReport {
    /// CPUSVN.
    pub cpu_svn: [u8; 16],
    /// MISCSELECT.
    pub misc_select: U32,
    /// Reserved, zero.
    pub reserved0: [u8; 28],
    /// ATTRIBUTES.
    pub attributes: [u8; 16],
    /// MRENCLAVE: the measurement of the enclave.
    pub mr_enclave: [u8; 32],
    /// Reserved, zero.
    pub reserved1: [u8; 32],
    /// MRSIGNER: the hash of the key that the enclave was signed with.
    pub mr_signer: [u8; 32],
    /// Reserved, zero.
    pub reserved2: [u8; 96],
    /// ISVPRODID: the product number of the enclave.
    pub isv_prod_id: U16,
    /// ISVSVN: the security version of the enclave.
    pub isv_svn: U16,
    /// Reserved, zero.
    pub reserved3: [u8; 60],
    /// REPORTDATA: the SHA-256 of the attestation key and the authentication data, then zeros.
    pub report_data: [u8; 64],
}

const _: () = {
    assert!(size_of::<QuoteHeader>() == 48);
    assert!(offset_of!(QuoteHeader, vendor_id) == 12);
    assert!(offset_of!(QuoteHeader, user_data) == 28);
    assert!(size_of::<EnclaveReport>() == 384);
    assert!(offset_of!(EnclaveReport, attributes) == 48);
    assert!(offset_of!(EnclaveReport, mr_enclave) == 64);
    assert!(offset_of!(EnclaveReport, mr_signer) == 128);
    assert!(offset_of!(EnclaveReport, isv_prod_id) == 256);
    assert!(offset_of!(EnclaveReport, report_data) == 320);
};
