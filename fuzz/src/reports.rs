// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is done with each input that is a TDREPORT or a Quote, or comes with a request for one.

use sha2::{Digest as _, Sha384};
use tdx_uapi::ioctl::TdxQuoteHdr;
use tdx_uapi::quote::{Body, Quote, QuoteError, TdBody};
use tdx_uapi::{
    quote_reportdata, AnswerError, Attributes, HashMismatch, Hex, QuoteHdrError, QuoteRequest,
    TdReport,
};
use zerocopy::{FromZeros, IntoBytes};

fn sha384(bytes: &[u8]) -> [u8; 48] {
    Sha384::digest(bytes).into()
}

/// Reads a TDREPORT: as it is, and with what makes it one set right.
pub(crate) fn td_report(bytes: &[u8]) {
    let is_report =
        bytes.len() == 1024 && bytes[0] == 0x81 && bytes[1] == 0 && matches!(bytes[2], 0 | 1);
    match TdReport::parse(bytes) {
        Ok(report) => {
            assert!(is_report);
            parsed_report(bytes, report);
        }
        Err(error) => {
            assert!(!is_report);
            assert!(error.to_string().starts_with("not a TDREPORT: "));
        }
    }
    let Some(bytes) = bytes.get(..1024) else {
        return;
    };
    let mut bytes = bytes.to_vec();
    let version = bytes[2] & 1;
    bytes[..3].copy_from_slice(&[0x81, 0, version]);
    parsed_report(&bytes, TdReport::parse(&bytes).expect("a TDREPORT"));

    // With its hashes made anew it is consistent, until a byte under a hash changes.
    let hashes = [sha384(&bytes[256..495]), sha384(&bytes[512..])];
    bytes[32..80].copy_from_slice(&hashes[0]);
    bytes[80..128].copy_from_slice(&hashes[1]);
    let check = |bytes: &[u8]| {
        TdReport::parse(bytes)
            .expect("a TDREPORT")
            .check_hashes(sha384)
    };
    assert_eq!(check(&bytes), Ok(()));
    let at = usize::from(bytes[1023]);
    for (at, bit, part) in [
        (512 + at, 1, HashMismatch::TdInfo),
        (256 + at % 239, 0x80, HashMismatch::TeeTcbInfo),
    ] {
        bytes[at] ^= bit;
        let error = check(&bytes).expect_err("a byte under a hash was changed");
        assert_eq!(error, part);
        assert!(error.to_string().contains("was changed"));
    }
}

/// The report has what is at the specification's offsets, and displays it.
fn parsed_report(bytes: &[u8], report: &TdReport) {
    assert_eq!(report.as_bytes(), bytes);
    let text = report.to_string();
    assert_eq!(report.mac.reportdata, bytes[128..192]);
    assert_eq!(report.td_info.mrtd.0, bytes[528..576]);
    for (index, rtmr) in report.td_info.rtmr.iter().enumerate() {
        assert_eq!(rtmr.0, bytes[720 + 48 * index..][..48]);
        let line = format!("  RTMR{index}               {rtmr}\n");
        assert!(text.contains(&line), "{text}");
    }
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let info = &report.td_info;
    for (shown, number) in [
        (info.attributes().to_string(), number(512)),
        (info.xfam().to_string(), number(520)),
    ] {
        assert!(shown.starts_with(&format!("{number:#018x}")), "{shown}");
    }
    for name in info.attributes().names() {
        let flag = Attributes::from_name(name).expect("a name that is displayed");
        assert!(flag.0 & number(512) == flag.0 && text.contains(name));
    }
    let debug = format!("{:?} {:?}", info.attributes(), Hex(&info.mrtd.0));
    let expected = format!("Attributes({}) {}", info.attributes(), info.mrtd);
    assert_eq!(debug, expected);
    let svn2 = (number(256) & 0x301ff == 0x301ff).then(|| Hex(&bytes[384..400]).to_string());
    assert_eq!(
        svn2,
        report
            .tee_tcb_info
            .tee_tcb_svn2()
            .map(|svn| Hex(svn).to_string())
    );
    assert_eq!(text.contains("TEE_TCB_SVN2"), svn2.is_some());
    assert_eq!(
        report.check_hashes(sha384).is_ok(),
        bytes[32..80] == sha384(&bytes[256..495]) && bytes[80..128] == sha384(&bytes[512..])
    );
}

