//! Every key of the configuration does something: this table names where each one is read, and a key that nobody
//! reads, or that is read elsewhere by now, fails the test.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// Key, file below `userspace-dp` that reads it, the words by which it does.
const READ_AT: &[(&str, &str, &str)] = &[
    ("version", "crates/config/src/load.rs", "Key::top(\"version\")"),
    ("gateway.name", "src/control/show/status.rs", "config.gateway.name"),
    ("gateway.workers", "src/control/devices.rs", "config.gateway.workers"),
    ("gateway.cpus", "src/control/start/machine.rs", "config.gateway.cpus"),
    ("gateway.poll_mode", "src/control/start/queues.rs", "config.gateway.poll_mode"),
    ("gateway.busy_poll_budget", "src/control/start/queues.rs", "config.gateway.busy_poll_budget"),
    (
        "gateway.heartbeat_timeout",
        "src/control/start/machine.rs",
        "config.gateway.heartbeat_timeout",
    ),
    ("gateway.on_stall", "src/control/start/machine.rs", "config.gateway.on_stall"),
    ("gateway.frame_size", "src/control/start/memory.rs", "config.gateway.frame_size"),
    (
        "gateway.frames_per_worker",
        "src/control/start/memory.rs",
        "config.gateway.frames_per_worker",
    ),
    ("gateway.huge_pages", "src/control/start/memory.rs", "config.gateway.huge_pages"),
    ("interface.name", "src/control/devices.rs", "interface.name"),
    ("interface.zone", "src/control/snapshots.rs", "configured.zone"),
    ("interface.mode", "src/control/devices.rs", "wanted.mode"),
    ("interface.zero_copy", "src/control/devices.rs", "wanted.zero_copy"),
    ("interface.queues", "src/control/devices.rs", "interface.queues"),
    ("interface.foreign_program", "src/control/devices.rs", "wanted.foreign_program"),
    ("interface.mtu", "src/control/devices.rs", "interface.mtu"),
    ("interface.rx_ring", "src/control/devices.rs", "wanted.rx_ring"),
    ("interface.tx_ring", "src/control/devices.rs", "wanted.tx_ring"),
    ("interface.fill_ring", "src/control/devices.rs", "wanted.fill_ring"),
    ("interface.completion_ring", "src/control/devices.rs", "wanted.completion_ring"),
    ("wireguard.interface", "src/control/tunnel.rs", "config.interface"),
    ("wireguard.private_key_file", "crates/config/src/check/keys.rs", "private_key_file"),
    ("wireguard.listen_port", "src/control/start/first_snapshot.rs", "wireguard.listen_port"),
    ("wireguard.addresses", "src/control/tunnel.rs", "config.addresses"),
    ("wireguard.zone", "src/control/snapshots.rs", "wireguard.zone"),
    ("wireguard.mtu", "src/control/tunnel.rs", "config.mtu"),
    (
        "wireguard.handshake_give_up",
        "src/control/start/handshakes.rs",
        "wireguard.handshake_give_up",
    ),
    ("wireguard.handshake_rate", "src/control/start/handshakes.rs", "wireguard.handshake_rate"),
    ("wireguard.handshake_burst", "src/control/start/handshakes.rs", "wireguard.handshake_burst"),
    ("wireguard.routes", "crates/config/src/routes.rs", "self.routes"),
    ("wireguard.aead", "src/control/start.rs", "wireguard.aead"),
    ("wireguard.peer.name", "src/control/peers.rs", "config.name"),
    ("wireguard.peer.public_key", "src/control/peers.rs", "peer.public_key"),
    ("wireguard.peer.preshared_key_file", "crates/config/src/check/keys.rs", "preshared_key_file"),
    ("wireguard.peer.endpoint", "src/control/peers.rs", "peer.endpoint"),
    ("wireguard.peer.allowed_ips", "src/control/peers.rs", "config.allowed_ips"),
    ("wireguard.peer.persistent_keepalive", "src/control/peers.rs", "peer.persistent_keepalive"),
    ("wireguard.peer.application_messages", "src/control/peers.rs", "config.application_messages"),
    ("zone.name", "src/control/rules.rs", "zone.name"),
    ("set.prefixes", "src/control/rules.rs", "set.prefixes"),
    ("policy.name", "src/control/rules.rs", "rule.name"),
    ("policy.from", "src/control/rules.rs", "rule.from"),
    ("policy.to", "src/control/rules.rs", "rule.to"),
    ("policy.source", "src/control/rules.rs", "rule.source"),
    ("policy.destination", "src/control/rules.rs", "rule.destination"),
    ("policy.protocol", "src/control/rules.rs", "rule.protocol"),
    ("policy.destination_port", "src/control/rules.rs", "rule.destination_port"),
    ("policy.source_port", "src/control/rules.rs", "rule.source_port"),
    ("policy.icmp_type", "src/control/rules.rs", "rule.icmp_type"),
    ("policy.peer", "src/control/rules.rs", "rule.peer"),
    ("policy.action", "src/control/rules.rs", "rule.action"),
    ("limits.peers", "src/control/start/workers.rs", "limits.peers"),
    ("limits.policy_rules", "crates/config/src/check/limits.rs", "limits.policy_rules"),
    ("limits.neighbours", "src/control/gateway.rs", "limits.neighbours"),
    ("limits.parked_packets", "src/control/start/workers.rs", "limits.parked_packets"),
    ("limits.park_time", "src/control/start/workers.rs", "limits.park_time"),
    ("limits.handoff_ring", "src/control/start/wiring.rs", "limits.handoff_ring"),
    ("limits.command_ring", "src/control/start/wiring.rs", "limits.command_ring"),
    ("limits.event_ring", "src/control/start/wiring.rs", "limits.event_ring"),
    ("limits.handshake_queue", "src/control/start/wiring.rs", "limits.handshake_queue"),
    ("limits.handshake_sources", "src/control/start/handshakes.rs", "limits.handshake_sources"),
    ("limits.tun_queue", "src/control/start/memory.rs", "limits.tun_queue"),
    ("limits.reply_rate", "src/control/start/workers.rs", "limits.reply_rate.pps"),
    (
        "limits.reply_rate_per_source",
        "src/control/start/workers.rs",
        "limits.reply_rate_per_source.pps",
    ),
    ("telemetry.listen", "src/control/gateway.rs", "telemetry.listen"),
    ("telemetry.allow_remote", "crates/config/src/check/gateway.rs", "telemetry.allow_remote"),
    ("telemetry.control_socket", "src/control/gateway.rs", "telemetry.control_socket"),
    ("telemetry.log_level", "src/control/logging.rs", "telemetry.log_level"),
    ("telemetry.log_format", "src/control/logging.rs", "telemetry.log_format"),
    ("telemetry.per_peer_series", "src/control/metrics.rs", "telemetry.per_peer_series"),
    ("security.drop_capabilities", "src/runtime/privileges.rs", "security.drop_capabilities"),
    ("security.control_read_uids", "src/control/socket.rs", "security.control_read_uids"),
    ("security.control_change_uids", "src/control/socket.rs", "security.control_change_uids"),
];

