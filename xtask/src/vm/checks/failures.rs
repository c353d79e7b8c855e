// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told when a guest cannot run a command to its end, and that nothing stays behind.

use super::{command, fate, shell, Check};
use crate::vm::{Failure, Guest, Stdin, Streams, What};
use anyhow::{bail, ensure, Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

pub(super) const CHECKS: &[Check] = &[
    ("panic_is_told", panic_is_told),
    (
        "oops_is_a_panic_when_asked_for",
        oops_is_a_panic_when_asked_for,
    ),
    ("power_off_is_told", power_off_is_told),
    ("hang_while_booting_is_told", hang_while_booting_is_told),
    ("limit_ends_the_guest", limit_ends_the_guest),
    ("death_of_qemu_is_told", death_of_qemu_is_told),
    ("missing_parts_are_named", missing_parts_are_named),
    ("kernel_complaints_are_found", kernel_complaints_are_found),
    ("closed_output_ends_the_guest", closed_output_ends_the_guest),
    ("guest_dies_with_us", guest_dies_with_us),
];

fn panic_is_told(guest: &Guest) -> Result<()> {
    let failure = shell(guest, "echo before; echo c >/proc/sysrq-trigger; sleep 100")
        .err()
        .context("no failure")?;
    let Failure::Guest {
        what: What::Panicked(why),
        mut console,
    } = failure
    else {
        bail!("{failure}");
    };
    ensure!(why.contains("sysrq triggered crash"), "{why}");
    ensure!(
        console.log.as_deref().is_some_and(|log| log.exists()),
        "no log"
    );
    ensure!(!console.splats().is_empty());
    console.discard();
    Ok(())
}

fn oops_is_a_panic_when_asked_for(guest: &Guest) -> Result<()> {
    // A NULL pointer dereference in the process that asks for it. Without panic_on_oops the crash by SysRq panics
    // as well, so that the option is tested by what it sets.
    let guest = Guest {
        append: vec!["oops=panic".into()],
        ..guest.clone()
    };
    let said = super::text(
        &guest,
        "cat /proc/sys/kernel/panic_on_oops /proc/sys/kernel/panic",
    )?;
    ensure!(said == "1\n-1\n", "{said}");
    Ok(())
}

fn power_off_is_told(guest: &Guest) -> Result<()> {
    for script in ["poweroff -f", "reboot -f"] {
        let what = fate(shell(guest, &format!("{script}; sleep 100")))?;
        ensure!(matches!(what, What::PoweredOff), "{script}: {what}");
    }
    Ok(())
}

fn hang_while_booting_is_told(guest: &Guest) -> Result<()> {
    let guest = Guest {
        // An init that never says anything.
        append: vec!["rdinit=/usr/bin/yes".into()],
        boot_limit: Duration::from_secs(20),
        ..guest.clone()
    };
    let what = fate(command(&guest, &["true"]))?;
    ensure!(matches!(what, What::BootHung(_)), "{what}");
    Ok(())
}

fn limit_ends_the_guest(guest: &Guest) -> Result<()> {
    let limit = Duration::from_secs(15);
    let start = Instant::now();
    let sleep = ["sleep", "1000"].map(OsString::from);
    let what = fate(guest.output(&sleep, Some(limit), Stdin::Null))?;
    ensure!(matches!(what, What::TimedOut(_)), "{what}");
    let took = start.elapsed();
    ensure!(
        took >= limit && took < limit + Duration::from_secs(3),
        "{took:?}"
    );
    Ok(())
}

fn death_of_qemu_is_told(guest: &Guest) -> Result<()> {
    let mut wrong = guest.clone();
    wrong.qemu_arguments = vec!["-no-such-option".into()];
    match fate(command(&wrong, &["true"]))? {
        What::QemuDied { stderr, .. } if stderr.contains("no-such-option") => {}
        other => bail!("{other}"),
    }
    // Killed in the middle.
    let (marked, mark) = marked(guest);
    let result = std::thread::scope(|scope| {
        let run = scope.spawn(|| fate(command(&marked, &["sleep", "1000"])));
        let qemu = wait_for(|| processes(&mark).first().copied());
        std::thread::sleep(Duration::from_secs(2));
        if let Some(qemu) = qemu {
            let _ = kill_process(qemu, Signal::SEGV);
        }
        run.join()
    });
    match result.map_err(|_| anyhow::anyhow!("it panicked"))?? {
        What::QemuDied { status, .. } if status.signal() == Some(11) => Ok(()),
        other => bail!("{other}"),
    }
}

fn missing_parts_are_named(guest: &Guest) -> Result<()> {
    let empty = tempfile::tempdir()?;
    let nowhere = empty.path().join("nowhere");
    let mut cases = vec![guest.clone(); 5];
    cases[0].root = empty.path().to_owned();
    cases[1].files = vec![nowhere.clone()];
    cases[2].modules = nowhere.clone();
    cases[3].extra_modules = vec!["nowhere".into()];
    cases[4].driver = crate::vm::Driver::Rust(nowhere);
    for (case, expected) in cases.iter().zip([
        "has no usr/bin/busybox",
        "/nowhere into the guest",
        "/nowhere/kernel",
        "has no module nowhere",
        "/nowhere",
    ]) {
        match command(case, &["true"]) {
            Err(Failure::Setup(error)) => {
                let said = format!("{error:#}");
                ensure!(said.contains(expected), "{said}");
            }
            other => bail!("{expected}: {other:?}"),
        }
    }
    // QEMU itself says what is wrong with the kernel.
    let mut no_kernel = guest.clone();
    no_kernel.vmlinuz = empty.path().join("nowhere");
    match fate(command(&no_kernel, &["true"]))? {
        What::QemuDied { stderr, .. } if stderr.contains("nowhere") => Ok(()),
        other => bail!("{other}"),
    }
}

fn kernel_complaints_are_found(guest: &Guest) -> Result<()> {
    let mut output = shell(guest, "echo 'BUG: not a real one' >/dev/kmsg")?;
    let splats = output.console.splats();
    ensure!(
        splats.len() == 1 && splats[0].contains("not a real one"),
        "{splats:?}"
    );
    ensure!(
        output
            .console
            .log
            .as_deref()
            .is_some_and(|log| log.exists()),
        "no log"
    );
    output.console.discard();
    let quiet = shell(guest, "echo 'a remark' >/dev/kmsg")?;
    ensure!(
        quiet.console.text.contains("a remark"),
        "the console has no kernel messages"
    );
    ensure!(quiet.console.log.is_none(), "a log of nothing");
    Ok(())
}

/// Takes little.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn closed_output_ends_the_guest(guest: &Guest) -> Result<()> {
    let streams = Streams {
        stdin: Stdin::Null,
        stdout: &mut Full(1 << 20),
        stderr: &mut io::sink(),
    };
    let what = fate(guest.run(&["yes".into()], Some(super::LIMIT), streams))?;
    ensure!(
        matches!(&what, What::Output(error) if error.kind() == io::ErrorKind::BrokenPipe),
        "{what}"
    );
    Ok(())
}

