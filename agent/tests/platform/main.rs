// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command `tdx` outside of a TD: Quotes and evidence of a test platform, and its service for collateral.

mod evidence;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use sha2::{Digest as _, Sha384};
use tdx_agent::ReportData;
use tdx_quoting::pcs::PcsServer;
use tdx_quoting::{Platform, PlatformConfig, QuotingEnclave, Timestamp};
use tdx_uapi::{Attributes, Digest, TdReport, TeeTcbInfo};
use tempfile::TempDir;
use zerocopy::{FromZeros as _, IntoBytes as _};

/// A platform, and a folder with its root certificate and its collateral of today.
struct Fixture {
    platform: Platform,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let platform = Platform::from_seed(b"seed of the tests", &PlatformConfig::default())
            .expect("a platform");
        let collateral = platform
            .collateral(Timestamp::today().expect("a clock"))
            .expect("collateral");
        let fixture = Self {
            folder: tempfile::tempdir().expect("a folder"),
            platform,
        };
        fixture.write("root.der", fixture.platform.root_der());
        fixture.write("collateral.json", collateral.to_json().as_bytes());
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    /// A Quote for the nonce "nonce".
    fn quote(&self, change: impl FnOnce(&mut TdReport)) -> Vec<u8> {
        let config = PlatformConfig::default();
        let mut report = TdReport::new_zeroed();
        report.mac.report_type.kind = 0x81;
        report.mac.cpu_svn = config.cpu_svn;
        report.mac.reportdata = ReportData::bind(b"nonce", b"").0;
        report.tee_tcb_info.valid = TeeTcbInfo::VALID_1_5.into();
        report.tee_tcb_info.tee_tcb_svn = config.tee_tcb_svn;
        report.tee_tcb_info.tee_tcb_svn2 = config.tee_tcb_svn;
        report.td_info.attributes = Attributes::SEPT_VE_DISABLE.0.into();
        report.td_info.xfam = 7.into();
        change(&mut report);
        let hash = |bytes: &[u8]| Digest(Sha384::digest(bytes).into());
        report.mac.tee_tcb_info_hash = hash(report.tee_tcb_info.as_bytes());
        report.mac.tee_info_hash = hash(report.td_info.as_bytes());
        // Any MAC is taken: what is tested begins with the Quote.
        let enclave = QuotingEnclave::new(&self.platform, |_| Ok(()));
        enclave.quote(&report).expect("a Quote")
    }

    /// `tdx`, to be run in the folder.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tdx"));
        command
            .args(arguments.split_ascii_whitespace())
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path())
            .env_remove("TDX_PCCS");
        command
    }

    /// Runs `tdx` in the folder. Returns the exit status, and what it says.
    fn tdx(&self, arguments: &str) -> (i32, String) {
        let output = self.command(arguments).output().expect("to run");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code().expect("a status"), said)
    }

    /// The same with `tdx verify` and this platform's root and collateral.
    fn verify(&self, arguments: &str) -> (i32, String) {
        self.tdx(&format!(
            "verify --root root.der --collateral collateral.json {arguments}"
        ))
    }
}

/// Says whether it was refused for exactly this.
#[track_caller]
fn assert_refused((status, said): (i32, String), claims: &str) {
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(&format!("The Quote is refused: {claims} fail")),
        "{said}"
    );
}

#[track_caller]
fn assert_believed((status, said): (i32, String)) {
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("The Quote is to be believed."), "{said}");
}

fn server(platform: &Fixture) -> SocketAddr {
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = PcsServer::listen(any).expect("a server");
    let address = server.address();
    let platform = Platform::from_seed(b"seed of the tests", &PlatformConfig::default())
        .inspect(|same| {
            assert_eq!(same.root_der(), platform.platform.root_der());
        })
        .expect("a platform");
    thread::spawn(move || server.serve(&platform));
    address
}

#[test]
fn collateral_is_fetched_and_kept() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    let address = server(&fixture);
    let verify = format!("verify quote --nonce text:nonce --root root.der --pccs http://{address}/sgx/certification/v4/");
    assert_believed(fixture.tdx(&verify));
    let kept: Vec<_> = fs::read_dir(fixture.path("tdx"))
        .expect("a cache")
        .collect();
    assert_eq!(kept.len(), 1);
    // What is kept is used: with something else in its place, that is what is found.
    let kept = kept[0].as_ref().expect("a file").path();
    let other = fs::read_to_string(&kept)
        .expect("collateral")
        .replace("7E57", "0000");
    fs::write(&kept, other).expect("a file");
    assert_refused(fixture.tdx(&verify), "collateral");
    assert_believed(fixture.tdx(&format!("{verify} --max-age 0s")));
}

#[test]
fn service_that_does_not_answer_is_named() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    let (status, said) = fixture.tdx("verify quote --root root.der --pccs http://127.0.0.1:1");
    assert_eq!(status, 5, "{said}");
    assert!(said.contains("http://127.0.0.1:1/tdx/"), "{said}");
}

