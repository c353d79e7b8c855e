// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only

//! The C header and its Rust twin say the same.
//!
//! Three lists must have the same members: what the header defines, what `src/ioctl.rs` defines, and the tables below.
//! What the tables say in Rust is then put to a C compiler as assertions about the header, for 64-bit and for 32-bit
//! programs.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;
use tdx_uapi::ioctl::{
    Tdx10ReportReq, TdxExtendRtmrReq, TdxQuoteHdr, TdxQuoteReq, TdxReportReq, TdxVerifyReportReq,
    TDX_1_0_CMD_GET_QUOTE, TDX_1_0_CMD_GET_REPORT, TDX_1_5_CMD_GET_QUOTE,
    TDX_1_5_CMD_GET_QUOTE_IOWR, TDX_CMD_EXTEND_RTMR, TDX_CMD_EXTEND_RTMR_IOW, TDX_CMD_GET_QUOTE,
    TDX_CMD_GET_QUOTE_IOWR, TDX_CMD_GET_REPORT, TDX_CMD_VERIFYREPORT,
};
use tdx_uapi::{QuoteStatus, DIGEST_LEN, REPORTDATA_LEN, REPORTMACSTRUCT_LEN, TDREPORT_LEN};

const HEADER: &str = include_str!("../include/uapi/linux/tdx-guest.h");
const TWIN: &str = include_str!("../src/ioctl.rs");

/// A macro of the header and the constant that is its twin.
struct Constant {
    c: &'static str,
    rust: &'static str,
    value: u64,
}

/// A structure of the header and the type that is its twin, whose fields have the same names.
struct Structure {
    c: &'static str,
    rust: &'static str,
    size: usize,
    fields: &'static [Field],
}

struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

macro_rules! constants {
    ($($c:ident = $rust:ident;)*) => {
        &[$(Constant { c: stringify!($c), rust: stringify!($rust), value: $rust as u64 }),*]
    };
}

macro_rules! structures {
    ($($c:ident = $rust:ident { $($field:ident)* })*) => {
        &[$(Structure {
            c: stringify!($c),
            rust: stringify!($rust),
            size: size_of::<$rust>(),
            fields: &[$(Field {
                name: stringify!($field),
                offset: offset_of!($rust, $field),
                size: size_of_result(|value: &$rust| &value.$field),
            }),*],
        }),*]
    };
}

const fn size_of_result<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

// A name for each status: the table takes names only.
const SUCCESS: u64 = QuoteStatus::SUCCESS.0;
const IN_FLIGHT: u64 = QuoteStatus::IN_FLIGHT.0;
const ERROR: u64 = QuoteStatus::ERROR.0;
const SERVICE_UNAVAILABLE: u64 = QuoteStatus::SERVICE_UNAVAILABLE.0;

const CONSTANTS: &[Constant] = constants! {
    TDX_REPORTDATA_LEN = REPORTDATA_LEN;
    TDX_REPORT_LEN = TDREPORT_LEN;
    TDX_CMD_GET_REPORT = TDX_CMD_GET_REPORT;
    TDX_CMD_GET_REPORT0 = TDX_CMD_GET_REPORT;
    TDX_1_0_CMD_GET_REPORT = TDX_1_0_CMD_GET_REPORT;
    TDX_QUOTE_SUCCESS = SUCCESS;
    TDX_QUOTE_IN_FLIGHT = IN_FLIGHT;
    TDX_QUOTE_ERROR = ERROR;
    TDX_QUOTE_SERVICE_UNAVAILABLE = SERVICE_UNAVAILABLE;
    TDX_CMD_GET_QUOTE = TDX_CMD_GET_QUOTE;
    TDX_1_0_CMD_GET_QUOTE = TDX_1_0_CMD_GET_QUOTE;
    TDX_1_5_CMD_GET_QUOTE = TDX_1_5_CMD_GET_QUOTE;
    TDX_1_5_CMD_GET_QUOTE_IOWR = TDX_1_5_CMD_GET_QUOTE_IOWR;
    TDX_CMD_GET_QUOTE_IOWR = TDX_CMD_GET_QUOTE_IOWR;
    TDX_REPORTMACSTRUCT_LEN = REPORTMACSTRUCT_LEN;
    TDX_CMD_VERIFYREPORT = TDX_CMD_VERIFYREPORT;
    TDX_EXTEND_RTMR_DATA_LEN = DIGEST_LEN;
    TDX_CMD_EXTEND_RTMR = TDX_CMD_EXTEND_RTMR;
    TDX_CMD_EXTEND_RTMR_IOW = TDX_CMD_EXTEND_RTMR_IOW;
};

const STRUCTURES: &[Structure] = structures! {
    tdx_report_req = TdxReportReq { reportdata tdreport }
    tdx_1_0_report_req = Tdx10ReportReq {
        subtype padding0 reportdata rpd_len padding1 tdreport tdr_len padding2
    }
    tdx_quote_hdr = TdxQuoteHdr { version status in_len out_len }
    tdx_quote_req = TdxQuoteReq { buf len }
    tdx_verifyreport_req = TdxVerifyReportReq { reportmac rpm_len padding }
    tdx_extend_rtmr_req = TdxExtendRtmrReq { data index }
};

