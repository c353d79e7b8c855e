// SPDX-License-Identifier: Apache-2.0 OR MIT

//! GET_REPORT in the form of the TDX 1.0 driver, which programs that find `/dev/tdx-guest` use. Both nodes serve it.

use super::pointers::for_each_node;
use crate::device::{assert_carries, random_reportdata, request_1_0, Device, LINUX_NODE};
use crate::harness::{test, Test};
use crate::memory::{Address, Pages, PAGE};
use crate::options::{Driver, Options};
use anyhow::Result;
use nix::errno::Errno;
use nix::sys::mman::ProtFlags;
use tdx_uapi::ioctl::{Tdx10ReportReq, TDX_1_0_CMD_GET_REPORT};

pub(super) const TESTS: &[Test] = &[
    test!(returns_what_the_form_in_place_does).only(&[Driver::Rust]),
    test!(does_not_write_to_the_request).only(&[Driver::Rust]),
    test!(ignores_padding).only(&[Driver::Rust]),
    test!(takes_reportdata_from_where_the_report_goes).only(&[Driver::Rust]),
    test!(with_another_subtype_or_length_is_einval).only(&[Driver::Rust]),
    test!(with_bad_pointers_is_efault).only(&[Driver::Rust]),
    test!(is_unknown_to_the_c_driver).only(&[Driver::C]),
];

/// A request at the start of the first page, REPORTDATA and TDREPORT on a page each.
struct Layout<'a> {
    device: &'a Device,
    pages: Pages,
    reportdata: [u8; 64],
}

const REQUEST: usize = 0;
const REPORTDATA: usize = PAGE;
const TDREPORT: usize = 2 * PAGE;

/// What is where the report is to go.
const BEFORE: [u8; 1024] = [0x3c; 1024];

impl<'a> Layout<'a> {
    fn new(device: &'a Device) -> Result<Self> {
        let layout = Self {
            device,
            pages: Pages::new(3)?,
            reportdata: random_reportdata()?,
        };
        layout.pages.write(REPORTDATA, &layout.reportdata)?;
        layout.pages.write(TDREPORT, &BEFORE)?;
        Ok(layout)
    }

    fn request(&self) -> Tdx10ReportReq {
        request_1_0(self.pages.at(REPORTDATA), self.pages.at(TDREPORT))
    }

    fn call(&self, request: &Tdx10ReportReq) -> Result<nix::Result<()>> {
        self.device.get_report_1_0(&self.pages, REQUEST, request)
    }

    fn report(&self) -> Result<Vec<u8>> {
        Ok(self.pages.read(TDREPORT, BEFORE.len())?)
    }
}

fn returns_what_the_form_in_place_does(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        layout.call(&layout.request())??;
        let expected = layout.device.get_report(&layout.reportdata)?;
        assert!(
            layout.report()? == expected,
            "the two forms return different reports"
        );
        assert_eq!(layout.pages.read(REPORTDATA, 64)?, layout.reportdata);
        Ok(())
    })
}

fn does_not_write_to_the_request(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        layout.call(&layout.request())??;
        // The ioctl's number says that it writes there; that the request may be read-only shows that it does not.
        layout.pages.protect(0, ProtFlags::PROT_READ)?;
        layout.pages.write(TDREPORT, &BEFORE)?;
        layout
            .device
            .ioctl(TDX_1_0_CMD_GET_REPORT, layout.pages.at(REQUEST))?;
        assert_carries(&layout.report()?, &layout.reportdata);
        Ok(())
    })
}

fn ignores_padding(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        let request = Tdx10ReportReq {
            padding0: [0xff; 7],
            padding1: u32::MAX,
            padding2: u32::MAX,
            ..layout.request()
        };
        layout.call(&request)??;
        assert_carries(&layout.report()?, &layout.reportdata);
        Ok(())
    })
}

fn takes_reportdata_from_where_the_report_goes(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        layout.pages.write(TDREPORT + 100, &layout.reportdata)?;
        let request = request_1_0(layout.pages.at(TDREPORT + 100), layout.pages.at(TDREPORT));
        layout.call(&request)??;
        let expected = layout.device.get_report(&layout.reportdata)?;
        assert!(
            layout.report()? == expected,
            "REPORTDATA was overwritten before it was read"
        );
        Ok(())
    })
}

fn with_another_subtype_or_length_is_einval(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        let good = layout.request();
        let mut bad = vec![];
        bad.extend([1, 2, 0xff].map(|subtype| Tdx10ReportReq { subtype, ..good }));
        bad.extend([0, 1, 63, 65, 128, u32::MAX].map(|rpd_len| Tdx10ReportReq { rpd_len, ..good }));
        bad.extend(
            [0, 64, 1023, 1025, 4096, u32::MAX].map(|tdr_len| Tdx10ReportReq { tdr_len, ..good }),
        );
        // The lengths are looked at before the pointers are used.
        bad.push(Tdx10ReportReq {
            tdr_len: 0,
            tdreport: 0,
            reportdata: 0,
            ..good
        });
        for request in bad {
            assert_eq!(layout.call(&request)?, Err(Errno::EINVAL), "{request:?}");
            assert!(
                layout.report()? == BEFORE,
                "{request:?} has written something"
            );
        }
        Ok(())
    })
}

fn with_bad_pointers_is_efault(options: &Options) -> Result<()> {
    for_each_node(options, |device| {
        let layout = Layout::new(device)?;
        let good = layout.request();
        let wild = [
            Address::NULL,
            Address::END_OF_USER,
            Address::NOT_CANONICAL,
            Address::KERNEL,
            Address::WRAPS,
        ];
        for address in wild {
            let wild = address.value();
            let call = layout.device.ioctl(TDX_1_0_CMD_GET_REPORT, address);
            assert_eq!(call, Err(Errno::EFAULT), "request at {wild:#x}");
            let call = layout.call(&Tdx10ReportReq {
                reportdata: wild,
                ..good
            })?;
            assert_eq!(call, Err(Errno::EFAULT), "REPORTDATA at {wild:#x}");
            assert!(
                layout.report()? == BEFORE,
                "a report without REPORTDATA was written"
            );
            let call = layout.call(&Tdx10ReportReq {
                tdreport: wild,
                ..good
            })?;
            assert_eq!(call, Err(Errno::EFAULT), "TDREPORT at {wild:#x}");
        }
        layout.pages.protect(2, ProtFlags::PROT_READ)?;
        assert_eq!(
            layout.call(&good)?,
            Err(Errno::EFAULT),
            "TDREPORT is read-only"
        );
        assert!(layout.report()? == BEFORE, "read-only memory was written");
        layout.pages.unmap(1)?;
        assert_eq!(
            layout.call(&good)?,
            Err(Errno::EFAULT),
            "REPORTDATA is not there"
        );
        Ok(())
    })
}

fn is_unknown_to_the_c_driver(_: &Options) -> Result<()> {
    let device = Device::open(LINUX_NODE)?;
    let pages = Pages::new(1)?;
    assert_eq!(
        device.ioctl(TDX_1_0_CMD_GET_REPORT, pages.at(0)),
        Err(Errno::ENOTTY)
    );
    Ok(())
}
