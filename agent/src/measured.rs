// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a TDREPORT or a Quote says of a TD.

use crate::ReportData;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use tdx_uapi::quote::{Body, Quote};
use tdx_uapi::{Attributes, Digest, Hex, TdReport, Xfam};

/// What a TDREPORT or a Quote says of a TD.
///
/// It serialises with the specification's names in lower case, and bytes as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measured {
    /// TEE_TCB_SVN.
    pub tee_tcb_svn: [u8; 16],
    /// MRSEAM.
    pub mr_seam: Digest,
    /// ATTRIBUTES.
    pub attributes: Attributes,
    /// XFAM.
    pub xfam: Xfam,
    /// MRTD.
    pub mrtd: Digest,
    /// MRCONFIGID.
    pub mr_config_id: Digest,
    /// MROWNER.
    pub mr_owner: Digest,
    /// MROWNERCONFIG.
    pub mr_owner_config: Digest,
    /// RTMR0 to RTMR3.
    pub rtmr: [Digest; 4],
    /// The hash of the service TDs bound to this one; zero, too, where nothing is said of it.
    pub service_td: Digest,
    /// REPORTDATA.
    pub reportdata: ReportData,
}

impl From<&TdReport> for Measured {
    fn from(report: &TdReport) -> Self {
        let td = &report.td_info;
        Self {
            tee_tcb_svn: report.tee_tcb_info.tee_tcb_svn,
            mr_seam: report.tee_tcb_info.mr_seam,
            attributes: td.attributes(),
            xfam: td.xfam(),
            mrtd: td.mrtd,
            mr_config_id: td.mr_config_id,
            mr_owner: td.mr_owner,
            mr_owner_config: td.mr_owner_config,
            rtmr: td.rtmr,
            service_td: td.servtd_hash,
            reportdata: ReportData(report.mac.reportdata),
        }
    }
}

impl From<&Quote<'_>> for Measured {
    fn from(quote: &Quote<'_>) -> Self {
        let td = quote.td();
        Self {
            tee_tcb_svn: td.tee_tcb_svn,
            mr_seam: td.mr_seam,
            attributes: Attributes(td.td_attributes.get()),
            xfam: Xfam(td.xfam.get()),
            mrtd: td.mrtd,
            mr_config_id: td.mr_config_id,
            mr_owner: td.mr_owner,
            mr_owner_config: td.mr_owner_config,
            rtmr: td.rtmr,
            service_td: match quote.body {
                Body::Td1_0(_) => Digest::ZERO,
                Body::Td1_5(body) => body.mr_service_td,
            },
            reportdata: ReportData(td.reportdata),
        }
    }
}

impl Measured {
    /// The values with their names, as they are serialised and as a policy names them.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let hex = |bytes: &[u8]| Hex(bytes).to_string();
        [
            ("tee_tcb_svn", hex(&self.tee_tcb_svn)),
            ("mrseam", hex(&self.mr_seam.0)),
            ("attributes", hex(&self.attributes.0.to_le_bytes())),
            ("xfam", hex(&self.xfam.0.to_le_bytes())),
            ("mrtd", hex(&self.mrtd.0)),
            ("mrconfigid", hex(&self.mr_config_id.0)),
            ("mrowner", hex(&self.mr_owner.0)),
            ("mrownerconfig", hex(&self.mr_owner_config.0)),
            ("rtmr0", hex(&self.rtmr[0].0)),
            ("rtmr1", hex(&self.rtmr[1].0)),
            ("rtmr2", hex(&self.rtmr[2].0)),
            ("rtmr3", hex(&self.rtmr[3].0)),
            ("servtd_hash", hex(&self.service_td.0)),
            ("reportdata", hex(&self.reportdata.0)),
        ]
        .into_iter()
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Measured", 14)?;
        for (name, value) in self.fields() {
            fields.serialize_field(name, &value)?;
        }
        fields.end()
    }
}
