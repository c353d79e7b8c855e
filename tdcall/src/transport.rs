// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The seam between the leaf functions and whatever answers them.

use crate::Registers;

/// Something that takes a register file to a TDX module and brings it back.
///
/// # Safety
///
/// An implementation behaves as TDCALL does: it accesses memory only as the leaf in RAX defines for the operands in the
/// other registers, and reports in RAX whether it did. The leaf functions of this crate are safe because of that.
pub unsafe trait Transport {
    /// Performs one TDCALL.
    ///
    /// # Safety
    ///
    /// Every memory operand that `registers` name by guest physical address must be memory that the caller may have
    /// accessed in the way the leaf does: readable where the leaf reads, exclusively the caller's where it writes or
    /// changes the page.
    unsafe fn tdcall(&self, registers: &mut Registers);
}

// SAFETY: A reference passes the call on unchanged, to something that behaves as TDCALL does.
unsafe impl<T: Transport + ?Sized> Transport for &T {
    unsafe fn tdcall(&self, registers: &mut Registers) {
        // SAFETY: The caller vouches for the operands.
        unsafe { (**self).tdcall(registers) };
    }
}
