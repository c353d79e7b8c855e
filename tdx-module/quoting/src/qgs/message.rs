// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Messages, without the length that precedes them on a stream.

use crate::PlatformInfo;
use std::fmt;
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of what precedes a message on a stream.
pub const PREFIX_LEN: usize = 4;

/// The length of the longest request that is read, in bytes: what Intel's service sets aside for one.
pub const MAX_MESSAGE: usize = 4096 - PREFIX_LEN;

/// The major version that is spoken. Every minor version is, and answered with its own number.
const MAJOR_VERSION: u16 = 1;

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

/// The kind of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u32);

/// Why a request failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The minor version that the client speaks.
    pub minor_version: u16,
    /// What it asks for.
    pub body: RequestBody<'a>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody<'a> {
    /// A Quote.
    Quote {
        /// The TDREPORT; its length is not checked yet.
        report: &'a [u8],
        /// The IDs of attestation keys to choose from, 16 bytes each.
        ids: &'a [u8],
    },
    /// The collateral of a platform, which is not served here.
    Collateral,
    /// The platform of the service.
    PlatformInfo,
}

/// Why bytes are no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a request to a QGS: {what} ({code:?})")]
pub struct RequestError {
    /// What a client is told.
    pub code: ErrorCode,
    /// What is wrong.
    pub what: String,
    /// The minor version and the kind of the response that tells the client; without it there is no response.
    pub response: Option<(u16, MessageType)>,
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

    /// The kind of response to this kind of request.
    const fn response(self) -> Option<Self> {
        match self {
            Self::GET_QUOTE_REQ => Some(Self::GET_QUOTE_RESP),
            Self::GET_COLLATERAL_REQ => Some(Self::GET_COLLATERAL_RESP),
            Self::GET_PLATFORM_INFO_REQ => Some(Self::GET_PLATFORM_INFO_RESP),
            _ => None,
        }
    }

    /// The length of a response of this kind without its variable parts.
    const fn fixed_len(self) -> usize {
        let fields = match self {
            Self::GET_COLLATERAL_RESP => 2 * 2 + 7 * 4,
            Self::GET_PLATFORM_INFO_RESP => 2 * 2 + 2 * 4,
            _ => 2 * 4,
        };
        size_of::<Header>() + fields
    }
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

impl<'a> Request<'a> {
    /// Reads a request where it lies.
    ///
    /// # Errors
    ///
    /// [`RequestError`] says what a client is told, if it is told anything.
    pub fn parse(message: &'a [u8]) -> Result<Self, RequestError> {
        let Ok((header, rest)) = Header::ref_from_prefix(message) else {
            return Err(RequestError {
                code: ErrorCode::INVALID_SIZE,
                what: format!("its header takes 16 bytes, found {}", message.len()),
                response: None,
            });
        };
        let minor_version = header.minor_version.get();
        let kind = MessageType(header.kind.get());
        let response = kind.response().map(|kind| (minor_version, kind));
        let error = |code, what| {
            Err(RequestError {
                code,
                what,
                response,
            })
        };
        if header.major_version != MAJOR_VERSION {
            let found = header.major_version;
            return error(
                ErrorCode::INVALID_VERSION,
                format!("expected major version {MAJOR_VERSION}, found {found}"),
            );
        }
        if response.is_none() {
            return error(
                ErrorCode::INVALID_TYPE,
                format!("message type {} is no request", kind.0),
            );
        }
        if header.size.get() as usize != message.len() {
            return error(
                ErrorCode::INVALID_SIZE,
                format!("it says {} bytes, found {}", header.size, message.len()),
            );
        }
        if header.error != 0 {
            return error(
                ErrorCode::INVALID_CODE,
                format!("it has error code {:#x}", header.error),
            );
        }
        let body = match kind {
            MessageType::GET_QUOTE_REQ => match quote_request(rest) {
                Some(body) => body,
                None => {
                    return error(
                        ErrorCode::INVALID_SIZE,
                        "report and ID list are not as long as it says".to_owned(),
                    )
                }
            },
            MessageType::GET_COLLATERAL_REQ => RequestBody::Collateral,
            _ => RequestBody::PlatformInfo,
        };
        Ok(Self {
            minor_version,
            body,
        })
    }
}

/// The fields of a request for a Quote; the two parts must fill the message.
fn quote_request(fields: &[u8]) -> Option<RequestBody<'_>> {
    let (lengths, parts) = <[U32; 2]>::ref_from_prefix(fields).ok()?;
    let [report_len, ids_len] = lengths.map(|length| length.get() as usize);
    let (report, ids) = parts.split_at_checked(report_len)?;
    (ids.len() == ids_len).then_some(RequestBody::Quote { report, ids })
}

/// The response that has a Quote.
///
/// No ID of an attestation key is in it: a client that sends several learns from the Quote which was chosen.
pub fn quote_response(minor_version: u16, quote: &[u8]) -> Vec<u8> {
    let kind = MessageType::GET_QUOTE_RESP;
    let lengths = [0, quote.len() as u32].map(U32::new);
    response(
        minor_version,
        kind,
        ErrorCode::SUCCESS,
        &[lengths.as_bytes(), quote],
    )
}

/// The response that tells of the platform.
pub fn platform_info_response(minor_version: u16, info: &PlatformInfo) -> Vec<u8> {
    let svns = [info.qe_svn, info.pce_svn].map(U16::new);
    let lengths = [info.platform_id.len() as u32, info.cpu_svn.len() as u32].map(U32::new);
    response(
        minor_version,
        MessageType::GET_PLATFORM_INFO_RESP,
        ErrorCode::SUCCESS,
        &[
            svns.as_bytes(),
            lengths.as_bytes(),
            &info.platform_id,
            &info.cpu_svn,
        ],
    )
}

/// The response that tells of a failure; all its lengths are 0.
pub fn error_response(minor_version: u16, kind: MessageType, code: ErrorCode) -> Vec<u8> {
    let fields = vec![0; kind.fixed_len() - size_of::<Header>()];
    response(minor_version, kind, code, &[&fields])
}

fn response(minor_version: u16, kind: MessageType, error: ErrorCode, parts: &[&[u8]]) -> Vec<u8> {
    let size = size_of::<Header>() + parts.iter().map(|part| part.len()).sum::<usize>();
    let header = Header {
        major_version: MAJOR_VERSION.into(),
        minor_version: minor_version.into(),
        kind: kind.0.into(),
        size: (size as u32).into(),
        error: error.0.into(),
    };
    let mut message = Vec::with_capacity(size);
    message.extend(header.as_bytes());
    message.extend(parts.concat());
    message
}
