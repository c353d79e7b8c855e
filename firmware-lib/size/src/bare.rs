// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a program without an operating system needs: where it starts, what a panic does, and the memory functions that the
//! compiler calls.

use core::arch::asm;
use core::hint::black_box;

static mut AREA: [u8; 65536] = [0; 65536];

/// Where the program starts.
#[no_mangle]
extern "C" fn _start() -> ! {
    let len = black_box(65536);
    // SAFETY: Nobody else names the area, and the program starts once.
    unsafe {
        let area = (&raw mut AREA)
            .as_mut()
            .and_then(|area| area.get_mut(..len));
        if let Some(area) = area {
            crate::use_features(area);
        }
    }
    stop()
}

fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    stop()
}

/// # Safety
///
/// As C's function of that name.
#[no_mangle]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: The caller's memory, from the front on.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As C's function of that name.
#[no_mangle]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: Copying from the front on overwrites nothing that is still to be copied.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: The caller's memory, from the end on; the direction flag is as it was afterwards.
    unsafe {
        let (last_to, last_from) = (to.wrapping_add(len - 1), from.wrapping_add(len - 1));
        asm!("std", "rep movsb", "cld", inout("rcx") len => _, inout("rdi") last_to => _,
            inout("rsi") last_from => _, options(nostack));
    }
    to
}

/// # Safety
///
/// As C's function of that name.
#[no_mangle]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: The caller's memory. Of the byte, C's function looks at the low 8 bits, too.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

/// # Safety
///
/// As C's function of that name.
#[no_mangle]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: The caller's memory. Read as volatile, so that the compiler does not make a call of this function of it.
        let (a, b) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
///
/// As C's function of that name.
#[no_mangle]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: By the same requirement.
    unsafe { memcmp(a, b, len) }
}
