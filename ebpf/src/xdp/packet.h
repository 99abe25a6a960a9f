/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads Ethernet, VLAN tags, IPv4, IPv6 and the destination port out of a frame into a struct
 * packet, from which alone the decisions are made.
 *
 * Headers at a variable offset are copied by a helper, pointers into the frame move by constants
 * only and are compared with its end only, the one loop is unrolled, and the packet is filled by
 * a separate function: so the program also verifies, on kernel 6.1, for a process without
 * CAP_PERFMON, which may not learn addresses, not even by speculation.
 */
#ifndef RINGWALL_PACKET_H
#define RINGWALL_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "bpf.h"
#include "exits.h"
#include "fragments.h"
#include "layout.h"

/* As the pipeline's parser: eight extension headers are walked, a ninth is refused. */
#define EXTENSION_HEADERS 8
#define NEXT_HEADER_MOBILITY 135
#define NEXT_HEADER_HIP 139
#define NEXT_HEADER_SHIM6 140

#define TAG_LENGTH 4

enum fragment { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };

/* The map keys of a packet as they are looked up, and what else the decisions need. */
struct packet {
	struct service_key service; /* destination; with an IPv4 address in word[0] */
	struct prefix6 source; /* its start is a prefix4 for IPv4 */
	struct vlan_key vlan;
	__u32 network; /* offset of the IP header */
	__u8 fragment; /* enum fragment */
	__u8 group_destination; /* Ethernet multicast or broadcast */
	__u8 neighbour_discovery; /* as RFC 4861 6.1 and 7.1 accept it */
	__u8 unused;
	struct datagram datagram; /* of a piece; else zero */
};
SIZE_IS(struct packet, 96);
OFFSET_IS(struct packet, vlan, 40);
OFFSET_IS(struct packet, datagram, 56);

/* A parse step gives PARSED or the exit that ends the packet. */
#define PARSED EXIT_COUNT

/* Points `pointer` at a constant offset; true if what it points to lies in the first buffer. */
#define locate(context, offset, pointer) \
	((pointer) = (void *)(long)(context)->data + (offset), \
	 (void *)((pointer) + 1) <= (void *)(long)(context)->data_end)

/* Copies what is at `offset` into `header`; true if it lies in the frame. */
#define load(context, offset, header) (!load_bytes(context, offset, header, sizeof(*(header))))

/* The same if `offset` is the constant `place`, and what is there lies in the first buffer. */
#define load_at(context, offset, place, header) \
	({ \
		__typeof__(header) found; \
		int loaded = (offset) == (place) && locate(context, place, found); \
		if (loaded) \
			*(header) = *found; \
		loaded; \
	})

/*
 * `load` for what follows an Ethernet header and `behind` constant bytes: without a tag or with
 * one it costs a compare or two, elsewhere a helper call.
 */
#define load_behind(context, offset, behind, header) \
	(load_at(context, offset, ETH_HLEN + (behind), header) || \
	 load_at(context, offset, ETH_HLEN + TAG_LENGTH + (behind), header) || \
	 load(context, offset, header))

INLINE int is_tag(__u16 ether_type)
{
	return ether_type == network16(ETH_P_8021Q) || ether_type == network16(ETH_P_8021AD);
}

/* Tag protocols that no kernel VLAN device speaks: what they carry cannot be told. */
INLINE int is_unknown_tag(__u16 ether_type)
{
	return ether_type == network16(ETH_P_QINQ1) || ether_type == network16(ETH_P_QINQ2) ||
	       ether_type == network16(ETH_P_QINQ3);
}

/* Reads the tag at `offset`; the EtherType becomes the one behind it. */
INLINE int parse_tag(struct xdp_md *context, __u32 offset, __u16 *ether_type, __u16 *tag)
{
	struct {
		__be16 control;
		__be16 ether_type;
	} *header;

	if (!locate(context, offset, header))
		return 0;
	*tag = TAG_PRESENT | (network16(header->control) & 0x0fff);
	if (*ether_type == network16(ETH_P_8021AD))
		*tag |= TAG_SERVICE;
	*ether_type = header->ether_type;
	return 1;
}

