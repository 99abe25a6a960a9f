/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which datagram a piece belongs to. Only the first piece has ports, so it is remembered where
 * that one went; the loader knows nothing of this.
 */
#ifndef RINGWALL_FRAGMENTS_H
#define RINGWALL_FRAGMENTS_H

#include "layout.h"

/* What the pieces of a datagram have in common. IPv4 addresses fill word[0], the rest is zero. */
struct datagram {
	struct address6 source;
	struct address6 destination;
	__u32 identification; /* network order; 16 bits in IPv4 */
	__u8 protocol; /* 0 in IPv6, where it is the first piece's alone (RFC 8200 4.5) */
	__u8 family; /* 4 or 6 */
	__u16 unused;
};
SIZE_IS(struct datagram, 40);
OFFSET_IS(struct datagram, identification, 32);
OFFSET_IS(struct datagram, protocol, 36);

/* Datagrams that are remembered; beyond that the one not heard of for longest is forgotten. */
#define DATAGRAMS 8192
/* Later pieces follow the first at once; identifications are used again. */
#define DATAGRAM_NS 1000000000ull

#endif
