// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Whether the libraries of others read what `tdx-agent` writes: see the tests. `cargo xtask test interop` runs them.
