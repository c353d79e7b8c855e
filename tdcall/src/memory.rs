// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! TDG.MEM.PAGE.ACCEPT.

use crate::{leaf, Error, Gpa, Registers, Status, Transport};

/// The size of a page, as the leaf's level field has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageSize {
    /// 4 KiB, level 0.
    Size4K,
    /// 2 MiB, level 1.
    Size2M,
}

impl PageSize {
    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Size4K => 1 << 12,
            Self::Size2M => 1 << 21,
        }
    }
}

/// A page of the guest physical address space.
///
/// # Invariants
///
/// `gpa` is a multiple of the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPage {
    gpa: Gpa,
    size: PageSize,
}

impl GuestPage {
    /// The page of that size at `gpa`, if `gpa` is a multiple of the size.
    pub const fn new(gpa: Gpa, size: PageSize) -> Option<Self> {
        if gpa.0 % size.bytes() == 0 {
            // INVARIANT: Just checked.
            Some(Self { gpa, size })
        } else {
            None
        }
    }

    /// Where the page begins.
    pub const fn gpa(self) -> Gpa {
        self.gpa
    }

    /// How large it is.
    pub const fn size(self) -> PageSize {
        self.size
    }
}

/// What became of a page that was to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It was pending and is now the TD's, filled with zeros.
    Accepted,
    /// It had been accepted before and keeps its content.
    ///
    /// A host can take a page away and put an empty one in its place only by way of the pending state, so software that
    /// meets this for a page that it never accepted should ask itself why.
    AlreadyAccepted,
}

/// TDG.MEM.PAGE.ACCEPT: accepts a pending private page, which becomes zero.
///
/// # Errors
///
/// [`Status::PAGE_SIZE_MISMATCH`] when 2 MiB were asked for and the page is mapped as 4 KiB pages: accept those.
/// [`Status::OPERAND_INVALID`] naming RCX for an address that is not private memory of the TD.
///
/// # Safety
///
/// Nothing that the program still relies on may be in the page: if it is pending it becomes zero.
pub unsafe fn mem_page_accept(tdx: &impl Transport, page: GuestPage) -> Result<Acceptance, Error> {
    let mut registers = Registers {
        rcx: page.gpa.0 | page.size as u64,
        ..Registers::leaf(leaf::MEM_PAGE_ACCEPT)
    };
    // SAFETY: The leaf zeroes the page at most, which the caller has given up.
    unsafe { tdx.tdcall(&mut registers) };
    let status = Status(registers.rax).into_result()?;
    Ok(if status.kind() == Status::PAGE_ALREADY_ACCEPTED {
        Acceptance::AlreadyAccepted
    } else {
        Acceptance::Accepted
    })
}
