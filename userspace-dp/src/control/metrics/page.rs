//! The operator's page on metrics and drop reasons, written from the tables that the program runs on.

use std::fmt::Write;

use telemetry::Reason;

use super::families::FAMILIES;

/// The command that writes the page anew, named where it is found stale.
const REGENERATE: &str = "UPDATE_PAGES=1 cargo test -p ringwall --lib page";

const INTRODUCTION: &str = "\
The endpoint `telemetry.listen` (by default `127.0.0.1:9586`) answers `GET /metrics` in the OpenMetrics text format,
`/healthz` (every worker's heartbeat advances) and `/readyz` (healthy, and at least one interface has a link) with 200 or
503 and one line that says what is missing. There is no authentication: keep it on loopback or
on a unix socket (`unix:/path`), which only the gateway's user and the group of the socket's file may open.

Counters never reset while the process lives; rates are the reader's arithmetic. Every unit is a base unit. Labels take
values from the configuration and from the program only, never from traffic. Series per peer are exported while there are
at most `telemetry.per_peer_series` peers.
";

const SEVERITIES: &str = "\
Every packet that does not pass is counted under exactly one reason: in `ringwall_drops_total{stage,reason}` and in
`ringwall show drops`. The severity says how much to care:

- `normal`: expected in ordinary operation. Policy did its work, a hop limit ran out.
- `hostile`: somebody sends what they should not. Watch the rate, not the number.
- `shortage`: the gateway is short of something: ring space, a neighbour, a session. Worth an alert on its rate.
- `fault`: should never happen. Worth a report.
";

/// The page, as it stands in `docs/metrics.md`.
fn page() -> String {
    let mut page = format!(
        "# Metrics and drop reasons\n\nThis page is generated (`{REGENERATE}`); a test fails when it is stale.\n\n{INTRODUCTION}\n"
    );
    // Writing to a string cannot fail.
    let _ =
        write!(page, "## Families\n\n| series | kind | labels | meaning |\n|---|---|---|---|\n");
    for family in FAMILIES {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let kind = family.kind().as_str().to_owned();
        let suffix = match kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            "histogram" => "_bucket",
            _ => "",
        };
        let _ = writeln!(
            page,
            "| `{}{suffix}` | {kind} | {} | {} |",
            family.name,
            labels.join(", "),
            family.help
        );
    }
    let _ = write!(
        page,
        "\nExits of the steering program (`ringwall_steering_total`), and what happens to the frame:\n\n"
    );
    for exit in ebpf::Exit::ALL {
        let action = match exit.action() {
            ebpf::Action::Pass => "to the kernel",
            ebpf::Action::Drop => "dropped",
            ebpf::Action::Redirect => "to its worker",
        };
        let _ = writeln!(page, "- `{}`: {action}", exit.name());
    }
    let _ = write!(
        page,
        "\n## Drop reasons\n\n{SEVERITIES}\n| stage | reason | severity | meaning |\n|---|---|---|---|\n"
    );
    for reason in Reason::all() {
        let (stage, severity) = (reason.stage().name(), reason.severity().name());
        let _ =
            writeln!(page, "| {stage} | `{}` | {severity} | {} |", reason.name(), reason.help());
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == page(), "docs/metrics.md is stale; write it anew with `{REGENERATE}`");
}
