// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The completion status of a TDCALL.

use core::fmt;

/// What RAX says after a TDCALL.
///
/// Bit 63 tells an error, bit 62 one that repeating the call cannot mend; bits 47:40 are the class, bits
/// 39:32 the detail, and bits 31:0 name the operand where there is one. Values that this crate has no name for are kept as they are.
///
/// Source: TDX module ABI, "Function completion status codes".
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u64);

impl Status {
    /// The call did what was asked.
    pub const SUCCESS: Self = Self(0);
    /// An operand is not valid; the low half says which ([`OperandId`]).
    pub const OPERAND_INVALID: Self = Self(0xc000_0100_0000_0000);
    /// Another vCPU holds what the operand names; the call may be repeated.
    pub const OPERAND_BUSY: Self = Self(0x8000_0200_0000_0000);
    /// TDG.VP.VEINFO.GET found no #VE.
    pub const NO_VALID_VE_INFO: Self = Self(0xc000_0704_0000_0000);
    /// TDG.MEM.PAGE.ACCEPT: the page is accepted already. Not an error; the level is in the low bits.
    pub const PAGE_ALREADY_ACCEPTED: Self = Self(0x0000_0b0a_0000_0000);
    /// TDG.MEM.PAGE.ACCEPT: the page is mapped at a smaller size than was asked for.
    pub const PAGE_SIZE_MISMATCH: Self = Self(0xc000_0b0b_0000_0000);
    /// There is no metadata field of that identifier.
    pub const METADATA_FIELD_ID_INCORRECT: Self = Self(0xc000_0c00_0000_0000);
    /// The TD may write none of the bits that the mask selects.
    pub const METADATA_FIELD_NOT_WRITABLE: Self = Self(0xc000_0c01_0000_0000);
    /// The TD may not read that metadata field.
    pub const METADATA_FIELD_NOT_READABLE: Self = Self(0xc000_0c02_0000_0000);
    /// The value is not one that the metadata field takes.
    pub const METADATA_FIELD_VALUE_NOT_VALID: Self = Self(0xc000_0c03_0000_0000);
    /// TDG.VM.RD and TDG.SYS.RD, asked for no field: here is the first one's identifier. Not an error.
    pub const METADATA_FIRST_FIELD_ID_IN_CONTEXT: Self = Self(0x0000_0c0b_0000_0000);
    /// TDG.MR.VERIFYREPORT: the platform does not have the report's CPUSVN.
    pub const INVALID_CPUSVN: Self = Self(0xc000_1000_0000_0000);
    /// TDG.MR.VERIFYREPORT: the REPORTMACSTRUCT or its MAC does not hold.
    pub const INVALID_REPORTMACSTRUCT: Self = Self(0xc000_1001_0000_0000);

    /// [`Status::OPERAND_INVALID`] that names `operand`.
    pub const fn operand_invalid(operand: OperandId) -> Self {
        Self(Self::OPERAND_INVALID.0 | operand.0 as u64)
    }

    /// [`Status::OPERAND_BUSY`] that names `operand`.
    pub const fn operand_busy(operand: OperandId) -> Self {
        Self(Self::OPERAND_BUSY.0 | operand.0 as u64)
    }

    /// The status without the half that names the operand, for comparison with the constants of this type.
    pub const fn kind(self) -> Self {
        Self(self.0 & 0xffff_ffff_0000_0000)
    }

    /// What the low half names; meaningful for [`Status::OPERAND_INVALID`] and [`Status::OPERAND_BUSY`].
    pub const fn operand(self) -> OperandId {
        // The other half is what `kind` returns.
        OperandId((self.0 & 0xffff_ffff) as u32)
    }

    /// Whether the call failed. "Success with information" is no failure.
    pub const fn is_error(self) -> bool {
        self.0 >> 63 != 0
    }

    /// The status itself if the call succeeded, perhaps with information; otherwise the error.
    pub const fn into_result(self) -> Result<Self, Error> {
        if self.is_error() {
            Err(Error(self))
        } else {
            Ok(self)
        }
    }

