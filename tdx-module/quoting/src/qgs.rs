// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The protocol of Intel's quote generation service (QGS).
//!
//! Over a stream a message is preceded by its length, 4 bytes, big endian; all else is little endian. A connection is for
//! one request, after whose response the service closes it. Instead of a message a client may send a bare TDREPORT: then
//! the Quote comes bare as well, and a report that is refused is answered with nothing.
//!
//! Source: `QuoteGeneration/quote_wrapper/qgs_msg_lib/inc/qgs_msg_lib.h` and `qgs/qgs_server.cpp` of Intel SGX DCAP.

mod listener;
mod message;
mod server;

pub use listener::{unix_listener, vsock_listener, Connection, Listener};
pub use message::{
    error_response, platform_info_response, quote_response, Request, RequestBody, RequestError,
    MAX_MESSAGE,
};
pub use server::{exchange, start, ExchangeError, Limits};
pub use tdx_uapi::qgs::{ErrorCode, Header, MessageType, PREFIX_LEN, VSOCK_PORT};
