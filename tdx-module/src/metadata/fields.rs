// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The tables of metadata fields.
//!
//! They have most of the fields that a TD may read or write ([the crate](crate) says which not), and a few that it may not, of
//! each kind one.

use super::{check_td_ctls, Field, Table, Writable};
use crate::{td_ctls, Generation, Td};
use tdx_uapi::Digest;

/// The fields of a TD (TDR and TDCS).
pub(crate) const TD: Table = Table(&[
    unreadable("FATAL", 0x8010_0000_0000_0001),
    unreadable("NUM_TDCX", 0x8010_0002_0000_0002),
    readable(
        Generation::Tdx10,
        "NUM_VCPUS",
        0x9010_0002_0000_0001,
        1,
        |td, _| td.parameters.vcpus.into(),
    ),
    readable(
        Generation::Tdx15,
        "NUM_L2_VMS",
        0x9010_0001_0000_0005,
        1,
        |_, _| 0,
    ),
    readable(
        Generation::Tdx10,
        "ATTRIBUTES",
        0x1110_0003_0000_0000,
        1,
        |td, _| td.parameters.attributes.0,
    ),
    readable(
        Generation::Tdx10,
        "XFAM",
        0x1110_0003_0000_0001,
        1,
        |td, _| td.parameters.xfam.0,
    ),
    readable(
        Generation::Tdx10,
        "MAX_VCPUS",
        0x1110_0002_0000_0002,
        1,
        |td, _| td.parameters.max_vcpus.into(),
    ),
    readable(
        Generation::Tdx10,
        "GPAW",
        0x1110_0000_0000_0003,
        1,
        |td, _| (td.parameters.gpa_width > 48).into(),
    ),
    unreadable("EPTP", 0x1110_0003_0000_0004),
    Field {
        write: Some(Writable {
            bits: 1,
            cell: |td| &td.metadata.notify_enables,
            check: |_, _, _| true,
        }),
        ..readable(
            Generation::Tdx10,
            "NOTIFY_ENABLES",
            0x9110_0003_0000_0010,
            1,
            |td, _| load(&td.metadata.notify_enables),
        )
    },
    readable(
        Generation::Tdx15,
        "CONFIG_FLAGS",
        0x1110_0003_0000_0016,
        1,
        |td, _| td.config_flags(),
    ),
    Field {
        write: Some(Writable {
            bits: td_ctls::PENDING_VE_DISABLE
                | td_ctls::ENUM_TOPOLOGY
                | td_ctls::REDUCE_VE
                | td_ctls::LOCK,
            cell: |td| &td.metadata.td_ctls,
            check: check_td_ctls,
        }),
        ..readable(
            Generation::Tdx15,
            "TD_CTLS",
            0x1110_0003_0000_0017,
            1,
            |td, _| load(&td.metadata.td_ctls),
        )
    },
    readable(
        Generation::Tdx15,
        "TOPOLOGY_ENUM_CONFIGURED",
        0x9110_0000_0000_0019,
        1,
        |td, _| td.parameters.topology_enum_configured.into(),
    ),
    readable(
        Generation::Tdx10,
        "MRTD",
        0x1310_0003_0000_0000,
        6,
        |td, element| word(&td.parameters.mrtd, element),
    ),
    readable(
        Generation::Tdx10,
        "MRCONFIGID",
        0x1310_0003_0000_0010,
        6,
        |td, element| word(&td.parameters.mr_config_id, element),
    ),
    readable(
        Generation::Tdx10,
        "MROWNER",
        0x1310_0003_0000_0018,
        6,
        |td, element| word(&td.parameters.mr_owner, element),
    ),
    readable(
        Generation::Tdx10,
        "MROWNERCONFIG",
        0x1310_0003_0000_0020,
        6,
        |td, element| word(&td.parameters.mr_owner_config, element),
    ),
    readable(
        Generation::Tdx10,
        "RTMR",
        0x1310_0003_0000_0040,
        24,
        |td, element| word(&td.rtmr.read()[element / 6], element % 6),
    ),
    readable(
        Generation::Tdx15,
        "SERVTD_HASH",
        0x9910_0003_0000_0000,
        6,
        |td, element| word(&td.parameters.servtd_hash.unwrap_or(Digest::ZERO), element),
    ),
    readable(
        Generation::Tdx15,
        "SERVTD_NUM",
        0x9910_0001_0000_0006,
        1,
        |td, _| td.parameters.servtd_hash.is_some().into(),
    ),
]);

/// The fields of the TDX module.
pub(crate) const SYSTEM: Table = Table(&[
    unreadable("NUM_PKGS", 0x0000_0002_0000_0000),
    readable(
        Generation::Tdx15,
        "VENDOR_ID",
        0x0800_0002_0000_0000,
        1,
        |_, _| 0x8086,
    ),
    readable(
        Generation::Tdx15,
        "MINOR_VERSION",
        0x0800_0001_0000_0003,
        1,
        |_, _| 5,
    ),
    readable(
        Generation::Tdx15,
        "MAJOR_VERSION",
        0x0800_0001_0000_0004,
        1,
        |_, _| 1,
    ),
    readable(
        Generation::Tdx15,
        "SYS_ATTRIBUTES",
        0x0a00_0002_0000_0000,
        1,
        |_, _| 0,
    ),
    readable(
        Generation::Tdx15,
        "NUM_TDX_FEATURES",
        0x0a00_0000_0000_0001,
        1,
        |_, _| 1,
    ),
    readable(
        Generation::Tdx15,
        "TDX_FEATURES0",
        0x0a00_0003_0000_0008,
        1,
        |td, _| features(td),
    ),
]);

/// TDX_FEATURES0: what the model can do of what the bits name.
fn features(td: &Td) -> u64 {
    // LOCAL_ATTESTATION, PENDING_EPT_VIOLATION_V2, NO_RBP_MOD, ENUM_TOPOLOGY, VE_REDUCTION.
    (u64::from(td.platform.verify_report) << 8) | (1 << 16) | (1 << 18) | (1 << 20) | (1 << 30)
}

/// A field that a TD may read and not write.
const fn readable(
    since: Generation,
    name: &'static str,
    id: u64,
    elements: u32,
    read: fn(&Td, usize) -> u64,
) -> Field {
    Field {
        name,
        id,
        elements,
        since,
        read: Some(read),
        write: None,
    }
}

/// A field that only the host may read.
const fn unreadable(name: &'static str, id: u64) -> Field {
    Field {
        name,
        id,
        elements: 1,
        since: Generation::Tdx10,
        read: None,
        write: None,
    }
}

fn load(cell: &core::sync::atomic::AtomicU64) -> u64 {
    cell.load(core::sync::atomic::Ordering::Relaxed)
}

/// One of the six elements of a measurement.
fn word(digest: &Digest, element: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.0[element * 8..][..8]);
    u64::from_le_bytes(bytes)
}
