// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a TD sees of the model: every leaf, every failure, and which of several failures comes first.

mod accept;
mod attributes;
mod bench;
mod build;
mod concurrency;
mod config;
mod dispatch;
mod extend;
mod fault;
mod host;
mod host_instruction;
mod info;
mod map_gpa;
mod metadata;
mod operands;
mod order;
mod parameters;
mod properties;
mod report;
mod trace;
mod verify;
mod vmcall;
