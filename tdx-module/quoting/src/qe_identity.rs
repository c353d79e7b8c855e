// SPDX-License-Identifier: Apache-2.0 OR MIT

//! QE identity: which enclave is the quoting enclave.
//!
//! Version 2, with the fields and the order of what Intel's PCS answers. Source: *Intel SGX and Intel TDX Provisioning
//! Certification Service* (PCS), API version 4, "Get TDX QE Identity".

use crate::config::Outdated;
use crate::seed::Seed;
use crate::tcb_info::{IsvSvn, Level, EVALUATION_NUMBER};
use crate::{PlatformConfig, Timestamp};
use serde::Serialize;

/// The product number of Intel's quoting enclave for TDX.
pub(crate) const QE_PROD_ID: u16 = 2;

/// The attributes of the quoting enclave: initialised, 64 bits, with the provisioning key; XFRM as on servers.
pub(crate) const QE_ATTRIBUTES: [u8; 16] = [0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0];

/// MRSIGNER of the quoting enclave.
pub(crate) fn qe_mr_signer(seed: &Seed) -> [u8; 32] {
    seed.bytes("QE MRSIGNER")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QeIdentity {
    id: &'static str,
    version: u8,
    issue_date: Timestamp,
    next_update: Timestamp,
    tcb_evaluation_data_number: u32,
    miscselect: &'static str,
    miscselect_mask: &'static str,
    attributes: &'static str,
    attributes_mask: &'static str,
    mrsigner: String,
    isvprodid: u16,
    tcb_levels: Vec<Level<IsvSvn>>,
}

/// The identity of the quoting enclave of `seed`, up to date unless `config` calls it outdated.
pub(crate) fn qe_identity(
    seed: &Seed,
    config: &PlatformConfig,
    issue_date: Timestamp,
    next_update: Timestamp,
) -> QeIdentity {
    let wanted = match config.outdated {
        Some(Outdated::Qe) => config.qe_svn.saturating_add(1),
        _ => config.qe_svn,
    };
    QeIdentity {
        id: "TD_QE",
        version: 2,
        issue_date,
        next_update,
        tcb_evaluation_data_number: EVALUATION_NUMBER,
        miscselect: "00000000",
        miscselect_mask: "FFFFFFFF",
        attributes: "11000000000000000000000000000000",
        attributes_mask: "FBFFFFFFFFFFFFFF0000000000000000",
        mrsigner: hex::encode_upper(qe_mr_signer(seed)),
        isvprodid: QE_PROD_ID,
        tcb_levels: vec![
            Level::up_to_date(IsvSvn { isvsvn: wanted }),
            Level::out_of_date(IsvSvn { isvsvn: 0 }),
        ],
    }
}
