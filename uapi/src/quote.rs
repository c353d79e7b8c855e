// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! Quotes: the request for one, and the layout of one.
//!
//! GetQuote passes bytes through a buffer that the host can write to at any time: a [`TdxQuoteHdr`], then the data. Whoever
//! reads it copies first and then uses what is here, which takes the bytes for what they are: the host's word.
//!
//! A [`Quote`] has the same contents as a TDREPORT, signed by a quoting enclave. All integers in it are little endian, keys
//! and signatures big endian; every type here has alignment 1.
//!
//! ```text
//! version 4: QuoteHeader, TdBody,                     length, signature data
//! version 5: QuoteHeader, BodyDescriptor, TdBody1_5,  length, signature data
//! ```
//!
//! Sources: *Guest-Hypervisor Communication Interface (GHCI)*, "`TDG.VP.VMCALL<GetQuote>`"; *Intel TDX DCAP: Quote Generation
//! Library and Quote Verification Library*, appendix "Quote format", versions 4 and 5; for the messages of the quote
//! generation service (QGS), Intel's `qgs_msg_lib.h`.

mod body;
mod header;
mod reader;

pub use body::{BodyDescriptor, TdBody, TdBody1_5};
pub use header::{
    EnclaveReport, QuoteHeader, ECDSA_P256, INTEL_VENDOR_ID, PCK_CERTIFICATE_CHAIN, QE_REPORT,
    TEE_TDX,
};
pub use reader::{Body, Quote, QuoteError};

use crate::ioctl::TdxQuoteHdr;
use crate::{REPORTDATA_LEN, TDREPORT_LEN};
use core::fmt;
use zerocopy::FromBytes;

/// The status of a request for a Quote, in the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuoteStatus(pub u64);

impl QuoteStatus {
    /// The Quote is there.
    pub const SUCCESS: Self = Self(0);
    /// The host is at it, and the buffer is the host's until the status changes.
    pub const IN_FLIGHT: Self = Self(u64::MAX);
    /// There is no Quote for this request.
    pub const ERROR: Self = Self(0x8000_0000_0000_0000);
    /// The host has no quoting service, or does not reach it.
    pub const SERVICE_UNAVAILABLE: Self = Self(0x8000_0000_0000_0001);

    /// The specification's name.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SUCCESS => "GET_QUOTE_SUCCESS",
            Self::IN_FLIGHT => "GET_QUOTE_IN_FLIGHT",
            Self::ERROR => "GET_QUOTE_ERROR",
            Self::SERVICE_UNAVAILABLE => "GET_QUOTE_SERVICE_UNAVAILABLE",
            _ => return None,
        })
    }
}

impl fmt::Display for QuoteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "GetQuote status {:#018x}", self.0),
        }
    }
}

impl fmt::Debug for QuoteStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuoteStatus({self})")
    }
}

/// Why the bytes before the data are no header of a request or of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteHdrError {
    /// There are fewer bytes than a header has.
    Short {
        /// How many there are.
        found: usize,
    },
    /// The version is not 1.
    Version {
        /// What it is.
        found: u64,
    },
    /// There is no data.
    Empty,
    /// The data would be longer than what there is room for.
    TooLong {
        /// The length that the header has.
        found: u32,
        /// The largest that there is room for.
        room: usize,
    },
}

impl fmt::Display for QuoteHdrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { found } => write!(
                f,
                "a GetQuote header has {} bytes, but there are {found}",
                TdxQuoteHdr::LEN
            ),
            Self::Version { found } => write!(
                f,
                "the GetQuote header has version {found}, expected {}",
                TdxQuoteHdr::VERSION
            ),
            Self::Empty => f.write_str("the GetQuote header says that there is no data"),
            Self::TooLong { found, room } => write!(
                f,
                "the GetQuote header says {found} bytes of data, but there is room for {room}"
            ),
        }
    }
}

