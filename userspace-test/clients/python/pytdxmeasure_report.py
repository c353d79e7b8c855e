# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Gets a TDREPORT with the package pytdxmeasure, which speaks the TDX 1.0 ABI to a
/dev/tdx-guest that it finds, and Linux's to a /dev/tdx_guest.

Usage: pytdxmeasure_report.py WAY REPORTDATA, with 64 bytes in hexadecimal digits.
Prints `report WAY BYTES`, in the same form.
"""

import sys

from pytdxmeasure.tdreport import TdReport

_, way, reportdata = sys.argv
report = TdReport.get_td_report(bytes.fromhex(reportdata))
print("report", way, bytes(report.data).hex())
