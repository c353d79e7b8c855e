// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Reading a log, and replaying it.

use core::hint::black_box;
use tdx_firmware::event_log::{EventLog, Replay};
use tdx_firmware::Sha2;

/// Replays what is in the area. How events are displayed is not looked at: nobody pays for it who does not display them.
pub(crate) fn run(area: &[u8]) {
    let Ok(log) = EventLog::parse(area) else {
        return;
    };
    let mut replay = Replay::new(Sha2);
    for event in log.events().map_while(Result::ok) {
        black_box(replay.apply(&event));
    }
    black_box(replay.rtmrs());
}
