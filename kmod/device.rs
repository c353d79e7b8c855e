// SPDX-License-Identifier: GPL-2.0-only

//! A device node, as a misc device.
//!
//! The kernel's own [`kernel::miscdevice::MiscDeviceRegistration`] has no place for a mode nor for
//! attributes and, before Linux 7.3, none for an owner: the module could be unloaded while a file is
//! open.
//!
//! C header: `include/linux/miscdevice.h`

use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    error::to_result,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    types::Opaque, //
};

extern "C" {
    /// This module, as the kernel has it loaded, of which only the address matters: C's
    /// `THIS_MODULE`. The kernel crate has another name for it in each release.
    static __this_module: [u8; 0];
}

/// Attributes of a device in sysfs.
///
/// # Invariants
///
/// The first pointer is that of a group, which is valid until this is dropped; the second one is null.
pub(crate) struct Attributes([*const bindings::attribute_group; 2]);

impl Attributes {
    /// The attributes of `group`.
    ///
    /// # Safety
    ///
    /// The group is valid until this is dropped.
    pub(crate) unsafe fn new(group: *const bindings::attribute_group) -> Self {
        // INVARIANT: By the requirement above.
        Self([group, ptr::null()])
    }

    /// The group.
    pub(crate) fn group(&self) -> *const bindings::attribute_group {
        self.0[0]
    }
}

/// What the files of a node have in common.
///
/// # Safety
///
/// The attributes stay where they are, even if this is moved, until it is dropped.
pub(crate) unsafe trait Context: Send + Sync {
    /// The attributes of the node in sysfs.
    fn attributes(&self) -> &Attributes;
}

/// A registered device node whose open files are handled by `T`, which needs `context`.
///
/// # Invariants
///
/// `misc` is a `struct miscdevice` that is registered with `misc_register()`.
#[repr(C)]
#[pin_data(PinnedDrop)]
pub(crate) struct Node<T: MiscDevice, C: Context> {
    /// What the kernel knows of the node.
    ///
    /// It comes first: `T::open` is given a reference to it as to the one field of a
    /// `MiscDeviceRegistration`.
    #[pin]
    misc: Opaque<bindings::miscdevice>,

    /// What files have in common.
    context: C,

    /// Who handles the files.
    _handler: PhantomData<T>,
}

// SAFETY: `misc_deregister()` may be called on another thread than `misc_register()`.
unsafe impl<T: MiscDevice, C: Context> Send for Node<T, C> {}

// SAFETY: A shared reference leads to nothing but the context.
unsafe impl<T: MiscDevice, C: Context> Sync for Node<T, C> {}

impl<T: MiscDevice, C: Context> Node<T, C> {
    /// The file operations that the kernel's abstraction makes of `T`, but owned by this module: an
    /// open file keeps it loaded.
    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: (&raw const __this_module).cast_mut().cast(),
        // SAFETY: `into_raw()` makes the pointer from a reference with static lifetime.
        ..unsafe { *MiscDeviceOptions { name: c"" }.into_raw::<T>().fops }
    };

    /// Registers `/dev/NAME`, for root alone.
    ///
    /// Files may be opened from here on, even before this returns.
    ///
    /// # Errors
    ///
    /// `EBUSY` where the node is there already, else what `misc_register()` returns.
    pub(crate) fn register(name: &'static CStr, context: C) -> impl PinInit<Self, Error> {
        let groups = ptr::from_ref(&context.attributes().0).cast_mut().cast();
        try_pin_init!(Self {
            // A file may be opened as soon as the device is registered, and needs it.
            context,
            // INVARIANT: If the closure returns `Ok(())`, the device is registered.
            misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                ensure_free(name)?;
                let mut misc = MiscDeviceOptions { name }.into_raw::<T>();
                misc.fops = &Self::FOPS;
                misc.mode = 0o600;
                misc.groups = groups;

                // SAFETY: The slot may be written to.
                unsafe { slot.write(misc) };
                // SAFETY: The slot holds a `struct miscdevice` whose name and file operations have
                // static lifetime, and whose attributes are the context's. It is pinned, and `drop`
                // takes it back before they go away.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
            _handler: PhantomData,
        })
    }

    /// The context of the node whose device `T::open` is given.
    ///
    /// # Safety
    ///
    /// `misc` is the device of a `Node<T, C>`, not a registration of its own.
    pub(crate) unsafe fn context(misc: &MiscDeviceRegistration<T>) -> &C {
        // SAFETY: By the requirement above it is the first field of such an object.
        unsafe { &(*misc.as_raw().cast::<Self>()).context }
    }
}

#[pinned_drop]
impl<T: MiscDevice, C: Context> PinnedDrop for Node<T, C> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant the device is registered.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

/// Makes sure that there is no misc device of that name.
///
/// # Errors
///
/// `EBUSY` if there is one. `misc_register()` would notice too, but with a warning and a backtrace in
/// the log.
pub(crate) fn ensure_free(name: &CStr) -> Result {
    if is_taken(name) {
        pr_err!("the device exists: another driver of it is loaded or built in\n");
        return Err(EBUSY);
    }
    Ok(())
}

/// Whether there is a misc device of that name.
fn is_taken(name: &CStr) -> bool {
    // SAFETY: The set that `platform_bus` is in is that of all devices. It is there as long as the
    // kernel is, and has a lock of its own.
    let kobj =
        unsafe { bindings::kset_find_obj(bindings::platform_bus.kobj.kset, name.as_char_ptr()) };
    if kobj.is_null() {
        return false;
    }

    // SAFETY: Every object in that set is the `kobj` of a `struct device`, and `kset_find_obj()`
    // took a reference to it.
    let devt = unsafe { (*kernel::container_of!(kobj, bindings::device, kobj)).devt };
    // SAFETY: This is that reference.
    unsafe { bindings::kobject_put(kobj) };

    devt >> bindings::MINORBITS == bindings::MISC_MAJOR
}
