// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What goes into REPORTDATA, or is expected there.

use crate::input::Bytes;
use anyhow::{bail, Result};
use clap::Args;
use tdx_agent::ReportData;

/// What goes into REPORTDATA, or is expected there.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "REPORTDATA")]
#[group(skip)]
pub(crate) struct Options {
    /// A nonce of whoever will verify: hexadecimal digits, text:… or @FILE
    #[arg(long, value_name = "BYTES")]
    nonce: Option<Bytes>,

    /// Data to bind to the TD, as a public key: hexadecimal digits, text:… or @FILE
    ///
    /// REPORTDATA is SHA-512("tdx-reportdata-1" ‖ length of nonce ‖ nonce ‖ length of data ‖ data), where lengths are 64-bit
    /// little-endian numbers of bytes.
    #[arg(long, value_name = "BYTES")]
    user_data: Option<Bytes>,

    /// REPORTDATA itself, 64 bytes, instead of the hash of a nonce and data
    #[arg(long, value_name = "BYTES", conflicts_with_all = ["nonce", "user_data"])]
    reportdata: Option<Bytes>,
}

impl Options {
    /// REPORTDATA, if anything is said of it.
    pub(crate) fn get(&self) -> Result<Option<ReportData>> {
        if let Some(Bytes(bytes)) = &self.reportdata {
            return match bytes.as_slice().try_into() {
                Ok(bytes) => Ok(Some(ReportData(bytes))),
                Err(_) => bail!("--reportdata has {} bytes, expected 64", bytes.len()),
            };
        }
        let bytes =
            |option: &Option<Bytes>| option.clone().map(|bytes| bytes.0).unwrap_or_default();
        match (&self.nonce, &self.user_data) {
            (None, None) => Ok(None),
            (nonce, data) => Ok(Some(ReportData::bind(&bytes(nonce), &bytes(data)))),
        }
    }

    /// REPORTDATA to ask for: zeros where nothing is said.
    pub(crate) fn get_or_zeros(&self) -> Result<ReportData> {
        Ok(self.get()?.unwrap_or(ReportData([0; 64])))
    }
}
