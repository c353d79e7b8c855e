// SPDX-License-Identifier: Apache-2.0 OR MIT

//! QGS messages beside those that Intel's message library made.

use libtest_mimic::Trial;
use tdx_quoting::qgs::{
    error_response, quote_response, ErrorCode, MessageType, Request, RequestBody, RequestError,
};

pub(crate) fn tests() -> Vec<Trial> {
    const REPORT: &str = "tdreport-1.5.bin";
    const QUOTE: &str = "quote-v4.bin";
    vec![
        testdata::test(quote_request_is_read, ["qgs/get_quote_req.bin", REPORT]),
        testdata::test(
            quote_request_with_an_id_is_read,
            ["qgs/get_quote_req_with_id.bin", REPORT],
        ),
        testdata::test(
            platform_info_request_is_read,
            ["qgs/get_platform_info_req.bin"],
        ),
        testdata::test(
            quote_response_is_the_same,
            ["qgs/get_quote_resp.bin", QUOTE],
        ),
        testdata::test(error_response_is_the_same, ["qgs/error_resp.bin"]),
        testdata::test(responses_are_no_requests, ["qgs/get_quote_resp.bin"]),
    ]
}

fn quote_request_is_read([message, report]: [Vec<u8>; 2]) {
    assert_eq!(
        Request::parse(&message),
        Ok(Request {
            minor_version: 1,
            body: RequestBody::Quote {
                report: &report,
                ids: &[]
            }
        })
    );
}

fn quote_request_with_an_id_is_read([message, expected]: [Vec<u8>; 2]) {
    let request = Request::parse(&message).expect("a request");
    let RequestBody::Quote { report, ids } = request.body else {
        panic!("a request for a Quote was expected");
    };
    assert_eq!(report, expected);
    assert_eq!(ids.len(), 16);
}

fn platform_info_request_is_read([message]: [Vec<u8>; 1]) {
    let request = Request::parse(&message).expect("a request");
    assert_eq!(request.body, RequestBody::PlatformInfo);
}

fn quote_response_is_the_same([message, quote]: [Vec<u8>; 2]) {
    assert_eq!(quote_response(1, &quote), message);
}

fn error_response_is_the_same([message]: [Vec<u8>; 1]) {
    assert_eq!(
        error_response(1, MessageType::GET_QUOTE_RESP, ErrorCode::UNEXPECTED),
        message
    );
}

fn responses_are_no_requests([message]: [Vec<u8>; 1]) {
    assert!(matches!(
        Request::parse(&message),
        Err(RequestError {
            code: ErrorCode::INVALID_TYPE,
            response: None,
            ..
        })
    ));
}
