//! Numbers for people: bytes, times, ratios. JSON has the raw ones.

/// `part` of `whole` with one decimal; empty when there is no whole.
pub(super) fn per(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1}", part as f64 / whole as f64) }
}

/// `part` of `whole` in percent; empty when there is no whole.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1}%", 100.0 * part as f64 / whole as f64) }
}

/// Bytes in the largest binary unit below them, as wg(8) shows them.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2} {}", UNITS[unit])
}

/// A short time in the unit that suits it.
pub(super) fn nanoseconds(count: u64) -> String {
    match count {
        0..1_000 => format!("{count}ns"),
        1_000..1_000_000 => format!("{:.1}us", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1}ms", count as f64 / 1e6),
        _ => format!("{:.1}s", count as f64 / 1e9),
    }
}

/// A long time in its two largest units.
pub(super) fn seconds(count: u64) -> String {
    let (days, hours) = (count / 86_400, count / 3_600 % 24);
    let (minutes, rest) = (count / 60 % 60, count % 60);
    match count {
        0..60 => format!("{rest}s"),
        60..3_600 => format!("{minutes}m{rest:02}s"),
        3_600..86_400 => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_shown_in_the_unit_that_suits_them() {
        assert_eq!([bytes(1023), bytes(1536), bytes(5 << 30)], ["1023 B", "1.50 KiB", "5.00 GiB"]);
        assert_eq!([nanoseconds(999), nanoseconds(1_500)], ["999ns", "1.5us"]);
        assert_eq!([nanoseconds(2_000_000), nanoseconds(3_000_000_000)], ["2.0ms", "3.0s"]);
        assert_eq!([seconds(59), seconds(61), seconds(3_660)], ["59s", "1m01s", "1h01m"]);
        assert_eq!(seconds(90_000), "1d01h");
        assert_eq!(bytes(u64::MAX), "16384.00 PiB");
    }

    #[test]
    fn a_ratio_to_nothing_is_empty() {
        assert_eq!([per(1, 0), percent(1, 0)], ["", ""]);
        assert_eq!([per(3, 2), percent(1, 8)], ["1.5", "12.5%"]);
    }
}
