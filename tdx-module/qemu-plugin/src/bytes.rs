// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The buffer through which QEMU passes registers and memory.

use crate::ffi;
use core::ffi::c_uint;
use core::ptr::NonNull;
use core::slice;

/// A `GByteArray` of this plugin's own.
///
/// It is made once for each thread and used again, because glib keeps the memory of an array that gets shorter.
///
/// # Invariants
///
/// The pointer is to an array that [`ffi::g_byte_array_new`] made and that this object holds the only reference to.
pub(crate) struct ByteArray(NonNull<ffi::GByteArray>);

impl ByteArray {
    /// Makes an empty array.
    pub(crate) fn new() -> Self {
        // SAFETY: The function takes nothing and glib is in every QEMU process.
        let array = unsafe { ffi::g_byte_array_new() };
        // INVARIANT: The array is new, so that nothing else refers to it.
        Self(NonNull::new(array).expect("glib ends the process when there is no memory"))
    }

    /// The bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: The array is alive by the type's invariant.
        let (data, len) = unsafe { ((*self.0.as_ptr()).data, (*self.0.as_ptr()).len) };
        if len == 0 {
            return &[];
        }
        // SAFETY: glib keeps `len` bytes at `data`, each of which was written before it was counted, and changes
        // neither but in functions that are handed the array, which takes `&mut self` here.
        unsafe { slice::from_raw_parts(data, len as usize) }
    }

    /// Sets the bytes to `bytes`.
    pub(crate) fn set(&mut self, bytes: &[u8]) {
        let len = c_uint::try_from(bytes.len()).expect("an operand has at most a page");
        // SAFETY: The array is alive by the type's invariant; glib leaves it with `len` bytes to write.
        unsafe {
            ffi::g_byte_array_set_size(self.0.as_ptr(), len);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), (*self.0.as_ptr()).data, bytes.len());
        }
    }

    /// The array for a function of QEMU that appends to it: without any bytes.
    pub(crate) fn as_empty(&mut self) -> *mut ffi::GByteArray {
        // SAFETY: The array is alive by the type's invariant.
        unsafe { ffi::g_byte_array_set_size(self.0.as_ptr(), 0) };
        self.0.as_ptr()
    }

    /// The array for a function of QEMU that reads it.
    pub(crate) fn as_filled(&mut self, bytes: &[u8]) -> *mut ffi::GByteArray {
        self.set(bytes);
        self.0.as_ptr()
    }
}

impl Drop for ByteArray {
    fn drop(&mut self) {
        // SAFETY: This gives up the one reference that there is, by the type's invariant.
        unsafe { ffi::g_byte_array_unref(self.0.as_ptr()) };
    }
}
