// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How many instructions SHA-384 takes here, through the library and with `sha2` alone: a TD has no clock that a test could
//! trust, and the emulation counts.

use core::arch::x86_64::__cpuid_count;
use core::hint::black_box;

use sha2::{Digest as _, Sha384};
use tdx_firmware::{HashEngine, Hasher, Sha2};

/// The commands of the emulation (`tdx_module::control`) that tell how many instructions were executed, and its consent.
const INSTRUCTIONS: u32 = 0x4054_4401;
const DONE: u32 = u32::from_le_bytes(*b"TDok");

/// How often a buffer is hashed.
const TIMES: usize = 16;

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// Of bytes that each hashed.
    pub(crate) bytes: usize,
    /// Of instructions by the library's default engine.
    pub(crate) engine: u64,
    /// Of instructions by `sha2` alone.
    pub(crate) bare: u64,
}

/// Counts. `None` if nothing here counts, or the two do not agree.
pub(crate) fn count(buffer: &[u8]) -> Option<Count> {
    let start = instructions()?;
    let mut hasher = Sha2.hasher();
    for _ in 0..TIMES {
        hasher.update(black_box(buffer));
    }
    let by_engine = hasher.finish();
    let middle = instructions()?;
    let mut hasher = Sha384::new();
    for _ in 0..TIMES {
        hasher.update(black_box(buffer));
    }
    let alone: [u8; 48] = hasher.finalize().into();
    let end = instructions()?;
    (by_engine.0 == alone).then_some(Count {
        bytes: TIMES * buffer.len(),
        engine: middle.checked_sub(start)?,
        bare: end.checked_sub(middle)?,
    })
}

/// How many instructions this vCPU has executed.
fn instructions() -> Option<u64> {
    // SAFETY: Every CPU that runs TDs has CPUID. A leaf that is not known is answered by zeros, or ends this image.
    #[allow(unused_unsafe)]
    let answer = unsafe { __cpuid_count(INSTRUCTIONS, 0) };
    (answer.eax == DONE).then(|| u64::from(answer.edx) << 32 | u64::from(answer.ecx))
}
