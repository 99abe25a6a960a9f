//! Checks of `[limits]`.

use super::{lasting, ring_size, within};
use crate::findings::Findings;
use crate::key::Key;
use crate::model::Config;
use crate::values::Duration;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let limits = &config.limits;
    let key = |name: &str| Key::top("limits").field(name);
    within(&key("peers"), limits.peers, 1..=1 << 20, findings);
    within(&key("policy_rules"), limits.policy_rules, 1..=1 << 20, findings);
    within(&key("neighbours"), limits.neighbours, 16..=1 << 20, findings);
    within(&key("parked_packets"), limits.parked_packets, 1..=1 << 16, findings);
    within(&key("handshake_sources"), limits.handshake_sources, 256..=1 << 20, findings);
    let parked = Duration::from_millis(10)..=Duration::from_secs(10);
    lasting(&key("park_time"), limits.park_time, parked, findings);
    for (name, size) in [
        ("handoff_ring", limits.handoff_ring),
        ("command_ring", limits.command_ring),
        ("event_ring", limits.event_ring),
        ("handshake_queue", limits.handshake_queue),
        ("tun_queue", limits.tun_queue),
    ] {
        ring_size(&key(name), size, findings);
    }
    if limits.reply_rate_per_source > limits.reply_rate {
        let allowed = format!("at most `reply_rate`, {}", limits.reply_rate);
        findings.error(&key("reply_rate_per_source"), "more than a whole zone gets", allowed);
    }
    check_counts(config, findings);
}

fn check_counts(config: &Config, findings: &mut Findings<'_>) {
    let peers = config.wireguard.as_ref().map_or(0, |wireguard| wireguard.peer.len());
    for (key, count, limit, name) in [
        (Key::top("wireguard").field("peer"), peers, config.limits.peers, "limits.peers"),
        (
            Key::top("policy"),
            config.policy.len(),
            config.limits.policy_rules,
            "limits.policy_rules",
        ),
    ] {
        if count as u64 > u64::from(limit) {
            let allowed = format!("at most `{name}`, {limit}");
            findings.error(&key, format!("{count} of them"), allowed);
        }
    }
}
