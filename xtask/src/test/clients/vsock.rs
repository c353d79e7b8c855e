// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Quote that does not come by way of the driver: from a quote generation service (QGS) of the host, over vsock.
//!
//! The vsock device is another process, `vhost-device-vsock`: the kernel's own is not on every machine. It hands each
//! connection of the guest on to a Unix socket, where the QGS listens.

use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};

use super::{check, python};
use crate::artefacts::host_cargo;
use crate::enclosure::Enclosure;
use crate::test::verifier::random_reportdata;
use crate::test::{Context, Verdict};

/// The port where programs in TDs look for a QGS.
const PORT: u32 = 4050;

/// How long a service may take to listen.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn vsock(context: &Context<'_>) -> Result<Verdict> {
    let paths = &context.environment.paths;
    let device = host_cargo::install("vhost-device-vsock", paths, &context.progress)?;
    let verifier = context.verifier()?;
    // The path of a socket has at most 108 bytes, so not under the project.
    let folder = tempfile::tempdir_in(env::temp_dir())?;
    let control = folder.path().join("control");
    let connections = folder.path().join("vsock");
    let qgs = folder.path().join(format!("vsock_{PORT}"));

    let mut command = Enclosure::host().command(verifier.command());
    command.arg("qgs").arg("--socket").arg(&qgs);
    let _qgs = Service::start(&mut command, &qgs)?;
    let mut command = Enclosure::host().command(device);
    command.arg("--socket").arg(&control);
    command.arg("--uds-path").arg(&connections);
    let _device = Service::start(&mut command, &control)?;

    let nonce = random_reportdata()?;
    let (mut guest, prepare) = python::guest(context, "cctrusted_vm", "cctrusted.py", &nonce)?;
    guest.name = "QGS over vsock".into();
    guest.files.push(context.tdx()?.into());
    // Its memory is the device's, too.
    for argument in [
        "-object".into(),
        format!("memory-backend-memfd,id=ram,share=on,size={}", guest.memory),
        "-machine".into(),
        "memory-backend=ram".into(),
        "-chardev".into(),
        format!("socket,id=vsock,path={}", control.display()),
        "-device".into(),
        "vhost-user-vsock-pci,chardev=vsock,disable-legacy=on,iommu_platform=on".into(),
    ] {
        guest.qemu_arguments.push(argument.into());
    }
    // By GetQuote there is nothing to be had.
    if let Some(plugin) = &mut guest.plugin {
        plugin
            .arguments
            .push(("host.quote".into(), "service-unavailable".into()));
    }
    let reportdata = python::hash(&nonce);
    // The agent finds the usual port by itself.
    let script = format!(
        "{prepare} && modprobe vmw_vsock_virtio_transport && umount /sys/kernel/config && \
         ./tdx quote --reportdata {} --out quote.tdx && \
         echo 'port = {PORT}' >/etc/tdx-attest.conf && python cctrusted.py vsock $nonce && \
         echo quote tdx $(od -An -v -tx1 quote.tdx | tr -d ' \\n')",
        hex::encode(reportdata)
    );
    let output = context.succeed(&guest, &["sh", "-c", &script])?;
    let expected = ["report vsock", "quote vsock", "quote tdx"];
    check(context, &output, &expected, &reportdata)
}

/// A program that serves somebody until this is dropped.
struct Service(Child);

impl Service {
    /// Starts it, and waits until it has made its socket.
    fn start(command: &mut Command, socket: &Path) -> Result<Self> {
        let name = format!("{command:?}");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut service = Self(child.with_context(|| format!("cannot run {name}"))?);
        let end = Instant::now() + LIMIT;
        while !socket.exists() {
            if let Some(status) = service.0.try_wait()? {
                bail!("{name} ended with {status}");
            }
            if Instant::now() > end {
                bail!("{name} has not made {}", socket.display());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
