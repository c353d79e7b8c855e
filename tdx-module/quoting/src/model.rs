// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The quoting side of the platform of the model (the crate `tdx-module`).
//!
//! Who has the model's platform, that is its seed and SVNs, has the same certificates, the same keys and the same quoting
//! enclave: the front-end in which a TD runs, and the command that serves verifiers.

use crate::{MacError, Platform, PlatformConfig, PlatformError, QuotingEnclave};
use tdx_call::Status;
use zerocopy::IntoBytes;

/// The label of what the model's seed gives to this crate.
const LABEL: &[u8] = b"quoting";

/// The quoting side of `model`, with its seed, its CPUSVN and its TEE_TCB_SVN; everything else is as `config` says.
///
/// # Errors
///
/// As [`Platform::from_seed`].
pub fn platform(
    model: &tdx_module::Platform,
    config: &PlatformConfig,
) -> Result<Platform, PlatformError> {
    let config = PlatformConfig {
        cpu_svn: model.cpu_svn,
        tee_tcb_svn: model.tee_tcb_svn,
        ..config.clone()
    };
    Platform::from_seed(&model.key(LABEL), &config)
}

/// The quoting enclave of `platform`, for the reports of `model`.
pub fn quoting_enclave(platform: &Platform, model: &tdx_module::Platform) -> QuotingEnclave {
    let model = model.clone();
    QuotingEnclave::new(platform, move |report| {
        let bytes = report.as_bytes().try_into().expect("256 bytes are 256");
        model.verify_report(bytes).map_err(|status| match status {
            Status::INVALID_CPUSVN => MacError::CpuSvn,
            _ => MacError::Mac,
        })
    })
}
