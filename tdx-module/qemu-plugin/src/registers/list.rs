// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Finding registers by their names.

use crate::ffi;
use core::ffi::CStr;
use core::fmt;
use core::ptr::NonNull;
use core::slice;
use std::error::Error;

/// A register.
#[derive(Clone, Copy)]
pub(super) struct Handle(pub(super) NonNull<ffi::qemu_plugin_register>);

/// All registers that QEMU shows of the current vCPU.
///
/// # Invariants
///
/// The pointer is to an array of [`ffi::qemu_plugin_reg_descriptor`] that this object holds the only reference to.
pub(super) struct RegisterList(NonNull<ffi::GArray>);

impl RegisterList {
    pub(super) fn new() -> Self {
        // SAFETY: The function takes nothing; it is called in the vCPU's context, as it has to be.
        let array = unsafe { ffi::qemu_plugin_get_registers() };
        // INVARIANT: QEMU makes a new array of descriptors for the caller to free.
        Self(NonNull::new(array).expect("QEMU returns an array, if an empty one"))
    }

    /// The register called `name`, which has to be writable if `written`.
    pub(super) fn find(
        &self,
        name: &'static CStr,
        written: bool,
    ) -> Result<Handle, MissingRegister> {
        self.descriptors()
            .iter()
            // SAFETY: Names are C strings that live as long as QEMU.
            .find(|descriptor| unsafe { CStr::from_ptr(descriptor.name) } == name)
            .filter(|descriptor| !(written && descriptor.is_readonly))
            .and_then(|descriptor| NonNull::new(descriptor.handle))
            .map(Handle)
            .ok_or(MissingRegister(name))
    }

    fn descriptors(&self) -> &[ffi::qemu_plugin_reg_descriptor] {
        // SAFETY: The array is alive by the type's invariant, and nothing changes it.
        let (data, len) = unsafe { ((*self.0.as_ptr()).data, (*self.0.as_ptr()).len) };
        if len == 0 {
            return &[];
        }
        // SAFETY: The array has `len` descriptors by the type's invariant, and glib allocates with malloc's alignment.
        unsafe { slice::from_raw_parts(data.cast(), len as usize) }
    }
}

impl Drop for RegisterList {
    fn drop(&mut self) {
        // SAFETY: This gives up the one reference that there is, by the type's invariant.
        unsafe { ffi::g_array_unref(self.0.as_ptr()) };
    }
}

/// A register that QEMU does not show, or not as this plugin needs it.
#[derive(Debug)]
pub(crate) struct MissingRegister(&'static CStr);

impl fmt::Display for MissingRegister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "QEMU shows no usable register {:?}; this plugin needs qemu-system-x86_64 11.1 or newer",
            self.0
        )
    }
}

impl Error for MissingRegister {}
