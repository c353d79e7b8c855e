// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Values of configurations: bytes in hexadecimal, and times.

use core::fmt;
use core::time::Duration;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// `N` bytes in hexadecimal; spaces and underscores between digits are for the reader.
#[derive(Clone, Copy)]
pub(super) struct Hex<const N: usize>(pub(super) [u8; N]);

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(HexVisitor)
    }
}

struct HexVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for HexVisitor<N> {
    type Value = Hex<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes as a string of {} hexadecimal digits", 2 * N)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Hex<N>, E> {
        let mut bytes = [0; N];
        let mut count = 0;
        for digit in text.chars().filter(|c| !matches!(c, ' ' | '_')) {
            let Some(value) = digit.to_digit(16) else {
                return Err(E::custom(format_args!(
                    "{digit:?} is no hexadecimal digit; expected {}",
                    Expected(&self)
                )));
            };
            if let Some(byte) = bytes.get_mut(count / 2) {
                *byte = (*byte << 4) | value as u8;
            }
            count += 1;
        }
        if count != 2 * N {
            return Err(E::custom(format_args!(
                "found {count} hexadecimal digits; expected {}",
                Expected(&self)
            )));
        }
        Ok(Hex(bytes))
    }
}

/// Displays what a visitor expects.
pub(super) struct Expected<'a, V>(pub(super) &'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

/// A time in microseconds, at most a minute: a vCPU that sleeps longer is no help to anyone.
#[derive(Clone, Copy)]
pub(super) struct Micros(pub(super) Duration);

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let micros = u64::deserialize(deserializer)?;
        if micros > 60_000_000 {
            let found = Unexpected::Unsigned(micros);
            return Err(D::Error::invalid_value(
                found,
                &"0 to 60000000 microseconds",
            ));
        }
        Ok(Self(Duration::from_micros(micros)))
    }
}

/// A number as a string: hexadecimal with `0x`, or decimal; underscores are for the reader.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    }
}
