// SPDX-License-Identifier: GPL-2.0-only

//! A buffer that is shared with the host, for one request at a time.
//!
//! C headers: `include/linux/set_memory.h`, `include/linux/cc_platform.h`

use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    alloc::flags::{
        __GFP_NOWARN,
        __GFP_ZERO, //
    },
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};
use tdx_call::{
    Gpa,
    SharedPages, //
};
use tdx_uapi::{
    ioctl::TdxQuoteHdr,
    QuoteHdrError,
    QuoteStatus, //
};
use zerocopy::IntoBytes;

extern "C" {
    /// Shares `numpages` pages at `addr`, of the kernel's mapping of all memory, with the host.
    ///
    /// Not 0 if that failed, perhaps after some of them were shared.
    fn set_memory_decrypted(addr: usize, numpages: i32) -> i32;

    /// Ends that.
    fn set_memory_encrypted(addr: usize, numpages: i32) -> i32;
}

/// The memory of a buffer, before it is shared and after.
#[repr(C, align(4096))]
struct Memory([MaybeUninit<u8>; SharedBuffer::LEN]);

/// A buffer that is shared with the host, a [`TdxQuoteHdr`] and data.
///
/// # Invariants
///
/// `start` is that of a [`KBox`] of [`Memory`] which belongs to this object, and `pages` are the same
/// memory. They are shared with the host; there are no references into them but to atomics.
pub(super) struct SharedBuffer {
    /// Where it is.
    start: NonNull<Memory>,

    /// Where it is for the host.
    pages: SharedPages,
}

// SAFETY: A buffer belongs to no thread in particular.
unsafe impl Send for SharedBuffer {}

impl SharedBuffer {
    /// The length in bytes: Quotes with certificates have some KiB, layered evidence about 100. Hosts
    /// take no more.
    const LEN: usize = 128 << 10;

    /// What is left of it for the data.
    pub(super) const ROOM: usize = Self::LEN - TdxQuoteHdr::LEN;

    /// The number of pages.
    const PAGES: i32 = (Self::LEN / kernel::page::PAGE_SIZE) as i32;

    /// Allocates a buffer and shares it with the host; [`None`] if it is lost in the attempt.
    pub(super) fn new() -> Result<Option<Self>> {
        let flags = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;
        let memory = KBox::into_raw(KBox::<Memory>::new_uninit(flags)?).cast::<Memory>();
        // SAFETY: The address is mapped, and a `KBox` is physically contiguous.
        let address = unsafe { bindings::slow_virt_to_phys(memory.cast()) };
        // SAFETY: These are whole pages, ours, and zero.
        if unsafe { set_memory_decrypted(memory.addr(), Self::PAGES) } != 0 {
            // Some pages may be shared by now, and nobody knows which. They must not be used for
            // anything again, so they are never freed.
            pr_err!("cannot share memory with the host, and lost it\n");
            lose(memory);
            return Ok(None);
        }
        // SAFETY: The function sets a bit of a number.
        let gpa = Gpa(unsafe { bindings::cc_mkdec(address) });
        // SAFETY: The pages are shared since just now, and nothing but the raw pointer leads to them.
        let pages = unsafe { SharedPages::new(gpa, Self::LEN as u64) };
        // INVARIANT: By all of the above.
        Ok(pages.and_then(|pages| {
            let start = NonNull::new(memory)?;
            Some(Self { start, pages })
        }))
    }

    /// The buffer as the host is told of it.
    pub(super) fn pages(&self) -> &SharedPages {
        &self.pages
    }

    /// Writes a request, all but its status. Nothing is left of what was there: a host that says that
    /// its answer is longer than it is would have the rest go to who asked, and it may be another's.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is longer than [`SharedBuffer::ROOM`].
    pub(super) fn write_request(&self, data: &[u8]) -> Result {
        if data.len() > Self::ROOM {
            return Err(EINVAL);
        }
        let header = TdxQuoteHdr {
            version: TdxQuoteHdr::VERSION,
            status: QuoteStatus::SUCCESS.0,
            in_len: data.len() as u32,
            out_len: 0,
        };
        self.clear();
        self.write(0, header.as_bytes());
        self.write(TdxQuoteHdr::LEN, data);
        Ok(())
    }

    /// Reads the status, once. What the host has written before it is seen by what is read later.
    pub(super) fn status(&self) -> QuoteStatus {
        QuoteStatus(self.status_word().load(Acquire))
    }

    /// Writes the status, after all else.
    pub(super) fn set_status(&self, status: QuoteStatus) {
        self.status_word().store(status.0, Release);
    }

