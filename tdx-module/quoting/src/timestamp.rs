// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Points in time, as certificates and collateral write them.

use der::asn1::{GeneralizedTime, UtcTime};
use der::DateTime;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use x509_cert::time::Time;

/// How long a day is.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A second of the years 1970 to 9999, in UTC; read and displayed as RFC 3339 has it: `2026-01-31T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(DateTime);

/// Text or a number that is no [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of the years 1970 to 9999 such as 2026-01-31T00:00:00Z, found {found}")]
pub struct TimestampError {
    found: String,
}

impl Timestamp {
    /// A time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// The time is after the year 9999.
    pub fn from_unix(seconds: u64) -> Result<Self, TimestampError> {
        DateTime::from_unix_duration(Duration::from_secs(seconds))
            .map(Self)
            .map_err(|_| TimestampError {
                found: format!("{seconds} s after 1970"),
            })
    }

    /// The time in seconds since 1970.
    pub fn unix(self) -> u64 {
        self.0.unix_duration().as_secs()
    }

    /// The midnight with which the current day began.
    ///
    /// What a service issues at this time is the same all day.
    ///
    /// # Errors
    ///
    /// The system's clock is before 1970 or after 9999.
    pub fn today() -> Result<Self, TimestampError> {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| TimestampError {
                found: "a system clock before 1970".to_owned(),
            })?
            .as_secs();
        Self::from_unix(now - now % DAY.as_secs())
    }

    /// The time `days` later.
    ///
    /// # Errors
    ///
    /// That is after the year 9999.
    pub fn add_days(self, days: u32) -> Result<Self, TimestampError> {
        Self::from_unix(self.unix() + DAY.as_secs() * u64::from(days))
    }

    /// The form that RFC 5280 (section 4.1.2.5) wants: two digits for the year as long as they are enough.
    pub(crate) fn to_x509(self) -> Time {
        UtcTime::from_date_time(self.0).map_or_else(
            |_| Time::GeneralTime(GeneralizedTime::from_date_time(self.0)),
            Time::UtcTime,
        )
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse().map(Self).map_err(|_| TimestampError {
            found: format!("{text:?}"),
        })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_displays() {
        let time = Timestamp::from_unix(1_782_864_000).unwrap();
        assert_eq!(time.to_string(), "2026-07-01T00:00:00Z");
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(time.unix(), 1_782_864_000);
        assert_eq!(
            time.add_days(31).unwrap().to_string(),
            "2026-08-01T00:00:00Z"
        );
    }

    #[test]
    fn other_text_is_refused_and_shown() {
        let error = "2026-07-01".parse::<Timestamp>().unwrap_err();
        assert!(
            error.to_string().ends_with("found \"2026-07-01\""),
            "{error}"
        );
        assert!(Timestamp::from_unix(u64::MAX).is_err());
    }

    #[test]
    fn certificates_have_utc_time_until_2049() {
        let x509 = |text: &str| text.parse::<Timestamp>().unwrap().to_x509();
        assert!(matches!(x509("2049-12-31T23:59:59Z"), Time::UtcTime(_)));
        assert!(matches!(x509("2050-01-01T00:00:00Z"), Time::GeneralTime(_)));
    }
}
