//! A handshake message for a responder that knows one peer, and for an initiator that waits for one answer.
//!
//! The first MAC is made right whatever the bytes are, as anyone can who knows the public key, so that changes get
//! past the gate. Promise: only the genuine message makes a session, and a message that fails leaves the genuine
//! one acceptable.

use core::num::NonZeroU32;

use blake2::digest::{FixedOutput, KeyInit, Update, consts::U16};
use blake2::{Blake2s256, Blake2sMac, Digest};
use clock::{Rate, Time};
use rand::SeedableRng;
use rand::rngs::StdRng;
use wireguard::{
    Arrival, Endpoint, Gate, GateSettings, HandshakeSettings, Handshakes, Outcome, Parsed,
    PrivateKey, PublicKey, Rejected, Tai64N, Verdict,
};

const NOW: Time = Time::from_nanos(1_000_000_000_000);
const FREELY: Rate = Rate::new(1_000_000, 1_000_000);
const GATE: GateSettings =
    GateSettings { per_source: FREELY, gateway: FREELY, load_threshold: u32::MAX, sources: 8 };

struct Side {
    key: PublicKey,
    gate: Gate,
    engine: Handshakes,
}

impl Side {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let private = PrivateKey::generate(&mut rng);
        let key = private.public_key();
        // Randomness of its own: how much a gate draws must not change the messages in the corpus.
        let mut gate_rng = StdRng::seed_from_u64(!seed);
        let settings = HandshakeSettings::new(NonZeroU32::MIN, 2);
        let engine = Handshakes::new(&private, &settings, Box::new(rng));
        let gate = Gate::new(&key, &GATE, engine.outstanding(), &mut gate_rng);
        Self { key, gate, engine }
    }

    fn receive(&mut self, message: &[u8]) -> Result<Outcome, Rejected> {
        let endpoint = Endpoint::configured(([192, 0, 2, 1], 5).into());
        let arrival = Arrival { worker: 0, endpoint };
        match self.gate.screen(Parsed::read(message)?, arrival, NOW) {
            Verdict::Admitted(admitted) => self.engine.handle(admitted, NOW),
            Verdict::Rejected(cause) => Err(cause),
            Verdict::CookieReply(_) => panic!("the gate asks for a cookie without load"),
        }
    }
}

/// Two sides; what the first sends the second, and the second answers. Always the same.
fn genuine() -> (Side, Side, Vec<u8>, Vec<u8>) {
    let (mut a, mut b) = (Side::new(1), Side::new(2));
    let peer = a.engine.add_peer(b.key, None).expect("a place");
    b.engine.add_peer(a.key, None).expect("a place");
    let initiation =
        a.engine.initiate(peer, 0, NOW, Tai64N::from_unix(5, 0)).expect("an initiation");
    let mut twin = Side::new(2);
    twin.engine.add_peer(a.key, None).expect("a place");
    let Ok(Outcome::Accepted { response, .. }) = twin.receive(&initiation.message) else {
        panic!("the genuine initiation is accepted")
    };
    (a, b, initiation.message.to_vec(), response.to_vec())
}

/// The genuine messages, as seeds of the corpus.
pub fn seeds() -> [(&'static str, Vec<u8>); 2] {
    let (_, _, initiation, response) = genuine();
    [("initiation", initiation), ("response", response)]
}

/// See the module's promise.
pub fn run(data: &[u8]) {
    let (mut a, mut b, initiation, response) = genuine();
    let (side, genuine) = match data.first() {
        Some(1) => (&mut b, &initiation),
        Some(_) | None => (&mut a, &response),
    };
    let message = signed(data, &side.key);
    let outcome = side.receive(&message);
    if outcome.is_ok() {
        // The sender's index and the second MAC are all that a stranger can change unnoticed.
        let macs = genuine.len() - 32;
        assert_eq!(message[8..macs], genuine[8..macs], "{outcome:?}");
    } else {
        assert!(side.receive(genuine).is_ok(), "{outcome:?} spoilt the genuine message");
    }
}

/// The message with its first MAC made right, if it is long enough to have one.
fn signed(data: &[u8], to: &PublicKey) -> Vec<u8> {
    let mut message = data.to_vec();
    let Some(covered) = message.len().checked_sub(32) else { return message };
    let key = Blake2s256::new().chain_update(b"mac1----").chain_update(to.as_bytes()).finalize();
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(&key).expect("32 bytes");
    Update::update(&mut mac, &message[..covered]);
    message[covered..covered + 16].copy_from_slice(&mac.finalize_fixed());
    message
}