    /// The specification's name of this kind of status.
    pub fn name(self) -> Option<&'static str> {
        // Left alone, the compiler turns the table into code of four times its size, and that into the kernel.
        core::hint::black_box(Self::NAMES)
            .iter()
            .find(|(kind, _)| *kind == self.kind())
            .map(|(_, name)| *name)
    }

    /// The kinds of status that have a name.
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::SUCCESS, "TDX_SUCCESS"),
        (Self::OPERAND_INVALID, "TDX_OPERAND_INVALID"),
        (Self::OPERAND_BUSY, "TDX_OPERAND_BUSY"),
        (Self::NO_VALID_VE_INFO, "TDX_NO_VALID_VE_INFO"),
        (Self::PAGE_ALREADY_ACCEPTED, "TDX_PAGE_ALREADY_ACCEPTED"),
        (Self::PAGE_SIZE_MISMATCH, "TDX_PAGE_SIZE_MISMATCH"),
        (
            Self::METADATA_FIELD_ID_INCORRECT,
            "TDX_METADATA_FIELD_ID_INCORRECT",
        ),
        (
            Self::METADATA_FIELD_NOT_WRITABLE,
            "TDX_METADATA_FIELD_NOT_WRITABLE",
        ),
        (
            Self::METADATA_FIELD_NOT_READABLE,
            "TDX_METADATA_FIELD_NOT_READABLE",
        ),
        (
            Self::METADATA_FIELD_VALUE_NOT_VALID,
            "TDX_METADATA_FIELD_VALUE_NOT_VALID",
        ),
        (
            Self::METADATA_FIRST_FIELD_ID_IN_CONTEXT,
            "TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT",
        ),
        (Self::INVALID_CPUSVN, "TDX_INVALID_CPUSVN"),
        (Self::INVALID_REPORTMACSTRUCT, "TDX_INVALID_REPORTMACSTRUCT"),
    ];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = matches!(self.kind(), Self::OPERAND_INVALID | Self::OPERAND_BUSY);
        match self.name() {
            Some(name) if named => {
                write!(f, "{name} ({}), status {:#018x}", self.operand(), self.0)
            }
            Some(name) => write!(f, "{name}, status {:#018x}", self.0),
            None => write!(f, "status {:#018x}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({self})")
    }
}

/// The operand that a status is about.
///
/// Source: TDX module ABI, "Operand IDs".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperandId(pub u32);

impl OperandId {
    /// RAX: the leaf, its version, or a feature that the leaf needs.
    pub const RAX: Self = Self(0);
    /// RCX.
    pub const RCX: Self = Self(1);
    /// RDX.
    pub const RDX: Self = Self(2);
    /// R8.
    pub const R8: Self = Self(8);
    /// The runtime measurement registers.
    pub const RTMR: Self = Self(0xa8);
    /// A metadata field.
    pub const METADATA_FIELD: Self = Self(0xb0);
}

impl fmt::Display for OperandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RAX => f.write_str("RAX"),
            Self::RCX => f.write_str("RCX"),
            Self::RDX => f.write_str("RDX"),
            Self::R8 => f.write_str("R8"),
            Self::RTMR => f.write_str("RTMR"),
            Self::METADATA_FIELD => f.write_str("METADATA_FIELD"),
            Self(other) => write!(f, "operand {other:#x}"),
        }
    }
}

/// A TDCALL that failed, with the status that says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error(Status);

impl Error {
    /// The completion status; [`Status::is_error`] holds.
    pub const fn status(self) -> Status {
        self.0
    }

    /// Whether another vCPU was in the way, so that the same call may succeed later.
    pub const fn is_busy(self) -> bool {
        self.0.kind().0 == Status::OPERAND_BUSY.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TDCALL failed: {}", self.0)
    }
}

impl core::error::Error for Error {}

/// Performs `call` until it is not refused as busy, at most `attempts` times (and once in any case).
///
/// The TDX module refuses instead of waiting when another vCPU holds a lock that a leaf needs, so a leaf that met
/// nothing worse than a busy register is simply tried again. What the last attempt said is returned.
pub fn retry_while_busy<T>(
    attempts: u32,
    mut call: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut left = attempts;
    loop {
        match call() {
            Err(error) if error.is_busy() && left > 1 => left -= 1,
            result => return result,
        }
        core::hint::spin_loop();
    }
}
