// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a test platform and its services do; `dcap-qvl`, a verifier by others, says what that is worth.

mod accepted;
mod certificates;
#[path = "../../examples/verify/changed.rs"]
mod changed;
mod get_quote;
#[cfg(feature = "model")]
mod model;
#[cfg(feature = "pcs")]
mod pcs;
mod qgs;
mod reader;
mod refused;
mod support;
mod tampered;
