// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What clients of the QGS get.

use crate::support::{framed, framed_request, report, report_after_update, unframed, Fixture};
use proptest::prelude::*;
use std::fs;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};
use tdx_quoting::qgs::{
    error_response, exchange, start, unix_listener, vsock_listener, ErrorCode, ExchangeError,
    Limits, MessageType, MAX_MESSAGE,
};
use tdx_quoting::{PlatformConfig, QuotingService};
use tempfile::TempDir;
use zerocopy::IntoBytes;

/// A client that has sent what it will, and keeps what it gets.
struct Client {
    sent: Cursor<Vec<u8>>,
    got: Vec<u8>,
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.sent.read(buffer)
    }
}

impl Write for Client {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.got.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn service() -> QuotingService {
    QuotingService::new(Fixture::new(&PlatformConfig::default()).enclave)
}

/// What a client gets for what it sends, and how much of that was read.
fn exchanged(sent: &[u8]) -> (Result<Vec<u8>, ExchangeError>, u64) {
    let mut client = Client {
        sent: Cursor::new(sent.to_vec()),
        got: Vec::new(),
    };
    // Made once: thousands of clients are to come.
    static SERVICE: LazyLock<QuotingService> = LazyLock::new(service);
    let result = exchange(&mut client, &SERVICE);
    (result.map(|()| client.got), client.sent.position())
}

#[track_caller]
fn response(sent: &[u8]) -> Vec<u8> {
    exchanged(sent).0.expect("a response")
}

#[track_caller]
fn error_for(sent: &[u8]) -> ErrorCode {
    let response = response(sent);
    let (header, quote) = unframed(&response);
    assert_eq!(quote, [0; 0]);
    ErrorCode(header.error.get())
}

#[test]
fn quotes_of_both_versions_are_up_to_date() {
    let fixture = Fixture::new(&PlatformConfig::default());
    for (report, version) in [(report(), 4), (report_after_update(), 5)] {
        let response = response(&framed_request(1, report.as_bytes()));
        let (_, quote) = unframed(&response);
        assert_eq!(quote[..2], [version, 0]);
        assert_eq!(fixture.verify(quote).expect("accepted").status, "UpToDate");
    }
}

#[test]
fn bare_report_gets_a_bare_quote() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let quote = response(report().as_bytes());
    assert_eq!(fixture.verify(&quote).expect("accepted").status, "UpToDate");
}

#[test]
fn minor_version_of_the_request_is_echoed() {
    for minor_version in [0, 1, 2, 0xffff] {
        let quote = response(&framed_request(minor_version, report().as_bytes()));
        assert_eq!(unframed(&quote).0.minor_version, minor_version);
        let error = response(&framed_request(minor_version, &[0; 1024]));
        assert_eq!(unframed(&error).0.minor_version, minor_version);
    }
}

#[test]
fn ids_of_attestation_keys_are_accepted() {
    let mut fields = [1024u32, 16].map(u32::to_le_bytes).concat();
    fields.extend(report().as_bytes());
    fields.extend([0xe8; 16]);
    let response = response(&framed(1, MessageType::GET_QUOTE_REQ, &fields));
    let (header, quote) = unframed(&response);
    assert_eq!(header.error, 0);
    assert_eq!(quote[..2], [4, 0]);
}

#[test]
fn platform_is_told() {
    let config = PlatformConfig::default();
    let response = response(&framed(1, MessageType::GET_PLATFORM_INFO_REQ, &[]));
    assert_eq!(response[..4], [0, 0, 0, 60]);
    let (header, fields) = response[4..].split_at(16);
    let words = [0x0001_0001u32, 5, 60, 0];
    assert_eq!(header, words.map(u32::to_le_bytes).concat());
    assert_eq!(fields[..2], config.qe_svn.to_le_bytes());
    assert_eq!(fields[2..4], config.pce_svn.to_le_bytes());
    assert_eq!(fields[4..12], [16, 0, 0, 0, 16, 0, 0, 0]);
    assert_ne!(fields[12..28], [0; 16]);
    assert_eq!(fields[28..], config.cpu_svn);
}

#[test]
fn platform_id_is_the_one_in_quotes() {
    let info = response(&framed(1, MessageType::GET_PLATFORM_INFO_REQ, &[]));
    let quote = response(report().as_bytes());
    assert_eq!(info[32..48], quote[28..44]);
}

