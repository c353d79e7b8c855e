// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Decoding a Quote, up to the values of the TD.

use std::hint::black_box;

use anyhow::{Context as _, Result};

/// With `tdx-uapi`, where it lies.
pub(crate) fn ours(bytes: &[u8], times: u32) -> Result<()> {
    for _ in 0..times {
        let quote = tdx_uapi::quote::Quote::parse(black_box(bytes)).context("no Quote")?;
        black_box(quote.td().rtmr);
    }
    Ok(())
}

/// With `dcap-qvl`.
pub(crate) fn dcap_qvl(bytes: &[u8], times: u32) -> Result<()> {
    for _ in 0..times {
        let quote = dcap_qvl::quote::Quote::parse(black_box(bytes))?;
        let td = quote.report.as_td10().context("not of a TD")?;
        black_box(td.rt_mr0);
    }
    Ok(())
}
