//! What a packet says to its flow: a TCP segment's numbers, or nothing but that it came.

use wire::tcp::{self, Flags};
use wire::{Fragment, Parsed, Transport};

use crate::tuple::ECHO_REPLY;
use crate::{Pickup, Tuple};

/// What of a packet a flow's state depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A TCP segment.
    Tcp(Segment),
    /// Anything else: that it came, and in which direction, is all.
    Datagram,
}

/// The numbers of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number; counts with ACK.
    pub acknowledgment: u32,
    /// Bytes of data.
    pub length: u32,
    /// Window as it stands in the header, unscaled.
    pub window: u16,
    /// The eight flag bits.
    pub flags: Flags,
    /// The window scale option of a SYN, at most 14 (RFC 7323, section 2.3).
    pub scale: Option<u8>,
    /// True for a SYN with timestamps.
    pub timestamps: bool,
    /// True for the first fragment of a segment: there is more data than `length`, nobody knows how much.
    pub fragmented: bool,
}

impl Content {
    /// What `packet`, which was parsed from `buffer`, says. `None` if it is not from there, or a later fragment of
    /// anything: these are judged by what their first one was judged to be.
    #[inline]
    pub fn of(packet: &Parsed, buffer: &[u8]) -> Option<Self> {
        match packet.transport {
            Transport::Tcp { .. } => {
                let view = tcp::View::new(buffer.get(packet.l4()..packet.end())?).ok()?;
                let fragmented = matches!(packet.fragment, Fragment::First { .. });
                Some(Self::Tcp(Segment::of(&view, fragmented)))
            }
            Transport::Absent => None,
            Transport::Udp { .. }
            | Transport::Icmp { .. }
            | Transport::Icmpv6 { .. }
            | Transport::Ipip { .. }
            | Transport::Other(_) => Some(Self::Datagram),
        }
    }

    /// True if a packet without a flow may open one: a SYN alone, an echo request, and any packet of a protocol that
    /// knows no beginning. With [`Pickup::On`] also a TCP segment out of the middle of a conversation.
    pub fn may_open(&self, tuple: &Tuple, pickup: Pickup) -> bool {
        match self {
            Self::Datagram => !(tuple.is_echo() && tuple.ports.1 == ECHO_REPLY),
            Self::Tcp(segment) => match (segment.kind(), pickup) {
                (Some(Kind::Syn), _) => true,
                (Some(Kind::Data), Pickup::On) => true,
                (Some(Kind::Data), Pickup::Off)
                | (Some(Kind::SynAck | Kind::Reset) | None, Pickup::On | Pickup::Off) => false,
            },
        }
    }
}

/// What a segment is for, by its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Syn,
    SynAck,
    Reset,
    /// An acknowledgment, with or without data, with or without FIN.
    Data,
}

impl Segment {
    #[inline]
    fn of(view: &tcp::View, fragmented: bool) -> Self {
        let mut segment = Self {
            sequence: view.sequence(),
            acknowledgment: view.acknowledgment(),
            length: view.payload().len() as u32,
            window: view.window(),
            flags: view.flags(),
            scale: None,
            timestamps: false,
            fragmented,
        };
        if segment.flags.contains(Flags::SYN) {
            segment.read_options(view.options());
        }
        segment
    }

    fn read_options(&mut self, options: tcp::Options) {
        for (_, kind, data) in options {
            match (kind, data) {
                (tcp::option::WINDOW_SCALE, [scale]) => self.scale = Some((*scale).min(SCALE_MAX)),
                (tcp::option::TIMESTAMPS, _) => self.timestamps = true,
                _ => {}
            }
        }
    }

    /// What it is for; `None` for flags that no TCP sends together, or that say nothing: without ACK there is only
    /// SYN and RST (RFC 9293, section 3.10.7), and SYN, FIN and RST exclude each other.
    #[inline]
    pub(crate) const fn kind(&self) -> Option<Kind> {
        const SYN: u8 = Flags::SYN.0;
        const ACK: u8 = Flags::ACK.0;
        const FIN: u8 = Flags::FIN.0;
        const RST: u8 = Flags::RST.0;
        const SYN_ACK: u8 = SYN | ACK;
        const RST_ACK: u8 = RST | ACK;
        const FIN_ACK: u8 = FIN | ACK;
        match self.flags.0 & (SYN | ACK | FIN | RST) {
            ACK | FIN_ACK => Some(Kind::Data),
            SYN => Some(Kind::Syn),
            SYN_ACK => Some(Kind::SynAck),
            RST | RST_ACK => Some(Kind::Reset),
            _ => None,
        }
    }

    /// True if the sender has nothing more to send.
    #[inline]
    pub(crate) const fn is_fin(&self) -> bool {
        self.flags.contains(Flags::FIN)
    }

    /// How many sequence numbers it takes, as far as it shows.
    #[inline]
    pub(crate) const fn sequence_len(&self) -> u32 {
        let flags = self.flags.contains(Flags::SYN) as u32 + self.flags.contains(Flags::FIN) as u32;
        self.length.wrapping_add(flags)
    }
}

