// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What compiled code expects of a C library.

use core::arch::asm;

/// Copies `count` bytes.
///
/// # Safety
///
/// As of the C function.
#[no_mangle]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: The caller vouches for both ranges; the direction flag is clear.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// Copies `count` bytes between ranges that may overlap.
///
/// # Safety
///
/// As of the C function.
#[no_mangle]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: As of this function. `to` is not within what is copied, so that ascending order is right.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: The caller vouches for both ranges. The direction flag is set for descending order, and cleared again.
    unsafe {
        asm!("std", "rep movsb", "cld",
            inout("rcx") count => _,
            inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _,
            options(nostack));
    }
    to
}

/// Fills `count` bytes.
///
/// # Safety
///
/// As of the C function.
#[no_mangle]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    // SAFETY: The caller vouches for the range; the direction flag is clear.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") value as u8,
            options(nostack, preserves_flags));
    }
    to
}

/// Compares `count` bytes.
///
/// # Safety
///
/// As of the C function.
#[no_mangle]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    for offset in 0..count {
        // SAFETY: The caller vouches for both ranges.
        let (one, other) = unsafe { (*one.add(offset), *other.add(offset)) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// Whether `count` bytes differ.
///
/// # Safety
///
/// As of the C function.
#[no_mangle]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    // SAFETY: As of this function.
    unsafe { memcmp(one, other, count) }
}
