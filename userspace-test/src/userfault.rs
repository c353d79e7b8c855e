// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Page faults that wait for us: userfaultfd(2).
//!
//! A driver that copies to or from such a page stops in the middle of its call until the test has done what it wants.
//!
//! C header: `include/uapi/linux/userfaultfd.h`

use crate::memory::{Address, Pages, PAGE};
use anyhow::{ensure, Context, Result};
use nix::errno::Errno;
use nix::libc;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};

/// `struct uffdio_api`.
#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_range`.
#[repr(C)]
struct Range {
    start: u64,
    length: u64,
}

/// `struct uffdio_register`, and `struct uffdio_zeropage`, which looks the same.
#[repr(C)]
struct RangeRequest {
    range: Range,
    mode: u64,
    result: u64,
}

nix::ioctl_readwrite!(uffdio_api, 0xaa, 0x3f, Api);
nix::ioctl_readwrite!(uffdio_register, 0xaa, 0x00, RangeRequest);
nix::ioctl_read!(uffdio_wake, 0xaa, 0x02, Range);
nix::ioctl_readwrite!(uffdio_zeropage, 0xaa, 0x04, RangeRequest);

/// `UFFD_API`.
const API: u64 = 0xaa;
/// `UFFDIO_REGISTER_MODE_MISSING`.
const MODE_MISSING: u64 = 1;
/// `UFFD_EVENT_PAGEFAULT`, the first byte of a message.
const EVENT_PAGEFAULT: u8 = 0x12;

/// A page whose first use waits.
pub(crate) struct Userfault<'a> {
    file: File,
    pages: &'a Pages,
    page: usize,
}

impl<'a> Userfault<'a> {
    /// Makes the first use of that page wait. It must not have been touched yet.
    pub(crate) fn on(pages: &'a Pages, page: usize) -> Result<Self> {
        // SAFETY: The call takes flags only.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let fd = Errno::result(fd).context("userfaultfd")?;
        // SAFETY: The descriptor is new, so nobody else's.
        let file = unsafe { File::from_raw_fd(i32::try_from(fd)?) };
        let fault = Self { file, pages, page };
        let mut api = Api {
            api: API,
            features: 0,
            ioctls: 0,
        };
        // SAFETY: The argument is what the ioctl takes.
        unsafe { uffdio_api(fault.file.as_raw_fd(), &mut api) }.context("UFFDIO_API")?;
        let mut register = RangeRequest {
            range: fault.range(),
            mode: MODE_MISSING,
            result: 0,
        };
        // SAFETY: The argument is what the ioctl takes, and its range is of pages that no Rust reference points into.
        unsafe { uffdio_register(fault.file.as_raw_fd(), &mut register) }
            .context("UFFDIO_REGISTER")?;
        Ok(fault)
    }

    fn address(&self) -> Address<'_> {
        self.pages.at(self.page * PAGE)
    }

    fn range(&self) -> Range {
        Range {
            start: self.address().value(),
            length: PAGE as u64,
        }
    }

    /// Waits until somebody uses the page, and now waits in turn.
    pub(crate) fn wait(&self) -> Result<()> {
        // `struct uffd_msg`.
        let mut message = [0; 32];
        (&self.file)
            .read_exact(&mut message)
            .context("cannot read from the userfaultfd")?;
        ensure!(
            message[0] == EVENT_PAGEFAULT,
            "userfaultfd reports event {:#x}",
            message[0]
        );
        Ok(())
    }

    /// Lets the waiting use go on, with a page of zeros.
    pub(crate) fn fill(&self) -> Result<()> {
        let mut zeropage = RangeRequest {
            range: self.range(),
            mode: 0,
            result: 0,
        };
        // SAFETY: The argument is what the ioctl takes, and its range is of pages that no Rust reference points into.
        unsafe { uffdio_zeropage(self.file.as_raw_fd(), &mut zeropage) }
            .context("UFFDIO_ZEROPAGE")?;
        Ok(())
    }

    /// Lets the waiting use go on, with no page there any more.
    pub(crate) fn take_away(&self) -> Result<()> {
        self.pages.unmap(self.page).context("munmap")?;
        let mut range = self.range();
        // SAFETY: The argument is what the ioctl takes; it changes no memory.
        unsafe { uffdio_wake(self.file.as_raw_fd(), &mut range) }.context("UFFDIO_WAKE")?;
        Ok(())
    }
}
