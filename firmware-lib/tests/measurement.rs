// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Measuring against the model of the TDX module: what the log says is what the registers have.

#[path = "measurement/boot.rs"]
mod boot;
#[path = "measurement/log.rs"]
mod log;
#[path = "measurement/protocol.rs"]
mod protocol;
#[path = "measurement/round_trip.rs"]
mod round_trip;
#[path = "measurement/support.rs"]
mod support;
