// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where SHA-384 comes from.

use tdx_uapi::Digest;

/// Something that computes SHA-384.
///
/// Every measurement of a TD is a SHA-384 value. Firmware that has a SHA-384 of its own, or that has enabled vector
/// registers and can use a faster one, implements this trait instead of taking `Sha2`: on targets without an operating
/// system nothing detects what the CPU can do.
///
/// An engine is a value, so that it can be chosen when the CPU is known.
pub trait HashEngine {
    /// The computation of one hash.
    type Hasher: Hasher;

    /// Begins a hash.
    fn hasher(&self) -> Self::Hasher;

    /// The hash of `parts`, one after another.
    fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut hasher = self.hasher();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

/// The computation of one SHA-384, over bytes that come in pieces of any size.
pub trait Hasher {
    /// Adds bytes.
    fn update(&mut self, bytes: &[u8]);

    /// The hash of all bytes that were added.
    fn finish(self) -> Digest;
}

impl<E: HashEngine> HashEngine for &E {
    type Hasher = E::Hasher;

    fn hasher(&self) -> Self::Hasher {
        (**self).hasher()
    }
}

/// The SHA-384 of the crate `sha2`.
#[cfg(feature = "sha2")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Sha2;

/// A hash that [`Sha2`] computes.
#[cfg(feature = "sha2")]
#[derive(Clone, Debug)]
pub struct Sha2Hasher(sha2::Sha384);

#[cfg(feature = "sha2")]
impl HashEngine for Sha2 {
    type Hasher = Sha2Hasher;

    fn hasher(&self) -> Sha2Hasher {
        Sha2Hasher(sha2::Digest::new())
    }
}

#[cfg(feature = "sha2")]
impl Hasher for Sha2Hasher {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(&mut self.0, bytes);
    }

    fn finish(self) -> Digest {
        Digest(sha2::Digest::finalize(self.0).into())
    }
}
