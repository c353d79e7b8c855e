// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What a TD makes of what the host says of a Quote.

use proptest::prelude::*;
use tdx_uapi::ioctl::TdxQuoteHdr;
use tdx_uapi::{quote_reportdata, AnswerError, QuoteHdrError, QuoteRequest};
use zerocopy::IntoBytes;

const REPORTDATA: [u8; 64] = [0x5a; 64];

fn header() -> TdxQuoteHdr {
    TdxQuoteHdr {
        version: 1,
        status: 0,
        in_len: 1024,
        out_len: 5000,
    }
}

/// As much of a TDREPORT as matters here.
fn report(reportdata: [u8; 64]) -> Vec<u8> {
    let mut report = vec![0; 1024];
    report[0] = 0x81;
    report[128..192].copy_from_slice(&reportdata);
    report
}

/// As much of a Quote as matters here.
fn quote(version: u16, body: u16, reportdata: [u8; 64]) -> Vec<u8> {
    let mut quote = [&version.to_le_bytes()[..], &[2, 0], &0x81_u32.to_le_bytes()].concat();
    quote.resize(48, 0);
    if version == 5 {
        quote.extend(body.to_le_bytes());
        quote.extend(648_u32.to_le_bytes());
    }
    quote.extend([0; 520]);
    quote.extend(reportdata);
    quote.extend([0xcc; 2000]);
    quote
}

/// A QGS message with its length before it.
fn message(kind: u32, error: u32, body: &[u8]) -> Vec<u8> {
    let size = 16 + body.len() as u32;
    let mut message = size.to_be_bytes().to_vec();
    message.extend([1, 0, 1, 0]);
    for number in [kind, size, error] {
        message.extend(number.to_le_bytes());
    }
    message.extend(body);
    message
}

/// The body of a request for a Quote, or of the answer: two lengths and two parts, in one order or the other.
fn parts(lengths: [usize; 2], parts: [&[u8]; 2]) -> Vec<u8> {
    let mut body = Vec::new();
    for length in lengths {
        body.extend((length as u32).to_le_bytes());
    }
    parts.iter().for_each(|part| body.extend(*part));
    body
}

fn ask(report: &[u8]) -> Vec<u8> {
    message(0, 0, &parts([report.len(), 0], [report, &[]]))
}

fn answer(quote: &[u8]) -> Vec<u8> {
    message(1, 0, &parts([16, quote.len()], [&[7; 16], quote]))
}

#[test]
fn lengths_are_bounded_by_the_room_there_is() {
    assert_eq!(header().request_len(1024), Ok(1024));
    assert_eq!(
        header().request_len(1023),
        Err(QuoteHdrError::TooLong {
            found: 1024,
            room: 1023
        })
    );
    assert_eq!(header().answer_len(5000), Ok(5000));
    for out_len in [5001, u32::MAX] {
        let header = TdxQuoteHdr {
            out_len,
            ..header()
        };
        let error = header.answer_len(5000);
        assert!(
            matches!(error, Err(QuoteHdrError::TooLong { found, room: 5000 }) if found == out_len)
        );
    }
}

#[test]
fn nothing_is_no_length() {
    let header = TdxQuoteHdr {
        in_len: 0,
        out_len: 0,
        ..header()
    };
    assert_eq!(header.request_len(9), Err(QuoteHdrError::Empty));
    assert_eq!(header.answer_len(9), Err(QuoteHdrError::Empty));
}

#[test]
fn a_request_has_version_1() {
    for found in [0, 2, u64::MAX] {
        let header = TdxQuoteHdr {
            version: found,
            ..header()
        };
        assert_eq!(
            header.request_len(4096),
            Err(QuoteHdrError::Version { found })
        );
    }
}

#[test]
fn a_header_is_read_from_the_beginning_only_if_it_is_whole() {
    let bytes = [header().as_bytes(), b"data"].concat();
    assert_eq!(TdxQuoteHdr::parse(&bytes), Ok((&header(), &b"data"[..])));
    assert_eq!(
        TdxQuoteHdr::parse(&bytes[..23]),
        Err(QuoteHdrError::Short { found: 23 })
    );
}

#[test]
fn the_reportdata_of_a_quote_is_where_its_version_has_it() {
    for quote in [
        quote(4, 0, REPORTDATA),
        quote(5, 2, REPORTDATA),
        quote(5, 3, REPORTDATA),
    ] {
        assert_eq!(quote_reportdata(&quote), Some(&REPORTDATA));
    }
    assert_eq!(&quote(4, 0, REPORTDATA)[568..632], REPORTDATA);
}

