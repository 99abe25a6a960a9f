//! The gate before the handshake thread: nothing gets past it that did not pay in cheap checks.
//!
//! Workers share one gate by reference and call [`Gate::screen`] on every handshake message. It has only atomics
//! and no locks, so its numbers hold for the gateway and not per worker. Order: the first MAC, then the second, then
//! load, then the rates; each step takes what the step before yields, so none can be left out. At the end stands an
//! [`Admitted`] message, charged once, which the handshake thread consumes. The gate never does asymmetric
//! cryptography (WireGuard paper, sections 5.3 and 5.4.4 to 5.4.7).
//!
//! The second MAC is looked at whenever there is one, loaded or not. It shows a cookie, and so that the sender gets
//! what we send to its address and port. The first MAC shows nothing of the kind: the key it takes is public, and
//! anybody can send in the name of a peer, slowly enough that the gateway is never loaded. Therefore a sender that is
//! proven is charged where one that is not cannot spend anything: at rates of its source kept apart, and at a half of
//! the gateway's rate that others never touch. And one that is not proven is never dropped for its rate but asked for
//! a cookie, as everybody is under load: a peer in whose name others have spent the rate comes back with the cookie.
//!
//! Cookie replies that we send have no rate: whoever could use it up would keep peers from proving themselves. Each is smaller
//! than the message that caused it, goes where that message claims to come from, and costs hashes and one small
//! encryption.

mod cookies;
mod limiter;
mod load;
mod sources;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use clock::{Rate, RateState, Time};
use rand::CryptoRng;

use self::cookies::Cookies;
use self::limiter::Limiter;
use self::load::Load;
use self::sources::Source;
use crate::cookie::{Cookie, mac1_key, mac1_matches, mac2_matches};
use crate::message::{COOKIE_RECEIVER, MAC_LENGTH, Parsed, SENDER, macs, word};
use crate::protocol::{COOKIE_REPLY_LENGTH, INITIATION_LENGTH, RESPONSE_LENGTH};
use crate::{Endpoint, Outstanding, PublicKey, Rejected};

/// What the gate lets through.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// Handshake messages of one source: an IPv4 address, or a /64 of IPv6. Those that show a valid cookie are
    /// counted apart from those that do not, each against this rate.
    pub per_source: Rate,
    /// Handshake messages of all sources together: what the handshake thread is asked to bear. Those
    /// without a valid cookie get at most half of it, and of its burst; of a burst of one that is nothing, so that
    /// everybody needs a cookie.
    pub gateway: Rate,
    /// Handshake messages within a second from which on the gate asks everybody for a cookie.
    pub load_threshold: u32,
    /// Sources with a cookie, and as many without, that can be told apart at once, rounded up to a power of two.
    pub sources: usize,
}

impl GateSettings {
    /// 4 a second and 8 at once per source; 100 a second and 256 at once in all; loaded from 25 a second on;
    /// 4096 sources of either kind, 128 KiB.
    pub const STANDARD: Self = Self {
        per_source: Rate::new(4, 8),
        gateway: Rate::new(100, 256),
        load_threshold: 25,
        sources: 4096,
    };
}

/// Shared by all workers and the handshake thread.
pub struct Gate {
    mac1_key: [u8; 32],
    cookies: Cookies,
    state: Arc<State>,
}

/// What outlives a change of identity: an attacker gains nothing by it.
struct State {
    load: Load,
    limiter: Limiter,
    outstanding: Outstanding,
    cookie_reply_rate: Rate,
    cookie_replies: RateState,
}

/// Where a handshake message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The worker whose queue it came by; it becomes the owner of a peer that has none.
    pub worker: u32,
    /// Its source, and our address.
    pub endpoint: Endpoint,
}

/// What the gate makes of a message.
#[derive(Debug)]
pub enum Verdict {
    /// For the handshake thread.
    Admitted(Admitted),
    /// The sender has to show first that it is where it says, since we are loaded or the rate of those who have not
    /// shown it is spent: send it this. Not charged.
    CookieReply([u8; COOKIE_REPLY_LENGTH]),
    /// Drop it.
    Rejected(Rejected),
}

/// A handshake message that passed the gate: the price of one expensive step. Neither `Clone` nor `Copy`.
#[derive(Debug)]
pub struct Admitted {
    message: Handshake,
    arrival: Arrival,
}

/// A handshake message by value, so that it can cross to another thread.
#[derive(Debug)]
pub(crate) enum Handshake {
    Initiation([u8; INITIATION_LENGTH]),
    Response([u8; RESPONSE_LENGTH]),
    CookieReply([u8; COOKIE_REPLY_LENGTH]),
}

impl Admitted {
    /// Where it arrived.
    pub const fn arrival(&self) -> Arrival {
        self.arrival
    }

    pub(crate) fn open(self) -> (Handshake, Arrival) {
        (self.message, self.arrival)
    }
}

/// The first MAC is right: the sender knows our public key.
struct Mac1Ok<'a, const N: usize>(&'a [u8; N]);

/// What the second MAC tells of the sender.
enum Sender<'a, const N: usize> {
    /// It shows a cookie of ours: it gets what is sent to its address and port.
    Proven(&'a [u8; N]),
    /// It shows none, or a wrong or stale one: the address may be anybody's.
    Claimed(&'a [u8; N]),
}

/// The sender may cost us a handshake step: it is where it says, as far as we had to ask, and within its rate.
struct Charged<'a, const N: usize>(&'a [u8; N]);

