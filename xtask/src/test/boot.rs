// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots through firmware: what is measured, and that it does not depend on what it should not.

mod change;
mod evidence;
mod expectation;
mod options;

use std::fs;
use std::path::Path;

use anyhow::{ensure, Context as _, Result};

use super::context::Which;
use super::{Check, Context, Tier, Verdict};
use crate::td;
use crate::vm::cli::BootChoice;
use crate::vm::{Guest, Memory};
use evidence::{script, Evidence};
use expectation::Expectation;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "boot-tdvf",
        about: "a TD boots through TDVF; log, report, firmware file, expectation and `tdx measure` agree on MRTD and RTMR0 to RTMR2",
        tier: Tier::Landing,
        run: tdvf,
    },
    Check {
        name: "boot-secure",
        about: "the same through shim and GRUB with Secure Boot, where the kernel takes no driver but a signed one",
        tier: Tier::All,
        run: |context| locked_down(context, "boot-secure", BootChoice::TdvfSecureBoot),
    },
    Check {
        name: "boot-uki",
        about: "the same through a unified kernel image",
        tier: Tier::All,
        run: |context| {
            let guest = guest(context, "boot-uki", BootChoice::Uki)?;
            expected(context, &guest, &script())
        },
    },
    Check {
        name: "boot-uki-secure",
        about: "the same through a signed unified kernel image with Secure Boot, of which the kernel is not measured again",
        tier: Tier::All,
        run: |context| locked_down(context, "boot-uki-secure", BootChoice::UkiSecureBoot),
    },
    Check {
        name: "boot-sizes",
        about: "of 1, 2 and 4 vCPUs, and of 1, 2 and 4 GiB, only RTMR0 tells",
        tier: Tier::All,
        run: sizes,
    },
    Check {
        name: "boot-reset",
        about: "a reset from inside makes a new TD, with the registers of the first one; power-off ends the machine",
        tier: Tier::All,
        run: reset,
    },
    Check {
        name: "boot-again",
        about: "20 boots in a row lead to the same registers",
        tier: Tier::All,
        run: again,
    },
    Check {
        name: "boot-together",
        about: "two TDs at once, and a TD beside an ordinary virtual machine, are as if alone",
        tier: Tier::All,
        run: together,
    },
    Check {
        name: "boot-changes",
        about: "a byte changed in firmware, variables, kernel, command line or initial file system changes its register only",
        tier: Tier::All,
        run: change::changes,
    },
];

/// A TD that boots like that, with the program that gathers evidence.
fn guest(context: &Context<'_>, name: &str, boot: BootChoice) -> Result<Guest> {
    let mut guest = context.guest(name, Which::Rust)?;
    guest.files.push(context.program()?.into());
    td::boot(&mut guest, context.environment, boot, &context.progress)?;
    Ok(guest)
}

/// What a guest tells of its boot.
fn evidence(context: &Context<'_>, guest: &Guest) -> Result<Evidence> {
    Evidence::read(&context.succeed(guest, &["sh", "-c", &script()])?)
}

