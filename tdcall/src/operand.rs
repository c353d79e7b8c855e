// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What a leaf takes: buffers of the right size and alignment, at a known guest physical address.

use core::fmt;
use tdx_uapi::{DIGEST_LEN, REPORTDATA_LEN, REPORTMACSTRUCT_LEN, TDREPORT_LEN};

/// A guest physical address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gpa(pub u64);

impl fmt::Debug for Gpa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gpa({:#x})", self.0)
    }
}

/// Where TDG.MR.REPORT writes a TDREPORT: 1024 bytes, 1024-byte aligned.
#[repr(C, align(1024))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportBuffer(pub [u8; TDREPORT_LEN]);

/// Where TDG.MR.REPORT reads REPORTDATA: 64 bytes, 64-byte aligned.
#[repr(C, align(64))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportDataBuffer(pub [u8; REPORTDATA_LEN]);

/// Where TDG.MR.RTMR.EXTEND reads the digest to extend with: 48 bytes, 64-byte aligned.
#[repr(C, align(64))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendBuffer(pub [u8; DIGEST_LEN]);

/// Where TDG.MR.VERIFYREPORT reads a REPORTMACSTRUCT: 256 bytes, 256-byte aligned.
#[repr(C, align(256))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportMacBuffer(pub [u8; REPORTMACSTRUCT_LEN]);

impl ReportBuffer {
    /// A buffer of zeros.
    pub const ZERO: Self = Self([0; TDREPORT_LEN]);
}

impl ReportDataBuffer {
    /// A buffer of zeros.
    pub const ZERO: Self = Self([0; REPORTDATA_LEN]);
}

impl ExtendBuffer {
    /// A buffer of zeros.
    pub const ZERO: Self = Self([0; DIGEST_LEN]);
}

/// Memory that a leaf reads: a shared reference with its guest physical address.
///
/// # Invariants
///
/// The `size_of::<T>()` bytes from `gpa` on are the bytes of `value`.
#[derive(Debug)]
pub struct Operand<'a, T> {
    value: &'a T,
    gpa: Gpa,
}

impl<'a, T> Operand<'a, T> {
    /// Names the memory of `value` by its guest physical address.
    ///
    /// # Safety
    ///
    /// `gpa` must be the guest physical address of `value`, and the whole value physically contiguous from there on.
    pub const unsafe fn new(value: &'a T, gpa: Gpa) -> Self {
        // INVARIANT: By the requirement above.
        Self { value, gpa }
    }

    /// The address that goes into the leaf's register.
    pub const fn gpa(&self) -> Gpa {
        self.gpa
    }

    /// The value.
    pub const fn get(&self) -> &T {
        self.value
    }
}

/// Memory that a leaf writes: an exclusive reference with its guest physical address.
///
/// # Invariants
///
/// The `size_of::<T>()` bytes from `gpa` on are the bytes of `value`.
#[derive(Debug)]
pub struct OperandMut<'a, T> {
    value: &'a mut T,
    gpa: Gpa,
}

impl<'a, T> OperandMut<'a, T> {
    /// Names the memory of `value` by its guest physical address.
    ///
    /// # Safety
    ///
    /// `gpa` must be the guest physical address of `value`, and the whole value physically contiguous from there on.
    pub unsafe fn new(value: &'a mut T, gpa: Gpa) -> Self {
        // INVARIANT: By the requirement above.
        Self { value, gpa }
    }

    /// The address that goes into the leaf's register.
    pub const fn gpa(&self) -> Gpa {
        self.gpa
    }

    /// The value.
    pub const fn get(&self) -> &T {
        self.value
    }

    /// The value, to be changed between two calls.
    pub fn get_mut(&mut self) -> &mut T {
        self.value
    }

    /// The same memory for a leaf that only reads it.
    pub fn as_operand(&self) -> Operand<'_, T> {
        // INVARIANT: Value and address are those of this operand, for which the same holds.
        Operand {
            value: self.value,
            gpa: self.gpa,
        }
    }
}

/// The index of one of the four runtime measurement registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RtmrIndex {
    /// RTMR0: the TD's configuration, as the virtual firmware measures it.
    Rtmr0,
    /// RTMR1: the boot loader and kernel.
    Rtmr1,
    /// RTMR2: the kernel command line, initrd and what the operating system adds.
    Rtmr2,
    /// RTMR3: free for use at run time.
    Rtmr3,
}

impl RtmrIndex {
    /// All four, in order.
    pub const ALL: [Self; 4] = [Self::Rtmr0, Self::Rtmr1, Self::Rtmr2, Self::Rtmr3];

    /// The register of that number, if there is one.
    pub fn new(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }
}
