//! The lab itself, with other implementations as the gateway: when these fail, look at the lab, not at Ringwall.

use crate::check_both_families;
use anyhow::Result;
use lab::{GatewayKind, Implementation, Start, TunnelOptions};

fn reference(gateway: Implementation, client: Implementation) -> TunnelOptions {
    TunnelOptions { client, ..TunnelOptions::new(GatewayKind::Reference(gateway)) }
}

#[test]
fn wireguard_go_as_the_gateway_carries_a_boringtun_client() -> Result<()> {
    check_both_families(&reference(Implementation::WireguardGo, Implementation::Boringtun))
}

#[test]
fn boringtun_as_the_gateway_carries_a_wireguard_go_client_that_it_calls() -> Result<()> {
    check_both_families(&TunnelOptions {
        start: Start::GatewayCalls,
        preshared: true,
        ..reference(Implementation::Boringtun, Implementation::WireguardGo)
    })
}