/// Reads a Quote. What is read, written down by the format again, is what it was read from.
pub(crate) fn quote(bytes: &[u8]) {
    let length = quote_len(bytes);
    let quote = match Quote::parse(bytes) {
        Ok(quote) => quote,
        Err(error) => {
            assert_eq!(length, None);
            assert!(error.to_string().starts_with("not a Quote"));
            if let QuoteError::Truncated { needed, left, .. } = error {
                assert!(needed > left && left <= bytes.len());
            }
            return;
        }
    };
    let mut made = quote.header.as_bytes().to_vec();
    let (kind, body) = match quote.body {
        Body::Td1_0(body) => (2_u16, body.as_bytes()),
        Body::Td1_5(body) => (3, body.as_bytes()),
    };
    if quote.header.version == 5 {
        made.extend(kind.to_le_bytes());
        made.extend(length_of(body));
    }
    made.extend(body);
    assert_eq!(made, quote.signed);

    let mut certification = quote.qe_report.as_bytes().to_vec();
    certification.extend(quote.qe_report_signature);
    certification.extend((quote.qe_authentication_data.len() as u16).to_le_bytes());
    certification.extend(quote.qe_authentication_data);
    certification.extend(quote.certification_type.to_le_bytes());
    certification.extend(length_of(quote.certification_data));
    certification.extend(quote.certification_data);
    let mut signature = [&quote.signature[..], &quote.attestation_key[..], &[6, 0]].concat();
    signature.extend(length_of(&certification));
    signature.extend(certification);
    made.extend(length_of(&signature));
    made.extend(signature);
    assert_eq!(Some(made.len()), length);
    made.extend(quote.rest);
    assert_eq!(made, bytes);

    assert_eq!(quote_reportdata(bytes), Some(&quote.td().reportdata));
    body_of_report(quote.td());
    let whole = &bytes[..bytes.len() - quote.rest.len()];
    assert!(Quote::parse(whole).is_ok_and(|quote| quote.rest.is_empty()));
    assert!(Quote::parse(&whole[..whole.len() - 1]).is_err());
}

/// A TDREPORT of the same TD leads to the same body, but for what the quoting enclave leaves zero.
fn body_of_report(td: &TdBody) {
    let mut report = TdReport::new_zeroed();
    report.mac.reportdata = td.reportdata;
    let module = &mut report.tee_tcb_info;
    (module.tee_tcb_svn, module.mr_seam) = (td.tee_tcb_svn, td.mr_seam);
    (module.mr_signer_seam, module.attributes) = (td.mr_signer_seam, td.seam_attributes);
    let info = &mut report.td_info;
    (info.attributes, info.xfam) = (td.td_attributes, td.xfam);
    (info.mrtd, info.rtmr) = (td.mrtd, td.rtmr);
    info.mr_config_id = td.mr_config_id;
    (info.mr_owner, info.mr_owner_config) = (td.mr_owner, td.mr_owner_config);
    let mut expected = td.as_bytes().to_vec();
    expected[64..120].fill(0);
    assert_eq!(TdBody::of(&report).as_bytes(), expected);
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    (bytes.len() as u32).to_le_bytes()
}

/// How many bytes the Quote has that `bytes` begin with, by adding up its lengths.
fn quote_len(bytes: &[u8]) -> Option<usize> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| {
        let number = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        Some(number as usize)
    };
    if u16_at(2)? != 2 || u32_at(4)? != 0x81 {
        return None;
    }
    let signature = match u16_at(0)? {
        4 => 48 + 584,
        5 => match (u16_at(48)?, u32_at(50)?) {
            (2, 584) => 54 + 584,
            (3, 648) => 54 + 648,
            _ => return None,
        },
        _ => return None,
    };
    let end = signature + 4 + u32_at(signature)?;
    let certification = signature + 4 + 128;
    let inner = certification + 6 + 384 + 64;
    let last = inner + 2 + usize::from(u16_at(inner)?);
    let nested = u16_at(certification)? == 6
        && certification + 6 + u32_at(certification + 2)? == end
        && last + 6 <= end
        && last + 6 + u32_at(last + 2)? == end;
    (nested && end <= bytes.len()).then_some(end)
}

