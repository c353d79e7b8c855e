// SPDX-License-Identifier: Apache-2.0 OR MIT

//! TDREPORTs and Quotes, field by field.

use crate::output::HEADING;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use tdx_agent::Measured;
use tdx_uapi::quote::{Body, Quote, PCK_CERTIFICATE_CHAIN};
use tdx_uapi::{Hex, TdReport};

/// Groups of fields: names and values.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(&'static str, Vec<(&'static str, String)>)>);

fn hex(bytes: &[u8]) -> String {
    Hex(bytes).to_string()
}

impl Fields {
    /// Those of a TDREPORT.
    pub(crate) fn of_report(report: &TdReport) -> Self {
        let (mac, module) = (&report.mac, &report.tee_tcb_info);
        let mut tcb = vec![
            ("valid", format!("{:#x}", module.valid.get())),
            ("tee_tcb_svn", hex(&module.tee_tcb_svn)),
            ("mrseam", hex(&module.mr_seam.0)),
            ("mrsignerseam", hex(&module.mr_signer_seam.0)),
        ];
        if let Some(svn) = module.tee_tcb_svn2() {
            tcb.push(("tee_tcb_svn2", hex(svn)));
        }
        Self(vec![
            (
                "report",
                vec![
                    ("type", mac.report_type.to_string()),
                    ("cpusvn", hex(&mac.cpu_svn)),
                    ("tee_tcb_info_hash", hex(&mac.tee_tcb_info_hash.0)),
                    ("tee_info_hash", hex(&mac.tee_info_hash.0)),
                    ("reportdata", hex(&mac.reportdata)),
                    ("mac", hex(&mac.mac)),
                ],
            ),
            ("tdx_module", tcb),
            ("td", td(&Measured::from(report))),
        ])
    }

    /// Those of a Quote.
    pub(crate) fn of_quote(quote: &Quote<'_>) -> Self {
        let enclave = quote.qe_report;
        let mut module = vec![
            ("tee_tcb_svn", hex(&quote.td().tee_tcb_svn)),
            ("mrseam", hex(&quote.td().mr_seam.0)),
            ("mrsignerseam", hex(&quote.td().mr_signer_seam.0)),
        ];
        if let Body::Td1_5(body) = quote.body {
            module.push(("tee_tcb_svn2", hex(&body.tee_tcb_svn2)));
        }
        let certification = match quote.certification_type {
            PCK_CERTIFICATE_CHAIN => "certificates of the platform".to_owned(),
            other => format!("type {other}"),
        };
        Self(vec![
            (
                "quote",
                vec![
                    ("version", quote.header.version.to_string()),
                    ("vendor_id", hex(&quote.header.vendor_id)),
                    ("user_data", hex(&quote.header.user_data)),
                    ("reportdata", hex(&quote.td().reportdata)),
                ],
            ),
            ("tdx_module", module),
            ("td", td(&Measured::from(quote))),
            (
                "quoting_enclave",
                vec![
                    ("cpusvn", hex(&enclave.cpu_svn)),
                    ("mrenclave", hex(&enclave.mr_enclave)),
                    ("mrsigner", hex(&enclave.mr_signer)),
                    ("isvprodid", enclave.isv_prod_id.to_string()),
                    ("isvsvn", enclave.isv_svn.to_string()),
                    ("attestation_key", hex(quote.attestation_key)),
                    ("signature", hex(quote.signature)),
                    ("certification", certification),
                ],
            ),
        ])
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter().flat_map(|(_, fields)| fields);
        all.find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let all = self.0.iter().flat_map(|(_, fields)| fields);
        all.map(|(name, _)| *name).collect()
    }

    /// An object for each group.
    pub(crate) fn to_json(&self) -> Value {
        let object = |fields: &[(&'static str, String)]| {
            let pairs = fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let groups = self
            .0
            .iter()
            .map(|(name, fields)| ((*name).to_owned(), object(fields)));
        Value::Object(groups.collect())
    }

    /// A line for each field.
    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (group, fields) in &self.0 {
            let _ = writeln!(text, "{HEADING}{}{HEADING:#}", group.replace('_', " "));
            for (name, value) in fields {
                let _ = writeln!(text, "  {name:<18}{value}{}", meaning(name, value));
            }
        }
        text
    }
}

/// What of a TD is not said elsewhere.
fn td(measured: &Measured) -> Vec<(&'static str, String)> {
    let elsewhere = ["tee_tcb_svn", "mrseam", "reportdata"];
    measured
        .fields()
        .filter(|(name, _)| !elsewhere.contains(name))
        .collect()
}

/// The names of flags.
fn meaning(name: &str, value: &str) -> String {
    let flags = || {
        let bytes = <[u8; 8]>::try_from(hex::decode(value).ok()?).ok()?;
        let flags = u64::from_le_bytes(bytes);
        let text = match name {
            "attributes" => tdx_uapi::Attributes(flags).to_string(),
            "xfam" => tdx_uapi::Xfam(flags).to_string(),
            _ => return None,
        };
        // Without the number, which is there already.
        text.split_once(' ').map(|(_, names)| format!(" ({names})"))
    };
    flags().unwrap_or_default()
}
