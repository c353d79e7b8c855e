// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory for the driver to read and write: good, bad, and gone while it does.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{mmap_anonymous, mprotect, munmap, MapFlags, ProtFlags};
use nix::sys::uio::{process_vm_readv, process_vm_writev, RemoteIoVec};
use nix::unistd::getpid;
use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ptr::NonNull;

/// The size of a page in bytes.
pub(crate) const PAGE: usize = 4096;

/// An address to hand to the driver: within [`Pages`], or one that is no memory at all.
///
/// This is why a request can be made without `unsafe`: whatever the driver writes there, it is nothing that Rust knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address<'a>(u64, PhantomData<&'a Pages>);

impl Address<'static> {
    /// The null pointer.
    pub(crate) const NULL: Self = Self(0, PhantomData);
    /// The last page of what a process may have, where nothing is ever mapped.
    pub(crate) const END_OF_USER: Self = Self(0x7fff_ffff_f000, PhantomData);
    /// The first address that is not canonical.
    pub(crate) const NOT_CANONICAL: Self = Self(0x8000_0000_0000, PhantomData);
    /// The kernel's, where Linux maps all memory (without KASLR) and a driver must not be made to write.
    pub(crate) const KERNEL: Self = Self(0xffff_8880_0000_0000, PhantomData);
    /// So high that adding the length of a request wraps around.
    pub(crate) const WRAPS: Self = Self(u64::MAX - 63, PhantomData);
}

impl Address<'_> {
    /// As a register or a request carries it.
    pub(crate) const fn value(self) -> u64 {
        self.0
    }
}

/// Private anonymous pages that no Rust reference points into.
///
/// Their content is read and written by way of the kernel, so that a missing page is an error here, too.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<libc::c_void>,
    count: NonZeroUsize,
}

// SAFETY: The pages belong to the process, not to a thread, and there are no references into them.
unsafe impl Send for Pages {}
// SAFETY: As above; what races is the kernel's copying of bytes.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps `count` pages of zeros.
    pub(crate) fn new(count: usize) -> Result<Self> {
        Self::map(count, MapFlags::empty())
    }

    /// Maps `count` pages of zeros below 4 GiB, where a 32-bit caller can name them.
    pub(crate) fn below_4g(count: usize) -> Result<Self> {
        Self::map(count, MapFlags::MAP_32BIT)
    }

    fn map(count: usize, flags: MapFlags) -> Result<Self> {
        let count = NonZeroUsize::new(count).context("no pages asked for")?;
        let length = count
            .checked_mul(NonZeroUsize::new(PAGE).expect("not zero"))
            .context("too many pages")?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: Without MAP_FIXED no memory of anybody's is touched.
        let start = unsafe { mmap_anonymous(None, length, access, flags | MapFlags::MAP_PRIVATE) }
            .with_context(|| format!("cannot map {count} pages"))?;
        Ok(Self { start, count })
    }

    /// Their length in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.count.get() * PAGE
    }

    /// The address `offset` bytes into them, or just behind their end.
    pub(crate) fn at(&self, offset: usize) -> Address<'_> {
        assert!(
            offset <= self.len(),
            "offset {offset} is not within {} bytes",
            self.len()
        );
        Address(self.start.addr().get() as u64 + offset as u64, PhantomData)
    }

    fn page(&self, index: usize) -> NonNull<libc::c_void> {
        assert!(
            index < self.count.get(),
            "page {index} is not among {}",
            self.count
        );
        // SAFETY: Just checked that this is within the mapping.
        unsafe { self.start.byte_add(index * PAGE) }
    }

    /// Copies the `length` bytes at `offset`; fails with EFAULT where there is no memory.
    pub(crate) fn read(&self, offset: usize, length: usize) -> nix::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let remote = self.remote(offset, length);
        let done = process_vm_readv(getpid(), &mut [IoSliceMut::new(&mut bytes)], &[remote])?;
        if done == length {
            Ok(bytes)
        } else {
            Err(Errno::EFAULT)
        }
    }

    /// Copies `bytes` to `offset`; fails with EFAULT where there is no memory or it cannot be written.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> nix::Result<()> {
        let remote = self.remote(offset, bytes.len());
        let done = process_vm_writev(getpid(), &[IoSlice::new(bytes)], &[remote])?;
        if done == bytes.len() {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    }

    fn remote(&self, offset: usize, length: usize) -> RemoteIoVec {
        let end = self.at(offset + length);
        RemoteIoVec {
            base: end.0 as usize - length,
            len: length,
        }
    }

    /// Forbids writing to one page, or any access.
    pub(crate) fn protect(&self, page: usize, access: ProtFlags) -> nix::Result<()> {
        // SAFETY: The page is ours, and no reference points into it.
        unsafe { mprotect(self.page(page), PAGE, access) }
    }

    /// Makes a hole of one page.
    ///
    /// Meant to be followed by nothing but requests, [`Pages::map_again`] and dropping: what the process maps later may
    /// come to lie in the hole.
    pub(crate) fn unmap(&self, page: usize) -> nix::Result<()> {
        // SAFETY: The page is ours, and no reference points into it.
        unsafe { munmap(self.page(page), PAGE) }
    }

    /// Fills the hole with zeros.
    pub(crate) fn map_again(&self, page: usize) -> Result<()> {
        let length = NonZeroUsize::new(PAGE).expect("not zero");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED_NOREPLACE;
        // SAFETY: MAP_FIXED_NOREPLACE fails where there is memory already.
        unsafe { mmap_anonymous(Some(self.page(page).addr()), length, access, flags) }
            .context("cannot map the page again")?;
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: The mapping is ours, and no reference points into it. Holes in it do not matter.
        if let Err(error) = unsafe { munmap(self.start, self.len()) } {
            eprintln!("cannot unmap {} pages: {error}", self.count);
        }
    }
}
