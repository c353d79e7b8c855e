// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What GET_REPORT returns.

use super::nodes;
use crate::device::{assert_carries, random_reportdata, Device, Report};
use crate::harness::{test, Test};
use crate::options::Options;
use crate::report::sha384;
use anyhow::{Context, Result};
use tdx_uapi::{ReportType, TdReport};

pub(super) const TESTS: &[Test] = &[
    test!(is_a_tdreport_with_the_reportdata_that_was_asked_for),
    test!(has_hashes_that_hold),
    test!(has_zeros_where_the_specification_says_so),
    test!(differs_from_the_next_in_reportdata_and_mac_only),
    test!(is_the_same_for_the_same_reportdata),
];

/// A report from each node, for the same REPORTDATA.
fn reports(options: &Options, reportdata: &[u8; 64]) -> Result<Vec<Report>> {
    let report = |node: &&str| {
        Device::open(node)?
            .get_report(reportdata)
            .with_context(|| format!("GET_REPORT on {node}"))
    };
    nodes::of(options.driver).iter().map(report).collect()
}

fn is_a_tdreport_with_the_reportdata_that_was_asked_for(options: &Options) -> Result<()> {
    // Of the patterns, some show bytes that are mixed up or left out, and the last shows what a fixed answer would hide.
    let counting = std::array::from_fn(|i| u8::try_from(i).expect("less than 64"));
    for reportdata in [[0; 64], [0xff; 64], counting, random_reportdata()?] {
        for report in reports(options, &reportdata)? {
            let kind = TdReport::parse(&report)?.mac.report_type.kind;
            assert_eq!(kind, ReportType::TDX);
            assert_carries(&report, &reportdata);
        }
    }
    Ok(())
}

fn has_hashes_that_hold(options: &Options) -> Result<()> {
    for report in reports(options, &random_reportdata()?)? {
        TdReport::parse(&report)?.check_hashes(sha384)?;
    }
    Ok(())
}

fn has_zeros_where_the_specification_says_so(options: &Options) -> Result<()> {
    for report in reports(options, &[0xff; 64])? {
        let report = TdReport::parse(&report)?;
        assert_eq!(report.mac.report_type.reserved, 0);
        assert_eq!(report.mac.reserved0, [0; 12]);
        assert_eq!(report.mac.reserved1, [0; 32]);
        assert_eq!(report.reserved, [0; 17]);
        assert_eq!(report.td_info.reserved, [0; 64]);
    }
    Ok(())
}

fn differs_from_the_next_in_reportdata_and_mac_only(options: &Options) -> Result<()> {
    let first = reports(options, &[0x11; 64])?;
    let second = reports(options, &[0xee; 64])?;
    for (first, second) in first.iter().zip(&second) {
        let (mut first, second) = (TdReport::parse(first)?.clone(), TdReport::parse(second)?);
        assert_ne!(
            first.mac.mac, second.mac.mac,
            "the MAC does not cover REPORTDATA"
        );
        first.mac.reportdata = second.mac.reportdata;
        first.mac.mac = second.mac.mac;
        assert_eq!(first, *second);
    }
    Ok(())
}

fn is_the_same_for_the_same_reportdata(options: &Options) -> Result<()> {
    let reportdata = random_reportdata()?;
    let mut all = reports(options, &reportdata)?;
    all.extend(reports(options, &reportdata)?);
    for report in &all {
        assert!(
            *report == all[0],
            "{}\nis not\n{}",
            TdReport::parse(report)?,
            TdReport::parse(&all[0])?
        );
    }
    Ok(())
}
