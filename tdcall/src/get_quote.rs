// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! GetQuote: asking the host for a Quote.

use crate::{vp_vmcall, Error, Gpa, Transport, Vmcall, VmcallStatus};

/// Pages that are shared with the host.
///
/// This is no [`Operand`](crate::Operand): the host reads and writes shared memory whenever it likes, so there can be no
/// reference to it but to atomics, and a leaf that wants private memory does not take it. Private memory in turn cannot be
/// named here.
///
/// # Invariants
///
/// `gpa` and `size` are multiples of 4096, and `size` is not zero. The pages are shared, and nobody in the TD has a
/// reference into them but to atomics.
#[derive(Debug)]
pub struct SharedPages {
    gpa: Gpa,
    size: u64,
}

impl SharedPages {
    /// The granularity of sharing.
    pub const PAGE: u64 = 4096;

    /// Names the `size` bytes of shared memory at `gpa`, an address with the SHARED bit; nothing if one of them is no
    /// multiple of 4096, or there are no pages.
    ///
    /// # Safety
    ///
    /// As long as the value is there, the pages must be shared with the host and set aside for it: whatever the host writes
    /// there, at any time, must be no more than bytes that the TD does not trust.
    pub const unsafe fn new(gpa: Gpa, size: u64) -> Option<Self> {
        if size == 0 || size % Self::PAGE != 0 || gpa.0 % Self::PAGE != 0 {
            return None;
        }
        // INVARIANT: Just checked, and by the requirement above.
        Some(Self { gpa, size })
    }

    /// Where they begin, with the SHARED bit.
    pub const fn gpa(&self) -> Gpa {
        self.gpa
    }

    /// Their size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }
}

/// `TDG.VP.VMCALL<GetQuote>`: hands the host a buffer with a request for a Quote.
///
/// The buffer begins with a [`TdxQuoteHdr`](tdx_uapi::ioctl::TdxQuoteHdr). After [`VmcallStatus::SUCCESS`] it is the host's
/// until the status in it is no longer [`QuoteStatus::IN_FLIGHT`](tdx_uapi::QuoteStatus::IN_FLIGHT).
///
/// Source: GHCI, "`TDG.VP.VMCALL<GetQuote>`".
///
/// # Errors
///
/// The TDX module's own refusal. The host's is the status that is returned.
pub fn get_quote(tdx: &impl Transport, buffer: &SharedPages) -> Result<VmcallStatus, Error> {
    let call = Vmcall {
        function: Vmcall::GET_QUOTE,
        arguments: [buffer.gpa.0, buffer.size, 0, 0],
    };
    // SAFETY: The function has the host access the pages it is given, and by the invariant of `SharedPages` those are the
    // host's to read and write.
    let (status, _) = unsafe { vp_vmcall(tdx, call) }?;
    Ok(status)
}
