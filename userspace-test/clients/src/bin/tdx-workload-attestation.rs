// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gets a TDREPORT with the crate `tdx_workload_attestation` and prints it as the JSON that the crate makes of it.

use tdx_workload_attestation::{
    error::Result, provider::AttestationProvider, tdx::LinuxTdxProvider,
};

fn main() -> Result<()> {
    println!("{}", LinuxTdxProvider::new().get_attestation_report()?);
    Ok(())
}
