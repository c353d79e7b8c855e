# SPDX-License-Identifier: Apache-2.0 OR MIT
# Checks evidence as `tdx verify` does, with what PyPI has: dcap-qvl for the Quote, cctrusted for the log.
# Arguments: evidence, policy, root certificate, collateral. Fails if anything does not hold.
import base64, hashlib, json, sys, time, tomllib
import dcap_qvl
from cctrusted_base.eventlog import EventLogs, TcgEventLog
from cctrusted_base.tcg import TcgAlgorithmRegistry

evidence = json.load(open(sys.argv[1]))
policy = tomllib.load(open(sys.argv[2], "rb"))
root = open(sys.argv[3], "rb").read()
collateral = dcap_qvl.QuoteCollateralV3.from_json(open(sys.argv[4]).read())

quote = base64.b64decode(evidence["quote"])
verified = dcap_qvl.verify_with_root_ca(quote, collateral, root, int(time.time()))
assert verified.status in policy["tcb"]["accept"], verified.status

td = dcap_qvl.parse_quote(quote).report
size = lambda data: len(data).to_bytes(8, "little")
nonce, data = b"nonce", b""
bound = hashlib.sha512(b"tdx-reportdata-1" + size(nonce) + nonce + size(data) + data).digest()
assert td.report_data == bound, "REPORTDATA"
assert not td.td_attributes[0], "a debug TD"
FIELDS = {
    "mrseam": "mr_seam", "attributes": "td_attributes", "xfam": "xfam", "mrtd": "mr_td", "mrconfigid": "mr_config_id",
    "mrowner": "mr_owner", "mrownerconfig": "mr_owner_config", "rtmr0": "rt_mr0", "rtmr1": "rt_mr1", "rtmr2": "rt_mr2",
    "rtmr3": "rt_mr3",
}
for name, field in FIELDS.items():
    assert getattr(td, field).hex() in policy["td"][name], name

logs = EventLogs(base64.b64decode(evidence["cc_eventlog"]), b"", TcgEventLog.TCG_FORMAT_PCCLIENT)
logs.select(None, None)
registers = EventLogs.replay(logs.event_logs)
for index in range(4):
    value = registers.get(index, {}).get(TcgAlgorithmRegistry.TPM_ALG_SHA384, bytes(48))
    assert bytes(value) == getattr(td, f"rt_mr{index}"), f"RTMR{index}"
print("believed")
