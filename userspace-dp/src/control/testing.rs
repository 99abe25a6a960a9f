//! Configurations and observers without a gateway, for the tests of the control side.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use clock::{Clock, Monotonic};
use pipeline::{PeerOwners, PortId};
use telemetry::WorkerCounters;
use wireguard::PeerHandle;

use super::devices::Found;
use super::netlink::testing::{hop, link, route};
use super::netlink::{
    Address, Link, Placement, Route, RouteKind, TABLE_LOCAL, TABLE_MAIN, Tables, Update,
};
use super::observer::{
    DeviceView, Observer, ObserverParts, RouteView, TunnelView, View, WatchedWorker,
};
use super::peers::KnownPeer;
use super::snapshots::{Fixed, SnapshotMaker};
use crate::api::LinkStatistics;
use crate::runtime::shared::WorkerShared;
use crate::runtime::wake::{Sleeper, wake_pair};

/// Two interfaces, three zones, a tunnel; peers and rules are appended.
const BASE: &str = r#"
version = 1
[[interface]]
name = "eth0"
zone = "wan"
[[interface]]
name = "eth1"
zone = "lan"
[[zone]]
name = "wan"
[[zone]]
name = "lan"
[[zone]]
name = "vpn"
"#;

/// A key that is one byte, repeated.
pub(super) fn key(byte: u8) -> [u8; 32] {
    [byte; 32]
}

/// The same in base64.
fn base64(key: [u8; 32]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, key)
}

/// The usual configuration with a tunnel and `rest` appended; its keys lie in `folder`.
pub(super) fn config_text(folder: &Path, rest: &str) -> String {
    let path = folder.join("gateway.key");
    std::fs::write(&path, base64(key(7))).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!("{BASE}[wireguard]\nprivate_key_file = {path:?}\nzone = \"vpn\"\n{rest}")
}

/// That configuration, checked.
pub(super) fn load(rest: &str) -> config::Loaded {
    let folder = tempfile::tempdir().unwrap();
    let text = config_text(folder.path(), rest);
    config::Config::parse(&text, folder.path()).unwrap_or_else(|rejected| panic!("{rejected}"))
}

/// A peer called `p<number>` with a network of its own; `rest` is appended to its table.
pub(super) fn peer(number: u8, rest: &str) -> String {
    let mut bytes = key(number);
    bytes[31] = 0x40;
    let public = base64(bytes);
    format!(
        "[[wireguard.peer]]\nname = \"p{number}\"\npublic_key = \"{public}\"\n\
         allowed_ips = [\"10.9.{number}.0/24\"]\n{rest}\n"
    )
}

/// An observer of workers that do not run, and the ends that a gateway would hold.
pub(super) struct Scene {
    /// The observer.
    pub observer: Arc<Observer>,
    /// Who asks for routes.
    pub routes_asked: Receiver<Sender<Vec<RouteView>>>,
    /// How each worker, and last control, is woken.
    pub sleepers: Vec<Sleeper>,
}

/// A scene of `workers` workers under the usual configuration with `rest` appended.
pub(super) fn scene(workers: usize, rest: &str) -> Scene {
    let loaded = load(rest);
    let mut sleepers = Vec::new();
    let watched = (0..workers).map(|number| {
        let (sleeper, waker) = wake_pair().unwrap();
        sleepers.push(sleeper);
        let shared = Arc::new(WorkerShared::new(Monotonic.now()));
        WatchedWorker { shared, cpu: number, frames: 8, waker }
    });
    let workers = watched.collect();
    let (sleeper, control) = wake_pair().unwrap();
    sleepers.push(sleeper);
    let (routes, routes_asked) = channel();
    let observer = Arc::new(Observer::new(ObserverParts {
        workers,
        slow_path: Arc::new(WorkerCounters::new()),
        handshakes: Arc::new(crossbeam_utils::CachePadded::into_inner(WorkerCounters::new())),
        client: None,
        aead: aead::Backend::Ring,
        heartbeat_timeout: Duration::from_secs(60),
        routes,
        control,
        view: view(loaded),
    }));
    Scene { observer, routes_asked, sleepers }
}

fn view(loaded: config::Loaded) -> View {
    let fixed = Fixed {
        found: &[],
        tunnel: None,
        listen_port: 51820,
        owners: PeerOwners::new(256),
        gate: None,
        seed: 1,
    };
    let peers = loaded.config.wireguard.iter().flat_map(|wireguard| wireguard.peer.iter().cloned());
    let known = (0..)
        .zip(peers)
        .map(|(index, config)| KnownPeer { handle: PeerHandle::new(index, 0), config });
    View {
        snapshot: Arc::new(SnapshotMaker::new(&fixed).make()),
        devices: vec![device(0, "eth0"), device(1, "eth1")],
        exits: vec![("arp", 3), ("redirect", 0)],
        peers: known.collect(),
        tunnel: TunnelView { ifindex: 9, ..TunnelView::default() },
        public_key: None,
        reload: None,
        problems: Vec::new(),
        loaded: Arc::new(loaded),
    }
}

fn device(number: u8, name: &str) -> DeviceView {
    DeviceView {
        found: found(number, name),
        mode: "native".into(),
        zero_copy: false,
        stepped_down: None,
        program_id: Some(7),
        link_up: true,
        link: LinkStatistics::default(),
    }
}

/// A device that is not there.
pub(super) fn found(number: u8, name: &str) -> Found {
    Found {
        port: PortId(number),
        ifindex: u32::from(number) + 2,
        name: name.into(),
        mac: [2, 0, 0, 0, 0, number],
        mtu: 1500,
        queues: 1,
        first_slot: ebpf::Slot(u32::from(number)),
    }
}

/// Several peers, one after the other.
pub(super) fn peers(count: u8) -> String {
    (1..=count).fold(String::new(), |mut text, number| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", peer(number, ""));
        text
    })
}

/// The kernel's tables: both devices up, with an address and the route to its network each.
pub(super) fn tables() -> Tables {
    let mut tables = Tables::new();
    for (number, address) in [(0, [192, 0, 2, 1]), (1, [198, 51, 100, 1])] {
        let found = found(number, &format!("eth{number}"));
        let mac = Some(found.mac);
        let _ = tables.apply(Update::Link(Link { mac, ..link(found.ifindex, &found.name) }));
        let _ = tables.apply(Update::Address(Address {
            interface: found.ifindex,
            address: address.into(),
            prefix_length: 24,
            peer: None,
            broadcast: None,
            secondary: false,
            tentative: false,
        }));
        let network = ipnet::Ipv4Net::new(address.into(), 24).unwrap().trunc();
        for (table, kind, destination) in [
            (
                TABLE_LOCAL,
                RouteKind::Local,
                ipnet::Ipv4Net::from(std::net::Ipv4Addr::from(address)),
            ),
            (TABLE_MAIN, RouteKind::Unicast, network),
        ] {
            let route = on_link(found.ifindex, table, kind, destination);
            let _ = tables.apply(Update::Route(route, Placement::Append));
        }
    }
    tables
}

/// A route of the kernel's own to what is on the link.
fn on_link(interface: u32, table: u32, kind: RouteKind, destination: ipnet::Ipv4Net) -> Route {
    let usual = route(&destination.to_string(), &[hop(interface, "")]);
    Route { table, kind, protocol: 2, scope: 253, ..usual }
}