/// The largest window scale there is; a larger one counts as this (RFC 7323, section 2.3).
const SCALE_MAX: u8 = 14;

#[cfg(test)]
mod tests {
    use wire::build::Packet;

    use super::*;

    fn content(packet: &[u8]) -> Option<Content> {
        Content::of(&wire::parse_ip(packet, 0).unwrap(), packet)
    }

    fn segment(packet: &[u8]) -> Segment {
        match content(packet) {
            Some(Content::Tcp(segment)) => segment,
            other => panic!("{other:?} is no segment"),
        }
    }

    fn tcp(flags: Flags) -> Packet {
        Packet::tcp("10.0.0.1:1", "10.0.0.2:2", flags)
    }

    #[test]
    fn a_segment_is_read_with_the_options_of_its_syn() {
        let syn = tcp(Flags::SYN).sequence(7, 0).mss(1460).with_tcp(|repr| {
            repr.window_scale = Some(9);
            repr.timestamps = Some((1, 0));
        });
        let read = segment(&syn.clone().payload(b"fast").ip());
        assert_eq!((read.sequence, read.length, read.window), (7, 4, u16::MAX));
        assert_eq!((read.scale, read.timestamps, read.sequence_len()), (Some(9), true, 5));
        let beyond = syn.with_tcp(|repr| repr.window_scale = Some(200));
        assert_eq!(segment(&beyond.ip()).scale, Some(14));
        let later = tcp(Flags::ACK).with_tcp(|repr| repr.window_scale = Some(9));
        assert_eq!(segment(&later.ip()).scale, None, "only a SYN says so");
    }

    #[test]
    fn flags_that_no_tcp_sends_have_no_kind() {
        let kind = |flags| segment(&tcp(flags).ip()).kind();
        for bits in 0..=u8::MAX {
            let flags = Flags(bits);
            let alone = [Flags::SYN, Flags::FIN, Flags::RST];
            let alone = alone.into_iter().filter(|flag| flags.contains(*flag)).count();
            let needs_ack = !flags.intersects(Flags::SYN.with(Flags::RST));
            let sensible = alone <= 1 && (!needs_ack || flags.contains(Flags::ACK));
            assert_eq!(kind(flags).is_some(), sensible, "{flags}");
        }
        assert_eq!(kind(Flags::SYN.with(Flags::ECE).with(Flags::CWR)), Some(Kind::Syn));
        assert_eq!(kind(Flags::FIN.with(Flags::ACK).with(Flags::PSH)), Some(Kind::Data));
    }

    #[test]
    fn only_what_begins_a_conversation_may_open_a_flow() {
        let opens = |packet: &[u8], pickup| {
            let parsed = wire::parse_ip(packet, 0).unwrap();
            let tuple = Tuple::of(&parsed).unwrap();
            Content::of(&parsed, packet).unwrap().may_open(&tuple, pickup)
        };
        let reply = wire::icmpv4::Repr::EchoReply { identifier: 1, sequence: 1 };
        let cases = [
            (tcp(Flags::SYN).ip(), true, true),
            (tcp(Flags::SYN.with(Flags::ACK)).ip(), false, false),
            (tcp(Flags::ACK).payload(b"data").ip(), false, true),
            (tcp(Flags::FIN.with(Flags::ACK)).ip(), false, true),
            (tcp(Flags::RST).ip(), false, false),
            (tcp(Flags::RST.with(Flags::ACK)).ip(), false, false),
            (tcp(Flags::SYN.with(Flags::FIN)).ip(), false, false),
            (tcp(Flags::NONE).ip(), false, false),
            (Packet::ping("10.0.0.1", "10.0.0.2", 1, 1).ip(), true, true),
            (Packet::icmpv4("10.0.0.1", "10.0.0.2", reply).ip(), false, false),
            (Packet::udp("10.0.0.1:1", "10.0.0.2:2").ip(), true, true),
            (Packet::raw("10.0.0.1", "10.0.0.2", 50).ip(), true, true),
        ];
        for (packet, off, on) in cases {
            let shown = wire::parse_ip(&packet, 0).unwrap().transport;
            assert_eq!(opens(&packet, Pickup::Off), off, "{shown:?}");
            assert_eq!(opens(&packet, Pickup::On), on, "{shown:?} with pickup");
        }
    }

    #[test]
    fn a_first_fragment_says_that_there_is_more() {
        let first = tcp(Flags::ACK).payload_len(60).fragment(0, true).ip();
        assert!(segment(&first).fragmented);
        let later = tcp(Flags::ACK).payload_len(64).fragment(64, false).ip();
        assert_eq!(content(&later), None);
    }

    #[test]
    fn a_buffer_that_is_too_short_says_nothing() {
        let packet = tcp(Flags::ACK).payload_len(64).ip();
        let parsed = wire::parse_ip(&packet, 0).unwrap();
        assert_eq!(Content::of(&parsed, &packet[..30]), None);
    }
}