INLINE enum exit parse_ethernet(struct xdp_md *context, struct packet *packet, __u16 *ether_type)
{
	struct ethhdr *header;

	if (!locate(context, 0, header))
		return EXIT_frame_truncated;
	packet->group_destination = header->h_dest[0] & 1;
	packet->network = ETH_HLEN;
	packet->vlan.ifindex = context->ingress_ifindex;
	*ether_type = header->h_proto;
	if (likely(!is_tag(*ether_type)))
		return PARSED;

	packet->network = ETH_HLEN + TAG_LENGTH;
	if (!parse_tag(context, ETH_HLEN, ether_type, &packet->vlan.outer))
		return EXIT_frame_truncated;
	if (likely(!is_tag(*ether_type))) {
		/* A priority tag (VLAN 0) names no VLAN: the frame counts as untagged. */
		if (packet->vlan.outer == TAG_PRESENT)
			packet->vlan.outer = 0;
		return PARSED;
	}
	packet->network = ETH_HLEN + 2 * TAG_LENGTH;
	if (!parse_tag(context, ETH_HLEN + TAG_LENGTH, ether_type, &packet->vlan.inner))
		return EXIT_frame_truncated;
	return is_tag(*ether_type) ? EXIT_vlan_unsupported : PARSED;
}

struct ports {
	__be16 source;
	__be16 destination;
};

/*
 * What follows the IP headers starts at `offset`, which is `behind` the Ethernet header unless
 * there are options; the IP headers say it has `length` bytes.
 */
INLINE enum exit parse_transport(struct xdp_md *context, struct packet *packet, __u32 offset,
				 __u32 length, const __u32 behind)
{
	struct ports ports;

	if (packet->service.protocol != IPPROTO_UDP && packet->service.protocol != IPPROTO_TCP)
		return PARSED;
	if (length < sizeof(ports) || !load_behind(context, offset, behind, &ports))
		return EXIT_transport_truncated;
	packet->service.port = ports.destination;
	return PARSED;
}

INLINE enum exit parse_ipv4(struct xdp_md *context, struct packet *packet)
{
	__u32 header_length, total_length;
	struct iphdr header;
	__u16 fragment;

	if (!load_behind(context, packet->network, 0, &header))
		return EXIT_ipv4_malformed;
	header_length = header.ihl * 4;
	total_length = network16(header.tot_len);
	if (header.version != 4 || header_length < sizeof(header) ||
	    total_length < header_length || packet->network + total_length > frame_length(context))
		return EXIT_ipv4_malformed;
	packet->source.length = 32;
	packet->source.address.word[0] = header.saddr;
	packet->service.address.word[0] = header.daddr;
	packet->service.protocol = header.protocol;
	packet->service.family = 4;
	fragment = network16(header.frag_off);
	if (fragment & 0x3fff) {
		packet->datagram.source.word[0] = header.saddr;
		packet->datagram.destination.word[0] = header.daddr;
		packet->datagram.identification = header.id;
		packet->datagram.protocol = header.protocol;
		packet->datagram.family = 4;
	}
	if (fragment & 0x1fff) {
		packet->fragment = FRAGMENT_LATER;
		return PARSED;
	}
	packet->fragment = fragment & 0x2000 ? FRAGMENT_FIRST : FRAGMENT_NONE;
	return parse_transport(context, packet, packet->network + header_length,
			       total_length - header_length, sizeof(header));
}

INLINE int is_extension(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case NEXT_HEADER_MOBILITY:
	case NEXT_HEADER_HIP:
	case NEXT_HEADER_SHIM6:
		return 1;
	default:
		return 0;
	}
}