impl core::error::Error for QuoteHdrError {}

impl TdxQuoteHdr {
    /// The version of the header that there is.
    pub const VERSION: u64 = 1;

    /// The length of a header, in bytes: where the data begins.
    pub const LEN: usize = size_of::<Self>();

    /// The header at the beginning of a copy of the buffer, and what follows it.
    ///
    /// # Errors
    ///
    /// [`QuoteHdrError::Short`].
    pub fn parse(bytes: &[u8]) -> Result<(&Self, &[u8]), QuoteHdrError> {
        Self::ref_from_prefix(bytes).map_err(|_| QuoteHdrError::Short { found: bytes.len() })
    }

    /// The length of a request's data, where there are `room` bytes behind the header.
    ///
    /// The status and the other length are for the answer; a request may have anything there.
    ///
    /// # Errors
    ///
    /// All but [`QuoteHdrError::Short`].
    pub fn request_len(&self, room: usize) -> Result<usize, QuoteHdrError> {
        match self.version {
            Self::VERSION => bounded(self.in_len, room),
            found => Err(QuoteHdrError::Version { found }),
        }
    }

    /// The length of an answer's data, where there are `room` bytes behind the header.
    ///
    /// # Errors
    ///
    /// [`QuoteHdrError::Empty`] and [`QuoteHdrError::TooLong`].
    pub fn answer_len(&self, room: usize) -> Result<usize, QuoteHdrError> {
        bounded(self.out_len, room)
    }

    /// What the host says of the request.
    pub fn status(&self) -> QuoteStatus {
        QuoteStatus(self.status)
    }
}

/// A length, if it is neither nothing nor more than there is room for.
fn bounded(found: u32, room: usize) -> Result<usize, QuoteHdrError> {
    match usize::try_from(found) {
        Ok(0) => Err(QuoteHdrError::Empty),
        Ok(len) if len <= room => Ok(len),
        _ => Err(QuoteHdrError::TooLong { found, room }),
    }
}

/// REPORTDATA.
type ReportData = [u8; REPORTDATA_LEN];

/// The data of a request for a Quote, by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteRequest<'a> {
    /// A bare TDREPORT; the answer is a bare Quote.
    Report {
        /// The REPORTDATA that it carries.
        reportdata: &'a ReportData,
    },
    /// A QGS message that asks for a Quote; the answer is one, too.
    Message {
        /// The REPORTDATA that its TDREPORT carries.
        reportdata: &'a ReportData,
    },
    /// Another QGS message, which carries no TDREPORT.
    OtherMessage,
}

/// Why an answer is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerError {
    /// It is no Quote of a TD that this crate knows: neither version 4 nor version 5.
    NoQuote,
    /// It is no answer of a QGS.
    NoMessage,
    /// It is a Quote for other REPORTDATA.
    OtherReportData,
}

impl AnswerError {
    /// What is wrong, in a few words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoQuote => "the answer is no Quote of version 4 or 5",
            Self::NoMessage => "the answer is no message of a quote generation service",
            Self::OtherReportData => "the Quote is for other REPORTDATA",
        }
    }
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for AnswerError {}

