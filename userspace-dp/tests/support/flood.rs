//! A flood of WireGuard initiations: every source is forged, every first MAC is right, everything else is noise.
//!
//! What the load protection of a responder is for. The MAC is computed here from the protocol's description, not
//! with the code under test.

use crate::network::Namespace;
use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use blake2::digest::consts::U16;
use blake2::digest::{KeyInit, Mac};
use blake2::{Blake2s256, Blake2sMac, Digest};
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Forged sources are drawn from here: a network for benchmarks, which no lab uses otherwise (RFC 2544).
pub const FLOOD_SOURCES: &str = "198.18.0.0/15";
const SOURCES_BASE: u32 = 0xc612_0000;
const SOURCES_MASK: u32 = 0x0001_ffff;

const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const INITIATION: usize = 148;
const PACKET: usize = IP_HEADER + UDP_HEADER + INITIATION;
/// Packets between two looks at the clock.
const BATCH: u32 = 50;

/// A flood under way; it ends when dropped, and after its limit in any case.
#[derive(Debug)]
pub struct Flood {
    sender: Option<JoinHandle<Result<()>>>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    began: Instant,
}

impl Flood {
    /// Starts sending from `namespace` to `target`, whose public key is given in base64: `rate` packets a second as
    /// far as the sender gets there, for at most `limit`.
    ///
    /// # Errors
    /// When the key is none, the namespace cannot be entered, or nothing is sent within 5 seconds.
    pub fn start(
        namespace: &Namespace,
        public_key: &str,
        target: SocketAddrV4,
        rate: u32,
        limit: Duration,
    ) -> Result<Self> {
        let public = BASE64_STANDARD.decode(public_key).context("a public key")?;
        let mut packets = Packets::new(&public, target)?;
        let inside = File::open(format!("/run/netns/{namespace}"))?;
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let sender = std::thread::spawn(move || {
            // The socket stays in the namespace of the thread that made it.
            move_into_link_name_space(inside.as_fd(), Some(LinkNameSpaceType::Network))?;
            let socket = raw_socket()?;
            let began = Instant::now();
            while !told.load(Ordering::Relaxed) && began.elapsed() < limit {
                for _ in 0..BATCH {
                    sendto(&socket, packets.next(), SendFlags::empty(), &target)?;
                }
                let total = count.fetch_add(u64::from(BATCH), Ordering::Relaxed) + u64::from(BATCH);
                let due = Duration::from_secs_f64(total as f64 / f64::from(rate));
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            Ok(())
        });
        let mut flood = Self { sender: Some(sender), stop, sent, began: Instant::now() };
        let started = crate::wait_until("the flood begins", Duration::from_secs(5), || {
            flood.sent() > 0 || !flood.is_running()
        });
        if !flood.is_running() {
            flood.join()?;
        }
        started.map(|()| flood)
    }

    /// Packets sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether it is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| !sender.is_finished())
    }

    /// Ends it; how many packets were sent, and for how long.
    ///
    /// # Errors
    /// When it had ended before: it ran into its limit, or could not send.
    pub fn finish(mut self) -> Result<(u64, Duration)> {
        let lasted = self.began.elapsed();
        let running = self.is_running();
        self.join()?;
        ensure!(running, "the flood was over before its end");
        Ok((self.sent(), lasted))
    }

    fn join(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(sender) = self.sender.take() else { return Ok(()) };
        sender.join().map_err(|_| anyhow!("the sender of the flood panicked"))?
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            eprintln!("flood: {error:#}");
        }
    }
}

/// A socket that takes whole IPv4 packets.
fn raw_socket() -> Result<OwnedFd> {
    let protocol = Some(ipproto::RAW);
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::INET, SocketType::RAW, flags, protocol)?)
}

/// The packets of a flood, one after another in the same buffer.
#[derive(Debug)]
struct Packets {
    packet: [u8; PACKET],
    mac1_key: [u8; 32],
    noise: u64,
}

impl Packets {
    fn new(public_key: &[u8], target: SocketAddrV4) -> Result<Self> {
        ensure!(public_key.len() == 32, "a public key has 32 bytes");
        let mac1_key = Blake2s256::new().chain_update(b"mac1----").chain_update(public_key);
        let mut packet = [0; PACKET];
        // The kernel fills in length, identification and checksum of the IP header. No UDP checksum: zero means none.
        packet[0] = 0x45;
        packet[8] = 64;
        packet[9] = 17;
        packet[16..20].copy_from_slice(&target.ip().octets());
        packet[22..24].copy_from_slice(&target.port().to_be_bytes());
        packet[24..26].copy_from_slice(&((UDP_HEADER + INITIATION) as u16).to_be_bytes());
        packet[28..32].copy_from_slice(&1_u32.to_le_bytes());
        Ok(Self { packet, mac1_key: mac1_key.finalize().into(), noise: 0x2545_f491_4f6c_dd1d })
    }

    /// The next packet: another source, another port, another message.
    fn next(&mut self) -> &[u8] {
        let source = SOURCES_BASE | (self.random() as u32 & SOURCES_MASK);
        let port = self.random() as u16 | 1024;
        self.packet[12..16].copy_from_slice(&source.to_be_bytes());
        self.packet[20..22].copy_from_slice(&port.to_be_bytes());
        let message = IP_HEADER + UDP_HEADER;
        let covered = message + INITIATION - 32;
        for at in (message + 4..covered).step_by(8) {
            let noise = self.random().to_le_bytes();
            self.packet[at..at + 8].copy_from_slice(&noise);
        }
        let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(&self.mac1_key)
            .unwrap_or_else(|_| unreachable!("the MAC takes keys of 32 bytes"));
        mac.update(&self.packet[message..covered]);
        self.packet[covered..covered + 16].copy_from_slice(&mac.finalize().into_bytes());
        &self.packet
    }

    /// xorshift: repeatable, and far cheaper than what it feeds.
    fn random(&mut self) -> u64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        self.noise
    }
}
