// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! Reading a Quote where it lies.

use super::body::{BodyDescriptor, TdBody, TdBody1_5};
use super::header::{EnclaveReport, QuoteHeader, ECDSA_P256, QE_REPORT, TEE_TDX};
use core::fmt;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// A Quote for a TD, taken apart. No signature is checked.
#[derive(Clone, Copy, Debug)]
pub struct Quote<'a> {
    /// The header.
    pub header: &'a QuoteHeader,
    /// What it says of the TD.
    pub body: Body<'a>,
    /// The bytes from the start that [`Quote::signature`] is over.
    pub signed: &'a [u8],
    /// The signature by the attestation key: r and s.
    pub signature: &'a [u8; 64],
    /// The public attestation key: x and y.
    pub attestation_key: &'a [u8; 64],
    /// What the quoting enclave is.
    pub qe_report: &'a EnclaveReport,
    /// The signature of [`Quote::qe_report`] by the PCK: r and s.
    pub qe_report_signature: &'a [u8; 64],
    /// What the quoting enclave hashed with the attestation key.
    pub qe_authentication_data: &'a [u8],
    /// The kind of [`Quote::certification_data`].
    pub certification_type: u16,
    /// What tells the PCK; for [`PCK_CERTIFICATE_CHAIN`](super::PCK_CERTIFICATE_CHAIN) certificates as PEM text.
    pub certification_data: &'a [u8],
    /// What follows the Quote: often zeros up to the length that the service reserved.
    pub rest: &'a [u8],
}

/// What a Quote says of the TD.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// As TDX 1.0 does.
    Td1_0(&'a TdBody),
    /// As TDX 1.5 does.
    Td1_5(&'a TdBody1_5),
}

/// Why bytes are no Quote for a TD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuoteError {
    /// They end too early.
    Truncated {
        /// The part that does not fit.
        what: &'static str,
        /// Its length.
        needed: usize,
        /// How many bytes are left for it.
        left: usize,
    },
    /// A number has a value that is not known here.
    Unknown {
        /// What the number tells.
        what: &'static str,
        /// Its value.
        found: u32,
    },
}

impl fmt::Display for QuoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, needed, left } => {
                write!(
                    f,
                    "not a Quote: {what} takes {needed} bytes, {left} are left"
                )
            }
            Self::Unknown { what, found } => {
                write!(f, "not a Quote for a TD: {what} {found:#x} is unknown")
            }
        }
    }
}

impl core::error::Error for QuoteError {}

impl<'a> Quote<'a> {
    /// Reads a Quote of version 4 or 5 for a TD.
    ///
    /// # Errors
    ///
    /// [`QuoteError`] says which part is missing or unknown.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, QuoteError> {
        let mut rest = Reader(bytes);
        let header: &QuoteHeader = rest.read("the header")?;
        known("TEE type", header.tee_type.get(), TEE_TDX)?;
        known(
            "attestation key type",
            header.attestation_key_type.get().into(),
            ECDSA_P256.into(),
        )?;
        let body = match header.version.get() {
            4 => Body::Td1_0(rest.read("the TD report")?),
            5 => {
                let BodyDescriptor { kind, size } = rest.read("the body descriptor")?;
                let mut body = Reader(rest.bytes("the body", size.get())?);
                let body_read = match kind.get() {
                    BodyDescriptor::TD_1_0 => Body::Td1_0(body.read("the TD report")?),
                    BodyDescriptor::TD_1_5 => Body::Td1_5(body.read("the TD report")?),
                    other => return Err(unknown("body type", other.into())),
                };
                known("excess of the body", body.0.len() as u32, 0)?;
                body_read
            }
            other => return Err(unknown("version", other.into())),
        };
        let signed = &bytes[..bytes.len() - rest.0.len()];

        let length: &U32 = rest.read("the length of the signature data")?;
        let mut data = Reader(rest.bytes("the signature data", length.get())?);
        let signature = data.read("the signature")?;
        let attestation_key = data.read("the attestation key")?;
        let (certification_type, certification_data) = data.certification()?;
        known(
            "certification data type",
            certification_type.into(),
            QE_REPORT.into(),
        )?;
        known("excess of the signature data", data.0.len() as u32, 0)?;
        let mut data = Reader(certification_data);
        let qe_report = data.read("the report of the quoting enclave")?;
        let qe_report_signature = data.read("the signature of the report")?;
        let length: &U16 = data.read("the length of the authentication data")?;
        let qe_authentication_data = data.bytes("the authentication data", length.get().into())?;
        let (certification_type, certification_data) = data.certification()?;
        // No signature covers the lengths: with room to spare, they could be changed unnoticed.
        known("excess of the certification data", data.0.len() as u32, 0)?;
        Ok(Self {
            header,
            body,
            signed,
            signature,
            attestation_key,
            qe_report,
            qe_report_signature,
            qe_authentication_data,
            certification_type,
            certification_data,
            rest: rest.0,
        })
    }

    /// What every version says of the TD.
    pub fn td(&self) -> &'a TdBody {
        match self.body {
            Body::Td1_0(body) => body,
            Body::Td1_5(body) => &body.base,
        }
    }
}

fn unknown(what: &'static str, found: u32) -> QuoteError {
    QuoteError::Unknown { what, found }
}

fn known(what: &'static str, found: u32, expected: u32) -> Result<(), QuoteError> {
    if found == expected {
        Ok(())
    } else {
        Err(unknown(what, found))
    }
}

/// The bytes that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn read<T>(&mut self, what: &'static str) -> Result<&'a T, QuoteError>
    where
        T: FromBytes + Immutable + KnownLayout + Unaligned,
    {
        let (value, rest) = T::ref_from_prefix(self.0).map_err(|_| QuoteError::Truncated {
            what,
            needed: size_of::<T>(),
            left: self.0.len(),
        })?;
        self.0 = rest;
        Ok(value)
    }

    fn bytes(&mut self, what: &'static str, length: u32) -> Result<&'a [u8], QuoteError> {
        let needed = length as usize;
        let (bytes, rest) = self
            .0
            .split_at_checked(needed)
            .ok_or(QuoteError::Truncated {
                what,
                needed,
                left: self.0.len(),
            })?;
        self.0 = rest;
        Ok(bytes)
    }

    fn certification(&mut self) -> Result<(u16, &'a [u8]), QuoteError> {
        let kind: &U16 = self.read("the certification data type")?;
        let length: &U32 = self.read("the length of the certification data")?;
        let data = self.bytes("the certification data", length.get())?;
        Ok((kind.get(), data))
    }
}
