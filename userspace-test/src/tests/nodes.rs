// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What programs find in /dev, and how they may open it.

use crate::device::{assert_carries, Device, LINUX_NODE, NODE};
use crate::harness::{test, Test};
use crate::options::{Driver, Options};
use crate::quote::quote;
use crate::verify::verify;
use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::unistd::{setgid, setuid, Gid, Uid};
use std::fs::{self, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

pub(super) const TESTS: &[Test] = &[
    test!(are_character_devices_for_root_only),
    test!(are_two_devices_of_their_own).only(&[Driver::Rust]),
    test!(are_as_sysfs_says),
    test!(may_be_opened_in_every_way_that_programs_do),
    test!(serve_what_changes_nothing_whichever_way_they_are_opened).only(&[Driver::Rust]),
    test!(are_closed_to_others_than_root),
    test!(cannot_be_read_or_written),
];

/// The nodes that a driver has.
pub(super) fn of(driver: Driver) -> &'static [&'static str] {
    match driver {
        Driver::Rust => &[LINUX_NODE, NODE],
        Driver::C => &[LINUX_NODE],
        Driver::None => &[],
    }
}

/// What the node itself is, not what a link points to: there are programs that refuse links.
fn metadata(node: &str) -> Result<Metadata> {
    fs::symlink_metadata(node).with_context(|| format!("there is no {node}"))
}

fn are_character_devices_for_root_only(options: &Options) -> Result<()> {
    for node in of(options.driver) {
        let metadata = metadata(node)?;
        assert!(
            metadata.file_type().is_char_device(),
            "{node} is a {:?}",
            metadata.file_type()
        );
        assert_eq!(metadata.mode() & 0o7777, 0o600, "mode of {node}");
        assert_eq!((metadata.uid(), metadata.gid()), (0, 0), "owner of {node}");
        // All misc devices have this major number.
        assert_eq!(libc::major(metadata.rdev()), 10, "major number of {node}");
    }
    Ok(())
}

fn are_two_devices_of_their_own(_: &Options) -> Result<()> {
    assert_ne!(metadata(NODE)?.rdev(), metadata(LINUX_NODE)?.rdev());
    Ok(())
}

fn are_as_sysfs_says(options: &Options) -> Result<()> {
    for node in of(options.driver) {
        let path = format!("/sys/class/misc/{}/dev", node.trim_start_matches("/dev/"));
        let number = fs::read_to_string(&path).with_context(|| format!("there is no {path}"))?;
        let device = metadata(node)?.rdev();
        let found = format!("{}:{}", libc::major(device), libc::minor(device));
        assert_eq!(
            number.trim_end(),
            found,
            "{node} is another device than {path}"
        );
    }
    Ok(())
}

fn may_be_opened_in_every_way_that_programs_do(options: &Options) -> Result<()> {
    const WAYS: &[(bool, bool, i32)] = &[
        (true, false, 0),
        (false, true, 0),
        (true, true, 0),
        (true, true, libc::O_SYNC),
        (false, true, libc::O_TRUNC),
        (true, true, libc::O_SYNC | libc::O_TRUNC),
        (true, true, libc::O_CREAT),
        (true, true, libc::O_NONBLOCK),
        (true, false, libc::O_NOFOLLOW),
    ];
    for node in of(options.driver) {
        for &(read, write, flags) in WAYS {
            let way = format!("{node} opened with read {read}, write {write}, flags {flags:#o}");
            let device = Device::open_with(
                node,
                OpenOptions::new()
                    .read(read)
                    .write(write)
                    .custom_flags(flags),
            )
            .context(way.clone())?;
            let reportdata = [0x5a; 64];
            let report = device.get_report(&reportdata).context(way.clone())?;
            assert_carries(&report, &reportdata);
        }
    }
    Ok(())
}

fn serve_what_changes_nothing_whichever_way_they_are_opened(options: &Options) -> Result<()> {
    for node in of(options.driver) {
        for (read, write) in [(true, false), (false, true), (true, true)] {
            let device = Device::open_with(node, OpenOptions::new().read(read).write(write))?;
            let way = format!("{node} opened with read {read}, write {write}");
            let report = device.get_report(&[0x5b; 64]).context(way.clone())?;
            verify(&device, &report[..256], 256)?.context(way.clone())?;
            quote(&device, &[0x5b; 64])?.context(way)?;
        }
    }
    Ok(())
}

fn are_closed_to_others_than_root(options: &Options) -> Result<()> {
    let nobody = 65534;
    setgid(Gid::from_raw(nobody))?;
    setuid(Uid::from_raw(nobody))?;
    for node in of(options.driver) {
        let error = Device::open_with(node, OpenOptions::new().read(true))
            .map(drop)
            .expect_err("anybody can open the node");
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::EACCES as i32),
            "{node}: {error}"
        );
    }
    Ok(())
}

fn cannot_be_read_or_written(options: &Options) -> Result<()> {
    for node in of(options.driver) {
        let device = Device::open(node)?;
        let error = device.file().read(&mut [0; 64]).expect_err("read succeeds");
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::EINVAL as i32),
            "read of {node}: {error}"
        );
        let error = device.file().write(&[0; 64]).expect_err("write succeeds");
        assert_eq!(
            error.raw_os_error(),
            Some(Errno::EINVAL as i32),
            "write of {node}: {error}"
        );
    }
    Ok(())
}