impl Gate {
    /// The gate of the gateway with this public key, before the engine with these messages outstanding. Draws its boot
    /// secrets from `rng`.
    pub fn new(
        public_key: &PublicKey,
        settings: &GateSettings,
        outstanding: Outstanding,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let cookies = Cookies::new(public_key, rng);
        let limiter = Limiter::new(settings.per_source, settings.gateway, settings.sources, rng);
        let state = State {
            load: Load::new(settings.load_threshold),
            limiter,
            outstanding,
            cookie_reply_rate: settings.gateway,
            cookie_replies: RateState::new(),
        };
        Self { mac1_key: mac1_key(public_key), cookies, state: Arc::new(state) }
    }

    /// The same gate for a gateway that has another identity from here on. Load and rates are shared with this one,
    /// and cookies stay good: they are about where their holders are.
    pub fn with_identity(&self, public_key: &PublicKey) -> Self {
        Self {
            mac1_key: mac1_key(public_key),
            cookies: self.cookies.with_identity(public_key),
            state: Arc::clone(&self.state),
        }
    }

    /// Judges a handshake message.
    pub fn screen(&self, message: Parsed<'_>, arrival: Arrival, now: Time) -> Verdict {
        let judged = match message {
            Parsed::Initiation(bytes) => self
                .judge(bytes, &arrival, now)
                .map(|charged| charged.map(|Charged(bytes)| Handshake::Initiation(*bytes))),
            Parsed::Response(bytes) => self
                .judge(bytes, &arrival, now)
                .map(|charged| charged.map(|Charged(bytes)| Handshake::Response(*bytes))),
            Parsed::CookieReply(bytes) => self
                .judge_cookie_reply(bytes, &arrival, now)
                .map(|()| Ok(Handshake::CookieReply(*bytes))),
        };
        match judged {
            Ok(Ok(message)) => Verdict::Admitted(Admitted { message, arrival }),
            Ok(Err(CookieWanted(reply))) => Verdict::CookieReply(reply),
            Err(cause) => Verdict::Rejected(cause),
        }
    }

    /// Tells the gate how full the queue to the handshake thread is. From an eighth on the gateway is loaded.
    pub fn report_queue(&self, waiting: usize, capacity: usize, now: Time) {
        self.state.load.report_queue(waiting, capacity, now);
    }

    /// Whether senders have to show a cookie at present.
    pub fn is_loaded(&self, now: Time) -> bool {
        self.state.load.is_loaded(now)
    }

    fn judge<'a, const N: usize>(
        &self,
        message: &'a [u8; N],
        arrival: &Arrival,
        now: Time,
    ) -> Result<Result<Charged<'a, N>, CookieWanted>, Rejected> {
        let source = Source::of(&arrival.endpoint)?;
        let checked = self.check_mac1(message)?;
        self.state.load.note_handshake(now);
        let cookies = self.cookies.valid_for(&arrival.endpoint, now);
        match check_mac2(checked, &cookies) {
            Sender::Proven(message) => {
                self.state.limiter.charge_proven(source, now).map(|()| Ok(Charged(message)))
            }
            Sender::Claimed(message) => {
                let passes = !self.state.load.is_loaded(now)
                    && self.state.limiter.charge_claimed(source, now);
                Ok(if passes { Ok(Charged(message)) } else { Err(self.ask(message, cookies)) })
            }
        }
    }

    fn check_mac1<'a, const N: usize>(
        &self,
        message: &'a [u8; N],
    ) -> Result<Mac1Ok<'a, N>, Rejected> {
        let matches = mac1_matches(message, &self.mac1_key);
        if matches { Ok(Mac1Ok(message)) } else { Err(Rejected::Mac1Invalid) }
    }

    /// The reply that brings the sender of `message` the current one of its cookies.
    fn ask<const N: usize>(&self, message: &[u8; N], [current, _]: [Cookie; 2]) -> CookieWanted {
        let mac1: &[u8; MAC_LENGTH] = macs(message).1;
        CookieWanted(self.cookies.reply(word(message, SENDER), current, mac1))
    }

    /// A cookie reply bears no MAC; only the handshake thread can tell whether it is genuine. One that names no message
    /// of ours ends here, so that who cannot see our messages cannot use the rate up. Those who can are held to it,
    /// apart from the rate of handshakes.
    fn judge_cookie_reply(
        &self,
        message: &[u8; COOKIE_REPLY_LENGTH],
        arrival: &Arrival,
        now: Time,
    ) -> Result<(), Rejected> {
        Source::of(&arrival.endpoint)?;
        if !self.state.outstanding.contains(word(message, COOKIE_RECEIVER)) {
            return Err(Rejected::CookieUnsolicited);
        }
        let admitted = self.state.cookie_replies.take(&self.state.cookie_reply_rate, now);
        if admitted { Ok(()) } else { Err(Rejected::GatewayRateLimited) }
    }
}

/// The sender has to come back with a cookie.
struct CookieWanted([u8; COOKIE_REPLY_LENGTH]);

fn check_mac2<'a, const N: usize>(
    Mac1Ok(message): Mac1Ok<'a, N>,
    cookies: &[Cookie; 2],
) -> Sender<'a, N> {
    // Zeros are what a sender without a cookie writes there.
    let shows_one = macs(message).2 != &[0; MAC_LENGTH];
    if shows_one && cookies.iter().any(|cookie| mac2_matches(message, cookie)) {
        Sender::Proven(message)
    } else {
        Sender::Claimed(message)
    }
}
