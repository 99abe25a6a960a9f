//! `[wireguard]` and `[[wireguard.peer]]`.

use crate::values::{
    Count, Duration, Endpoint, InterfaceAddress, InterfaceName, Name, Prefix, PublicKey, Rate,
    Secret,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The WireGuard tunnel service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Wireguard {
    /// The TUN device through which the gateway itself talks to its peers.
    #[serde(default = "Wireguard::default_interface")]
    #[schemars(extend("x-failure" = "A device of that name that is not a TUN device fails the start; `lo` is refused."))]
    pub interface: InterfaceName,

    /// The file that holds the gateway's private key in base64, as `ringwall genkey` prints it. Only its owner
    /// may read it. A relative path starts at the directory of the main configuration file. A reload takes another
    /// key over for every handshake from then on; sessions last as long as they would have, 180s at most, so peers
    /// that learn the new public key until then lose nothing.
    #[schemars(extend("x-example" = "/etc/ringwall/private.key", "x-reload" = true, "x-failure" = "A missing file, one that group or others may read, or one without a key is refused. Peers that know another public key get no session."))]
    pub private_key_file: PathBuf,

    /// The key in `private_key_file`; always present once the configuration has passed its checks.
    #[serde(skip)]
    pub private_key: Option<Secret>,

    /// The UDP port on which peers reach the gateway.
    #[serde(default = "Wireguard::default_listen_port")]
    #[schemars(range(min = 1, max = 65535), extend("x-unit" = "UDP port", "x-failure" = "A port that another socket holds fails the start."))]
    pub listen_port: u16,

    /// The gateway's own addresses inside the tunnel, with their prefix lengths.
    #[serde(default)]
    #[schemars(extend("x-example" = ["10.8.0.1/24", "fd00:8::1/64"], "x-failure" = "The address of a network itself, or its broadcast address, is refused. Without any, peers reach what is behind the gateway but not the gateway itself."))]
    pub addresses: Vec<InterfaceAddress>,

    /// The zone that decrypted packets come from and packets to peers go to.
    #[schemars(extend("x-example" = "vpn", "x-reload" = true, "x-failure" = "A zone that is not declared is refused."))]
    pub zone: Name,

    /// The largest packet inside the tunnel. `"auto"` takes the smallest MTU on the ways to the peers less 80 bytes,
    /// what a tunnel packet over IPv6 adds: the routes to their endpoints at the start, and for peers without a
    /// numeric endpoint the default routes, or all interfaces where there are none. A peer whose path turns out
    /// narrower gets smaller packets.
    #[serde(default = "Wireguard::default_mtu")]
    #[schemars(extend("x-unit" = "bytes", "x-failure" = "Too large and tunnel packets are fragmented on the way, or lost; too small costs throughput. From 1280."))]
    pub mtu: Count,

    /// How long a handshake is tried anew before packets for that peer are given up. However long that is, a packet
    /// waits for 90s at most.
    #[serde(default = "Wireguard::default_handshake_give_up")]
    #[schemars(extend("x-failure" = "Too low gives up on peers behind slow links. From 5s to 1h."))]
    pub handshake_give_up: Duration,

    /// Handshakes per second that the whole gateway computes for sources without a valid cookie.
    #[serde(default = "Wireguard::default_handshake_rate")]
    #[schemars(extend("x-failure" = "Too low delays the reconnect of many peers at once; too high lets a flood occupy the handshake thread."))]
    pub handshake_rate: Rate,

    /// Handshakes that may come at once before `handshake_rate` holds them back.
    #[serde(default = "Wireguard::default_handshake_burst")]
    #[schemars(range(min = 1, max = 65536), extend("x-unit" = "handshakes", "x-failure" = "As with `handshake_rate`."))]
    pub handshake_burst: u32,

    /// Whether the peers' allowed addresses become kernel routes to the TUN device: `allowed-ips` adds and
    /// removes them, `off` leaves routing to the operator. Two kinds of networks never become routes by
    /// themselves: `0.0.0.0/0` and `::/0`, which would take the machine's own default route, and a network that
    /// holds the endpoint of a peer, whose tunnel packets would go into the tunnel. Where that is wanted, give the
    /// endpoints more specific routes and add it by hand: `ip route add 10.0.0.0/8 dev ringwall0`.
    #[serde(default = "Wireguard::default_routes")]
    #[schemars(extend("x-failure" = "With `off` and no route, the gateway itself cannot reach its peers."))]
    pub routes: TunnelRoutes,

    /// The code that encrypts packets. `auto` takes the fastest that this CPU runs and that passes its
    /// self-test; a name forces one, for tests and comparisons. This build has one, `ring`.
    #[serde(default = "Wireguard::default_aead")]
    #[schemars(extend("x-failure" = "A backend that this build does not have is refused."))]
    pub aead: AeadBackend,

    /// A peer; repeat the section for each one.
    #[serde(default)]
    #[schemars(extend("x-reload" = true))]
    pub peer: Vec<Peer>,
}

/// One WireGuard peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Peer {
    /// The peer's name in rules, tables and metrics.
    #[schemars(extend("x-example" = "branch-1", "x-failure" = "Two peers of one name are refused."))]
    pub name: Name,

    /// The peer's public key in base64.
    #[schemars(extend("x-example" = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", "x-failure" = "With a wrong key no handshake completes. Two peers of one key, or the gateway's own key, are refused."))]
    pub public_key: PublicKey,

    /// The file that holds the key shared with this peer, as `ringwall genpsk` prints it. Only its owner may
    /// read it. Without it there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = "/etc/ringwall/branch-1.psk", "x-failure" = "If the two ends differ, no handshake completes."))]
    pub preshared_key_file: Option<PathBuf>,

    /// The key in `preshared_key_file`; present exactly when a file is named and the checks have passed.
    #[serde(skip)]
    pub preshared_key: Option<Secret>,

    /// Where the peer is reached first, `"host:port"`. It follows the peer when that moves. Without it the peer
    /// has to call first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = "branch-1.example.net:51820", "x-failure" = "A name that does not resolve is tried again for as long as the peer has it, at least every 5 minutes, and shown in `status`. An address that no single host can have is refused."))]
    pub endpoint: Option<Endpoint>,

    /// The networks behind this peer: packets to them are sent to it, and only packets from them are taken
    /// from it. The longest prefix over all peers decides. The networks of `wireguard.addresses` and those on the
    /// gateway's links are a peer's only by a prefix at least as long, not by a catch-all such as `0.0.0.0/0`.
    #[serde(default)]
    #[schemars(extend("x-example" = ["10.8.0.2/32", "fd00:8::2/128"], "x-failure" = "The same network at two peers is refused, and so are loopback and multicast networks. Without any network the peer can send and receive nothing."))]
    pub allowed_ips: Vec<Prefix>,

    /// How often an empty packet is sent to keep mappings of firewalls on the way alive, in whole seconds.
    /// Without it none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-example" = "25s", "x-failure" = "Without it a peer behind address translation cannot be reached while it is silent. From 1s to 65535s."))]
    pub persistent_keepalive: Option<Duration>,

    /// Whether framed application messages of this peer are taken. This version only counts them: nothing reads them.
    #[serde(default)]
    #[schemars(extend("x-failure" = "When off, they are dropped and counted."))]
    pub application_messages: bool,
}

/// Whether allowed addresses become kernel routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum TunnelRoutes {
    /// They do.
    AllowedIps,
    /// They do not.
    Off,
}

/// The code that encrypts packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AeadBackend {
    /// The fastest that works here.
    Auto,
    /// The `ring` library.
    Ring,
}

/// The defaults, where the file and the schema look for them.
impl Wireguard {
    fn default_interface() -> InterfaceName {
        InterfaceName::known("ringwall0")
    }

    const fn default_listen_port() -> u16 {
        51820
    }

    const fn default_mtu() -> Count {
        Count::Auto
    }

    const fn default_handshake_give_up() -> Duration {
        Duration::from_secs(90)
    }

    const fn default_handshake_rate() -> Rate {
        Rate::from_pps(100)
    }

    const fn default_handshake_burst() -> u32 {
        256
    }

    const fn default_routes() -> TunnelRoutes {
        TunnelRoutes::AllowedIps
    }

    const fn default_aead() -> AeadBackend {
        AeadBackend::Auto
    }
}