#[test]
fn collateral_is_not_served() {
    let request = framed(1, MessageType::GET_COLLATERAL_REQ, &[0; 8]);
    let expected = error_response(1, MessageType::GET_COLLATERAL_RESP, ErrorCode::UNEXPECTED);
    assert_eq!(expected.len(), 48);
    assert_eq!(response(&request)[4..], expected);
}

#[test]
fn refused_report_is_an_error() {
    let mut report = report();
    report.mac.mac[0] ^= 1;
    assert_eq!(
        error_for(&framed_request(1, report.as_bytes())),
        ErrorCode::UNEXPECTED
    );
    assert_eq!(
        error_for(&framed_request(1, &report.as_bytes()[1..])),
        ErrorCode::UNEXPECTED
    );
}

#[test]
fn refused_bare_report_has_no_response() {
    let mut report = report();
    report.mac.mac[0] ^= 1;
    let (result, _) = exchanged(report.as_bytes());
    assert!(matches!(result, Err(ExchangeError::Refused)));
}

#[test]
fn malformed_requests_are_told_what_is_wrong() {
    /// Where fields are, after the length.
    const MAJOR_VERSION: usize = 4;
    const SIZE: usize = 12;
    const ERROR: usize = 16;
    const REPORT_SIZE: usize = 20;
    const ID_LIST_SIZE: usize = 24;
    let error_with = |at: usize, value: u32| {
        let mut request = framed_request(1, report().as_bytes());
        request[at..at + 4].copy_from_slice(&value.to_le_bytes());
        error_for(&request)
    };
    assert_eq!(error_with(MAJOR_VERSION, 2), ErrorCode::INVALID_VERSION);
    assert_eq!(error_with(SIZE, 0), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(SIZE, 1049), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(SIZE, u32::MAX), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(ERROR, 1), ErrorCode::INVALID_CODE);
    assert_eq!(error_with(REPORT_SIZE, 1023), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(REPORT_SIZE, u32::MAX), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(ID_LIST_SIZE, 1), ErrorCode::INVALID_SIZE);
    assert_eq!(error_with(ID_LIST_SIZE, u32::MAX), ErrorCode::INVALID_SIZE);
    assert_eq!(
        error_for(&framed(1, MessageType::GET_QUOTE_REQ, &[])),
        ErrorCode::INVALID_SIZE
    );
}

#[test]
fn what_is_no_request_has_no_response() {
    for kind in [1, 3, 5, 6, u32::MAX].map(MessageType) {
        let (result, _) = exchanged(&framed(1, kind, &[0; 8]));
        assert!(matches!(result, Err(ExchangeError::Refused)), "{kind:?}");
    }
    for short in [&[0; 4][..], &[0, 0, 0, 1, 0], &[0, 0, 0, 15]] {
        let mut sent = short.to_vec();
        sent.resize(19, 0);
        let (result, _) = exchanged(&sent);
        assert!(matches!(result, Err(ExchangeError::Refused)), "{short:?}");
    }
}

#[test]
fn announced_lengths_are_not_believed() {
    for length in [MAX_MESSAGE as u32 + 1, 0x8000_0000, u32::MAX] {
        let mut sent = length.to_be_bytes().to_vec();
        sent.resize(100, 0);
        let (result, read) = exchanged(&sent);
        assert!(
            matches!(result, Err(ExchangeError::TooLong { length: l }) if l == length),
            "{length:#x}"
        );
        assert_eq!(read, 4);
    }
}

