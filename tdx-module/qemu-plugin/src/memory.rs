// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Guest physical memory.

use crate::bytes::ByteArray;
use crate::ffi;
use core::cell::RefCell;
use tdx_call::Gpa;
use tdx_module::Unmapped;

/// Access to the memory of the machine, as the vCPU in whose callback it happens sees it.
pub(crate) struct MemoryAccess {
    buffer: RefCell<ByteArray>,
}

impl MemoryAccess {
    /// Makes the buffer that the access goes through.
    pub(crate) fn new() -> Self {
        Self {
            buffer: RefCell::new(ByteArray::new()),
        }
    }

    /// Fills `bytes` with the memory at `gpa`.
    pub(crate) fn read(&self, gpa: Gpa, bytes: &mut [u8]) -> Result<(), Unmapped> {
        // QEMU takes reading nothing for an error.
        if bytes.is_empty() {
            return Ok(());
        }
        let mut buffer = self.buffer.borrow_mut();
        // SAFETY: The array is this object's own; QEMU gives it `bytes.len()` bytes.
        let result =
            unsafe { ffi::qemu_plugin_read_memory_hwaddr(gpa.0, buffer.as_empty(), bytes.len()) };
        let read = buffer.as_slice();
        if result != ffi::QEMU_PLUGIN_HWADDR_OPERATION_OK || read.len() != bytes.len() {
            return Err(Unmapped);
        }
        bytes.copy_from_slice(read);
        Ok(())
    }

    /// Writes `bytes` to the memory at `gpa`.
    pub(crate) fn write(&self, gpa: Gpa, bytes: &[u8]) -> Result<(), Unmapped> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut buffer = self.buffer.borrow_mut();
        // SAFETY: The array is this object's own, and QEMU only reads it.
        let result =
            unsafe { ffi::qemu_plugin_write_memory_hwaddr(gpa.0, buffer.as_filled(bytes)) };
        match result {
            ffi::QEMU_PLUGIN_HWADDR_OPERATION_OK => Ok(()),
            _ => Err(Unmapped),
        }
    }

    /// Fills `bytes` with the memory at a virtual address, as a debugger reads it. Returns whether it is there.
    pub(crate) fn read_virtual(&self, address: u64, bytes: &mut [u8]) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        // SAFETY: The array is this object's own; QEMU gives it `bytes.len()` bytes.
        let found =
            unsafe { ffi::qemu_plugin_read_memory_vaddr(address, buffer.as_empty(), bytes.len()) };
        let read = buffer.as_slice();
        if !found || read.len() != bytes.len() {
            return false;
        }
        bytes.copy_from_slice(read);
        true
    }

    /// Writes `bytes` to a virtual address, as a debugger writes breakpoints: to ROM too. Returns whether it is there.
    pub(crate) fn write_virtual(&self, address: u64, bytes: &[u8]) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        // SAFETY: The array is this object's own, and QEMU only reads it.
        unsafe { ffi::qemu_plugin_write_memory_vaddr(address, buffer.as_filled(bytes)) }
    }
}
