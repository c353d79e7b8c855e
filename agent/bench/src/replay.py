# SPDX-License-Identifier: Apache-2.0 OR MIT
# Replays the log argv[1] argv[2] times with cctrusted, and prints RTMR0 to RTMR3.
import sys
from cctrusted_base.eventlog import EventLogs, TcgEventLog
from cctrusted_base.tcg import TcgAlgorithmRegistry

log = open(sys.argv[1], "rb").read()
for _ in range(int(sys.argv[2])):
    logs = EventLogs(log, b"", TcgEventLog.TCG_FORMAT_PCCLIENT)
    logs.select(None, None)
    registers = EventLogs.replay(logs.event_logs)
for index in range(4):
    by_algorithm = registers.get(index, {})
    print(bytes(by_algorithm.get(TcgAlgorithmRegistry.TPM_ALG_SHA384, bytes(48))).hex())
