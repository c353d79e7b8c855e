# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Gets a Quote, and where the device is used a TDREPORT, with the package cctrusted_vm.

It takes configfs-tsm where there is some, a QGS over vsock where /etc/tdx-attest.conf
names a port, and the device otherwise.

The class that its CCTrustedVmSdk wraps is used by itself: the SDK itself wants a CCEL,
the event log of the firmware, before it does anything, and a TD that was booted without
firmware has none.

Usage: cctrusted.py WAY NONCE, in base64. Prints `quote WAY BYTES`, in hexadecimal digits.
"""

import sys

from cctrusted_vm.cvm import TdxVM

_, way, nonce = sys.argv
vm = TdxVM()
quote = vm.get_cc_report(nonce, None, None)
if quote is None:
    sys.exit(f"cctrusted_vm got no Quote by {way}")
if vm.tdreport is not None:
    print("report", way, bytes(vm.tdreport.data).hex())
print("quote", way, bytes(quote.data).hex())
