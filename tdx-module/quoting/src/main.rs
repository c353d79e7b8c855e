// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The command `tdx-quoting`: the quoting side of the model's platform, by itself.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tdx_quoting::pcs::PcsServer;
use tdx_quoting::qgs::{self, Limits, VSOCK_PORT};
use tdx_quoting::{model, Platform, PlatformConfig, QuotingEnclave, QuotingService, Timestamp};

/// The quoting side of the software TDX module's platform.
///
/// The platform's keys all come from a seed that is no secret: what they sign is for tests.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    platform: PlatformOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct PlatformOptions {
    /// The TD's configuration, as the model reads it: its seed, CPUSVN and TCB SVNs count here.
    #[arg(long, value_name = "FILE", global = true)]
    td: Option<PathBuf>,
    /// What else there is to say of the platform: FMSPC, other SVNs, validity, what is outdated or revoked (TOML). Its
    /// cpu_svn and tee_tcb_svn do not count: those are the TD's.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The seed, in place of the one in the TD's configuration: 64 hexadecimal digits.
    #[arg(long, value_name = "DIGITS", global = true, value_parser = seed)]
    seed: Option<[u8; 32]>,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the root certificate, the other certificates, the CRLs and the collateral into a folder.
    Platform {
        /// The folder; it is made if need be.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// When the collateral is issued, such as 2026-01-31T00:00:00Z; the start of this day if left out.
        #[arg(long, value_name = "TIME")]
        issued: Option<Timestamp>,
    },
    /// Serves the collateral to verifiers, at the paths of Intel's PCS (version 4).
    ServePcs {
        /// Where to listen: an address of loopback, port 0 for any.
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
        listen: SocketAddr,
    },
    /// Serves Quotes to clients of Intel's QGS.
    Qgs {
        #[command(flatten)]
        place: QgsPlace,
        /// How long each Quote takes, in milliseconds.
        #[arg(long, value_name = "MS", default_value_t = 0)]
        delay: u64,
    },
    /// Makes one Quote.
    Quote {
        /// The TDREPORT, 1024 bytes.
        #[arg(long, value_name = "FILE")]
        report: PathBuf,
        /// Where the Quote goes.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct QgsPlace {
    /// Listen on a Unix socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Listen on a port of AF_VSOCK, 4050 if none is given.
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = DEFAULT_PORT)]
    vsock_port: Option<u32>,
}

/// [`VSOCK_PORT`] as text.
const DEFAULT_PORT: &str = "4050";
const _: () = assert!(VSOCK_PORT == 4050);

fn seed(digits: &str) -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    hex::decode_to_slice(digits, &mut seed)
        .map_err(|_| format!("expected 64 hexadecimal digits, found {}", digits.len()))?;
    Ok(seed)
}

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
    let options = Options::parse();
    let (platform, enclave) = options.platform.load()?;
    match options.command {
        Command::Platform { out, issued } => write_platform(&platform, &out, issued),
        Command::ServePcs { listen } => {
            let server = PcsServer::listen(listen)?;
            println!(
                "PCS for FMSPC {} at http://{}",
                platform.fmspc(),
                server.address()
            );
            server.serve(&platform);
            Ok(())
        }
        Command::Qgs { place, delay } => serve_qgs(enclave, &place, Duration::from_millis(delay)),
        Command::Quote { report, out } => {
            let bytes = read(&report)?;
            let quote = QuotingService::new(enclave)
                .quote(&bytes)
                .with_context(|| format!("no Quote for {}", report.display()))?;
            write(&out, &quote)
        }
    }
}

impl PlatformOptions {
    /// The platform, and its quoting enclave.
    fn load(&self) -> Result<(Platform, QuotingEnclave)> {
        let mut td_platform = match &self.td {
            Some(path) => {
                tdx_module::Config::from_toml(&read_text(path)?)
                    .with_context(|| format!("{} is no configuration of a TD", path.display()))?
                    .platform
            }
            None => tdx_module::Platform::default(),
        };
        if let Some(seed) = self.seed {
            td_platform.seed = seed;
        }
        let config = match &self.config {
            Some(path) => toml::from_str(&read_text(path)?)
                .with_context(|| format!("{} is no configuration of a platform", path.display()))?,
            None => PlatformConfig::default(),
        };
        let platform = model::platform(&td_platform, &config)?;
        let enclave = model::quoting_enclave(&platform, &td_platform);
        Ok((platform, enclave))
    }
}

fn write_platform(platform: &Platform, folder: &Path, issued: Option<Timestamp>) -> Result<()> {
    let issued = match issued {
        Some(issued) => issued,
        None => Timestamp::today()?,
    };
    let collateral = platform.collateral(issued)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let files: [(&str, Vec<u8>); 9] = [
        ("root.pem", platform.root_pem().into()),
        ("root.der", platform.root_der().into()),
        ("pck-chain.pem", platform.pck_chain_pem().into()),
        (
            "tcb-signing-chain.pem",
            collateral.tcb_info_issuer_chain.clone().into(),
        ),
        ("root-crl.der", collateral.root_ca_crl.clone()),
        ("pck-crl.der", collateral.pck_crl.clone()),
        ("tcb-info.json", collateral.tcb_info_response().into()),
        ("qe-identity.json", collateral.qe_identity_response().into()),
        ("collateral.json", collateral.to_json().into()),
    ];
    for (name, contents) in files {
        write(&folder.join(name), &contents)?;
    }
    println!(
        "platform of FMSPC {}, collateral of {issued}, in {}",
        platform.fmspc(),
        folder.display()
    );
    Ok(())
}

fn serve_qgs(enclave: QuotingEnclave, place: &QgsPlace, delay: Duration) -> Result<()> {
    let service = Arc::new(QuotingService::new(enclave).with_delay(delay));
    let limits = Limits::default();
    if let Some(path) = &place.socket {
        let listener = qgs::unix_listener(path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        qgs::start(listener, service, limits)?;
        println!("QGS at {}", path.display());
    } else if let Some(port) = place.vsock_port {
        let listener = qgs::vsock_listener(port)
            .with_context(|| format!("cannot listen on port {port} of AF_VSOCK"))?;
        qgs::start(listener, service, limits)?;
        println!("QGS at port {port} of AF_VSOCK");
    }
    loop {
        thread::park();
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, contents: &[u8]) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
