//! The far end of a tunnel: seals packets for the gateway and opens what comes from it.

use core::net::SocketAddr;

use aead::{Aead, Choice};
use clock::Time;
use wire::build::Packet;
use wireguard::{
    DATA_HEADER_LENGTH, Endpoint, Inbound, Keypair, Outbound, PeerHandle, Rejected, Role, Sessions,
    SymmetricKey, message_length,
};

use super::network::{INNER_MTU, LISTEN_PORT, WAN_ADDRESS, WAN_ADDRESS6, address};

/// A peer with one session.
pub struct Remote {
    /// Its address.
    pub at: SocketAddr,
    /// The address of the gateway that it uses.
    pub gateway: SocketAddr,
    sessions: Sessions,
    aead: Aead,
    here: PeerHandle,
    remote_index: u32,
}

const HERE: PeerHandle = PeerHandle::new(0, 1);

impl Remote {
    /// The peer at `at` in a session that it began (`Role::Initiator`) or answered. The gateway calls the session
    /// `gateway_index`. The second value is the gateway's half.
    pub fn new(at: SocketAddr, gateway_index: u32, role: Role, now: Time) -> (Self, Keypair) {
        let gateway = match at {
            SocketAddr::V4(_) => address(WAN_ADDRESS),
            SocketAddr::V6(_) => address(WAN_ADDRESS6),
        };
        let gateway = SocketAddr::new(gateway, LISTEN_PORT);
        let key = |direction: u8| {
            let mut bytes = [direction; 32];
            bytes[..4].copy_from_slice(&gateway_index.to_le_bytes());
            SymmetricKey::from_bytes(bytes)
        };
        let (ours, other) = match role {
            Role::Initiator => (role, Role::Responder),
            Role::Responder => (role, Role::Initiator),
        };
        let half = |local_index, remote_index, send, receive, role| Keypair {
            local_index,
            remote_index,
            send_key: key(send),
            receive_key: key(receive),
            role,
            born: now,
        };
        let remote_index = gateway_index ^ 0x5555_0000;
        let mut sessions = Sessions::new(1, 3, now);
        sessions.add_peer(HERE, Some(Endpoint::configured(gateway)), None, now).expect("a place");
        let keypair = half(remote_index, gateway_index, 1, 2, ours);
        sessions.install(HERE, keypair, None, now).expect("an index");
        let aead = Aead::new(Choice::Auto).expect("a cipher");
        let remote = Self { at, gateway, sessions, aead, here: HERE, remote_index };
        (remote, half(gateway_index, remote_index, 2, 1, other))
    }

    /// The data message around `payload`; empty is a keepalive.
    pub fn seal(&mut self, payload: &[u8], now: Time) -> Vec<u8> {
        let mut message = vec![0; message_length(payload.len(), usize::from(INNER_MTU))];
        message[DATA_HEADER_LENGTH..][..payload.len()].copy_from_slice(payload);
        let mut burst = [Outbound::new(&mut message, payload.len(), self.here)];
        self.sessions.seal_burst(&self.aead, &mut burst, now);
        burst[0].result.expect("a session");
        message
    }

    /// The frame in which [`Remote::seal`]'s message reaches the gateway, as a packet to change further.
    pub fn datagram(&mut self, payload: &[u8], now: Time) -> Packet {
        outer_datagram(self.at, self.gateway, &self.seal(payload, now))
    }

    /// The frame in which `payload` reaches the gateway.
    pub fn frame(&mut self, payload: &[u8], now: Time) -> Vec<u8> {
        self.datagram(payload, now).frame()
    }

    /// What is in a data message from the gateway, padding included.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn open(&mut self, message: &[u8], now: Time) -> Result<Vec<u8>, Rejected> {
        let mut message = message.to_vec();
        let endpoint = Endpoint::new(self.gateway, self.at.ip());
        let mut burst = [Inbound::new(&mut message, endpoint, None)];
        self.sessions.open_burst(&self.aead, &mut burst, now);
        burst[0].result?;
        Ok(burst[0].payload().to_vec())
    }

    /// The index that the gateway writes into messages to this peer.
    pub fn index(&self) -> u32 {
        self.remote_index
    }
}

/// A UDP datagram towards the gateway.
pub fn outer_datagram(from: SocketAddr, to: SocketAddr, message: &[u8]) -> Packet {
    Packet::udp(from, to).payload(message)
}
