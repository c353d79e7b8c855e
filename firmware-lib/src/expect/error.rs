// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What can be wrong with the description of a boot.

use crate::pe::PeError;
use core::fmt;

/// Why a boot cannot be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectError {
    /// The firmware has no CFV.
    NoCfv,
    /// The CFV does not start with a firmware volume that holds authenticated variables.
    NoVariableStore,
    /// A variable in the store is cut.
    Variable {
        /// Where it starts, in bytes from the start of the CFV.
        offset: usize,
    },
    /// etc/table-loader is not made of whole commands.
    TableLoader {
        /// Its size in bytes.
        found: usize,
    },
    /// etc/table-loader asks for a file that was not given, or whose name is no text.
    AcpiBlob {
        /// Which of its commands does.
        command: usize,
    },
    /// An image is none that can be measured.
    Image {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        error: PeError,
    },
    /// A section of a unified kernel image is larger in memory than in the file, which the stub of systemd 257 does not
    /// expect of those that it measures.
    Section {
        /// The section.
        name: &'static str,
    },
    /// A unified kernel image has several sections of one name, as one with several profiles has. Which of them counts is
    /// said where it is started.
    RepeatedSection {
        /// The section.
        name: &'static str,
    },
    /// The command line in a unified kernel image is no UTF-8.
    CommandLine {
        /// How many bytes of it are.
        offset: usize,
    },
    /// The image that should be shim brings no certificate, or no SBAT level.
    NoShim,
    /// Shim brings lists of signatures in place of one certificate: it was built with `VENDOR_DB_FILE`.
    VendorDb,
    /// The kernel has no setup header that QEMU would patch.
    NoSetupHeader,
    /// The initrd does not fit below 4 GiB.
    Initrd {
        /// Its size in bytes.
        found: usize,
    },
}

impl fmt::Display for ExpectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot predict the boot: ")?;
        match self {
            Self::NoCfv => f.write_str("the firmware has no CFV"),
            Self::NoVariableStore => f.write_str(
                "the firmware's CFV is no firmware volume with a store of authenticated variables",
            ),
            Self::Variable { offset } => write!(
                f,
                "the variable at offset {offset:#x} of the firmware's CFV is cut"
            ),
            Self::TableLoader { found } => write!(
                f,
                "etc/table-loader has {found} bytes, which is no multiple of 128"
            ),
            Self::AcpiBlob { command } => write!(
                f,
                "command {command} of etc/table-loader asks for a file that was not given"
            ),
            Self::Image { index, error } => write!(f, "image {index}: {error}"),
            Self::Section { name } => write!(
                f,
                "the section {name} is larger in memory than in the file, as no image for the stub of systemd 257 has it"
            ),
            Self::RepeatedSection { name } => write!(
                f,
                "there are several sections {name}, as in an image with several profiles, and which one counts is not in it"
            ),
            Self::CommandLine { offset } => write!(
                f,
                "the section .cmdline is no UTF-8 from its byte {offset} on"
            ),
            Self::NoShim => f.write_str(
                "the first image is no shim: a section .vendor_cert or .sbatlevel is absent or cut",
            ),
            Self::VendorDb => f.write_str(
                "shim's section .vendor_cert has a database (VENDOR_DB_FILE) where a certificate is expected",
            ),
            Self::NoSetupHeader => f.write_str(
                "the kernel has no setup header of protocol 2.02 or later (not a bzImage?)",
            ),
            Self::Initrd { found } => write!(
                f,
                "the initrd of {found} bytes does not fit into the TD's memory below 4 GiB"
            ),
        }
    }
}

impl core::error::Error for ExpectError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Image { error, .. } => Some(error),
            _ => None,
        }
    }
}