#[test]
fn nothing_is_fetched_for_certificates_that_are_none() {
    const NOBODY: &str = "--pccs http://127.0.0.1:1";
    let fixture = Fixture::new();
    let mut quote = fixture.quote(|_| {});
    fixture.write("quote", &quote);
    // Another root than the one that is trusted.
    assert_refused(
        fixture.tdx(&format!("verify quote {NOBODY}")),
        "certificates",
    );
    // The first certificate is something else, written as it must be; the root is behind it.
    let begin = b"-----BEGIN CERTIFICATE-----\n";
    let at = quote.windows(begin.len()).position(|bytes| bytes == begin);
    quote[at.expect("a certificate") + begin.len()] = b'N';
    fixture.write("quote", &quote);
    let verdict = fixture.tdx(&format!("verify quote --root root.der {NOBODY}"));
    assert!(
        verdict.1.contains("do not say which platform it is of"),
        "{}",
        verdict.1
    );
    assert_refused(verdict, "certificates");
}

#[test]
fn service_cannot_write_to_the_terminal() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a server");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 1000]);
        let body = "\u{1b}[2K\rThe Quote is to be believed.";
        let answer = format!(
            "HTTP/1.1 500 Wrong\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).expect("a client");
    });
    let arguments = format!("verify quote --root root.der --pccs http://{address}");
    let (status, said) = fixture.tdx(&arguments);
    server.join().expect("an answer");
    assert_eq!(status, 5, "{said}");
    assert!(said.contains("\\u{1b}[2K\\u{d}The Quote"), "{said}");
    assert!(!said.contains(['\u{1b}', '\r']), "{said}");
}

#[test]
fn when_nobody_reads_the_status_says_it_all() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    let verify = "verify --root root.der --collateral collateral.json quote --nonce text:";
    let (good, bad) = (format!("{verify}nonce"), format!("{verify}other"));
    for (arguments, status) in [(good.as_str(), 0), (&bad, 1), ("completions bash", 0)] {
        let (nobody, output) = UnixStream::pair().expect("two ends");
        drop(nobody);
        let found = fixture
            .command(arguments)
            .stdout(OwnedFd::from(output))
            .stderr(Stdio::null())
            .status()
            .expect("to run");
        assert_eq!(found.code(), Some(status), "{arguments}");
    }
}

#[test]
fn every_kind_of_failure_has_its_status() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    assert_believed(fixture.verify("quote --nonce text:nonce"));
    assert_refused(fixture.verify("quote --nonce text:other"), "reportdata");
    for (arguments, status) in [
        ("verify", 2),
        ("verify quote --nonce x", 2),
        ("verify missing", 3),
        ("verify quote --root quote", 3),
        ("report --field nothing", 4),
        ("report root.der", 1),
        ("verify quote --reject-advisory INTEL-SA-837", 3),
        ("quote quote", 0),
        ("quote root.der", 1),
    ] {
        let (found, said) = fixture.tdx(arguments);
        assert_eq!(found, status, "tdx {arguments}: {said}");
    }
}

#[test]
fn json_is_one_object_on_standard_output() {
    let fixture = Fixture::new();
    fixture.write("quote", &fixture.quote(|_| {}));
    for arguments in [
        "quote quote --json",
        "verify quote --root root.der --collateral collateral.json --json",
    ] {
        let (_, said) = fixture.tdx(arguments);
        let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(json["holds"], true, "{said}");
    }
}

#[test]
fn debuggable_td_is_refused_unless_asked_for() {
    let fixture = Fixture::new();
    let debug = (Attributes::SEPT_VE_DISABLE.0 | Attributes::DEBUG.0).into();
    fixture.write(
        "quote",
        &fixture.quote(|report| report.td_info.attributes = debug),
    );
    assert_refused(fixture.verify("quote"), "debug");
    assert_believed(fixture.verify("quote --allow-debug"));
}

#[test]
fn revoked_and_outdated_platforms_are_named() {
    for (config, claim) in [
        ("revoked = \"pck\"", "certificates"),
        ("outdated = \"platform\"", "tcb"),
        ("outdated = \"qe\"", "tcb"),
    ] {
        let fixture = Fixture::new();
        fixture.write("quote", &fixture.quote(|_| {}));
        let config = toml::from_str(config).expect("a configuration");
        let platform = Platform::from_seed(b"seed of the tests", &config).expect("a platform");
        let today = Timestamp::today().expect("a clock");
        let collateral = platform.collateral(today).expect("collateral");
        fixture.write("collateral.json", collateral.to_json().as_bytes());
        assert_refused(fixture.verify("quote"), claim);
        if claim == "tcb" {
            assert_believed(fixture.verify("quote --accept-tcb OutOfDate"));
            let (_, said) =
                fixture.verify("quote --accept-tcb OutOfDate --reject-advisory test-sa-00001");
            assert!(said.contains("TEST-SA-00001 applies"), "{said}");
        }
    }
}