/// A guest that can be told among processes, and by what.
fn marked(guest: &Guest) -> (Guest, String) {
    let mark = format!("mark{}", unique());
    let mut marked = guest.clone();
    marked.append.push(mark.clone());
    (marked, mark)
}

fn unique() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("-{}-{}", std::process::id(), now.as_nanos())
}

/// The QEMU processes that have `mark` in their command line.
fn processes(mark: &str) -> Vec<Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            (line.contains(mark) && line.contains("qemu-system")).then(|| Pid::from_raw(number))?
        })
        .collect()
}

/// What `find` finds before long.
fn wait_for<T>(find: impl Fn() -> Option<T>) -> Option<T> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(found) = find() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Even when we are killed without a chance to clean up.
fn guest_dies_with_us(guest: &Guest) -> Result<()> {
    for signal in [Signal::INT, Signal::KILL] {
        let mark = format!("mark{}", unique());
        let mut us = super::this_program(guest)?
            .args(["--append", &mark, "--", "sleep", "1000"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        wait_for(|| processes(&mark).first().copied()).context("no QEMU appeared")?;
        std::thread::sleep(Duration::from_secs(1));
        let pid = Pid::from_child(&us);
        kill_process(pid, signal)?;
        let status = us.wait()?;
        ensure!(status.signal() == Some(signal.as_raw()), "{status}");
        wait_for(|| processes(&mark).is_empty().then_some(())).context("QEMU lives on")?;
    }
    Ok(())
}
