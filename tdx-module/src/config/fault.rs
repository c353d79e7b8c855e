// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Faults in configurations.

use super::values::number;
use crate::names::{HOST_STATUSES, LEAVES, OPERANDS, STATUSES, VMCALLS};
use crate::{Fault, FaultAnswer, FaultTarget};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use serde::Deserialize;
use tdx_call::{leaf, Status, VmcallStatus};

/// A `[[fault]]` table that makes sense.
#[derive(Deserialize)]
#[serde(try_from = "Raw")]
pub(super) struct FaultTable(Fault);

impl From<FaultTable> for Fault {
    fn from(table: FaultTable) -> Self {
        table.0
    }
}

/// A `[[fault]]` table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    leaf: Option<Name>,
    function: Option<Name>,
    status: Option<Name>,
    operand: Option<Name>,
    host_status: Option<Name>,
    #[serde(default)]
    after: u64,
    times: Option<NonZeroU64>,
}

/// A name of the specification's, or a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a name or a number")]
enum Name {
    Number(u64),
    Text(String),
}

impl Name {
    /// The number that it is, or that a table has for it.
    fn resolve(self, what: &str, table: &[(&str, u64)]) -> Result<u64, String> {
        let text = match self {
            Self::Number(number) => return Ok(number),
            Self::Text(text) => text,
        };
        let mut entries = table.iter();
        let known = entries.find_map(|(name, value)| (*name == text).then_some(*value));
        known.or_else(|| number(&text)).ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            format!(
                "{text:?} is no {what}; expected a number or one of {}",
                names.join(", ")
            )
        })
    }
}

impl TryFrom<Raw> for FaultTable {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let leaf = raw
            .leaf
            .map(|leaf| leaf.resolve("leaf", LEAVES))
            .transpose()?;
        let function = raw
            .function
            .map(|function| function.resolve("function of TDG.VP.VMCALL", VMCALLS))
            .transpose()?;
        let target = match (leaf, function) {
            (None | Some(leaf::VP_VMCALL), Some(function)) => FaultTarget::Vmcall(function),
            (Some(leaf), None) => FaultTarget::Leaf(leaf),
            (Some(_), Some(_)) => {
                return Err("a function goes with the leaf TDG.VP.VMCALL alone".into())
            }
            (None, None) => {
                return Err("a fault needs a leaf, or a function of TDG.VP.VMCALL".into())
            }
        };
        let vmcall = !matches!(target, FaultTarget::Leaf(leaf) if leaf != leaf::VP_VMCALL);
        let answer = match (raw.status, raw.host_status) {
            (Some(status), None) => FaultAnswer::Status(refusal(status, raw.operand)?),
            (None, Some(_)) if raw.operand.is_some() => {
                return Err("an operand goes with a status, not with a host_status".into())
            }
            (None, Some(status)) if vmcall => {
                let status = status.resolve("status of a host", HOST_STATUSES)?;
                FaultAnswer::Host(VmcallStatus(status))
            }
            (None, Some(_)) => return Err("a host_status goes with TDG.VP.VMCALL alone".into()),
            (Some(_), Some(_)) | (None, None) => {
                return Err("a fault needs either a status or a host_status".into())
            }
        };
        Ok(Self(Fault {
            target,
            answer,
            after: raw.after,
            times: raw.times.map(NonZeroU64::get),
        }))
    }
}

/// A status, with the operand that it names.
fn refusal(status: Name, operand: Option<Name>) -> Result<Status, String> {
    let status = Status(status.resolve("status", STATUSES)?);
    let Some(operand) = operand else {
        return Ok(status);
    };
    let operand = operand.resolve("operand", OPERANDS)?;
    if status != status.kind() || operand > u32::MAX.into() {
        return Err(format!(
            "operand {operand:#x} does not fit into status {:#x}",
            status.0
        ));
    }
    Ok(Status(status.0 | operand))
}
