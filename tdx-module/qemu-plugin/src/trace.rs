// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where the lines of a trace go.

use crate::options::TraceTarget;
use core::cell::RefCell;
use core::fmt::{self, Write as _};
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tdx_call::Vmcall;
use tdx_module::{Trace, TracedCall};

/// Takes whole lines from all vCPUs, in a file or on standard error.
pub(crate) struct TraceSink {
    out: Mutex<Box<dyn Write + Send>>,
    with_hlt: bool,
}

thread_local! {
    /// The line that the thread's vCPU is about to write.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl TraceSink {
    /// Opens the trace, which leaves out `TDG.VP.VMCALL<Instruction.HLT>` unless `with_hlt`.
    ///
    /// A file that is there already loses what it had.
    pub(crate) fn open(target: &TraceTarget, with_hlt: bool) -> Result<Self, TraceError> {
        let out: Box<dyn Write + Send> = match target {
            TraceTarget::Stderr => Box::new(io::stderr()),
            TraceTarget::File(path) => {
                Box::new(File::create(path).map_err(|error| TraceError {
                    file: path.clone(),
                    error,
                })?)
            }
        };
        Ok(Self {
            out: Mutex::new(out),
            with_hlt,
        })
    }
}

impl Trace for TraceSink {
    fn wants(&self, call: &TracedCall) -> bool {
        self.with_hlt || call.vmcall() != Some(Vmcall::HLT)
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        LINE.with_borrow_mut(|buffer| {
            buffer.clear();
            // Writing to a string does not fail, nor does what is traced.
            let _ = writeln!(buffer, "{line}");
            // A line is one write, so that a reader never sees half of one, whatever ends QEMU. A trace that cannot be
            // written, to a full disk or a closed pipe, is no reason to stop the guest.
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = out.write_all(buffer.as_bytes());
        });
    }
}

/// The file for the trace cannot be written.
#[derive(Debug)]
pub(crate) struct TraceError {
    file: PathBuf,
    error: io::Error,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot write the trace {}: {}",
            self.file.display(),
            self.error
        )
    }
}

impl Error for TraceError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    /// Keeps each write apart.
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_of_each_thread_is_written_whole() {
        let writes = Arc::new(Mutex::new(Vec::new()));
        let out = Box::new(Writes(Arc::clone(&writes)));
        let sink = TraceSink {
            out: Mutex::new(out),
            with_hlt: false,
        };
        thread::scope(|scope| {
            for vcpu in 0..4 {
                let sink = &sink;
                scope.spawn(move || (0..100).for_each(|n| sink.line(format_args!("{vcpu} {n}"))));
            }
        });
        let mut lines = writes.lock().unwrap().clone();
        lines.sort();
        let mut expected: Vec<_> = (0..4)
            .flat_map(|vcpu| (0..100).map(move |n| format!("{vcpu} {n}\n").into_bytes()))
            .collect();
        expected.sort();
        assert_eq!(lines, expected);
    }
}
