// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Several things by turns.

use std::time::Duration;

use rustix::time::{clock_gettime, ClockId};

/// Does each of them once per round, by turns, and gives the least time of each: that of the CPU, which other programs do
/// not add to.
pub(crate) fn least(rounds: u32, sides: &mut [&mut dyn FnMut()]) -> Vec<Duration> {
    let mut least = vec![Duration::MAX; sides.len()];
    for _ in 0..rounds {
        for (side, least) in sides.iter_mut().zip(&mut least) {
            let start = cpu_time();
            side();
            *least = (cpu_time() - start).min(*least);
        }
    }
    least
}

/// How long this thread has run.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// The ratio of two times.
pub(crate) fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