#[test]
fn what_is_no_quote_of_a_td_has_no_reportdata() {
    let mut sgx = quote(4, 0, REPORTDATA);
    sgx[4] = 0;
    for bytes in [sgx, quote(3, 0, REPORTDATA), quote(5, 1, REPORTDATA)] {
        assert_eq!(quote_reportdata(&bytes), None);
    }
    assert_eq!(quote_reportdata(&quote(4, 0, REPORTDATA)[..631]), None);
}

#[test]
fn a_report_and_a_message_with_a_report_are_requests() {
    let report = report(REPORTDATA);
    let reportdata = &REPORTDATA;
    assert_eq!(
        QuoteRequest::parse(&report),
        Some(QuoteRequest::Report { reportdata })
    );
    assert_eq!(
        QuoteRequest::parse(&ask(&report)),
        Some(QuoteRequest::Message { reportdata })
    );
    assert_eq!(
        QuoteRequest::parse(&message(2, 0, &[1; 90])),
        Some(QuoteRequest::OtherMessage)
    );
}

#[test]
fn other_bytes_are_no_request() {
    let mut longer = ask(&report(REPORTDATA));
    longer[3] += 1;
    let no_report = message(0, 0, &parts([1023, 0], [&[0; 1023], &[]]));
    for bytes in [longer, no_report, vec![0; 1023], vec![], vec![0xff; 4000]] {
        assert_eq!(QuoteRequest::parse(&bytes), None, "{} bytes", bytes.len());
    }
}

#[test]
fn an_answer_is_for_the_reportdata_that_was_asked_for() {
    let report = report(REPORTDATA);
    let (bare, framed) = (report.clone(), ask(&report));
    let bare = QuoteRequest::parse(&bare).unwrap();
    let framed = QuoteRequest::parse(&framed).unwrap();
    let (right, other) = (quote(4, 0, REPORTDATA), quote(4, 0, [1; 64]));
    assert_eq!(bare.check_answer(&right), Ok(()));
    assert_eq!(framed.check_answer(&answer(&right)), Ok(()));
    let expected = Err(AnswerError::OtherReportData);
    assert_eq!(bare.check_answer(&other), expected);
    assert_eq!(framed.check_answer(&answer(&other)), expected);
}

#[test]
fn an_answer_has_the_form_of_the_request() {
    let report = report(REPORTDATA);
    let message = ask(&report);
    let quote = quote(5, 3, REPORTDATA);
    let request = QuoteRequest::parse(&report).unwrap();
    for wrong in [answer(&quote), report.clone(), vec![]] {
        assert_eq!(request.check_answer(&wrong), Err(AnswerError::NoQuote));
    }
    let request = QuoteRequest::parse(&message).unwrap();
    for wrong in [quote, message.clone(), vec![]] {
        assert_eq!(request.check_answer(&wrong), Err(AnswerError::NoMessage));
    }
}

#[test]
fn a_message_that_reports_an_error_is_an_answer() {
    let message_with_report = ask(&report(REPORTDATA));
    let request = QuoteRequest::parse(&message_with_report).unwrap();
    let refusal = message(1, 0x12001, &parts([0, 0], [&[], &[]]));
    assert_eq!(request.check_answer(&refusal), Ok(()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..1200),
        kind in 0u32..4,
        bare in any::<bool>(),
    ) {
        // Most random bytes are refused at once; these get further.
        let len = bytes.len();
        if let Some((prefix, rest)) = bytes.split_first_chunk_mut::<16>().filter(|_| !bare) {
            *prefix = [0; 16];
            prefix[..4].copy_from_slice(&(len as u32 - 4).to_be_bytes());
            prefix[8..12].copy_from_slice(&kind.to_le_bytes());
            prefix[12..16].copy_from_slice(&(len as u32 - 4).to_le_bytes());
            rest.iter_mut().take(4).for_each(|byte| *byte = 0);
        }
        let _ = quote_reportdata(&bytes);
        let _ = TdxQuoteHdr::parse(&bytes);
        for request in [report(REPORTDATA), ask(&report(REPORTDATA)), bytes.clone()] {
            if let Some(request) = QuoteRequest::parse(&request) {
                let _ = request.check_answer(&bytes);
            }
        }
    }
}
