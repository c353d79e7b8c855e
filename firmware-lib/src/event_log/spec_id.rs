// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The header of a log.

use super::HeaderError;
use crate::cursor::Cursor;
use crate::{EventType, MrIndex};
use core::fmt;
use zerocopy::FromBytes;

/// The algorithms of digests, as TCG numbers them.
///
/// Source: *TCG Algorithm Registry*.
pub mod algorithm {
    /// SHA-1.
    pub const SHA1: u16 = 0x4;
    /// SHA-256.
    pub const SHA256: u16 = 0xb;
    /// SHA-384, the only one that a TD measures with.
    pub const SHA384: u16 = 0xc;
    /// SHA-512.
    pub const SHA512: u16 = 0xd;
    /// SM3-256.
    pub const SM3_256: u16 = 0x12;
}

/// What the data of a header begins with.
const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";

/// The header of a log: the version of its format, and the algorithms of its digests.
///
/// It is an event in the older form `TCG_PCR_EVENT`, of type [`EventType::NO_ACTION`], and never extended.
///
/// Source: *TCG PC Client Platform Firmware Profile Specification*, "TCG_EfiSpecIDEvent".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecId<'a> {
    /// The register that the header names: RTMR0 in logs of edk2, MRTD in those of td-shim.
    pub mr: MrIndex,
    /// The type that the header names.
    pub event_type: EventType,
    /// 0 for a client.
    pub platform_class: u32,
    /// Major and minor version, and errata: 2, 0, and 0 in logs of edk2, 105 in those of td-shim.
    pub version: (u8, u8, u8),
    /// The size of a UINTN in units of 32 bits.
    pub uintn_size: u8,
    /// Pairs of an [`algorithm`] and the length of its digests in bytes.
    algorithms: &'a [[u8; 4]],
    /// What the firmware's vendor added.
    pub vendor_info: &'a [u8],
    /// What follows in the header's data, which td-shim has and nobody defines.
    pub trailing: &'a [u8],
}

impl<'a> SpecId<'a> {
    /// Whether the data of an event is that of a header.
    pub fn is_spec_id(data: &[u8]) -> bool {
        data.starts_with(SIGNATURE)
    }

    /// The algorithms that the log says it has, with the length of their digests in bytes.
    pub fn algorithms(&self) -> impl Iterator<Item = (u16, u16)> + 'a {
        self.algorithms
            .iter()
            .map(|[a, b, c, d]| (u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])))
    }

    /// The length of a digest. Those that TCG defines are taken to be what they are, whatever the log says.
    pub(super) fn digest_len(&self, algorithm: u16) -> Option<usize> {
        match algorithm {
            algorithm::SHA1 => Some(20),
            algorithm::SHA256 | algorithm::SM3_256 => Some(32),
            algorithm::SHA384 => Some(48),
            algorithm::SHA512 => Some(64),
            other => self
                .algorithms()
                .find(|(algorithm, _)| *algorithm == other)
                .map(|(_, len)| usize::from(len)),
        }
    }

    /// Parses the header at the front of a log, and says how many bytes it has.
    pub(super) fn parse(log: &'a [u8]) -> Result<(Self, usize), HeaderError> {
        let short = HeaderError::Short { len: log.len() };
        let mut cursor = Cursor::new(log);
        let mr = MrIndex(cursor.u32().ok_or(short)?);
        let event_type = EventType(cursor.u32().ok_or(short)?);
        let _sha1: &[u8; 20] = cursor.array().ok_or(short)?;
        let size = cursor.u32().ok_or(short)?;
        let data = cursor.take_u32(size).ok_or(HeaderError::Size {
            size,
            left: cursor.rest().len(),
        })?;
        let spec_id = Self::parse_data(mr, event_type, data)?;
        Ok((spec_id, log.len() - cursor.rest().len()))
    }

    /// Parses the data of an event that is a header.
    pub(crate) fn parse_data(
        mr: MrIndex,
        event_type: EventType,
        data: &'a [u8],
    ) -> Result<Self, HeaderError> {
        if !Self::is_spec_id(data) {
            return Err(HeaderError::Signature { mr, event_type });
        }
        let mut cursor = Cursor::new(data);
        let cut = HeaderError::Data { len: data.len() };
        let _signature: &[u8; 16] = cursor.array().ok_or(cut)?;
        let platform_class = cursor.u32().ok_or(cut)?;
        let [minor, major, errata, uintn_size] = *cursor.array().ok_or(cut)?;
        let count = cursor.u32().ok_or(cut)?;
        let len = count.checked_mul(4).ok_or(cut)?;
        let algorithms = cursor.take_u32(len).ok_or(cut)?;
        // Nothing depends on what the vendor says, so it may be cut.
        let vendor_len = cursor.u8().unwrap_or(0);
        let vendor_info = cursor.take(vendor_len.into()).unwrap_or(&[]);
        Ok(Self {
            mr,
            event_type,
            platform_class,
            version: (major, minor, errata),
            uintn_size,
            algorithms: <[[u8; 4]]>::ref_from_bytes(algorithms).map_err(|_| cut)?,
            vendor_info,
            trailing: cursor.rest(),
        })
    }
}

impl fmt::Display for SpecId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, errata) = self.version;
        write!(f, "log format {major}.{minor}, errata {errata}, digests:")?;
        for (algorithm, len) in self.algorithms() {
            match algorithm {
                algorithm::SHA1 => f.write_str(" SHA-1")?,
                algorithm::SHA256 => f.write_str(" SHA-256")?,
                algorithm::SHA384 => f.write_str(" SHA-384")?,
                algorithm::SHA512 => f.write_str(" SHA-512")?,
                algorithm::SM3_256 => f.write_str(" SM3")?,
                other => write!(f, " {other:#x} of {len} bytes")?,
            }
        }
        Ok(())
    }
}
