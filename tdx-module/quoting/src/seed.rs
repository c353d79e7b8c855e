// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Everything secret or arbitrary about a platform, derived from one seed.

use hkdf::Hkdf;
use p256::ecdsa::SigningKey;
use sha2::Sha256;

/// Keeps what is derived here apart from whatever else is derived from the same seed.
const SALT: &[u8] = b"tdx-quoting";

/// The seed, ready to derive from (HKDF with SHA-256, RFC 5869). Each label gives values of its own.
pub(crate) struct Seed(Hkdf<Sha256>);

impl Seed {
    pub(crate) fn new(seed: &[u8]) -> Self {
        Self(Hkdf::new(Some(SALT), seed))
    }

    /// `N` bytes that belong to `label`.
    pub(crate) fn bytes<const N: usize>(&self, label: &str) -> [u8; N] {
        const { assert!(N <= 255 * 32, "HKDF has no more than this") };
        let mut bytes = [0; N];
        self.0
            .expand(label.as_bytes(), &mut bytes)
            .expect("the length is checked above");
        bytes
    }

    /// The P-256 key that belongs to `label`.
    pub(crate) fn key(&self, label: &str) -> SigningKey {
        // A value is no key when it is 0 or not below the order of the curve: once in 2^32 tries.
        (0u32..)
            .find_map(|attempt| {
                let bytes: [u8; 32] = self.bytes(&format!("{label} {attempt}"));
                SigningKey::from_slice(&bytes).ok()
            })
            .expect("one of 2^32 values is a key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_and_label_give_the_same_and_others_do_not() {
        let bytes = |seed: &[u8], label| Seed::new(seed).bytes::<16>(label);
        assert_eq!(bytes(b"a", "x"), bytes(b"a", "x"));
        assert_ne!(bytes(b"a", "x"), bytes(b"a", "y"));
        assert_ne!(bytes(b"a", "x"), bytes(b"b", "x"));
        assert_eq!(Seed::new(b"a").key("x"), Seed::new(b"a").key("x"));
        assert_ne!(Seed::new(b"a").key("x"), Seed::new(b"b").key("x"));
    }
}
