// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What QEMU is told on its command line.

use crate::vm::Guest;
use anyhow::{ensure, Result};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Options for every guest.
const FIXED: &[&str] = &[
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-accel",
    "tcg,thread=multi",
];

/// The kernel's parameters, before the caller's.
const PARAMETERS: &[&str] = &[
    "console=ttyS0",
    // The initial file system may take all memory, not only the half that is the default.
    "initramfs_options=size=100%",
    // On a busy machine the emulated timer may be late, and the kernel would panic over it.
    "no_timer_check",
    // A panic ends the machine.
    "panic=-1",
];

/// What fits into the kernel's command line, in bytes (Linux, arch/x86/include/asm/setup.h, `COMMAND_LINE_SIZE`).
const LONGEST_LINE: usize = 2048;

/// QEMU's arguments for `guest`, save those that name something it inherits, and those about its kernel. The kernel's console goes to the file
/// `console`.
pub(super) fn arguments(guest: &Guest, console: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = FIXED.iter().map(OsString::from).collect();
    if !guest.resets {
        arguments.push("-no-reboot".into());
    }
    let mut add = |option: &str, value: &[&[u8]]| {
        arguments.push(option.into());
        arguments.push(OsString::from_vec(value.concat()));
    };
    add("-machine", &[guest.machine.as_bytes()]);
    add("-cpu", &[guest.cpu.as_bytes()]);
    add("-smp", &[guest.smp.to_string().as_bytes()]);
    add("-m", &[guest.memory.to_string().as_bytes()]);
    for folder in ["usr/share/qemu", "usr/share/seabios"] {
        add("-L", &[guest.root.join(folder).as_os_str().as_bytes()]);
    }
    let path = escaped(console.as_os_str().as_bytes());
    add("-chardev", &[b"file,id=console,path=", &path]);
    add("-serial", &[b"chardev:console"]);
    // What a TD demands of a virtio device: it knows no legacy interface, and its DMA goes through shared memory.
    // Each port that there could be costs two queues.
    let controller =
        "virtio-serial-pci,id=channels,max_ports=5,disable-legacy=on,iommu_platform=on";
    add("-device", &[controller.as_bytes()]);
    if let Some(plugin) = &guest.plugin {
        let mut value = b"file=".to_vec();
        value.extend_from_slice(&escaped(plugin.path.as_os_str().as_bytes()));
        for (key, argument) in &plugin.arguments {
            value.push(b',');
            value.extend_from_slice(key.as_bytes());
            value.push(b'=');
            value.extend_from_slice(&escaped(argument.as_bytes()));
        }
        if guest.trace {
            value.extend_from_slice(b",trace=stderr");
        }
        add("-plugin", &[&value]);
    }
    arguments
}

/// The kernel's command line.
pub(in crate::vm) fn command_line(guest: &Guest) -> Result<String> {
    let line = PARAMETERS
        .iter()
        .copied()
        .chain(guest.append.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ");
    ensure!(
        line.len() < LONGEST_LINE,
        "the kernel's parameters are {} bytes long, of which it would read {LONGEST_LINE}",
        line.len()
    );
    Ok(line)
}

/// In an option of QEMU that is a list, a comma in a value is doubled.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        out.push(byte);
        if byte == b',' {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{arguments, command_line, escaped};
    use crate::vm::{Guest, Plugin};
    use std::ffi::OsString;
    use std::path::Path;

    fn guest() -> Guest {
        let path = |name: &str| format!("/{name}").into();
        Guest::new(
            path("root"),
            path("vmlinuz"),
            path("modules"),
            "release".into(),
            path("cache"),
            path("logs"),
        )
    }

    /// What follows `option`.
    fn value(guest: &Guest, option: &str) -> Option<OsString> {
        let arguments = arguments(guest, Path::new("/console, the"));
        let at = arguments.iter().position(|argument| argument == option)?;
        arguments.get(at + 1).cloned()
    }

    #[test]
    fn the_callers_parameters_come_last() {
        let mut guest = guest();
        guest.append = vec!["panic=0".into(), "quiet".into()];
        let line = command_line(&guest).unwrap();
        assert!(line.ends_with(" panic=-1 panic=0 quiet"), "{line}");
    }

    #[test]
    fn parameters_that_the_kernel_would_cut_are_refused() {
        let mut guest = guest();
        guest.append = vec!["x".repeat(2048)];
        let error = command_line(&guest).unwrap_err();
        assert!(error.to_string().contains("kernel's parameters"), "{error}");
    }

    #[test]
    fn a_plugin_gets_its_arguments_whatever_they_contain() {
        let mut guest = guest();
        assert_eq!(value(&guest, "-plugin"), None);
        guest.plugin = Some(Plugin {
            path: "/a=b,c.so".into(),
            arguments: vec![("config".into(), "/x,y".into())],
        });
        guest.trace = true;
        assert_eq!(
            value(&guest, "-plugin").unwrap(),
            "file=/a=b,,c.so,config=/x,,y,trace=stderr"
        );
        assert_eq!(
            value(&guest, "-chardev").unwrap(),
            "file,id=console,path=/console,, the"
        );
    }

    #[test]
    fn emulation_is_always_used() {
        assert_eq!(value(&guest(), "-accel").unwrap(), "tcg,thread=multi");
    }

    #[test]
    fn commas_are_doubled() {
        assert_eq!(escaped(b"/a,b/c"), b"/a,,b/c");
    }
}
