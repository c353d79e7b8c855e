// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a command finds in the guest.

use super::{command, fate, shell, text, Check};
use crate::vm::root::Root;
use crate::vm::{Driver, Guest, Memory, What};
use anyhow::{ensure, Context, Result};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};

pub(super) const CHECKS: &[Check] = &[
    ("system_is_usable", system_is_usable),
    ("virtual_cpus_are_as_asked", virtual_cpus_are_as_asked),
    (
        "dynamically_linked_programs_run",
        dynamically_linked_programs_run,
    ),
    ("files_arrive_as_they_are", files_arrive_as_they_are),
    ("large_files_arrive", large_files_arrive),
    ("lost_files_are_noticed", lost_files_are_noticed),
    ("modules_can_be_loaded", modules_can_be_loaded),
    ("driver_is_the_one_asked_for", driver_is_the_one_asked_for),
    (
        "parallel_first_boots_share_the_cache",
        parallel_first_boots_share_the_cache,
    ),
];

fn system_is_usable(guest: &Guest) -> Result<()> {
    let script = "set -e
        [ $(id -u) = 0 ]; [ \"$HOME\" = /root ]; [ \"$PWD\" = /root ]; [ $(whoami) = root ]
        for at in /proc /sys /dev/pts /dev/shm /sys/kernel/config /sys/kernel/debug; do
            mountpoint -q $at 2>/dev/null || grep -q \" $at \" /proc/mounts || { echo no $at; exit 1; }
        done
        touch /tmp/x; [ -c /dev/null ]; [ -d /sys/kernel/debug/tracing ]
        ping -c 1 127.0.0.1 >/dev/null; ping -c 1 ::1 >/dev/null
        # Nothing of init's own is open.
        ls -l /proc/$$/fd >/tmp/open; ! grep vport /tmp/open
        uname -r";
    let release = text(guest, script)?;
    ensure!(release.trim() == guest.release, "{release}");
    Ok(())
}

fn virtual_cpus_are_as_asked(guest: &Guest) -> Result<()> {
    for smp in [1, 2, 4] {
        let guest = Guest {
            smp,
            ..guest.clone()
        };
        let counted = text(&guest, "nproc")?;
        ensure!(counted.trim() == smp.to_string(), "{counted} of {smp}");
    }
    let guest = Guest {
        memory: Memory(2048),
        ..guest.clone()
    };
    let found = text(
        &guest,
        "awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo",
    )?;
    let found: u64 = found.trim().parse()?;
    ensure!((1700..=2048).contains(&found), "{found} MiB of 2048");
    Ok(())
}

fn dynamically_linked_programs_run(guest: &Guest) -> Result<()> {
    let guest = Guest {
        files: vec![
            // A Rust program, built on this machine.
            std::env::current_exe()?,
            // A C program of the Debian root.
            Root(&guest.root).file("usr/bin/printenv")?,
        ],
        memory: Memory(1024),
        ..guest.clone()
    };
    let own = guest.files[0]
        .file_name()
        .context("no name")?
        .to_string_lossy();
    let said = text(&guest, &format!("./printenv HOME && ./{own} --help"))?;
    ensure!(
        said.starts_with("/root\n") && said.contains("Usage:"),
        "{said}"
    );
    Ok(())
}

fn files_arrive_as_they_are(guest: &Guest) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let top = folder.path().join("a folder");
    fs::create_dir_all(top.join("sub/empty"))?;
    fs::write(top.join("sub/run"), "#!/bin/sh\necho \"$0\" ran\n")?;
    fs::set_permissions(top.join("sub/run"), fs::Permissions::from_mode(0o751))?;
    fs::write(top.join("plain"), "")?;
    fs::set_permissions(top.join("plain"), fs::Permissions::from_mode(0o640))?;
    symlink("sub/run", top.join("link"))?;
    symlink("/nowhere", top.join("dangling"))?;
    let single = folder.path().join("single");
    fs::write(&single, "single\n")?;
    let guest = Guest {
        files: vec![top, single],
        ..guest.clone()
    };
    let script = "cat single; cd 'a folder'; ./link; stat -c '%a %u %s' plain sub/run; readlink dangling; ls -A sub/empty";
    let said = text(&guest, script)?;
    let expected = "single\n./link ran\n640 0 0\n751 0 24\n/nowhere\n";
    ensure!(said == expected, "{said:?}");
    Ok(())
}