#[test]
fn client_that_leaves_early_is_noticed() {
    let request = framed_request(1, report().as_bytes());
    for sent in [&request[..3], &request[..20], &report().as_bytes()[..1023]] {
        let (result, _) = exchanged(sent);
        let Err(ExchangeError::Io(error)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}

/// A service at a Unix socket, while the folder is there.
fn serve(service: QuotingService, limits: Limits) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = unix_listener(&folder.path().join("qgs")).expect("a socket");
    start(listener, Arc::new(service), limits).expect("threads");
    folder
}

fn connect(folder: &TempDir) -> UnixStream {
    UnixStream::connect(folder.path().join("qgs")).expect("a connection")
}

/// Sends `request` and reads until the service closes the connection.
fn ask(mut stream: UnixStream, request: &[u8]) -> Vec<u8> {
    stream.write_all(request).expect("to be read");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    response
}

#[test]
fn unix_socket_serves_quotes() {
    let fixture = Fixture::new(&PlatformConfig::default());
    let folder = serve(service(), Limits::default());
    for _ in 0..2 {
        let response = ask(connect(&folder), &framed_request(0, report().as_bytes()));
        let (_, quote) = unframed(&response);
        assert_eq!(fixture.verify(quote).expect("accepted").status, "UpToDate");
    }
}

#[test]
fn clients_are_served_side_by_side_up_to_the_limit() {
    const DELAY: Duration = Duration::from_millis(100);
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let folder = serve(service().with_delay(DELAY), limits);
    let time_for = |clients: usize| {
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let response = ask(connect(&folder), &framed_request(1, report().as_bytes()));
                    assert_eq!(unframed(&response).0.error, 0);
                });
            }
        });
        start.elapsed()
    };
    assert!(time_for(1) >= DELAY);
    // In turn they would take 400 ms.
    let four = time_for(4);
    assert!(four < 3 * DELAY, "{four:?}");
    let eight = time_for(8);
    assert!(eight >= 2 * DELAY, "{eight:?}");
}

#[test]
fn slow_client_is_left_and_others_are_served() {
    let limits = Limits {
        connections: 1,
        time: Duration::from_millis(200),
    };
    let folder = serve(service(), limits);
    let mut slow = connect(&folder);
    let start = Instant::now();
    thread::scope(|scope| {
        // A byte now and then would satisfy a limit on each read.
        scope.spawn(|| {
            while slow.write_all(&[0]).is_ok() && start.elapsed() < Duration::from_secs(20) {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let response = ask(connect(&folder), &framed_request(1, report().as_bytes()));
        assert_eq!(unframed(&response).0.error, 0);
    });
    let took = start.elapsed();
    assert!(
        took >= limits.time && took < Duration::from_secs(20),
        "{took:?}"
    );
}

#[test]
fn idle_client_does_not_end_the_service() {
    let folder = serve(service(), Limits::default());
    connect(&folder).shutdown(Shutdown::Both).expect("a stream");
    drop(connect(&folder));
    let response = ask(connect(&folder), &framed_request(1, report().as_bytes()));
    assert_eq!(unframed(&response).0.error, 0);
}

#[test]
fn socket_that_nobody_serves_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("qgs");
    drop(UnixListener::bind(&path).expect("a socket"));
    let _served = unix_listener(&path).expect("the socket to be replaced");
    let error = unix_listener(&path).expect_err("it is served");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);

    let file = folder.path().join("file");
    fs::write(&file, "precious").expect("a file");
    let error = unix_listener(&file).expect_err("it is a file");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read(&file).expect("a file"), b"precious");
}

/// Where the kernel has AF_VSOCK. A connection needs another VM or the kernel's loopback transport, so there is none
/// here; the streams of both families are served by the same code.
#[test]
fn vsock_listens_where_there_is_af_vsock() {
    const PORT: u32 = 40_500;
    match vsock_listener(PORT) {
        Ok(listener) => {
            assert_eq!(listener.local_addr().expect("an address").port(), PORT);
            let error = vsock_listener(PORT).expect_err("it is taken");
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        }
        // EAFNOSUPPORT, which has no name in the standard library.
        Err(error) => assert_eq!(error.raw_os_error(), Some(97), "{error}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(sent in prop::collection::vec(any::<u8>(), 0..6000)) {
        let (_, read) = exchanged(&sent);
        prop_assert!(read <= (4 + MAX_MESSAGE) as u64);
    }

    #[test]
    fn any_message_is_survived(
        kind in 0..8u32,
        version in 0..3u16,
        mut fields in prop::collection::vec(any::<u8>(), 0..5000),
        lengths in any::<[u32; 2]>(),
        small in any::<bool>(),
    ) {
        for (at, length) in lengths.into_iter().enumerate() {
            let length = if small { length % 2048 } else { length };
            if let Some(bytes) = fields.get_mut(4 * at..4 * at + 4) {
                bytes.copy_from_slice(&length.to_le_bytes());
            }
        }
        let mut sent = framed(1, MessageType(kind), &fields);
        sent[4] = version as u8;
        let (result, read) = exchanged(&sent);
        prop_assert!(read <= (4 + MAX_MESSAGE) as u64);
        if let Ok(response) = result {
            prop_assert!(response.len() <= 4 + 60, "no report was valid");
        }
    }
}
