// SPDX-License-Identifier: GPL-2.0-only

//! Measurement registers in sysfs, in the folder `measurements` of a device.
//!
//! C header: `include/linux/tsm-mr.h`. The structures are declared here, because the kernel's Rust
//! bindings do not have them; `layout.c` has the C compiler compare them. Those that callbacks get a
//! pointer to have C's names: a kernel with CFI refuses to call a function whose type has others.

use crate::device::Attributes;
use core::{
    array,
    cell::UnsafeCell,
    marker::PhantomPinned,
    ptr, //
};
use kernel::{
    container_of,
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*, //
};
use tdx_uapi::DIGEST_LEN;

/// C's `struct tsm_measurement_register`: a register.
#[repr(C)]
struct tsm_measurement_register {
    mr_name: *const c_char,
    mr_value: *mut c_void,
    mr_size: u32,
    mr_flags: u32,
    mr_hash: c_uint,
}

/// C's `HASH_ALGO_SHA384`.
const HASH_ALGO_SHA384: c_uint = 5;

/// C's `TSM_MR_F_NOHASH`: the name is not followed by that of a hash.
const NOHASH: u32 = 1;

/// C's `TSM_MR_F_WRITABLE`.
const WRITABLE: u32 = 2;

/// C's `TSM_MR_F_READABLE`.
const READABLE: u32 = 4;

/// C's `TSM_MR_F_LIVE`: the value is not known until it has been read.
const LIVE: u32 = 8;

/// C's `struct tsm_measurements`: all registers.
#[repr(C)]
struct tsm_measurements {
    mrs: *const tsm_measurement_register,
    nr_mrs: usize,
    refresh: unsafe extern "C" fn(tm: *const tsm_measurements) -> c_int,
    write: unsafe extern "C" fn(
        tm: *const tsm_measurements,
        mr: *const tsm_measurement_register,
        data: *const u8,
    ) -> c_int,
}

// What `layout.c` says in C.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(tsm_measurement_register, mr_value) == 8);
    assert!(offset_of!(tsm_measurement_register, mr_size) == 16);
    assert!(offset_of!(tsm_measurement_register, mr_flags) == 20);
    assert!(offset_of!(tsm_measurement_register, mr_hash) == 24);
    assert!(size_of::<tsm_measurement_register>() == 32);
    assert!(offset_of!(tsm_measurements, nr_mrs) == 8);
    assert!(offset_of!(tsm_measurements, refresh) == 16);
    assert!(offset_of!(tsm_measurements, write) == 24);
    assert!(size_of::<tsm_measurements>() == 32);
};

extern "C" {
    /// Makes the `struct attribute_group` for `tm`, or returns an error pointer.
    fn tsm_mr_create_attribute_group(tm: *const tsm_measurements) -> *mut c_void;

    /// Frees it, which nobody may use any more.
    fn tsm_mr_free_attribute_group(group: *const c_void);
}

/// The value of a register.
pub(crate) type Value = [u8; DIGEST_LEN];

/// What users see of a register.
pub(crate) struct Register {
    /// The name, without that of the hash.
    name: &'static CStr,

    /// Flags for C.
    flags: u32,
}

impl Register {
    /// `NAME`, which can be read: no hash, but what somebody has set.
    pub(crate) const fn identifier(name: &'static CStr) -> Self {
        let flags = READABLE | LIVE | NOHASH;
        Self { name, flags }
    }

    /// `NAME:sha384`, which can be read.
    pub(crate) const fn digest(name: &'static CStr) -> Self {
        let flags = READABLE | LIVE;
        Self { name, flags }
    }

    /// `NAME:sha384`, which is extended by what is written to it.
    pub(crate) const fn runtime(name: &'static CStr) -> Self {
        let flags = READABLE | LIVE | WRITABLE;
        Self { name, flags }
    }
}

/// Something that has `N` registers.
pub(crate) trait Measured<const N: usize>: Send + Sync + 'static {
    /// What they are called.
    const REGISTERS: [Register; N];

    /// Reads all of them. Where that fails, `values` are as they were.
    fn read(&self, values: &mut [Value; N]) -> Result;

    /// Extends the one of that number, by `digest`.
    fn extend(&self, register: usize, digest: &Value) -> Result;
}

/// The attributes of registers.
///
/// The kernel remembers what it has read until something is written through it, so whoever extends a
/// register does it here. Extending and reading exclude each other.
///
/// # Invariants
///
/// The group of `attributes` is what `tsm_mr_create_attribute_group()` made of `tm`, which describes
/// `mrs`, whose values are `values`.
#[pin_data(PinnedDrop)]
pub(crate) struct Registers<T: Measured<N>, const N: usize> {
    /// Where the values come from.
    measured: T,

    /// The values that were read last.
    values: UnsafeCell<[Value; N]>,

