// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The calls of `EFI_CC_MEASUREMENT_PROTOCOL`, for firmware that publishes it.
//!
//! Boot loaders and kernels measure through it: shim, GRUB, systemd-stub and Linux's EFI stub do. What is here takes and
//! gives the protocol's structures; pointers and calling convention are the firmware's.
//!
//! Source: UEFI specification, "Confidential Computing", "EFI_CC_MEASUREMENT_PROTOCOL"; MdePkg's CcMeasurement.h.

use crate::cursor::Cursor;
use crate::measurement::Recorded;
use crate::{EventType, Guid, HashEngine, Measurement, MrIndex};
use core::fmt;
use tdx_call::{RtmrIndex, Transport};
use tdx_uapi::Digest;
use zerocopy_derive::{Immutable, IntoBytes, KnownLayout};

/// `EFI_CC_MEASUREMENT_PROTOCOL_GUID`.
pub const PROTOCOL: Guid = Guid::new(0x96751a3d_72f4_41a6_a794_ed5d0e67ae6b);

/// `EFI_CC_FINAL_EVENTS_TABLE_GUID`: the configuration table with the events that came after the log was fetched.
///
/// Filling it is the firmware's: what [`Measurement::log`] has behind its length at the first `GetEventLog`. Who reads the
/// log by CCEL, as Linux does, needs no such table.
pub const FINAL_EVENTS_TABLE: Guid = Guid::new(0xdd4a4648_2de7_4665_964d_21d9ef5fb446);

/// `EFI_CC_EVENT_LOG_FORMAT_TCG_2`, the only format.
pub const FORMAT_TCG_2: u32 = 2;

/// `EFI_CC_FLAG_EXTEND_ONLY`: the event is not logged.
pub const EXTEND_ONLY: u64 = 1;

/// `EFI_CC_FLAG_PE_COFF_IMAGE`: the data is a PE image, of which the Authenticode hash is measured.
pub const PE_COFF_IMAGE: u64 = 0x10;

/// `EFI_CC_BOOT_SERVICE_CAPABILITY`: what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Capability {
    /// The length of this structure.
    pub size: u8,
    /// Major and minor version of this structure.
    pub structure_version: [u8; 2],
    /// Major and minor version of the protocol.
    pub protocol_version: [u8; 2],
    padding: [u8; 3],
    /// A bit per algorithm: 4 is SHA-384.
    pub hash_algorithms: u32,
    /// A bit per format of logs: [`FORMAT_TCG_2`].
    pub event_logs: u32,
    /// Type and sub-type of the TEE: 2 and 0 for a TD.
    pub cc_type: [u8; 2],
    padding_at_end: [u8; 2],
}

const _: () = assert!(size_of::<Capability>() == 20);

/// Where the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// `EventLogLocation`: where the header is, an address of the program.
    pub start: usize,
    /// `EventLogLastEntry`: where the last event is.
    pub last_entry: usize,
    /// `EventLogTruncated`: whether an event had no room.
    pub truncated: bool,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// An argument is not valid: this one.
    InvalidParameter(&'static str),
    /// The data was to be a PE image, and is not one that can be hashed.
    Unsupported,
    /// The register was extended, but the log had no room.
    VolumeFull,
    /// The TDX module refused to extend.
    DeviceError(tdx_call::Error),
}