/// The constants that live elsewhere in the crate.
const NOT_IN_TWIN: [&str; 8] = [
    "DIGEST_LEN",
    "REPORTDATA_LEN",
    "REPORTMACSTRUCT_LEN",
    "TDREPORT_LEN",
    "SUCCESS",
    "IN_FLIGHT",
    "ERROR",
    "SERVICE_UNAVAILABLE",
];

type Names<'a> = BTreeSet<&'a str>;

/// The word that follows `prefix` in each line of `source` that begins so.
fn words_after<'a>(source: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    source
        .lines()
        .filter_map(move |line| line.strip_prefix(prefix)?.split([' ', '\t', ':']).next())
}

/// `structure.field` for every field between a line that begins with `prefix`, the structure's name and ` {`, and the
/// next that begins with `}`. `name` finds a field's name in a line.
fn fields(source: &str, prefix: &str, name: fn(&str) -> Option<&str>) -> BTreeSet<String> {
    let mut structure = None;
    let mut found = BTreeSet::new();
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix(prefix) {
            structure = rest.strip_suffix(" {");
        } else if line.starts_with('}') {
            structure = None;
        } else if let (Some(structure), Some(field)) = (structure, name(line)) {
            found.insert(format!("{structure}.{field}"));
        }
    }
    found
}

#[test]
fn header_rust_and_the_tables_have_the_same_constants() {
    let guard = words_after(HEADER, "#ifndef ")
        .next()
        .expect("the header has an include guard");
    let in_header: Names = words_after(HEADER, "#define ")
        .filter(|&name| name != guard)
        .collect();
    assert_eq!(
        in_header,
        CONSTANTS
            .iter()
            .map(|constant| constant.c)
            .collect::<Names>()
    );

    let in_twin: Names = words_after(TWIN, "pub const ").chain(NOT_IN_TWIN).collect();
    assert_eq!(
        in_twin,
        CONSTANTS
            .iter()
            .map(|constant| constant.rust)
            .collect::<Names>()
    );
}

#[test]
fn header_rust_and_the_tables_have_the_same_structures() {
    let table = |name: fn(&Structure) -> &str| -> BTreeSet<String> {
        let fields = |of: &'static Structure| {
            of.fields
                .iter()
                .map(move |field| format!("{}.{}", name(of), field.name))
        };
        STRUCTURES.iter().flat_map(fields).collect()
    };
    let in_header = fields(HEADER, "struct ", |line| {
        line.trim()
            .strip_suffix(';')?
            .split('[')
            .next()?
            .split(' ')
            .nth(1)
    });
    assert_eq!(in_header, table(|structure| structure.c));

    let in_twin = fields(TWIN, "pub struct ", |line| {
        line.trim().strip_prefix("pub ")?.split(':').next()
    });
    assert_eq!(in_twin, table(|structure| structure.rust));
}

/// A C program of nothing but what Rust says about the header.
fn assertions() -> String {
    // The header comes first, so that it has to include by itself all that it needs.
    let mut program = "#include <linux/tdx-guest.h>\n#include <stddef.h>\n".to_owned();
    let mut assert = |left: String, right: u64| {
        writeln!(
            program,
            "_Static_assert({left} == {right:#x}, \"in Rust it is {right:#x}\");"
        )
        .expect("a String takes any text");
    };
    for Constant { c, value, .. } in CONSTANTS {
        assert((*c).to_owned(), *value);
    }
    for Structure {
        c, size, fields, ..
    } in STRUCTURES
    {
        assert(format!("sizeof(struct {c})"), *size as u64);
        for Field { name, offset, size } in *fields {
            assert(format!("offsetof(struct {c}, {name})"), *offset as u64);
            assert(format!("sizeof(((struct {c} *)0)->{name})"), *size as u64);
        }
    }
    program
}

/// Compiles `program` against the header and returns what the compiler has to say against it.
fn complaints(program: &str, word_size: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("assertions.c");
    fs::write(&file, program).expect("the program can be written");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/uapi");
    let output = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            word_size,
        ])
        // The system's own <linux/tdx-guest.h> must not be the one that is tested.
        .arg("-I")
        .arg(include)
        // Debian keeps <asm/…> here, where a compiler for 32 bits does not look; the files serve both.
        .args(["-idirafter", "/usr/include/x86_64-linux-gnu"])
        .arg(&file)
        .output()
        .expect("cannot run `cc`: the C compiler is needed to read the header");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn header_and_rust_agree() {
    for word_size in ["-m64", "-m32"] {
        if let Some(complaints) = complaints(&assertions(), word_size) {
            panic!("with {word_size}:\n{complaints}");
        }
    }
}

#[test]
fn a_difference_is_noticed() {
    let wrong = assertions().replacen("tdr_len) == 0x20", "tdr_len) == 0x24", 1);
    let complaints = complaints(&wrong, "-m64").expect("the compiler accepts a wrong offset");
    assert!(complaints.contains("in Rust it is 0x20"), "{complaints}");
}