/// As large as the memory allows by our own reckoning.
fn large_files_arrive(guest: &Guest) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large");
    fs::write(&large, vec![b'x'; 180 << 20])?;
    let mut guest = Guest {
        files: vec![large],
        memory: Memory(600),
        ..guest.clone()
    };
    let said = text(&guest, "tr -d x <large | wc -c; wc -c <large")?;
    ensure!(said == "0\n188743680\n", "{said}");

    guest.memory = Memory(400);
    let error = command(&guest, &["true"])
        .err()
        .context("the files fitted")?;
    ensure!(
        error.what().is_none() && format!("{error:#}").contains("Give it more with --memory"),
        "{error}"
    );
    Ok(())
}

/// When the guest has less memory than we think, it unpacks only a part.
fn lost_files_are_noticed(guest: &Guest) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let large = folder.path().join("large");
    fs::write(&large, vec![b'x'; 100 << 20])?;
    let guest = Guest {
        files: vec![large],
        append: vec!["mem=300M".into()],
        ..guest.clone()
    };
    match fate(command(&guest, &["true"]))? {
        What::NotReady(why) if why.contains("memory is too small") => Ok(()),
        // There may be too little for init as well.
        What::Panicked(_) => Ok(()),
        other => anyhow::bail!("{other}"),
    }
}

fn modules_can_be_loaded(guest: &Guest) -> Result<()> {
    let guest = Guest {
        driver: Driver::None(None),
        ..guest.clone()
    };
    let script = "set -e
        modprobe vsock_loopback; [ -d /sys/module/vsock ]; modprobe -r vsock_loopback
        modprobe overlay; grep -q overlay /proc/filesystems
        modprobe tsm_report; [ -d /sys/kernel/config/tsm ]
        modinfo -F depends tdx_guest >/dev/null
        ! modprobe no_such_module 2>/dev/null";
    text(&guest, script)?;
    Ok(())
}

fn driver_is_the_one_asked_for(guest: &Guest) -> Result<()> {
    if guest.plugin.is_none() {
        // The kernel's own driver refuses to load outside a TD, and then the command must not run.
        let guest = Guest {
            driver: Driver::C,
            ..guest.clone()
        };
        return match fate(shell(&guest, "echo ran"))? {
            What::NotReady(why) if why.contains("No such device") => Ok(()),
            other => anyhow::bail!("{other}"),
        };
    }
    let ko = match &guest.driver {
        Driver::Rust(ko) | Driver::None(Some(ko)) => Some(ko.clone()),
        Driver::C | Driver::None(None) => None,
    };
    let by_alias = "modprobe $(cat /sys/devices/system/cpu/modalias); ";
    let show = "cat /sys/module/tdx_guest/taint; ls /dev/tdx*guest";
    let with = |driver: Driver, script: String| -> Result<String> {
        let guest = Guest {
            driver,
            ..guest.clone()
        };
        text(&guest, &script)
    };
    let own = with(Driver::C, show.into())?;
    ensure!(own == "\n/dev/tdx_guest\n", "the kernel's own: {own:?}");
    let none = with(
        Driver::None(ko.clone()),
        "ls -d /sys/module/tdx_guest 2>&1; ls /dev | grep -c tdx; true".into(),
    )?;
    ensure!(none.ends_with("0\n"), "none: {none:?}");
    let own = with(Driver::None(None), format!("{by_alias}{show}"))?;
    ensure!(
        own == "\n/dev/tdx_guest\n",
        "the kernel's own, by alias: {own:?}"
    );
    let Some(ko) = ko else {
        println!(
            "        driver_is_the_one_asked_for: without the Rust driver, which was not given"
        );
        return Ok(());
    };
    for (driver, script) in [
        (Driver::Rust(ko.clone()), show.to_owned()),
        (Driver::None(Some(ko)), format!("{by_alias}{show}")),
    ] {
        let rust = with(driver, script)?;
        ensure!(
            rust.starts_with('O')
                && rust.contains("/dev/tdx_guest")
                && rust.contains("/dev/tdx-guest"),
            "the Rust driver: {rust:?}"
        );
    }
    Ok(())
}

fn parallel_first_boots_share_the_cache(guest: &Guest) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let guest = Guest {
        cache: folder.path().join("cache"),
        logs: folder.path().join("logs"),
        ..guest.clone()
    };
    std::thread::scope(|scope| {
        let boots: Vec<_> = (0..3)
            .map(|number| {
                scope.spawn({
                    let guest = &guest;
                    move || text(guest, &format!("echo {number}"))
                })
            })
            .collect();
        for (number, boot) in boots.into_iter().enumerate() {
            let said = boot.join().map_err(|_| anyhow::anyhow!("it panicked"))??;
            ensure!(said == format!("{number}\n"), "{said:?}");
        }
        Ok(())
    })?;
    let left: Vec<_> = fs::read_dir(&guest.cache)?
        .chain(fs::read_dir(&guest.logs)?)
        .collect();
    ensure!(left.len() == 1, "one image should be left: {left:?}");
    Ok(())
}
