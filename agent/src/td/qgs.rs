// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The host's quote generation service (QGS), asked without the driver: over vsock.

use super::system::System;
use super::Deadline;
use crate::{Error, Step};
use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;
use tdx_uapi::qgs::{quote_in, QuoteMessage, PREFIX_LEN, VSOCK_PORT};
use tdx_uapi::TDREPORT_LEN;
use vsock::{VsockAddr, VsockStream, VMADDR_CID_HOST};
use zerocopy::IntoBytes as _;

/// What the longest response has room for: the longest Quote, and what is around it.
const MAX_MESSAGE: usize = 128 << 10;

/// Where a QGS is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Qgs {
    port: u32,
}

impl Qgs {
    /// Where libtdx_attest looks for the port, too: a line such as `port = 4050`.
    const CONFIGURATION: &'static str = "/etc/tdx-attest.conf";

    /// At the port that the configuration has, or at the usual one.
    pub(super) fn of(system: &System) -> Self {
        let text = fs::read_to_string(system.path(Self::CONFIGURATION)).unwrap_or_default();
        Self {
            port: port(&text).unwrap_or(VSOCK_PORT),
        }
    }

    /// The Quote of a TDREPORT, or nothing if no service listens.
    pub(super) fn quote(
        self,
        report: &[u8; TDREPORT_LEN],
        deadline: Deadline,
    ) -> Option<Result<Vec<u8>, Error>> {
        let address = VsockAddr::new(VMADDR_CID_HOST, self.port);
        let stream = VsockStream::connect(&address).ok()?;
        let answer = ask(Timed { stream, deadline }, report);
        Some(answer.map_err(|error| match deadline.left() {
            Duration::ZERO => deadline.passed(Step::Quote),
            _ => Error::NoQuotingService {
                step: Step::Quote,
                source: io::Error::new(
                    error.kind(),
                    format!("QGS at port {} of vsock: {error}", self.port),
                ),
            },
        }))
    }
}

/// A connection that ends at the deadline, however slowly the host sends.
struct Timed {
    stream: VsockStream,
    deadline: Deadline,
}

impl Timed {
    /// The time that is left.
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.left() {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            // Less than a microsecond would be no limit.
            left => Ok(Some(left.max(Duration::from_millis(1)))),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(bytes)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The port in a configuration.
fn port(text: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "port").then(|| value.trim().parse().ok())?
    })
}

/// Sends the request, and reads the response.
fn ask(mut stream: impl Read + Write, report: &[u8; TDREPORT_LEN]) -> io::Result<Vec<u8>> {
    let request = QuoteMessage::new(report);
    let length = (request.as_bytes().len() as u32).to_be_bytes();
    stream.write_all(&[&length, request.as_bytes()].concat())?;

    let mut length = [0; PREFIX_LEN];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(io::Error::other(format!(
            "a response of {length} bytes, expected at most {MAX_MESSAGE}"
        )));
    }
    let mut response = vec![0; length];
    stream.read_exact(&mut response)?;
    quote_in(&response)
        .map(<[u8]>::to_vec)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::thread;
    use tdx_quoting::qgs::{start, unix_listener, Limits};
    use tdx_quoting::{Platform, PlatformConfig, QuotingEnclave, QuotingService};
    use tdx_uapi::{quote_reportdata, Attributes, Digest, TdReport, TeeTcbInfo};
    use zerocopy::FromZeros as _;

    /// A report that the platform of the tests takes.
    fn report(config: &PlatformConfig) -> TdReport {
        let mut report = TdReport::new_zeroed();
        report.mac.report_type.kind = 0x81;
        report.mac.cpu_svn = config.cpu_svn;
        report.mac.reportdata = [7; 64];
        report.tee_tcb_info.valid = TeeTcbInfo::VALID_1_5.into();
        report.tee_tcb_info.tee_tcb_svn = config.tee_tcb_svn;
        report.tee_tcb_info.tee_tcb_svn2 = config.tee_tcb_svn;
        report.td_info.attributes = Attributes::SEPT_VE_DISABLE.0.into();
        report.td_info.xfam = 7.into();
        let hash = |bytes: &[u8]| {
            use tdx_firmware::HashEngine as _;
            Digest(tdx_firmware::Sha2.digest(&[bytes]).0)
        };
        report.mac.tee_tcb_info_hash = hash(report.tee_tcb_info.as_bytes());
        report.mac.tee_info_hash = hash(report.td_info.as_bytes());
        report
    }

    fn bytes(report: &TdReport) -> &[u8; TDREPORT_LEN] {
        report.as_bytes().try_into().expect("its length")
    }

    /// What is said about a service that sends this.
    fn refusal(response: &[u8]) -> String {
        let (client, mut service) = UnixStream::pair().expect("a pair");
        let response = response.to_vec();
        let service = thread::spawn(move || {
            let mut request = [0; PREFIX_LEN + size_of::<QuoteMessage>()];
            service.read_exact(&mut request).expect("a request");
            service.write_all(&response).expect("to answer");
        });
        let error = ask(client, &[0; TDREPORT_LEN]).expect_err("a refusal");
        service.join().expect("no panic");
        error.to_string()
    }

    #[test]
    fn service_gives_a_quote_or_says_why_not() {
        let config = PlatformConfig::default();
        let platform = Platform::from_seed(b"seed of the tests", &config).expect("a platform");
        let enclave = QuotingEnclave::new(&platform, |_| Ok(()));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("qgs");
        let listener = unix_listener(&path).expect("a socket");
        let service = Arc::new(QuotingService::new(enclave));
        start(listener, service, Limits::default()).expect("a service");

        let connect = || UnixStream::connect(&path).expect("a connection");
        let quote = ask(connect(), bytes(&report(&config))).expect("a Quote");
        assert_eq!(quote_reportdata(&quote), Some(&[7; 64]));
        let refused = ask(connect(), &[0; TDREPORT_LEN]).expect_err("no report");
        assert!(refused.to_string().contains("QGS_MSG_ERROR"), "{refused}");
    }

    #[test]
    fn response_is_bounded_and_checked() {
        let long = refusal(&u32::MAX.to_be_bytes());
        assert!(long.contains("4294967295 bytes"), "{long}");
        let empty = refusal(&0_u32.to_be_bytes());
        assert!(empty.contains("0 bytes"), "{empty}");
        // Its own request, sent back.
        let echo = QuoteMessage::new(&[0; TDREPORT_LEN]);
        let length = (echo.as_bytes().len() as u32).to_be_bytes();
        let echo = refusal(&[&length, echo.as_bytes()].concat());
        assert!(echo.contains("type 1, found 0"), "{echo}");
        refusal(&[0, 0, 0, 9, 1]);
    }

    #[test]
    fn port_is_the_one_in_the_configuration() {
        assert_eq!(port("# comment\nport = 4051\n"), Some(4051));
        assert_eq!(port("port=1"), Some(1));
        for none in ["", "#port = 1", "port = x", "ports = 1"] {
            assert_eq!(port(none), None, "{none}");
        }
    }
}