/// The keys below `node`, lists and named tables looked through.
fn keys(path: &str, node: &Value, found: &mut BTreeSet<String>) {
    let nested = node.get("items").filter(|items| items.get("properties").is_some());
    let table = nested.unwrap_or(node);
    let named = table.get("patternProperties").and_then(Value::as_object);
    if let Some(properties) = table.get("properties").and_then(Value::as_object) {
        for (name, key) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            keys(&path, key, found);
        }
    } else if let Some(named) = named {
        named.values().for_each(|table| keys(path, table, found));
    } else {
        found.insert(path.to_owned());
    }
}

#[test]
fn every_key_is_read_somewhere_and_the_table_says_where() {
    let mut known = BTreeSet::new();
    keys("", &config::schema(), &mut known);
    let listed: BTreeSet<String> = READ_AT.iter().map(|(key, _, _)| (*key).to_owned()).collect();
    let unread: Vec<_> = known.difference(&listed).collect();
    assert!(unread.is_empty(), "nobody is known to read {unread:?}");
    let gone: Vec<_> = listed.difference(&known).collect();
    assert!(gone.is_empty(), "the configuration has no {gone:?}");
    for (key, file, words) in READ_AT {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        assert!(code.contains(words), "{key}: {file} does not read it as `{words}`");
    }
}