    /// The registers for C.
    mrs: [tsm_measurement_register; N],

    /// All of this for C.
    tm: tsm_measurements,

    /// The attributes.
    attributes: Attributes,

    /// C has pointers to the fields.
    #[pin]
    _pin: PhantomPinned,
}

// SAFETY: What the pointers lead to belongs to this object, which may go away on any thread.
unsafe impl<T: Measured<N>, const N: usize> Send for Registers<T, N> {}

// SAFETY: Only C's functions access `values`, and only under a lock.
unsafe impl<T: Measured<N>, const N: usize> Sync for Registers<T, N> {}

impl<T: Measured<N>, const N: usize> Registers<T, N> {
    /// Makes attributes for the registers of `measured`, which are read when the first of them is.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(measured: T) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            measured,
            values: UnsafeCell::new([[0; DIGEST_LEN]; N]),
            mrs: {
                // SAFETY: `this` is where the object comes to be.
                let values = unsafe { &raw mut (*this.as_ptr()).values }.cast::<Value>();
                array::from_fn(|number| tsm_measurement_register {
                    mr_name: T::REGISTERS[number].name.as_char_ptr(),
                    mr_value: values.wrapping_add(number).cast(),
                    mr_size: DIGEST_LEN as u32,
                    mr_flags: T::REGISTERS[number].flags,
                    mr_hash: HASH_ALGO_SHA384,
                })
            },
            tm: tsm_measurements {
                // SAFETY: `this` is where the object comes to be.
                mrs: unsafe { &raw const (*this.as_ptr()).mrs }.cast(),
                nr_mrs: N,
                refresh: Self::refresh,
                write: Self::write,
            },
            attributes: {
                // SAFETY: `tm` has just been written, with what it points to. It is pinned, and goes
                // away after `drop` has freed the group.
                let group = unsafe {
                    tsm_mr_create_attribute_group(&raw const (*this.as_ptr()).tm)
                };
                let group = from_err_ptr(group)?.cast_const().cast();
                // INVARIANT: Just made.
                //
                // SAFETY: Only `drop` frees it.
                unsafe { Attributes::new(group) }
            },
            _pin: PhantomPinned,
        })
    }

    /// The attributes, for a device that goes away before this.
    pub(crate) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Extends the register of that number, as somebody who writes to its attribute.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is none that can be extended, `EINTR` if the caller is killed while another one
    /// extends or reads, and what [`Measured::extend`] returns.
    pub(crate) fn extend(&self, register: usize, mut digest: Value) -> Result {
        if register >= N {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariant the group has an attribute for each of the registers, in their
        // order.
        let attribute = unsafe { *(*self.attributes.group()).bin_attrs.add(register) };
        // SAFETY: It is valid as long as the group.
        let write = unsafe { (*attribute).write }.ok_or(EINVAL)?;
        // SAFETY: The data has the length that is said. The file and the object it was written to, which
        // only sysfs knows, are of no use to the function.
        let written = unsafe {
            write(
                ptr::null_mut(),
                ptr::null_mut(),
                attribute,
                digest.as_mut_ptr().cast(),
                0,
                DIGEST_LEN,
            )
        };
        to_result(written as c_int)
    }

    /// Reads all registers.
    ///
    /// # Safety
    ///
    /// `tm` is the field of a `Self`, and nobody else accesses its values meanwhile.
    unsafe extern "C" fn refresh(tm: *const tsm_measurements) -> c_int {
        // SAFETY: By the first requirement above.
        let this = unsafe { &*container_of!(tm, Self, tm) };
        // SAFETY: By the second one.
        let values = unsafe { &mut *this.values.get() };
        from_result(|| this.measured.read(values).map(|()| 0))
    }

    /// Extends a register.
    ///
    /// # Safety
    ///
    /// `tm` is the field of a `Self`, `mr` points to one of its registers, and `data` to as many bytes
    /// as that has.
    unsafe extern "C" fn write(
        tm: *const tsm_measurements,
        mr: *const tsm_measurement_register,
        data: *const u8,
    ) -> c_int {
        // SAFETY: By the first requirement above.
        let this = unsafe { &*container_of!(tm, Self, tm) };
        // SAFETY: By the second one.
        let register = unsafe { mr.offset_from(this.mrs.as_ptr()) };
        // SAFETY: By the third one.
        let digest = unsafe { &*data.cast::<Value>() };
        from_result(|| this.measured.extend(register as usize, digest).map(|()| 0))
    }
}

#[pinned_drop]
impl<T: Measured<N>, const N: usize> PinnedDrop for Registers<T, N> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it was made by that function's counterpart. Devices that have
        // the attributes go away before this.
        unsafe { tsm_mr_free_attribute_group(self.attributes.group().cast()) };
    }
}