    /// Copies the answer.
    ///
    /// # Errors
    ///
    /// Its length is none, or larger than [`SharedBuffer::ROOM`]; [`None`] if there is no memory.
    pub(super) fn read_answer(&self) -> Result<KVVec<u8>, Option<QuoteHdrError>> {
        let header = TdxQuoteHdr {
            version: TdxQuoteHdr::VERSION,
            status: QuoteStatus::SUCCESS.0,
            in_len: 0,
            // The host may change it at any time, so it is read once.
            out_len: self.out_len_word().load(Relaxed),
        };
        let len = header.answer_len(Self::ROOM)?;
        self.read(len).map_err(|_| None)
    }

    /// The status, in the buffer.
    fn status_word(&self) -> &Atomic<u64> {
        const AT: usize = core::mem::offset_of!(TdxQuoteHdr, status);
        // SAFETY: The word is in the buffer, and aligned to its size. In the TD all accesses to it but
        // those of `write_request` are atomic, and while that runs nobody else has the buffer. What the
        // host does is done by another machine: it can give the load any value, and does no more.
        unsafe { Atomic::from_ptr(self.start.as_ptr().byte_add(AT).cast()) }
    }

    /// The length of the answer, in the buffer.
    fn out_len_word(&self) -> &Atomic<u32> {
        const AT: usize = core::mem::offset_of!(TdxQuoteHdr, out_len);
        // SAFETY: As above.
        unsafe { Atomic::from_ptr(self.start.as_ptr().byte_add(AT).cast()) }
    }

    /// Copies the first `len` bytes of the data, or all.
    fn read(&self, len: usize) -> Result<KVVec<u8>> {
        let len = len.min(Self::ROOM);
        let mut bytes = KVVec::with_capacity(len, GFP_KERNEL)?;
        let room = bytes.spare_capacity_mut().get_mut(..len).ok_or(ENOMEM)?;
        for (to, from) in room.iter_mut().zip(self.bytes(TdxQuoteHdr::LEN)) {
            // SAFETY: The byte is in the buffer. The host may write to it at the same time, which a
            // volatile read of what a machine accesses at once makes as harmless as any value.
            to.write(unsafe { from.read_volatile() });
        }
        // SAFETY: There is room for that many, and each has been written: there are as many in the
        // buffer.
        unsafe { bytes.inc_len(len) };
        Ok(bytes)
    }

    /// Writes zero everywhere, in words: there are many bytes.
    fn clear(&self) {
        let start = self.start.as_ptr().cast::<u64>();
        for word in 0..Self::LEN / size_of::<u64>() {
            // SAFETY: The word is in the buffer, and aligned to its size. What the host does at the same
            // time harms nobody.
            unsafe { start.wrapping_add(word).write_volatile(0) };
        }
    }

    /// Writes `bytes` at offset `at`.
    fn write(&self, at: usize, bytes: &[u8]) {
        for (from, to) in bytes.iter().zip(self.bytes(at)) {
            // SAFETY: The byte is in the buffer, and what the host does at the same time harms nobody.
            unsafe { to.write_volatile(*from) };
        }
    }

    /// The bytes of the buffer from offset `at` on.
    fn bytes(&self, at: usize) -> impl Iterator<Item = *mut u8> {
        let start = self.start.as_ptr().cast::<u8>();
        (at..Self::LEN).map(move |offset| start.wrapping_add(offset))
    }
}

impl Drop for SharedBuffer {
    fn drop(&mut self) {
        let memory = self.start.as_ptr();
        // The TD gets other pages in place of these, which the host cannot write to: a request that it
        // has not answered yet comes to nothing.
        //
        // SAFETY: By the type invariant these are shared pages, ours, and nobody uses them any more.
        if unsafe { set_memory_encrypted(memory.addr(), Self::PAGES) } != 0 {
            // As after an attempt at sharing: nobody knows what they are.
            pr_err!("cannot take memory back from the host, and lost it\n");
            lose(memory);
            return;
        }
        // SAFETY: By the type invariant it is that of a `KBox`, which is private again.
        drop(unsafe { KBox::from_raw(memory.cast::<MaybeUninit<Memory>>()) });
    }
}

/// Has kmemleak, where the kernel has it, not take `memory` for leaked by mistake.
#[cfg_attr(not(CONFIG_DEBUG_KMEMLEAK), expect(unused_variables))]
fn lose(memory: *const Memory) {
    #[cfg(CONFIG_DEBUG_KMEMLEAK)]
    {
        extern "C" {
            /// Never again reports or scans the object that begins at `ptr`.
            fn kmemleak_ignore(ptr: *const kernel::ffi::c_void);
        }
        // SAFETY: The function looks the address up, and accesses no memory of the object.
        unsafe { kmemleak_ignore(memory.cast()) };
    }
}
