// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Flags in configurations: a list of names, or a number.

use super::values::number;
use crate::{config_flags, td_ctls};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use tdx_uapi::{Attributes, Xfam};

/// A set of 64 flags with names.
pub(super) trait Flags {
    /// The names of all flags.
    fn names() -> Vec<&'static str>;
    /// The bits of a flag.
    fn bits(name: &str) -> Option<u64>;
}

/// CONFIG_FLAGS, as far as the host sets them.
pub(super) struct ConfigFlags;

impl ConfigFlags {
    const TABLE: &'static [(&'static str, u64)] = &[
        ("FLEXIBLE_PENDING_VE", config_flags::FLEXIBLE_PENDING_VE),
        ("NO_RBP_MOD", config_flags::NO_RBP_MOD),
    ];
}

/// TD_CTLS.
pub(super) struct TdCtls;

impl TdCtls {
    const TABLE: &'static [(&'static str, u64)] = &[
        ("PENDING_VE_DISABLE", td_ctls::PENDING_VE_DISABLE),
        ("ENUM_TOPOLOGY", td_ctls::ENUM_TOPOLOGY),
        ("REDUCE_VE", td_ctls::REDUCE_VE),
        ("LOCK", td_ctls::LOCK),
    ];
}

/// Flags whose names are in a table here.
macro_rules! flags_by_table {
    ($($type:ty),*) => {
        $(impl Flags for $type {
            fn names() -> Vec<&'static str> {
                Self::TABLE.iter().map(|(name, _)| *name).collect()
            }

            fn bits(name: &str) -> Option<u64> {
                let mut table = Self::TABLE.iter();
                table.find_map(|(known, bits)| (*known == name).then_some(*bits))
            }
        })*
    };
}

/// Flags whose names are in `tdx-uapi`.
macro_rules! flags_by_type {
    ($($type:ty),*) => {
        $(impl Flags for $type {
            fn names() -> Vec<&'static str> {
                Self(u64::MAX).names().collect()
            }

            fn bits(name: &str) -> Option<u64> {
                Self::from_name(name).map(|flag| flag.0)
            }
        })*
    };
}

flags_by_table!(ConfigFlags, TdCtls);
flags_by_type!(Attributes, Xfam);

/// The bits of a set of flags.
pub(super) struct FlagSet<F> {
    pub(super) bits: u64,
    flags: PhantomData<F>,
}

impl<F> FlagSet<F> {
    const fn new(bits: u64) -> Self {
        Self {
            bits,
            flags: PhantomData,
        }
    }
}

impl<'de, F: Flags> Deserialize<'de> for FlagSet<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor(PhantomData))
    }
}

struct FlagVisitor<F>(PhantomData<F>);

impl<'de, F: Flags> Visitor<'de> for FlagVisitor<F> {
    type Value = FlagSet<F>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a number as a string (\"0x8000_0000_0000_0000\"), or a list of ")?;
        f.write_str(&F::names().join(", "))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let bits = number.try_into();
        bits.map(FlagSet::new)
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let bits = number(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self));
        bits.map(FlagSet::new)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
        let mut bits = 0;
        while let Some(name) = names.next_element::<String>()? {
            let flag = F::bits(&name);
            bits |= flag.ok_or_else(|| A::Error::invalid_value(Unexpected::Str(&name), &self))?;
        }
        Ok(FlagSet::new(bits))
    }
}
