// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! Messages of Intel's quote generation service (QGS), as a TD sends and gets them.
//!
//! Over a stream a message is preceded by its length, [`PREFIX_LEN`] bytes, big endian; all else is little endian.
//!
//! ```
//! use tdx_uapi::qgs::{quote_in, ErrorCode, QuoteMessage, ResponseError};
//!
//! let request = QuoteMessage::new(&[0; 1024]);
//! assert_eq!(request.header.size, 16 + 8 + 1024);
//! // A request is no response.
//! let bytes = zerocopy::IntoBytes::as_bytes(&request);
//! assert_eq!(quote_in(bytes), Err(ResponseError::Kind { found: 0 }));
//! ```
//!
//! Source: `QuoteGeneration/quote_wrapper/qgs_msg_lib/inc/qgs_msg_lib.h` of Intel SGX DCAP.

use crate::TDREPORT_LEN;
use core::fmt;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::FromBytes;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of what precedes a message on a stream.
pub const PREFIX_LEN: usize = 4;

/// The major version that is spoken.
pub const MAJOR_VERSION: u16 = 1;

/// The port of AF_VSOCK where TDs look for a QGS.
pub const VSOCK_PORT: u32 = 4050;

/// What every message begins with.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// 1.
    pub major_version: U16,
    /// 0 or 1.
    pub minor_version: U16,
    /// The kind of message: a [`MessageType`].
    pub kind: U32,
    /// The length of the whole message in bytes, with this header.
    pub size: U32,
    /// In a response, an [`ErrorCode`]; 0 otherwise.
    pub error: U32,
}

/// A request for a Quote by any of the service's keys.
#[derive(Clone, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
pub struct QuoteMessage {
    /// The header.
    pub header: Header,
    /// The length of the report.
    pub report_len: U32,
    /// The length of the list of keys to choose from: 0 for any.
    pub ids_len: U32,
    /// The TDREPORT.
    pub report: [u8; TDREPORT_LEN],
}

/// The kind of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u32);

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

/// Why a message has no Quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// It is of another major version.
    Version {
        /// Which.
        found: u16,
    },
    /// It is no response to a request for a Quote.
    Kind {
        /// What it is: a [`MessageType`].
        found: u32,
    },
    /// Its lengths contradict each other.
    Size {
        /// How long it is.
        found: usize,
    },
    /// The service has refused.
    Refused(ErrorCode),
}

impl QuoteMessage {
    /// The request for a Quote of this report.
    pub fn new(report: &[u8; TDREPORT_LEN]) -> Self {
        Self {
            header: Header {
                major_version: MAJOR_VERSION.into(),
                minor_version: 0.into(),
                kind: MessageType::GET_QUOTE_REQ.0.into(),
                size: (size_of::<Self>() as u32).into(),
                error: 0.into(),
            },
            report_len: (TDREPORT_LEN as u32).into(),
            ids_len: 0.into(),
            report: *report,
        }
    }
}

/// The Quote in the response to a [`QuoteMessage`]. Whether it is one is for its own reader to say.
///
/// # Errors
///
/// [`ResponseError`].
pub fn quote_in(message: &[u8]) -> Result<&[u8], ResponseError> {
    let size = ResponseError::Size {
        found: message.len(),
    };
    let (header, rest) = Header::ref_from_prefix(message).map_err(|_| size)?;
    if header.major_version != MAJOR_VERSION {
        let found = header.major_version.get();
        return Err(ResponseError::Version { found });
    }
    if header.kind != MessageType::GET_QUOTE_RESP.0 {
        let found = header.kind.get();
        return Err(ResponseError::Kind { found });
    }
    if header.size.get() as usize != message.len() {
        return Err(size);
    }
    match ErrorCode(header.error.get()) {
        ErrorCode::SUCCESS => {}
        code => return Err(ResponseError::Refused(code)),
    }
    let (lengths, parts) = <[U32; 2]>::ref_from_prefix(rest).map_err(|_| size)?;
    let [id_len, quote_len] = lengths.map(|length| length.get() as usize);
    match parts.split_at_checked(id_len) {
        Some((_, quote)) if quote.len() == quote_len => Ok(quote),
        _ => Err(size),
    }
}

impl MessageType {
    /// Asks for a Quote.
    pub const GET_QUOTE_REQ: Self = Self(0);
    /// Answers with a Quote.
    pub const GET_QUOTE_RESP: Self = Self(1);
    /// Asks for collateral.
    pub const GET_COLLATERAL_REQ: Self = Self(2);
    /// Answers with collateral.
    pub const GET_COLLATERAL_RESP: Self = Self(3);
    /// Asks for the platform.
    pub const GET_PLATFORM_INFO_REQ: Self = Self(4);
    /// Answers with the platform.
    pub const GET_PLATFORM_INFO_RESP: Self = Self(5);
}

impl ErrorCode {
    /// The request succeeded.
    pub const SUCCESS: Self = Self(0);
    /// Something failed: the report is not one of this platform, or the request is not served.
    pub const UNEXPECTED: Self = Self(0x12001);
    /// A part of the request is missing or of a length that it cannot have.
    pub const INVALID_PARAMETER: Self = Self(0x12003);
    /// The major version is not 1.
    pub const INVALID_VERSION: Self = Self(0x12004);
    /// The message is no request.
    pub const INVALID_TYPE: Self = Self(0x12005);
    /// Lengths in the message contradict each other.
    pub const INVALID_SIZE: Self = Self(0x12006);
    /// A request has an error code.
    pub const INVALID_CODE: Self = Self(0x12007);

    /// The specification's name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SUCCESS => "QGS_MSG_SUCCESS",
            Self::UNEXPECTED => "QGS_MSG_ERROR_UNEXPECTED",
            Self::INVALID_PARAMETER => "QGS_MSG_ERROR_INVALID_PARAMETER",
            Self::INVALID_VERSION => "QGS_MSG_ERROR_INVALID_VERSION",
            Self::INVALID_TYPE => "QGS_MSG_ERROR_INVALID_TYPE",
            Self::INVALID_SIZE => "QGS_MSG_ERROR_INVALID_SIZE",
            Self::INVALID_CODE => "QGS_MSG_ERROR_INVALID_CODE",
            _ => return None,
        })
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "QGS error {:#x}", self.0),
        }
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.0)
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => {
                write!(f, "expected major version {MAJOR_VERSION}, found {found}")
            }
            Self::Kind { found } => {
                let expected = MessageType::GET_QUOTE_RESP.0;
                write!(f, "expected a message of type {expected}, found {found}")
            }
            Self::Size { found } => {
                write!(f, "a message of {found} bytes, whose lengths say otherwise")
            }
            Self::Refused(code) => write!(f, "the service has refused: {code:?}"),
        }
    }
}

impl core::error::Error for ResponseError {}