/// The firmware image of a guest that has one.
fn image(guest: &Guest) -> Result<Vec<u8>> {
    let path: &Path = guest.start.firmware().context("there is no firmware")?;
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn tdvf(context: &Context<'_>) -> Result<Verdict> {
    let guest = guest(context, "boot-tdvf", BootChoice::Tdvf)?;
    expected(context, &guest, &script())
}

/// Boots a guest to run a script that ends with [`script`], and checks that all of what it tells of its boot is as expected.
fn expected(context: &Context<'_>, guest: &Guest, script: &str) -> Result<Verdict> {
    let command = ["sh", "-c", script];
    let evidence = Evidence::read(&context.succeed(guest, &command)?)?;
    let events = evidence.check(&image(guest)?)?;
    let expectation = Expectation::new(guest, &command, &evidence)?;
    expectation.check(&evidence)?;
    expectation.check_command(context.tdx()?, &evidence)?;
    let sum: usize = events.iter().sum();
    Ok(Verdict::Passed(format!("{sum} events, all as expected")))
}

/// A boot with Secure Boot, where the kernel takes no driver but a signed one.
fn locked_down(context: &Context<'_>, name: &str, boot: BootChoice) -> Result<Verdict> {
    let mut guest = guest(context, name, boot)?;
    // The driver as it was built, before it was signed.
    let unsigned = tempfile::tempdir()?;
    let copy = unsigned.path().join("unsigned.ko");
    fs::copy(context.td()?.module()?, &copy)?;
    guest.files.push(copy);
    let script = format!(
        "grep -q '\\[integrity\\]' /sys/kernel/security/lockdown || mount -t securityfs none /sys/kernel/security
        grep -q '\\[integrity\\]' /sys/kernel/security/lockdown || {{ echo no lockdown >&2; exit 2; }}
        rmmod tdx_guest || exit 3
        insmod unsigned.ko 2>/dev/null && {{ echo the unsigned driver was taken >&2; exit 4; }}
        modprobe tdx_guest || exit 5
        {}",
        script()
    );
    expected(context, &guest, &script)
}

fn sizes(context: &Context<'_>) -> Result<Verdict> {
    let mut all = Vec::new();
    for (smp, memory) in [(1, 1024), (2, 1024), (4, 1024), (1, 2048), (1, 4096)] {
        let name = format!("boot-sizes, {smp} vCPUs, {memory} MiB");
        let mut guest = guest(context, &name, BootChoice::Tdvf)?;
        (guest.smp, guest.memory) = (smp, Memory(memory));
        let evidence = evidence(context, &guest)?;
        evidence.check(&image(&guest)?)?;
        Expectation::new(&guest, &["sh", "-c", &script()], &evidence)?.check(&evidence)?;
        all.push((name, evidence.registers()?));
    }
    for (index, (name, one)) in all.iter().enumerate() {
        for (other_name, other) in &all[..index] {
            ensure!(
                one[1] != other[1],
                "RTMR0 is {} both for {name} and for {other_name}",
                one[1]
            );
            ensure!(
                one[0] == other[0] && one[2..] == other[2..],
                "more than RTMR0 differs: {name} led to {one:?}, {other_name} to {other:?}"
            );
        }
    }
    Ok(Verdict::Passed(format!("{} TDs", all.len())))
}

fn reset(context: &Context<'_>) -> Result<Verdict> {
    // The kernel's own driver lets registers be extended.
    let mut guest = context.guest("boot-reset", Which::C)?;
    guest.files.push(context.program()?.into());
    td::boot(
        &mut guest,
        context.environment,
        BootChoice::Tdvf,
        &context.progress,
    )?;
    guest.resets = true;
    // The clock, which outlives a reset, tells the second boot from the first.
    let script = format!(
        "{}
        [ $(date +%Y) = 2001 ] && exit 0
        date -s 2001-02-03 >/dev/null && hwclock -w -u || exit 1
        head -c 48 /dev/zero >/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384 || exit 1
        # Time for what was written to leave the machine.
        sleep 2
        reboot -f",
        script()
    );
    let output = context.succeed(&guest, &["sh", "-c", &script])?;
    let (first, rest) = Evidence::split(&output)?;
    let second = Evidence::read(rest).context("the boot after the reset")?;
    let image = image(&guest)?;
    first.check(&image)?;
    second.check(&image)?;
    let (before, after) = (first.registers()?, second.registers()?);
    ensure!(
        before == after,
        "the reset led to {after:?}, the first boot to {before:?}"
    );
    let output = context.power_off(&guest)?;
    Ok(Verdict::Passed(format!("reset, and {output}")))
}

fn again(context: &Context<'_>) -> Result<Verdict> {
    const BOOTS: usize = 20;
    let mut first = None;
    for number in 1..=BOOTS {
        let name = format!("boot-again {number}");
        let guest = guest(context, &name, BootChoice::Tdvf)?;
        let evidence = evidence(context, &guest)?;
        evidence.check(&image(&guest)?)?;
        let registers = evidence.registers()?;
        let first = first.get_or_insert(registers);
        ensure!(
            registers == *first,
            "boot {number} led to {registers:?}, the first to {first:?}"
        );
    }
    Ok(Verdict::Passed(format!("{BOOTS} boots")))
}

fn together(context: &Context<'_>) -> Result<Verdict> {
    const IS_TD: &str = "grep -qw tdx_guest /proc/cpuinfo";
    let td = guest(context, "boot-together", BootChoice::Tdvf)?;
    let mut ordinary = context.ordinary_guest("boot-together: ordinary")?;
    ordinary.smp = 2;
    // The same for all TDs: it is part of what is measured.
    let gather = format!("{IS_TD} || exit 9\n{}", script());
    let command = ["sh", "-c", &gather];
    let alone = Evidence::read(&context.succeed(&td, &command)?)?;
    alone.check(&image(&td)?)?;
    let alone = alone.registers()?;
    let is_td = ["sh", "-c", IS_TD].map(Into::into);
    let command = command.map(Into::into);
    let (tds, machine) = std::thread::scope(|scope| {
        let tds = [&td, &td].map(|td| scope.spawn(|| super::context::quietly(td, &command)));
        let machine = scope.spawn(|| super::context::quietly(&ordinary, &is_td));
        let machine = machine.join();
        (tds.map(std::thread::ScopedJoinHandle::join), machine)
    });
    for output in tds {
        let output = output.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        ensure!(
            output.status == 0,
            "in a TD beside others, the command ended with status {}",
            output.status
        );
        let registers = Evidence::read(&output.stdout)?.registers()?;
        ensure!(
            registers == alone,
            "a TD beside others led to {registers:?}, one alone to {alone:?}"
        );
    }
    let machine = machine.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    ensure!(
        machine.status == 1,
        "whether the ordinary machine takes itself for a TD: grep ended with status {}, where 1 is no",
        machine.status
    );
    Ok(Verdict::Passed("three machines".into()))
}
