// SPDX-License-Identifier: Apache-2.0 OR MIT

//! SHA-384 of the firmware's own.

use core::ffi::c_void;
use tdx_firmware::{HashEngine, Hasher};
use tdx_uapi::Digest;

/// How many bytes a `tdx_hash_engine` has for the state of a hash, aligned to 64.
pub const TDX_HASH_STATE_LEN: usize = 512;

/// SHA-384 of the firmware's own. None of the three functions is null; they are called with a state of `TDX_HASH_STATE_LEN`
/// bytes, aligned to 64, which may be moved in memory between two calls.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct tdx_hash_engine {
    /// Begins a hash in a state of zeros.
    pub init: Option<unsafe extern "C" fn(state: *mut c_void)>,
    /// Adds bytes.
    pub update: Option<unsafe extern "C" fn(state: *mut c_void, bytes: *const u8, len: usize)>,
    /// Writes the 48 bytes of the hash.
    pub finish: Option<unsafe extern "C" fn(state: *mut c_void, digest: *mut u8)>,
}

/// The functions of a `tdx_hash_engine`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions {
    init: unsafe extern "C" fn(*mut c_void),
    update: unsafe extern "C" fn(*mut c_void, *const u8, usize),
    finish: unsafe extern "C" fn(*mut c_void, *mut u8),
}

impl Functions {
    /// `None` if one is null.
    pub(crate) fn new(engine: &tdx_hash_engine) -> Option<Self> {
        Some(Self {
            init: engine.init?,
            update: engine.update?,
            finish: engine.finish?,
        })
    }
}

/// Where SHA-384 comes from.
///
/// # Invariants
///
/// The functions do what [`tdx_hash_engine`] says, as who made the engine promised.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Engine {
    #[cfg(feature = "sha2")]
    Sha2(tdx_firmware::Sha2),
    Own(Functions),
}

/// A hash.
// The larger variant lives on the stack for as long as the hash takes; there is no heap to put it in.
#[allow(clippy::large_enum_variant)]
pub(crate) enum State {
    #[cfg(feature = "sha2")]
    Sha2(<tdx_firmware::Sha2 as HashEngine>::Hasher),
    Own(Functions, OwnState),
}

#[repr(C, align(64))]
pub(crate) struct OwnState([u8; TDX_HASH_STATE_LEN]);

impl HashEngine for Engine {
    type Hasher = State;

    fn hasher(&self) -> State {
        match self {
            #[cfg(feature = "sha2")]
            Self::Sha2(engine) => State::Sha2(engine.hasher()),
            Self::Own(engine) => {
                let mut state = OwnState([0; TDX_HASH_STATE_LEN]);
                // SAFETY: The function writes nothing but the state, by the invariant of `Engine`.
                unsafe { (engine.init)((&raw mut state.0).cast()) };
                State::Own(*engine, state)
            }
        }
    }
}

impl Hasher for State {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            #[cfg(feature = "sha2")]
            Self::Sha2(hasher) => hasher.update(bytes),
            Self::Own(engine, state) => {
                // SAFETY: The function reads the bytes and writes the state, by the invariant of `Engine`.
                unsafe {
                    (engine.update)((&raw mut state.0).cast(), bytes.as_ptr(), bytes.len());
                }
            }
        }
    }

    fn finish(self) -> Digest {
        match self {
            #[cfg(feature = "sha2")]
            Self::Sha2(hasher) => hasher.finish(),
            Self::Own(engine, mut state) => {
                let mut digest = Digest::ZERO;
                // SAFETY: The function writes the state and 48 bytes, by the invariant of `Engine`.
                unsafe { (engine.finish)((&raw mut state.0).cast(), digest.0.as_mut_ptr()) };
                digest
            }
        }
    }
}
