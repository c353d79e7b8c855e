// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TCB info: which SVNs of a kind of platform are up to date.
//!
//! Version 3 for TDX, with the fields and the order of what Intel's PCS answers. Source: *Intel SGX and Intel TDX
//! Provisioning Certification Service* (PCS), API version 4, "Get TDX TCB Info".

use crate::config::Outdated;
use crate::sgx_extension::PCE_ID;
use crate::{PlatformConfig, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;

/// The number of the set of evaluations that collateral belongs to; it rises when Intel learns of new weaknesses.
pub(crate) const EVALUATION_NUMBER: u32 = 18;

/// The date of a TCB that is up to date.
pub(crate) const TCB_DATE: &str = "2024-11-13T00:00:00Z";

/// The date of a TCB that is not.
pub(crate) const OLD_TCB_DATE: &str = "2020-01-01T00:00:00Z";

/// What is said to be wrong with an old TCB. There is no such advisory.
pub(crate) const ADVISORIES: &[&str] = &["TEST-SA-00001"];

/// The major versions of the TDX module that always have an identity, as in the PCS.
const MODULE_VERSIONS: [u8; 2] = [1, 3];

/// Every TDX module is Intel's own: MRSIGNERSEAM is zero.
const MR_SIGNER: &str = concat!(
    "000000000000000000000000000000000000000000000000",
    "000000000000000000000000000000000000000000000000"
);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TcbInfo {
    id: &'static str,
    version: u8,
    issue_date: Timestamp,
    next_update: Timestamp,
    fmspc: String,
    pce_id: String,
    tcb_type: u8,
    tcb_evaluation_data_number: u32,
    tdx_module: Module,
    tdx_module_identities: Vec<ModuleIdentity>,
    tcb_levels: Vec<Level<Tcb>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    mrsigner: &'static str,
    attributes: &'static str,
    attributes_mask: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleIdentity {
    id: String,
    #[serde(flatten)]
    module: Module,
    tcb_levels: Vec<Level<IsvSvn>>,
}

/// What holds for a platform with at least this TCB, unless an earlier level fits it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Level<T> {
    tcb: T,
    tcb_date: &'static str,
    tcb_status: &'static str,
    #[serde(rename = "advisoryIDs", skip_serializing_if = "<[_]>::is_empty")]
    advisory_ids: &'static [&'static str],
}

impl<T> Level<T> {
    /// From this TCB on, nothing is amiss.
    pub(crate) const fn up_to_date(tcb: T) -> Self {
        Self {
            tcb,
            tcb_date: TCB_DATE,
            tcb_status: "UpToDate",
            advisory_ids: &[],
        }
    }

    /// A platform that has no more than this TCB wants an update.
    pub(crate) const fn out_of_date(tcb: T) -> Self {
        Self {
            tcb,
            tcb_date: OLD_TCB_DATE,
            tcb_status: "OutOfDate",
            advisory_ids: ADVISORIES,
        }
    }
}

/// The SVN of an enclave or of a TDX module.
#[derive(Serialize)]
pub(crate) struct IsvSvn {
    pub(crate) isvsvn: u16,
}

#[derive(Serialize)]
struct Tcb {
    sgxtcbcomponents: [Component; 16],
    pcesvn: u16,
    tdxtcbcomponents: [Component; 16],
}

#[derive(Serialize)]
struct Component {
    svn: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
}

/// TCB info by which the platform of `config` is up to date, except for what `config` calls outdated.
pub(crate) fn tcb_info(
    config: &PlatformConfig,
    issue_date: Timestamp,
    next_update: Timestamp,
) -> TcbInfo {
    let mut wanted = config.clone();
    match config.outdated {
        Some(Outdated::Platform) => raise(&mut wanted.sgx_components[0]),
        Some(Outdated::TdxModule) => raise(&mut wanted.tee_tcb_svn[0]),
        Some(Outdated::Qe) | None => {}
    }
    let nothing = PlatformConfig {
        sgx_components: [0; 16],
        pce_svn: 0,
        tee_tcb_svn: [0; 16],
        ..config.clone()
    };
    TcbInfo {
        id: "TDX",
        version: 3,
        issue_date,
        next_update,
        fmspc: hex::encode_upper(config.fmspc),
        pce_id: hex::encode_upper(PCE_ID),
        tcb_type: 0,
        tcb_evaluation_data_number: EVALUATION_NUMBER,
        tdx_module: module(),
        tdx_module_identities: module_identities(&wanted),
        tcb_levels: vec![
            Level::up_to_date(tcb(&wanted)),
            Level::out_of_date(tcb(&nothing)),
        ],
    }
}

/// Asks for more than a platform has. No platform of a test has the highest SVN, so that there is more.
fn raise(svn: &mut u8) {
    *svn = svn.saturating_add(1);
}

fn module() -> Module {
    Module {
        mrsigner: MR_SIGNER,
        attributes: "0000000000000000",
        attributes_mask: "FFFFFFFFFFFFFFFF",
    }
}

/// The identities of TDX modules by their major version, which TDX 1.0 (version 0) has none for.
fn module_identities(wanted: &PlatformConfig) -> Vec<ModuleIdentity> {
    let [svn, own_version, ..] = wanted.tee_tcb_svn;
    let mut versions = BTreeSet::from(MODULE_VERSIONS);
    versions.extend(Some(own_version).filter(|version| *version != 0));
    versions
        .into_iter()
        .rev()
        .map(|version| {
            let mut levels = vec![Level::up_to_date(IsvSvn {
                isvsvn: if version == own_version {
                    svn.into()
                } else {
                    0
                },
            })];
            if version == own_version {
                levels.push(Level::out_of_date(IsvSvn { isvsvn: 0 }));
            }
            ModuleIdentity {
                id: format!("TDX_{version:02X}"),
                module: module(),
                tcb_levels: levels,
            }
        })
        .collect()
}

/// The components, with the names that the PCS has for some.
fn tcb(wanted: &PlatformConfig) -> Tcb {
    let mut sgx = wanted.sgx_components.map(unnamed);
    name(&mut sgx[0], "BIOS", Some("Early Microcode Update"));
    name(&mut sgx[1], "OS/VMM", Some("SGX Late Microcode Update"));
    name(&mut sgx[2], "OS/VMM", Some("TXT SINIT"));
    name(&mut sgx[3], "BIOS", None);
    name(&mut sgx[4], "BIOS", None);
    name(&mut sgx[5], "BIOS", None);
    name(&mut sgx[7], "OS/VMM", Some("SEAMLDR ACM"));
    let mut tdx = wanted.tee_tcb_svn.map(unnamed);
    // The major version is no SVN: where there is one, the identities above are asked instead of components 0 and 1.
    tdx[1].svn = 0;
    name(&mut tdx[0], "OS/VMM", Some("TDX Module"));
    name(&mut tdx[1], "OS/VMM", Some("TDX Module"));
    name(&mut tdx[2], "OS/VMM", Some("TDX Late Microcode Update"));
    Tcb {
        sgxtcbcomponents: sgx,
        pcesvn: wanted.pce_svn,
        tdxtcbcomponents: tdx,
    }
}

const fn unnamed(svn: u8) -> Component {
    Component {
        svn,
        category: None,
        kind: None,
    }
}

fn name(component: &mut Component, category: &'static str, kind: Option<&'static str>) {
    component.category = Some(category);
    component.kind = kind;
}
