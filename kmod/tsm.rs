// SPDX-License-Identifier: GPL-2.0-only

//! The provider of attestation reports, `/sys/kernel/config/tsm/report`.
//!
//! C header: `include/linux/tsm.h`. The structures are declared here, because the kernel's Rust
//! bindings do not have them; `layout.c` has the C compiler compare them. Those that callbacks get a
//! pointer to have C's names: a kernel with CFI refuses to call a function whose type has others.

use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
    str::as_char_ptr_in_const_context,
    sync::Arc, //
};

/// C's `struct tsm_report_desc`: what a report is to be about.
#[repr(C)]
struct TsmReportDesc {
    privlevel: c_uint,
    inblob_len: usize,
    inblob: [u8; INBLOB_MAX],
    service_provider: *mut c_char,
    service_guid: [u8; 16],
    service_manifest_version: c_uint,
}

/// C's `TSM_REPORT_INBLOB_MAX`.
const INBLOB_MAX: usize = 64;

/// C's `struct tsm_report`: that, and the report.
#[repr(C)]
struct tsm_report {
    desc: TsmReportDesc,
    outblob_len: usize,
    outblob: *mut u8,
    auxblob_len: usize,
    auxblob: *mut u8,
    manifestblob_len: usize,
    manifestblob: *mut u8,
}

/// C's `struct tsm_report_ops`: a provider.
#[repr(C)]
struct TsmReportOps {
    name: *const c_char,
    privlevel_floor: c_uint,
    report_new: unsafe extern "C" fn(report: *mut tsm_report, data: *mut c_void) -> c_int,
    report_attr_visible: extern "C" fn(n: c_int) -> bool,
    report_bin_attr_visible: extern "C" fn(n: c_int) -> bool,
}

// What `layout.c` says in C.
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(TsmReportDesc, inblob_len) == 8);
    assert!(offset_of!(TsmReportDesc, inblob) == 16);
    assert!(size_of::<TsmReportDesc>() == 112);
    assert!(offset_of!(tsm_report, outblob_len) == 112);
    assert!(offset_of!(tsm_report, outblob) == 120);
    assert!(size_of::<tsm_report>() == 160);
    assert!(offset_of!(TsmReportOps, report_new) == 16);
    assert!(offset_of!(TsmReportOps, report_attr_visible) == 24);
    assert!(offset_of!(TsmReportOps, report_bin_attr_visible) == 32);
    assert!(size_of::<TsmReportOps>() == 40);
};

extern "C" {
    /// Makes `ops` the provider. Fails with `EBUSY` if there is one already, or an entry that was made
    /// when there was another.
    fn tsm_report_register(ops: *const TsmReportOps, data: *mut c_void) -> c_int;

    /// Ends that, after all calls of `ops` have returned.
    fn tsm_report_unregister(ops: *const TsmReportOps) -> c_int;
}

/// Something that makes reports.
pub(crate) trait Provider: Send + Sync + 'static {
    /// What users see as `provider`.
    const NAME: &'static CStr;

    /// Makes the report that carries `inblob`, of 64 bytes at most.
    fn report(&self, inblob: &[u8]) -> Result<KVVec<u8>>;
}

/// The registration of a provider, which has inblob, outblob, generation and provider.
///
/// # Invariants
///
/// `ops` are registered with `provider` as their data.
pub(crate) struct Registration<T: Provider> {
    /// The functions of the provider.
    ops: &'static TsmReportOps,

    /// The provider.
    _provider: Arc<T>,
}

// SAFETY: The name is a string with static lifetime.
unsafe impl Sync for TsmReportOps {}

impl<T: Provider> Registration<T> {
    /// The provider for C.
    const OPS: TsmReportOps = TsmReportOps {
        name: as_char_ptr_in_const_context(T::NAME),
        privlevel_floor: 0,
        report_new: Self::report_new,
        report_attr_visible: Self::attribute_is_visible,
        report_bin_attr_visible: Self::binary_attribute_is_visible,
    };

    /// Makes `provider` the one that there is.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is another, or an entry that was made when there was.
    pub(crate) fn new(provider: Arc<T>) -> Result<Self> {
        let ops = &Self::OPS;
        let data = Arc::as_ptr(&provider).cast_mut().cast();
        // SAFETY: The structure has static lifetime, and its functions take the data for what it is.
        // That lives until `drop` has unregistered them.
        to_result(unsafe { tsm_report_register(ops, data) }).inspect_err(|_| {
            pr_err!(
                "there is another provider of attestation reports, or an entry in \
                 /sys/kernel/config/tsm/report that is to be removed first\n"
            );
        })?;
        // INVARIANT: Just done.
        Ok(Self {
            ops,
            _provider: provider,
        })
    }

    /// Makes a report.
    ///
    /// # Safety
    ///
    /// `report` is one that nobody else accesses meanwhile and that has no blobs, and `data` is what
    /// was registered.
    unsafe extern "C" fn report_new(report: *mut tsm_report, data: *mut c_void) -> c_int {
        // SAFETY: `data` comes from the `Arc` of the registration, which unregisters before it drops.
        let provider = unsafe { &*data.cast_const().cast::<T>() };
        // SAFETY: The caller has it to himself, and hands it to us.
        let report = unsafe { &mut *report };
        from_result(|| {
            let inblob = report.desc.inblob.get(..report.desc.inblob_len);
            let outblob = provider.report(inblob.ok_or(EINVAL)?)?;
            // The caller frees it with `kvfree()`, which is what a `KVVec` is freed with.
            let (start, len, _) = outblob.into_raw_parts();
            report.outblob = start;
            report.outblob_len = len;
            Ok(0)
        })
    }

    /// Of C's `enum tsm_attr_index`: `TSM_REPORT_GENERATION` and `TSM_REPORT_PROVIDER`.
    extern "C" fn attribute_is_visible(n: c_int) -> bool {
        matches!(n, 0 | 1)
    }

    /// Of C's `enum tsm_bin_attr_index`: `TSM_REPORT_INBLOB` and `TSM_REPORT_OUTBLOB`.
    extern "C" fn binary_attribute_is_visible(n: c_int) -> bool {
        matches!(n, 0 | 1)
    }
}

impl<T: Provider> Drop for Registration<T> {
    fn drop(&mut self) {
        // By the type invariant they are registered, so that this cannot fail.
        //
        // SAFETY: The structure has static lifetime.
        unsafe { tsm_report_unregister(self.ops) };
    }
}
