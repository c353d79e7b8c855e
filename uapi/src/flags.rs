// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! What a TD was allowed to do: ATTRIBUTES and XFAM.

use core::fmt;

/// Defines a 64-bit set of flags that keeps bits it has no name for.
macro_rules! flags {
    (
        $(#[$type_doc:meta])*
        $type:ident { $($(#[$doc:meta])* $name:ident = $bits:expr;)* }
    ) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub u64);

        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($bits);)*

            const NAMES: &'static [(Self, &'static str)] = &[$((Self::$name, stringify!($name))),*];

            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The names of the flags that are set, lowest bit first.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
            }

            /// The flag of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::NAMES.iter().find(|(_, known)| *known == name).map(|(flag, _)| *flag)
            }

            /// The bits that are set and that [`names`](Self::names) has no name for; a flag of several bits has its
            /// name only when all of them are set.
            pub fn unknown(self) -> u64 {
                Self::NAMES
                    .iter()
                    .filter(|(flag, _)| self.contains(*flag))
                    .fold(self.0, |rest, (flag, _)| rest & !flag.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#018x}", self.0)?;
                self.names().try_for_each(|name| write!(f, " {name}"))?;
                match self.unknown() {
                    0 => Ok(()),
                    rest => write!(f, " unknown:{rest:#x}"),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
    };
}

flags! {
    /// The attributes of a TD.
    ///
    /// A TD with a bit of 7:0 set is not to be trusted with secrets: those make it debuggable or observable.
    ///
    /// Source: TDX module ABI, "ATTRIBUTES"; the names are those of Linux's `arch/x86/include/asm/shared/tdx.h`.
    Attributes {
        /// The host may debug the TD and read its memory.
        DEBUG = 1 << 0;
        /// HGS+ profiling is allowed.
        HGS_PLUS_PROF = 1 << 4;
        /// Performance profiling with the host's counters is allowed.
        PERF_PROF = 1 << 5;
        /// Platform monitoring is allowed.
        PMT_PROF = 1 << 6;
        /// Interrupt-based side-channel mitigations are disabled.
        ICSSD = 1 << 16;
        /// The TD may use linear address space separation.
        LASS = 1 << 27;
        /// Access to a pending page does not raise #VE, so the host cannot inject one that way.
        SEPT_VE_DISABLE = 1 << 28;
        /// The TD may be migrated to another platform.
        MIGRATABLE = 1 << 29;
        /// The TD may use supervisor protection keys.
        PKS = 1 << 30;
        /// The TD may use Key Locker.
        KL = 1 << 31;
        /// The TD is a TDX Connect provisioning agent.
        TPA = 1 << 62;
        /// The TD may use the performance counters.
        PERFMON = 1 << 63;
    }
}

flags! {
    /// The extended features that a TD may use, with the bits of XCR0 and IA32_XSS.
    ///
    /// Source: TDX module ABI, "XFAM"; Intel SDM volume 1, chapter 13, "State components".
    Xfam {
        /// x87 state.
        X87 = 1 << 0;
        /// SSE state.
        SSE = 1 << 1;
        /// AVX state.
        AVX = 1 << 2;
        /// MPX state.
        MPX = 0b11 << 3;
        /// AVX-512 state.
        AVX512 = 0b111 << 5;
        /// Processor Trace.
        PT = 1 << 8;
        /// Protection keys for user pages.
        PKRU = 1 << 9;
        /// PASID state.
        PASID = 1 << 10;
        /// Control-flow enforcement, user and supervisor.
        CET = 0b11 << 11;
        /// Hardware duty cycling.
        HDC = 1 << 13;
        /// User interrupts.
        UINTR = 1 << 14;
        /// Last-branch records.
        LBR = 1 << 15;
        /// Hardware P-states.
        HWP = 1 << 16;
        /// AMX tile state.
        AMX = 0b11 << 17;
        /// APX state.
        APX = 1 << 19;
    }
}
