// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest's kernel wrote to its console.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// How the first lines of the kernel's own complaints begin or what they contain, in Linux's spelling (lib/bug.c,
/// kernel/panic.c, arch/x86/kernel/dumpstack.c, arch/x86/mm/fault.c, kernel/rcu/, kernel/watchdog.c, mm/kasan/).
const SPLATS: &[&str] = &[
    "WARNING: ",
    "BUG: ",
    "kernel BUG at",
    "Oops: ",
    "Kernel panic - not syncing",
    "Unable to handle kernel",
    "unable to handle page fault",
    "general protection fault",
    "invalid opcode: ",
    "double fault: ",
    "INFO: rcu",
    "rcu: INFO:",
    "INFO: task ",
    "INFO: possible",
    "INFO: suspicious",
    "UBSAN: ",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "watchdog: BUG",
    "new suspected memory leaks",
    "rust_kernel: panicked",
    "rust_panic",
    "Call Trace:",
];

/// The largest part of a console that is kept in memory, in bytes. The end is what counts.
const KEPT: u64 = 16 << 20;

/// The console of a guest that has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Console {
    /// The text, without carriage returns. Of a very long one the end.
    pub(crate) text: String,
    /// The file with the whole of it. It is kept if something went wrong or the kernel complained.
    pub(crate) log: Option<PathBuf>,
}

impl Console {
    /// Reads what is in the file at `path`.
    pub(crate) fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        // A console that cannot be read is an empty one: it is mostly asked for to explain another failure.
        let _ = File::open(path).and_then(|mut file| {
            let start = file.metadata()?.len().saturating_sub(KEPT);
            file.seek(SeekFrom::Start(start))?;
            file.take(KEPT).read_to_end(&mut bytes)
        });
        Self {
            text: String::from_utf8_lossy(&bytes).replace('\r', ""),
            log: Some(path.to_owned()),
        }
    }

    /// The lines in which the kernel complains of itself: warnings, oopses, panics, stalls, sanitizers' findings.
    pub(crate) fn splats(&self) -> Vec<&str> {
        self.text
            .lines()
            .filter(|line| SPLATS.iter().any(|sign| line.contains(sign)))
            .collect()
    }

    /// The line that says why the kernel panicked, if it did.
    pub(crate) fn panic(&self) -> Option<&str> {
        let line = self
            .text
            .lines()
            .find(|line| line.contains("Kernel panic - not syncing"))?;
        Some(without_time(line))
    }

    /// The last lines that hold anything, `count` of them at most.
    pub(crate) fn tail(&self, count: usize) -> String {
        let mut lines: Vec<&str> = self
            .text
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(count)
            .collect();
        lines.reverse();
        lines.join("\n")
    }

    /// Deletes the file: nothing went wrong.
    pub(crate) fn discard(&mut self) {
        if let Some(path) = self.log.take() {
            let _ = fs::remove_file(path);
        }
    }
}

fn without_time(line: &str) -> &str {
    match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_, message)) => message,
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::Console;

    fn console(text: &str) -> Console {
        Console {
            text: text.to_owned(),
            log: None,
        }
    }

    #[test]
    fn a_quiet_boot_has_no_splats() {
        let quiet = console(
            "[    0.000000] Linux version 7.2.12\n\
             [    0.100000] Spectre V2 : WARNING? no\n\
             [    0.200000] rcu: Hierarchical RCU implementation.\n\
             [    0.300000] kmemleak: Kernel memory leak detector initialized (mem pool available: 39269)\n\
             [    1.000000] tdx_guest: loading out-of-tree module taints kernel.\n",
        );
        assert!(quiet.splats().is_empty(), "{:?}", quiet.splats());
        assert_eq!(quiet.panic(), None);
    }

    #[test]
    fn warnings_oopses_and_panics_are_splats() {
        let text = "[    1.0] WARNING: drivers/misc/x.c:1 at f+0x1/0x2, CPU#0: sh/1\n\
                    [    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000000\n\
                    [    3.0] Oops: Oops: 0002 [#1] SMP NOPTI\n\
                    [    4.0] Kernel panic - not syncing: sysrq triggered crash\n";
        let broken = console(text);
        assert_eq!(broken.splats().len(), 4);
        assert_eq!(
            broken.panic(),
            Some("Kernel panic - not syncing: sysrq triggered crash")
        );
    }

    #[test]
    fn the_tail_leaves_out_empty_lines() {
        assert_eq!(console("a\nb\n\n \nc\n").tail(2), "b\nc");
    }
}
