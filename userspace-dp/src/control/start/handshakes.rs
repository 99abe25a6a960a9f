//! The handshake thread with its engine, and the gate in front of it.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use clock::Rate;
use rand::rngs::StdRng;
use wireguard::{Gate, GateSettings, HandshakeSettings, Handshakes, PrivateKey, PublicKey};

use super::super::running::HelperThread;
use super::crew::{Crew, randomness};
use crate::runtime::handshake::{HandshakeClient, HandshakeParts, HandshakeThread, WorkerLink};
use crate::runtime::wake::{Sleeper, Waker};

/// The thread, and what others need of it.
pub(super) struct HandshakeService {
    /// The thread.
    pub helper: HelperThread,
    /// Asks it.
    pub client: HandshakeClient,
    /// Decides for workers what reaches it.
    pub gate: Arc<Gate>,
    /// The tunnel's public key.
    pub public_key: PublicKey,
}

impl HandshakeService {
    /// Starts the thread, where there is a tunnel.
    pub(super) fn start(
        crew: &Crew<'_>,
        links: Vec<WorkerLink>,
        (sleeper, waker): (Sleeper, Waker),
        rng: &mut StdRng,
    ) -> Result<Option<Self>> {
        let Some(wireguard) = &crew.config.wireguard else { return Ok(None) };
        let limits = &crew.config.limits;
        let private =
            wireguard.private_key.as_ref().context("wireguard.private_key_file: no key")?;
        let private = PrivateKey::from_bytes(*private.bytes());
        let settings = engine_settings(wireguard, limits, crew.workers)?;
        let engine = Handshakes::new(&private, &settings, Box::new(randomness()?));
        let public_key = *engine.public_key();
        let settings = gate_settings(wireguard, limits);
        let gate = Arc::new(Gate::new(&public_key, &settings, engine.outstanding(), rng));
        let (thread, client) = HandshakeThread::new(HandshakeParts {
            engine,
            gate: Arc::clone(&gate),
            owners: crew.owners.clone(),
            places: limits.peers as usize,
            workers: links,
            sleeper,
            waker: waker.clone(),
            counters: Arc::clone(&crew.handshakes),
            stop: Arc::clone(&crew.stop),
        });
        let helper = crew.helper("rw-handshake", waker, move || thread.run())?;
        Ok(Some(Self { helper, client, gate, public_key }))
    }

    /// What control keeps.
    pub(super) fn parts(
        service: Option<Self>,
    ) -> (Option<HandshakeClient>, Option<PublicKey>, Option<HelperThread>) {
        let Some(Self { helper, client, public_key, .. }) = service else {
            return (None, None, None);
        };
        (Some(client), Some(public_key), Some(helper))
    }
}

fn engine_settings(
    wireguard: &config::Wireguard,
    limits: &config::Limits,
    workers: usize,
) -> Result<HandshakeSettings> {
    let workers = u32::try_from(workers).ok().and_then(NonZeroU32::new).context("no workers")?;
    Ok(HandshakeSettings {
        give_up: wireguard.handshake_give_up.get(),
        ..HandshakeSettings::new(workers, limits.peers as usize)
    })
}

fn gate_settings(wireguard: &config::Wireguard, limits: &config::Limits) -> GateSettings {
    let (rate, burst) = (wireguard.handshake_rate.pps(), wireguard.handshake_burst);
    GateSettings {
        gateway: Rate::new(rate, u64::from(burst)),
        sources: limits.handshake_sources as usize,
        ..GateSettings::STANDARD
    }
}