/// A request for a Quote and its answer, of which the first two bytes say where the one ends and the other begins.
pub(crate) fn get_quote(bytes: &[u8]) {
    quote_header(bytes);
    let Some((length, data)) = bytes.split_first_chunk() else {
        return;
    };
    let (request, answer) = data.split_at(data.len().min(u16::from_le_bytes(*length).into()));
    let asked = match QuoteRequest::parse(request) {
        None => return,
        Some(QuoteRequest::OtherMessage) => {
            let accepted = QuoteRequest::OtherMessage.check_answer(answer);
            return assert_eq!(accepted, Ok(()));
        }
        Some(QuoteRequest::Report { reportdata }) => {
            assert_eq!(request.len(), 1024);
            assert_eq!(reportdata, &request[128..192]);
            reportdata
        }
        Some(QuoteRequest::Message { reportdata }) => {
            // The length, a header of 16 bytes, and two lengths precede the report.
            assert_eq!(reportdata, &request[28 + 128..28 + 192]);
            reportdata
        }
    };
    let asked = *asked;
    let parsed = QuoteRequest::parse(request).expect("it was parsed before");
    let framed = matches!(parsed, QuoteRequest::Message { .. });
    match parsed.check_answer(answer) {
        // The answer is for this request, or a refusal.
        Ok(()) => {
            let found = answer.windows(64).any(|window| window == asked);
            assert!(found || framed && answer[16..20] != [0; 4]);
        }
        Err(error) => assert_eq!(error.to_string(), error.text()),
    }
    // An answer that is one is taken, and one for other REPORTDATA is not.
    for (changed, expected) in [(0, Ok(())), (1, Err(AnswerError::OtherReportData))] {
        let mut quote = vec![0; 632];
        quote[..8].copy_from_slice(&[4, 0, 2, 0, 0x81, 0, 0, 0]);
        quote[568..].copy_from_slice(&asked);
        quote[568 + usize::from(asked[0]) % 64] ^= changed;
        let answer = if framed { message(&quote) } else { quote };
        assert_eq!(parsed.check_answer(&answer), expected);
    }
}

/// An answer of a QGS with this Quote.
fn message(quote: &[u8]) -> Vec<u8> {
    let size = 16 + 8 + quote.len() as u32;
    let mut message = size.to_be_bytes().to_vec();
    message.extend([1, 0, 1, 0]);
    for number in [1, size, 0, 0, quote.len() as u32] {
        message.extend(number.to_le_bytes());
    }
    message.extend(quote);
    message
}

/// The header before a request or an answer in the buffer that the host shares.
fn quote_header(bytes: &[u8]) {
    let (header, data) = match TdxQuoteHdr::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert_eq!(error, QuoteHdrError::Short { found: bytes.len() });
            assert!(bytes.len() < 24 && !error.to_string().is_empty());
            return;
        }
    };
    assert_eq!([header.as_bytes(), data].concat(), bytes);
    let status = header.status();
    assert_eq!(format!("{status:?}"), format!("QuoteStatus({status})"));
    assert_eq!(
        status.name().is_none(),
        status.to_string().starts_with("GetQuote status 0x")
    );
    let fits = |length: u32| length != 0 && length as usize <= data.len();
    match header.request_len(data.len()) {
        Ok(length) => assert!(length == header.in_len as usize && fits(header.in_len)),
        Err(error) => {
            assert!(header.version != 1 || !fits(header.in_len));
            assert!(error.to_string().contains("GetQuote header"));
        }
    }
    match header.answer_len(data.len()) {
        Ok(length) => assert!(length == header.out_len as usize && fits(header.out_len)),
        Err(error) => assert!(!fits(header.out_len) && !error.to_string().is_empty()),
    }
}
