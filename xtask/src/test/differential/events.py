# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reads logs with cctrusted, and prints a line of JSON for each: its events, and what ended the reading."""

import json
import sys

from cctrusted_base.eventlog import EventLogs, TcgEventLog
from cctrusted_base.tcg import TcgPcClientImrEvent


def shown(event):
    digests = []
    if not isinstance(event, TcgPcClientImrEvent):
        digests = [[digest.alg.alg_id, digest.hash.hex()] for digest in event.digests]
    return {
        # It counts registers from RTMR0 on, and the log from MRTD on.
        "mr": (event.imr_index + 1) & 0xFFFFFFFF,
        "event_type": event.event_type,
        "digests": digests,
        "data": event.event.hex(),
    }


for path in sys.argv[1:]:
    with open(path, "rb") as file:
        data = file.read()
    # It is a variable of the class, so that it would be there from the last log.
    EventLogs.spec_id_header_event = None
    logs = EventLogs(data, None, TcgEventLog.TCG_FORMAT_PCCLIENT)
    error = None
    try:
        logs.select(None, None)
    except Exception as failure:  # Whatever it is, the log was read up to there.
        error = repr(failure)
    print(json.dumps({"events": [shown(event) for event in logs.event_logs], "error": error}))
