// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A line per TDCALL, in the leaf's own terms.

use core::fmt;

/// Takes the lines of a trace.
pub trait Trace {
    /// Takes a line, without a newline.
    fn line(&self, line: fmt::Arguments<'_>);
}
