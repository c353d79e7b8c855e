// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What verifiers get from the platform's PCS.

use crate::support::{report, report_after_update, time, Fixture, NOW, SEED};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::QuoteCollateralV3;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::SystemTime;
use tdx_quoting::pcs::{Answer, PcsError, PcsServer};
use tdx_quoting::{Platform, PlatformConfig};

/// A response: its status, its headers by their names in lower case, and its body.
struct Response {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Response {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The value of a header that has certificates.
    fn chain(&self, name: &str) -> String {
        let value = &self.headers[name];
        percent_decode_str(value)
            .decode_utf8()
            .expect("text")
            .into_owned()
    }
}

/// A server that serves as long as the tests run.
fn server() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let any = "127.0.0.1:0".parse().expect("an address");
        let server = PcsServer::listen(any).expect("a server");
        let address = server.address();
        let platform = Platform::from_seed(SEED, &PlatformConfig::default()).expect("a platform");
        thread::spawn(move || server.serve(&platform));
        address
    })
}

fn ask(method: &str, url: &str) -> Response {
    let mut stream = TcpStream::connect(server()).expect("a connection");
    let request =
        format!("{method} {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("to be read");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("a response");
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("an end of the headers");
    let head = std::str::from_utf8(&bytes[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    Response {
        status: status.expect("a status").parse().expect("a number"),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: bytes[end + 4..].to_vec(),
    }
}

fn get(url: &str) -> Response {
    let response = ask("GET", url);
    assert_eq!(response.status, 200, "{url}: {}", response.text());
    response
}

/// A signed body as a client takes it from a response: the body as it is, and its signature.
fn signed(response: &Response, name: &str) -> (String, Vec<u8>) {
    let text = response.text();
    let (body, signature) = text
        .strip_prefix(&format!("{{\"{name}\":"))
        .and_then(|rest| rest.strip_suffix("\"}"))
        .and_then(|rest| rest.split_once(",\"signature\":\""))
        .expect("a body and its signature");
    (body.to_owned(), hex::decode(signature).expect("digits"))
}

/// The collateral for `quote`, with the requests that the client of `dcap-qvl` makes.
fn fetch(quote: &[u8]) -> QuoteCollateralV3 {
    let quote = tdx_quoting::quote::Quote::parse(quote).expect("a Quote");
    let pck = dcap_qvl::intel::parse_pck_extension_from_pem(quote.certification_data)
        .expect("a PCK certificate");
    let fmspc = hex::encode_upper(pck.fmspc);
    let pck_crl = get("/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
    let tcb = get(&format!(
        "/tdx/certification/v4/tcb?fmspc={fmspc}&update=standard"
    ));
    let qe = get("/tdx/certification/v4/qe/identity?update=standard");
    let root_crl = get("/sgx/certification/v4/rootcacrl");
    let (tcb_info, tcb_info_signature) = signed(&tcb, "tcbInfo");
    let (qe_identity, qe_identity_signature) = signed(&qe, "enclaveIdentity");
    QuoteCollateralV3 {
        pck_crl_issuer_chain: pck_crl.chain("sgx-pck-crl-issuer-chain"),
        root_ca_crl: hex::decode(root_crl.body).expect("digits"),
        pck_crl: pck_crl.body,
        tcb_info_issuer_chain: tcb.chain("tcb-info-issuer-chain"),
        tcb_info,
        tcb_info_signature,
        qe_identity_issuer_chain: qe.chain("sgx-enclave-identity-issuer-chain"),
        qe_identity,
        qe_identity_signature,
        pck_certificate_chain: None,
    }
}

#[test]
fn quotes_verify_now_with_fetched_collateral() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("a time")
        .as_secs();
    for report in [report(), report_after_update()] {
        let quote = fixture.enclave.quote(&report).expect("a Quote");
        let verified = QuoteVerifier::new(fixture.platform.root_der().to_vec())
            .verify(&quote, &fetch(&quote), now)
            .expect("to be accepted");
        assert_eq!(verified.status, "UpToDate");
    }
}

#[test]
fn signed_bodies_survive_a_json_library() {
    for (url, name) in [
        ("/tdx/certification/v4/tcb?fmspc=7e5754445800", "tcbInfo"),
        ("/tdx/certification/v4/qe/identity", "enclaveIdentity"),
    ] {
        let response = get(url);
        let json: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
        assert_eq!(json[name].to_string(), signed(&response, name).0);
    }
}

#[test]
fn answers_say_what_they_are() {
    let kind = |url: &str| get(url).headers["content-type"].clone();
    let pck_crl = "/sgx/certification/v4/pckcrl?ca=platform";
    assert_eq!(kind(pck_crl), "application/x-pem-file");
    assert_eq!(
        kind(&format!("{pck_crl}&encoding=der")),
        "application/pkix-crl"
    );
    assert_eq!(kind("/IntelSGXRootCA.der"), "application/pkix-crl");
    assert_eq!(
        kind("/tdx/certification/v4/qe/identity"),
        "application/json"
    );
    let pem = get(pck_crl);
    assert!(pem.text().starts_with("-----BEGIN X509 CRL-----\n"));
}

#[test]
fn root_crl_is_where_the_certificates_say() {
    let der = get("/IntelSGXRootCA.der").body;
    let digits = get("/sgx/certification/v4/rootcacrl").body;
    assert_eq!(hex::decode(digits).expect("digits"), der);
}

#[test]
fn other_requests_are_told_what_is_wrong() {
    let status = |method: &str, url: &str| ask(method, url).status;
    assert_eq!(status("GET", "/"), 404);
    assert_eq!(
        status("GET", "/sgx/certification/v4/tcb?fmspc=7E5754445800"),
        404
    );
    assert_eq!(status("GET", "/sgx/certification/v4/pckcrl"), 400);
    assert_eq!(
        status("GET", "/sgx/certification/v4/pckcrl?ca=processor"),
        404
    );
    assert_eq!(
        status(
            "GET",
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=xml"
        ),
        400
    );
    assert_eq!(status("GET", "/tdx/certification/v4/tcb"), 400);
    let qe = "/tdx/certification/v4/qe/identity";
    assert_eq!(status("GET", &format!("{qe}?update=late")), 400);
    assert_eq!(
        status("GET", &format!("{qe}?tcbEvaluationDataNumber=1")),
        404
    );
    assert_eq!(
        status("GET", &format!("{qe}?tcbEvaluationDataNumber=18")),
        200
    );
    assert_eq!(status("POST", qe), 405);
    let other = ask("GET", "/tdx/certification/v4/tcb?fmspc=00906ED50000");
    assert_eq!(other.status, 404);
    assert!(other.text().contains("7E5754445800"), "{}", other.text());
}

#[test]
fn collateral_is_of_the_day_that_it_is_asked_for() {
    let platform = Platform::from_seed(SEED, &PlatformConfig::default()).expect("a platform");
    let answer = Answer::to(&platform, "/tdx/certification/v4/qe/identity", time(NOW));
    let body = String::from_utf8(answer.expect("an answer").body).expect("text");
    assert!(body.contains(&format!("\"issueDate\":\"{NOW}\"")), "{body}");
}

#[test]
fn only_loopback_is_served() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let address = address.parse().expect("an address");
        let error = PcsServer::listen(address).err().expect("to be refused");
        assert!(matches!(error, PcsError::NotLoopback { .. }), "{error}");
    }
}
