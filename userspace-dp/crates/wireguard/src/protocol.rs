//! Sizes, limits and times of the protocol (WireGuard paper, sections 5 and 6). None is tunable.

use core::time::Duration;

/// Bytes of a handshake initiation, message type 1.
pub const INITIATION_LENGTH: usize = 148;
/// Bytes of a handshake response, message type 2.
pub const RESPONSE_LENGTH: usize = 92;
/// Bytes of a cookie reply, message type 3.
pub const COOKIE_REPLY_LENGTH: usize = 64;
/// Bytes before the ciphertext of a data message: type, receiver index, counter.
pub const DATA_HEADER_LENGTH: usize = 16;
/// Bytes that sealing adds to an inner packet, padding aside: header and tag.
pub const DATA_OVERHEAD: usize = DATA_HEADER_LENGTH + aead::TAG_LENGTH;

/// A session counter is below this.
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);
/// From this counter on, a new session is asked for.
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
/// How many counters back a late packet is still accepted.
pub const REPLAY_WINDOW: u64 = 8192;

/// The initiator of a session asks for a new one when it sends after this long.
pub const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);
/// A session older than this neither sends nor receives.
pub const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);
/// The initiator of a session asks for a new one when it receives after this long: early enough for a handshake
/// and a keepalive before the session ends.
pub const REKEY_ON_RECEIVE_AFTER: Duration = Duration::from_secs(165);
/// An initiation is not repeated sooner.
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(5);
/// At most this is added to [`REKEY_TIMEOUT`], at random, so that two sides do not stay in step.
pub const REKEY_JITTER: Duration = Duration::from_millis(333);
/// A handshake without an answer is given up after this long, unless configured otherwise.
pub const HANDSHAKE_GIVE_UP: Duration = Duration::from_secs(90);
/// Received data is acknowledged by an empty packet when nothing else was sent for this long.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Data that nothing answers for this long means that the session is dead on the other side.
pub const NO_ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Keys are wiped this long after they were born, used or not.
pub const WIPE_AFTER: Duration = Duration::from_secs(540);
/// A cookie is used for this long after it was received: the secret behind it lives at least five seconds more.
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(115);
/// The secret behind cookies changes this often; the previous one is still accepted.
pub const COOKIE_SECRET_LIFETIME: Duration = Duration::from_secs(120);
/// Initiations of one peer are accepted no closer together: 50 a second.
pub const INITIATION_SPACING: Duration = Duration::from_millis(20);
/// Packets that wait for a session, per peer. Beyond that the oldest goes.
pub const STAGED_PACKETS: usize = 128;
/// A packet waits no longer for a session: for as long as a handshake goes on, unless configured otherwise.
pub const STAGED_TIME: Duration = HANDSHAKE_GIVE_UP;
/// Differentiated services of outer headers around handshake messages: AF41.
pub const HANDSHAKE_DSCP: u8 = 34;
