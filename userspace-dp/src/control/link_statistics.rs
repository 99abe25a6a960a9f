//! The kernel's own counters of each link, from `/proc/net/dev` of this network namespace.

use std::collections::BTreeMap;

use crate::api::LinkStatistics;

/// The counters by name of the link; empty when the file cannot be read.
pub fn read() -> BTreeMap<String, LinkStatistics> {
    let table = std::fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    table.lines().filter_map(row).collect()
}

/// A line of the table: name, then eight receive and eight transmit counters (bytes, packets, errors, drops, ..).
fn row(line: &str) -> Option<(String, LinkStatistics)> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<u64> =
        counters.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let &[
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        _,
        _,
        _,
        _,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
        ..,
    ] = counters.as_slice()
    else {
        return None;
    };
    let statistics = LinkStatistics {
        rx_packets,
        rx_bytes,
        rx_dropped,
        rx_errors,
        tx_packets,
        tx_bytes,
        tx_dropped,
        tx_errors,
    };
    Some((name.trim().to_owned(), statistics))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_and_a_heading_is_not() {
        let line = "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        let (name, statistics) = row(line).unwrap();
        assert_eq!(name, "eth0");
        assert_eq!((statistics.rx_bytes, statistics.rx_packets), (1, 2));
        assert_eq!((statistics.rx_errors, statistics.rx_dropped), (3, 4));
        assert_eq!((statistics.tx_bytes, statistics.tx_dropped), (9, 12));
        assert!(row(" face |bytes    packets").is_none());
    }
}