/* Types 133 to 137 with hop limit 255 (RFC 4861 4); a fragment is never one (RFC 6980). */
INLINE int is_neighbour_discovery(struct xdp_md *context, const struct packet *packet,
				  __u8 hop_limit, __u32 offset, __u32 length)
{
	__u8 type;

	if (packet->service.protocol != IPPROTO_ICMPV6 || packet->fragment != FRAGMENT_NONE)
		return 0;
	if (hop_limit != 255 || length < sizeof(type) || !load(context, offset, &type))
		return 0;
	return type >= 133 && type <= 137;
}

/* The part that all extension headers have, and what the fragment header has besides. */
struct extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__be32 identification;
};

INLINE __u32 extension_length(__u8 protocol, const struct extension *extension)
{
	if (protocol == IPPROTO_FRAGMENT)
		return sizeof(*extension);
	if (protocol == IPPROTO_AH)
		return (extension->length + 2) * 4;
	return (extension->length + 1) * 8;
}

/*
 * Walks the extension headers. `position` counts from the IPv6 header; `limit` is where the
 * packet ends by its own payload length (RFC 8200 4).
 */
INLINE enum exit parse_ipv6(struct xdp_md *context, struct packet *packet)
{
	__u32 limit, position = sizeof(struct ipv6hdr), network = packet->network;
	struct ipv6hdr header;
	__u8 protocol;

	if (!load_behind(context, network, 0, &header))
		return EXIT_ipv6_malformed;
	limit = position + network16(header.payload_len);
	if (header.version != 6 || network + limit > frame_length(context))
		return EXIT_ipv6_malformed;
	packet->source.length = 128;
	__builtin_memcpy(&packet->source.address, &header.saddr, sizeof(struct address6));
	__builtin_memcpy(&packet->service.address, &header.daddr, sizeof(struct address6));
	packet->service.family = 6;
	protocol = header.nexthdr;

#pragma clang loop unroll(full)
	for (int walked = 0; is_extension(protocol); walked++) {
		struct extension extension;

		if (walked == EXTENSION_HEADERS)
			return EXIT_extension_chain;
		/* No extension header is shorter than eight bytes. */
		if (position + sizeof(extension) > limit ||
		    !load(context, network + position, &extension))
			return EXIT_ipv6_malformed;
		position += extension_length(protocol, &extension);
		if (position > limit)
			return EXIT_ipv6_malformed;
		if (protocol == IPPROTO_FRAGMENT) {
			packet->fragment = FRAGMENT_FIRST;
			packet->datagram.source = packet->source.address;
			packet->datagram.destination = packet->service.address;
			packet->datagram.identification = extension.identification;
			packet->datagram.family = 6;
			if (extension.fragment & network16(0xfff8)) {
				/* What follows is payload, not headers. */
				packet->fragment = FRAGMENT_LATER;
				packet->service.protocol = extension.next;
				return PARSED;
			}
		}
		protocol = extension.next;
	}
	packet->service.protocol = protocol;
	packet->neighbour_discovery = is_neighbour_discovery(
		context, packet, header.hop_limit, network + position, limit - position);
	return parse_transport(context, packet, network + position, limit - position,
			       sizeof(header));
}

/* Fills a zeroed packet. Gives PARSED for IP, else the exit the frame takes. */
SEPARATE int parse(struct xdp_md *context, struct packet *packet)
{
	__u16 ether_type;
	enum exit exit;

	if (!packet)
		return EXIT_frame_truncated;
	exit = parse_ethernet(context, packet, &ether_type);
	if (exit != PARSED)
		return exit;
	if (ether_type == network16(ETH_P_IP))
		return parse_ipv4(context, packet);
	if (ether_type == network16(ETH_P_IPV6))
		return parse_ipv6(context, packet);
	if (ether_type == network16(ETH_P_ARP))
		return EXIT_arp;
	return is_unknown_tag(ether_type) ? EXIT_vlan_unsupported : EXIT_non_ip;
}

#endif
