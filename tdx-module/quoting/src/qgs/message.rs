// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Requests read and responses written, without the length that precedes them on a stream. Every minor version is spoken, and
//! answered with its own number.

use crate::PlatformInfo;
use tdx_uapi::qgs::{ErrorCode, Header, MessageType, MAJOR_VERSION, PREFIX_LEN};
use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

/// The length of the longest request that is read, in bytes: what Intel's service sets aside for one.
pub const MAX_MESSAGE: usize = 4096 - PREFIX_LEN;

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

/// The kind of response to this kind of request.
const fn response_kind(request: MessageType) -> Option<MessageType> {
    match request {
        MessageType::GET_QUOTE_REQ => Some(MessageType::GET_QUOTE_RESP),
        MessageType::GET_COLLATERAL_REQ => Some(MessageType::GET_COLLATERAL_RESP),
        MessageType::GET_PLATFORM_INFO_REQ => Some(MessageType::GET_PLATFORM_INFO_RESP),
        _ => None,
    }
}

/// The length of a response of this kind without its variable parts.
const fn fixed_len(response: MessageType) -> usize {
    let fields = match response {
        MessageType::GET_COLLATERAL_RESP => 2 * 2 + 7 * 4,
        MessageType::GET_PLATFORM_INFO_RESP => 2 * 2 + 2 * 4,
        _ => 2 * 4,
    };
    size_of::<Header>() + fields
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
        let response = response_kind(kind).map(|kind| (minor_version, kind));
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
    let fields = vec![0; fixed_len(kind) - size_of::<Header>()];
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
