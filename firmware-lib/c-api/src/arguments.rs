// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Pointers from C.

use core::slice;

/// The `len` bytes at `start`; none where the length is 0, whatever the pointer is.
///
/// # Safety
///
/// Unless `len` is 0 or `start` is null, `start` points to `len` readable elements which nobody writes as long as the
/// slice is used.
pub(crate) unsafe fn slice<'a, T>(start: *const T, len: usize) -> Option<&'a [T]> {
    if len == 0 {
        return Some(&[]);
    }
    if start.is_null() || !start.is_aligned() || len > isize::MAX as usize / size_of::<T>() {
        return None;
    }
    // SAFETY: By the requirement above; pointer and length were checked as far as they can be.
    Some(unsafe { slice::from_raw_parts(start, len) })
}
