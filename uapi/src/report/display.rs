// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! A TDREPORT for people to read: a line per field, under the names of the specification.

use crate::{Hex, ReportMac, ReportType, TdInfo, TdReport, TeeTcbInfo};
use core::fmt;

/// The column in which values start.
const NAME_WIDTH: usize = 20;

fn field(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {name:<NAME_WIDTH$}{value}")
}

impl fmt::Display for TdReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.mac, self.tee_tcb_info, self.td_info)
    }
}

impl fmt::Display for ReportType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Self::TDX => "TDX",
            0 => "SGX",
            _ => "unknown",
        };
        let Self {
            kind,
            subtype,
            version,
            ..
        } = self;
        write!(
            f,
            "{kind:#04x} ({name}), subtype {subtype}, version {version}"
        )
    }
}

impl fmt::Display for ReportMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "REPORTMACSTRUCT")?;
        field(f, "type", self.report_type)?;
        field(f, "CPUSVN", Hex(&self.cpu_svn))?;
        field(f, "TEE_TCB_INFO_HASH", self.tee_tcb_info_hash)?;
        field(f, "TEE_INFO_HASH", self.tee_info_hash)?;
        field(f, "REPORTDATA", Hex(&self.reportdata))?;
        field(f, "MAC", Hex(&self.mac))
    }
}

impl fmt::Display for TeeTcbInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "TEE_TCB_INFO")?;
        field(f, "VALID", format_args!("{:#x}", self.valid.get()))?;
        field(f, "TEE_TCB_SVN", Hex(&self.tee_tcb_svn))?;
        if let Some(svn) = self.tee_tcb_svn2() {
            field(f, "TEE_TCB_SVN2", Hex(svn))?;
        }
        field(f, "MRSEAM", self.mr_seam)?;
        field(f, "MRSIGNERSEAM", self.mr_signer_seam)?;
        field(
            f,
            "ATTRIBUTES",
            format_args!("{:#018x}", self.attributes.get()),
        )
    }
}

impl fmt::Display for TdInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "TDINFO")?;
        field(f, "ATTRIBUTES", self.attributes())?;
        field(f, "XFAM", self.xfam())?;
        field(f, "MRTD", self.mrtd)?;
        field(f, "MRCONFIGID", self.mr_config_id)?;
        field(f, "MROWNER", self.mr_owner)?;
        field(f, "MROWNERCONFIG", self.mr_owner_config)?;
        for (name, value) in ["RTMR0", "RTMR1", "RTMR2", "RTMR3"]
            .into_iter()
            .zip(&self.rtmr)
        {
            field(f, name, value)?;
        }
        field(f, "SERVTD_HASH", self.servtd_hash)
    }
}
