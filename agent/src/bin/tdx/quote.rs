// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `tdx quote`

use crate::decoded;
use crate::describe::Fields;
use crate::exit::Exit;
use crate::output::Output;
use anyhow::Result;
use clap::Args;
use std::time::Duration;
use tdx_agent::{Claim, Measured, Td};
use tdx_uapi::quote::Quote;

/// Get a Quote, or read one, and decode it
///
/// A Quote is a TDREPORT signed for others to check: `tdx verify` does that. Nothing that is printed here is proved.
#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    decoded: decoded::Options,

    /// How long the host may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Options {
    pub(crate) fn run(&self, output: &Output) -> Result<Exit> {
        let limit = Duration::from_secs(self.timeout);
        let got = self
            .decoded
            .get(|reportdata| Ok(Td::open()?.quote(reportdata, limit)?))?;
        let quote = match Quote::parse(&got.bytes) {
            Ok(quote) => quote,
            Err(error) => return self.decoded.refuse(output, "quote", error),
        };
        let mut checked = Vec::from_iter(got.reportdata(Measured::from(&quote).reportdata));
        checked.push(Claim::unchecked("signature", "`tdx verify` checks it"));
        self.decoded
            .put(output, &got.bytes, &Fields::of_quote(&quote), &checked)
    }
}