impl ProtocolError {
    /// The `EFI_STATUS`, of 64 bits.
    pub const fn efi_status(&self) -> u64 {
        const ERROR: u64 = 1 << 63;
        ERROR
            | match self {
                Self::InvalidParameter(_) => 2,
                Self::Unsupported => 3,
                Self::DeviceError(_) => 7,
                Self::VolumeFull => 11,
            }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidParameter(what) => write!(f, "{what} is not valid"),
            Self::Unsupported => f.write_str("the data is no PE image that can be hashed"),
            Self::VolumeFull => {
                f.write_str("the register was extended, but the log had no room for the event")
            }
            Self::DeviceError(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl core::error::Error for ProtocolError {}

/// `GetCapability`.
pub const fn get_capability() -> Capability {
    Capability {
        size: size_of::<Capability>() as u8,
        structure_version: [1, 0],
        protocol_version: [1, 0],
        padding: [0; 3],
        hash_algorithms: 4,
        event_logs: FORMAT_TCG_2,
        cc_type: [2, 0],
        padding_at_end: [0; 2],
    }
}

/// `MapPcrToMrIndex`.
///
/// # Errors
///
/// [`ProtocolError::InvalidParameter`] for a PCR that no register stands for.
pub fn map_pcr_to_mr_index(pcr: u32) -> Result<MrIndex, ProtocolError> {
    MrIndex::from_pcr(pcr).ok_or(ProtocolError::InvalidParameter("the PCR"))
}

/// `GetEventLog`.
///
/// # Errors
///
/// [`ProtocolError::InvalidParameter`] for another format than [`FORMAT_TCG_2`].
pub fn get_event_log<T: Transport, E: HashEngine>(
    measurement: &Measurement<'_, T, E>,
    format: u32,
) -> Result<Location, ProtocolError> {
    if format != FORMAT_TCG_2 {
        return Err(ProtocolError::InvalidParameter("the log's format"));
    }
    let log = measurement.log();
    let start = log.area().as_ptr().addr();
    Ok(Location {
        start,
        last_entry: start + log.last_event(),
        truncated: log.is_truncated(),
    })
}

/// `HashLogExtendEvent`: hashes `data`, extends the register that `event` names, and logs it.
///
/// `event` is the caller's `EFI_CC_EVENT`, which may be longer than it says. With [`PE_COFF_IMAGE`] the digest is what
/// `authenticode` makes of the data; where it makes nothing, that is not supported.
///
/// # Errors
///
/// [`ProtocolError`]; only with [`ProtocolError::VolumeFull`] was the register extended.
pub fn hash_log_extend_event<T: Transport, E: HashEngine>(
    measurement: &mut Measurement<'_, T, E>,
    flags: u64,
    data: &[u8],
    event: &[u8],
    authenticode: impl FnOnce(&E, &[u8]) -> Option<Digest>,
) -> Result<(), ProtocolError> {
    HashedEvent::new(measurement.engine(), flags, data, event, authenticode)?.record(measurement)
}

/// A call of [`hash_log_extend_event`], checked and hashed. What is left is short, so that no other CPU waits for a hash where
/// the measurement is behind a lock.
#[derive(Clone, Copy, Debug)]
pub struct HashedEvent<'a> {
    event: CcEvent<'a>,
    digest: Digest,
    is_logged: bool,
}

impl<'a> HashedEvent<'a> {
    /// Checks and hashes, with the arguments of [`hash_log_extend_event`].
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidParameter`] and [`ProtocolError::Unsupported`].
    pub fn new<E: HashEngine>(
        engine: &E,
        flags: u64,
        data: &[u8],
        event: &'a [u8],
        authenticode: impl FnOnce(&E, &[u8]) -> Option<Digest>,
    ) -> Result<Self, ProtocolError> {
        if flags & !(EXTEND_ONLY | PE_COFF_IMAGE) != 0 {
            return Err(ProtocolError::InvalidParameter("a flag"));
        }
        let event = CcEvent::parse(event).ok_or(ProtocolError::InvalidParameter("the event"))?;
        let is_logged = flags & EXTEND_ONLY == 0;
        if event.event_type == EventType::NO_ACTION && !is_logged {
            return Err(ProtocolError::InvalidParameter(
                "an event that extends nothing and is not logged",
            ));
        }
        let digest = match flags & PE_COFF_IMAGE {
            0 => engine.digest(&[data]),
            _ => authenticode(engine, data).ok_or(ProtocolError::Unsupported)?,
        };
        Ok(Self {
            event,
            digest,
            is_logged,
        })
    }

    /// Extends the register, and logs the event unless it is not to be.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::VolumeFull`] and [`ProtocolError::DeviceError`].
    pub fn record<T: Transport, E: HashEngine>(
        &self,
        measurement: &mut Measurement<'_, T, E>,
    ) -> Result<(), ProtocolError> {
        let (event, digest) = (&self.event, &self.digest);
        if !self.is_logged {
            return measurement
                .extend_only(event.rtmr, digest)
                .map_err(ProtocolError::DeviceError);
        }
        match measurement.record(event.rtmr, event.event_type, digest, &[event.data]) {
            Ok(Recorded::Logged) => Ok(()),
            Ok(Recorded::Truncated) => Err(ProtocolError::VolumeFull),
            Err(error) => Err(ProtocolError::DeviceError(error)),
        }
    }
}

/// `EFI_CC_EVENT`.
#[derive(Clone, Copy, Debug)]
struct CcEvent<'a> {
    rtmr: RtmrIndex,
    event_type: EventType,
    data: &'a [u8],
}

impl<'a> CcEvent<'a> {
    /// `None` when the lengths or the version are wrong, or the register is none that boot components extend: RTMR3 is for
    /// what runs later, and edk2 refuses it, too.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        const SIZE_LEN: usize = 4;
        const HEADER_LEN: u32 = 14;
        const HEADER_VERSION: u16 = 1;
        let size = usize::try_from(Cursor::new(bytes).u32()?).ok()?;
        let mut cursor = Cursor::new(bytes.get(SIZE_LEN..size)?);
        let header_len = cursor.u32()?;
        let version = cursor.u16()?;
        let mr = MrIndex(cursor.u32()?);
        let event_type = EventType(cursor.u32()?);
        let known = header_len == HEADER_LEN && version == HEADER_VERSION;
        known.then_some(Self {
            rtmr: mr.rtmr().filter(|rtmr| *rtmr != RtmrIndex::Rtmr3)?,
            event_type,
            data: cursor.rest(),
        })
    }
}
