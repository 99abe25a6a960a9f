//! Quantities with units: durations, sizes, packet rates.
//!
//! A quantity is written as a number and a unit without a space: `"500ms"`, `"4MiB"`, `"200kpps"`. It is shown
//! in the largest unit that divides it, so what is read back is what was meant.

use crate::text::{Invalid, textual};
use std::fmt;
use std::str::FromStr;

/// A span of time with nanosecond resolution, up to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// A rate in packets (or handshakes, or messages) per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

const DURATION_FORM: &str = "a number and one of ns, us, ms, s, m, h, d, such as \"500ms\"";
const SIZE_FORM: &str = "a number and one of B, KiB, MiB, GiB, such as \"4MiB\"";
const RATE_FORM: &str = "a number and one of pps, kpps, Mpps, such as \"200kpps\"";

textual!(Duration, "Duration", "a duration such as \"500ms\", \"25s\", \"2m\", \"1h\"", {
    "pattern": r"^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d)$"
});
textual!(Size, "Size", "a size such as \"512B\", \"4KiB\", \"4MiB\", \"1GiB\"", {
    "pattern": r"^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB)$"
});
textual!(Rate, "Rate", "a rate such as \"50pps\", \"200kpps\", \"1.5Mpps\"", {
    "pattern": r"^[0-9]+(\.[0-9]+)?(pps|kpps|Mpps)$"
});

impl Duration {
    /// A span of `milliseconds`.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds.saturating_mul(1_000_000))
    }

    /// A span of `seconds`.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// The span as the standard library's type.
    #[must_use]
    pub const fn get(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }
}

impl Size {
    /// A size of `bytes`.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl Rate {
    /// A rate of `packets` per second.
    #[must_use]
    pub const fn from_pps(packets: u64) -> Self {
        Self(packets)
    }

    /// The rate per second.
    #[must_use]
    pub const fn pps(self) -> u64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        const YEAR_NS: u64 = 366 * 86_400_000_000_000;
        quantity(text, &DURATION_UNITS, YEAR_NS, DURATION_FORM).map(Self)
    }
}

impl FromStr for Size {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        quantity(text, &SIZE_UNITS, 1 << 50, SIZE_FORM).map(Self)
    }
}

impl FromStr for Rate {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        quantity(text, &RATE_UNITS, 1_000_000_000_000, RATE_FORM).map(Self)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, self.0, &DURATION_UNITS, "0s")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, self.0, &SIZE_UNITS, "0B")
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, self.0, &RATE_UNITS, "0pps")
    }
}

/// Reads `number unit` exactly: a fraction is allowed where it ends on a whole base unit.
fn quantity(text: &str, units: &[Unit], most: u64, form: &str) -> Result<u64, Invalid> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    if number.is_empty() {
        return Err(Invalid::new("no number", form));
    }
    if unit.is_empty() {
        return Err(Invalid::new("no unit", form));
    }
    let scale = units.iter().find(|known| known.name == unit).map(|known| known.scale);
    let scale = scale.ok_or_else(|| Invalid::new(format!("unknown unit `{unit}`"), form))?;
    let value = scaled(number, scale).ok_or_else(|| Invalid::new("not a number", form))?;
    if value > most {
        return Err(Invalid::new("too large", form));
    }
    Ok(value)
}

/// `number * scale`, or nothing when it is not a number, does not fit, or leaves a fraction.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 12 || fraction.contains('.') {
        return None;
    }
    let denominator = 10u128.pow(u32::try_from(fraction.len()).ok()?);
    let parts = u128::from(scale).checked_mul(fraction.parse().ok()?)?;
    if parts % denominator != 0 {
        return None;
    }
    let whole = u128::from(scale).checked_mul(whole.parse().ok()?)?;
    u64::try_from(whole.checked_add(parts / denominator)?).ok()
}

/// Writes `value` in the largest unit that divides it.
fn shown(f: &mut fmt::Formatter<'_>, value: u64, units: &[Unit], zero: &str) -> fmt::Result {
    match units.iter().rev().find(|unit| value != 0 && value.is_multiple_of(unit.scale)) {
        Some(unit) => write!(f, "{}{}", value / unit.scale, unit.name),
        None => f.write_str(zero),
    }
}

/// A unit and how many base units it is worth; tables go from small to large.
struct Unit {
    name: &'static str,
    scale: u64,
}

const DURATION_UNITS: [Unit; 7] = [
    Unit { name: "ns", scale: 1 },
    Unit { name: "us", scale: 1_000 },
    Unit { name: "ms", scale: 1_000_000 },
    Unit { name: "s", scale: 1_000_000_000 },
    Unit { name: "m", scale: 60_000_000_000 },
    Unit { name: "h", scale: 3_600_000_000_000 },
    Unit { name: "d", scale: 86_400_000_000_000 },
];

const SIZE_UNITS: [Unit; 4] = [
    Unit { name: "B", scale: 1 },
    Unit { name: "KiB", scale: 1 << 10 },
    Unit { name: "MiB", scale: 1 << 20 },
    Unit { name: "GiB", scale: 1 << 30 },
];

const RATE_UNITS: [Unit; 3] = [
    Unit { name: "pps", scale: 1 },
    Unit { name: "kpps", scale: 1_000 },
    Unit { name: "Mpps", scale: 1_000_000 },
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_read_in_every_unit() {
        let nanoseconds = |text: &str| text.parse::<Duration>().unwrap().get().as_nanos();
        assert_eq!(nanoseconds("7ns"), 7);
        assert_eq!(nanoseconds("1.5s"), 1_500_000_000);
        assert_eq!(nanoseconds("2m"), 120_000_000_000);
        assert_eq!("4MiB".parse::<Size>().unwrap().bytes(), 4_194_304);
        assert_eq!("200kpps".parse::<Rate>().unwrap().pps(), 200_000);
        assert_eq!("1.5Mpps".parse::<Rate>().unwrap().pps(), 1_500_000);
    }

    #[test]
    fn what_is_not_exactly_a_quantity_is_refused() {
        for text in
            ["", "5", "ms", "5 ms", "-5ms", "5.ms", ".5ms", "1.2.3s", "5MS", "0.5ns", "400d"]
        {
            assert!(text.parse::<Duration>().is_err(), "{text:?}");
        }
        assert!(
            "4MB".parse::<Size>().is_err(),
            "decimal units are not offered: they invite mistakes"
        );
        assert!("0.0001pps".parse::<Rate>().is_err());
        assert!("99999999999999999999999s".parse::<Duration>().is_err());
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_is_allowed() {
        let error = "5parsecs".parse::<Duration>().unwrap_err();
        assert_eq!(error.why, "unknown unit `parsecs`");
        assert!(error.allowed.contains("ms, s, m"));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_quantity(value in 0u64..10_000_000_000_000) {
            prop_assert_eq!(Duration(value).to_string().parse::<Duration>().unwrap(), Duration(value));
            prop_assert_eq!(Size(value).to_string().parse::<Size>().unwrap(), Size(value));
            let rate = Rate(value.min(1_000_000_000_000));
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }
    }
}
