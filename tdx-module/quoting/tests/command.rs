// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use tempfile::TempDir;

const SEED: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const ISSUED: &str = "2026-11-20T00:00:00Z";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tdx-quoting"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("to run")
}

#[track_caller]
fn succeed(arguments: &[&str]) {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}

#[track_caller]
fn fail(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(expected), "{error}");
}

/// A path as an argument.
fn path(folder: &TempDir, name: &str) -> String {
    let path = folder.path().join(name);
    path.to_str().expect("text").to_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A server that runs until the end of the test, and what it says first.
struct Server {
    child: Child,
    line: String,
    _output: BufReader<ChildStdout>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("to start");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        Self {
            child,
            line,
            _output: output,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("to be killed");
        self.child.wait().expect("to end");
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("a file");
            let name = entry.file_name().into_string().expect("text");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn platform_is_written_and_is_the_same_every_time() {
    let folder = folder();
    for name in ["one", "two"] {
        let out = path(&folder, name);
        succeed(&[
            "platform", "--seed", SEED, "--issued", ISSUED, "--out", &out,
        ]);
    }
    let one = files(&folder.path().join("one"));
    assert_eq!(one, files(&folder.path().join("two")));
    let names: Vec<&str> = one.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "collateral.json",
            "pck-chain.pem",
            "pck-crl.der",
            "qe-identity.json",
            "root-crl.der",
            "root.der",
            "root.pem",
            "tcb-info.json",
            "tcb-signing-chain.pem",
        ]
    );
    let collateral: dcap_qvl::QuoteCollateralV3 =
        serde_json::from_slice(&one[0].1).expect("collateral of dcap-qvl");
    assert_eq!(collateral.pck_crl, one[2].1);
    assert_eq!(collateral.root_ca_crl, one[4].1);
}

#[test]
fn seed_and_configurations_count() {
    let folder = folder();
    let (td, config) = (path(&folder, "td.toml"), path(&folder, "platform.toml"));
    fs::write(&td, format!("[platform]\nseed = \"{SEED}\"\n")).expect("a file");
    fs::write(&config, "fmspc = \"001122334455\"\n").expect("a file");
    let root = |name: &str, options: &[&str]| {
        let out = path(&folder, name);
        succeed(&[&["platform", "--issued", ISSUED, "--out", &out], options].concat());
        let read = |file| fs::read(folder.path().join(name).join(file)).expect("a file");
        (read("root.der"), read("tcb-info.json"))
    };
    let (root_by_option, _) = root("option", &["--seed", SEED]);
    let (root_by_file, _) = root("file", &["--td", &td]);
    let (root_of_default, _) = root("default", &[]);
    let (root_of_fmspc, tcb_info) = root("fmspc", &["--td", &td, "--config", &config]);
    assert_eq!(root_by_option, root_by_file);
    assert_eq!(root_by_option, root_of_fmspc);
    assert_ne!(root_by_option, root_of_default);
    let tcb_info = String::from_utf8(tcb_info).expect("text");
    assert!(
        tcb_info.contains("\"fmspc\":\"001122334455\""),
        "{tcb_info}"
    );
}

#[test]
fn report_of_another_platform_is_refused_with_the_reason() {
    let folder = folder();
    let (report, quote) = (path(&folder, "report"), path(&folder, "quote"));
    let make = ["quote", "--report", &report, "--out", &quote];
    fail(&make, "cannot read");
    fs::write(&report, [0; 1000]).expect("a file");
    fail(&make, "expected 1024 bytes, found 1000");
    let mut bytes = [0; 1024];
    bytes[0] = 0x81;
    bytes[256..259].copy_from_slice(&[0xff, 0x01, 0x03]);
    fs::write(&report, bytes).expect("a file");
    fail(&make, "its CPUSVN is not one of this platform");
    assert!(!Path::new(&quote).exists());
}

#[test]
fn qgs_serves_at_a_socket() {
    let folder = folder();
    let socket = path(&folder, "qgs");
    let server = Server::start(&["qgs", "--socket", &socket]);
    assert_eq!(server.line, format!("QGS at {socket}\n"));
    let mut stream = UnixStream::connect(&socket).expect("a connection");
    // GET_PLATFORM_INFO_REQ.
    let words = [0x0001_0001u32, 4, 16, 0].map(u32::to_le_bytes).concat();
    stream.write_all(&[0, 0, 0, 16]).expect("to be read");
    stream.write_all(&words).expect("to be read");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    assert_eq!(response[..4], [0, 0, 0, 60]);
}

#[test]
fn pcs_serves_where_it_says() {
    let server = Server::start(&["serve-pcs", "--listen", "127.0.0.1:0"]);
    let (_, address) = server
        .line
        .trim()
        .split_once("http://")
        .expect("an address");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .write_all(b"GET /tdx/certification/v4/qe/identity HTTP/1.0\r\n\r\n")
        .expect("to be read");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("text");
    assert!(response.contains("\"id\":\"TD_QE\""), "{response}");
}

#[test]
fn mistakes_are_told() {
    let folder = folder();
    let out = path(&folder, "out");
    fail(
        &["platform", "--out", &out, "--seed", "12"],
        "expected 64 hexadecimal digits",
    );
    fail(
        &["platform", "--out", &out, "--issued", "today"],
        "found \"today\"",
    );
    let config = path(&folder, "platform.toml");
    fs::write(&config, "outdated = \"tea\"\n").expect("a file");
    fail(
        &["platform", "--out", &out, "--config", &config],
        "unknown variant `tea`",
    );
    fail(
        &["serve-pcs", "--listen", "0.0.0.0:0"],
        "not an address of loopback",
    );
    fail(&["qgs"], "--socket");
}