impl<'a> QuoteRequest<'a> {
    /// Takes a request's data for what it is, or nothing if it is neither a TDREPORT nor a QGS message.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        if data.len() == TDREPORT_LEN {
            let reportdata = report_reportdata(data)?;
            return Some(Self::Report { reportdata });
        }
        let message = Message::parse(data)?;
        if message.kind != Message::GET_QUOTE_REQ {
            return Some(Self::OtherMessage);
        }
        // Two lengths, of the report and of a list of key identifiers, then the report.
        let (report_len, rest) = u32_le(message.body)?;
        let (_, rest) = u32_le(rest)?;
        if report_len as usize != TDREPORT_LEN {
            return None;
        }
        let reportdata = report_reportdata(rest.get(..TDREPORT_LEN)?)?;
        Some(Self::Message { reportdata })
    }

    /// Whether `answer` is one to this request.
    ///
    /// That says nothing of who made it: only a verifier can tell whether a Quote is genuine. But a host that mixes up its
    /// requests, or answers with an old Quote, is noticed here instead of there.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] says why it is not. A QGS message that reports an error is an answer.
    pub fn check_answer(&self, answer: &[u8]) -> Result<(), AnswerError> {
        let (asked, quote) = match *self {
            Self::OtherMessage => return Ok(()),
            Self::Report { reportdata } => (reportdata, answer),
            Self::Message { reportdata } => {
                match answered_quote(answer).ok_or(AnswerError::NoMessage)? {
                    Some(quote) => (reportdata, quote),
                    None => return Ok(()),
                }
            }
        };
        match quote_reportdata(quote) {
            Some(found) if found == asked => Ok(()),
            Some(_) => Err(AnswerError::OtherReportData),
            None => Err(AnswerError::NoQuote),
        }
    }
}

/// The REPORTDATA of a Quote, if it is one of a TD and of version 4 or 5.
pub fn quote_reportdata(quote: &[u8]) -> Option<&ReportData> {
    /// The header of a Quote: version, kind of key, TEE, and others.
    const HEADER: usize = 48;
    /// REPORTDATA in the body, which is that of TDX 1.0 with fields added at its end.
    const REPORTDATA: usize = 520;
    /// The TEE type of TDX.
    const TDX: u32 = 0x81;

    let (version, rest) = quote.split_first_chunk()?;
    let (_key_type, rest) = rest.split_first_chunk::<2>()?;
    let (tee, _) = u32_le(rest)?;
    let body = match u16::from_le_bytes(*version) {
        4 => HEADER,
        // The body is preceded by its type, of 2 bytes, and its length, of 4. Types 2 and 3 are of TDX 1.0 and 1.5.
        5 => match quote.get(HEADER..)?.first_chunk()? {
            [2 | 3, 0] => HEADER + 6,
            _ => return None,
        },
        _ => return None,
    };
    if tee != TDX {
        return None;
    }
    quote.get(body + REPORTDATA..)?.first_chunk()
}

/// The REPORTDATA of a TDREPORT of which only the bytes are there.
fn report_reportdata(report: &[u8]) -> Option<&ReportData> {
    report.get(128..)?.first_chunk()
}

/// The Quote in an answer of a QGS, nothing if it reports an error instead; `None` if it is no such answer.
fn answered_quote(answer: &[u8]) -> Option<Option<&[u8]>> {
    let message = Message::parse(answer)?;
    if message.kind != Message::GET_QUOTE_RESP {
        return None;
    }
    if message.error != 0 {
        return Some(None);
    }
    // Two lengths, of the selected key's identifier and of the Quote, then both.
    let (id_len, rest) = u32_le(message.body)?;
    let (quote_len, rest) = u32_le(rest)?;
    let quote = rest.get(id_len as usize..)?;
    Some(Some(quote.get(..quote_len as usize)?))
}

/// A message to or from a QGS.
struct Message<'a> {
    kind: u32,
    error: u32,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// A request for a Quote.
    const GET_QUOTE_REQ: u32 = 0;
    /// The answer to it.
    const GET_QUOTE_RESP: u32 = 1;

    /// Reads a message that is preceded by its length. What follows it is ignored.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk()?;
        let message = rest.get(..u32::from_be_bytes(*len) as usize)?;
        // The version is the service's and its client's affair.
        let (_version, rest) = u32_le(message)?;
        let (kind, rest) = u32_le(rest)?;
        let (size, rest) = u32_le(rest)?;
        let (error, body) = u32_le(rest)?;
        (size as usize == message.len()).then_some(Self { kind, error, body })
    }
}

/// A little-endian number at the beginning of `bytes`, and what follows it.
fn u32_le(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}
