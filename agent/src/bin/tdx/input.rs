// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Files, and bytes on the command line.

use anyhow::{ensure, Context as _, Result};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::str::FromStr;

/// The longest file that is read, but for what a TD boots.
const MAX_LEN: u64 = 64 << 20;

/// The longest kernel, initrd or loader that is read. QEMU puts them below 4 GiB.
const MAX_BOOTED: u64 = 4 << 30;

/// Reads a file, or with `-` standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    read_at_most(MAX_LEN, path)
}

/// The same for what a TD boots, which may be large.
pub(crate) fn read_booted(path: &Path) -> Result<Vec<u8>> {
    read_at_most(MAX_BOOTED, path)
}

fn read_at_most(max: u64, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let result = if path == Path::new("-") {
        io::stdin().take(max + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes))
    };
    result.with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        bytes.len() as u64 <= max,
        "{} is longer than {max} bytes, which nothing here is",
        path.display()
    );
    Ok(bytes)
}

/// Bytes on the command line: digits, `text:…` or `@FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(argument: &str) -> Result<Self, String> {
        if let Some(path) = argument.strip_prefix('@') {
            return fs::read(path)
                .map(Self)
                .map_err(|error| format!("{path}: {error}"));
        }
        if let Some(text) = argument.strip_prefix("text:") {
            return Ok(Self(text.into()));
        }
        hex::decode(argument).map(Self).map_err(|error| {
            format!("{error}; expected hexadecimal digits, text:… for text, or @FILE for the contents of a file")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn bytes_are_digits_or_text_or_a_file() {
        assert_eq!("00ff".parse(), Ok(Bytes(vec![0, 255])));
        assert_eq!("text:ab".parse(), Ok(Bytes(b"ab".to_vec())));
        for wrong in ["0", "xy", "@/nonexistent"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }
}
