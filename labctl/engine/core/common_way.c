/* The common way of a packet through an endpoint, in C: what `forward`, `split` and `coalesce` do with most packets.
 *
 *     out   tun_to_peer   take_out     send_out    send_piece_out
 *                         split
 *     in    peer_to_tun   runs         merge       send_piece_in
 *
 * Every rule exists in Python. This file has those that most packets meet, under the same names and in the same order
 * as the Python beside it, and nothing else. Whatever is not common it leaves to Python as it came: a signal, a
 * request, a change of the network, an impairment, a datagram of a stranger, a packet with a fault, a packet that
 * might be our own, a mark of congestion, an offload that is not engaged, and every error. It must never do what
 * Python would not do; it may leave anything.
 *
 * What it leaves lies in Python's own buffers, where Python would have received it, and `struct left_out` and
 * `struct left_in` say where. A port of `core.ports` takes it from there as if it had just come. A send or a write that
 * the kernel refused was not done: the packets are left, with the error, which Python's own send then meets.
 *
 * A superframe is cut into packets that lie behind one another on the stack: they are written there as their payload is
 * summed, which costs less than to hand the kernel 86 pieces. A train becomes a superframe by one writev(2) of the
 * parts of the payload, where they are. So what was read is as it came until it is gone. The one thing that is changed
 * in place is a checksum that the kernel left unfinished.
 *
 * There is no memory but Python's and the stack, and no state but `struct core`, which Python makes and sees. Sums are
 * those of `checksums`: of words as they lie in memory, not folded until the end, congruent modulo 65535.
 *
 * Packets are not trusted: their bytes are read only below a length that the kernel returned. Multi-byte fields are
 * read with get16 and get32, for they may lie anywhere.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* `ports`, `train`, `tun.offload`. */
enum { LARGEST = 65536, LARGEST_FRAME = 65535, MOST_PACKETS = 64, MOST_BYTES = 65535 - 40 - 8 };
/* Superframes or trains of one turn, before the other direction has its turn: some 0.4 ms. */
enum { MOST_FRAMES = 16 };
/* `vnet`, `ip`, `ecn`, `headers`. */
enum { VNET = 10, NEEDS_CSUM = 1, TCPV4 = 1, TCPV6 = 4, UDP_L4 = 5 };
enum { TCP = 6, UDP = 17, IPV4_HEADER = 20, IPV6_HEADER = 40, UDP_HEADER = 8, LARGEST_HEAD = 60 + 60 };
enum { FIN_PSH = 0x09, PSH = 0x08, ACK = 0x10, CWR = 0x80, DONT_FRAGMENT = 0x40 };
/* linux/udp.h, of which the C library may know nothing. */
enum { UDP_SEGMENT = 103, UDP_GRO = 104, ANCILLARY = 64 };
/* `features`. */
enum { USE_UDP_SEGMENT = 4, USE_TCP_MERGE = 16, USE_UDP_MERGE = 32 };
/* `counters`: a cell of packets has the cell of bytes right behind it. */
enum { TUN_READ = 0, UDP_SENT = 2, UDP_RECEIVED = 4, TUN_WRITTEN = 6, TUN_READ_FRAMES = 8, TUN_WRITTEN_FRAMES = 9 };

enum { MOST_READY = 8 };

struct vnet_header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

struct train {
    const uint8_t *data;
    size_t length, size, number;
};

/* What of the TUN device is left to Python: packets that are finished, and behind them a frame as it was read. */
struct left_out {
    int32_t error;                      /* of the read; 0 if it went well */
    int32_t refusal;                    /* of the send of the first packets; 0 if that was not tried */
    int64_t packets_at, length, size, number; /* packets of one size; number 0: none */
    int64_t frame_at, frame;            /* where, and how long; -1: none */
    int64_t sent;                       /* packets of the frame that were sent already */
};

/* What of the peer is left to Python: one message, at the start of the buffer. */
struct left_in {
    int32_t there;
    int32_t error, refusal, flags, ecn, gro;
    int32_t run; /* packets of the write that was refused */
    int64_t length;
};

struct core {
    int32_t epoll, tun, peer;
    int32_t forwards_out, forwards_in; /* whether a direction is to be forwarded here: none watches it or impairs it */
    uint8_t *header, *frames, *datagrams; /* the buffers of the ports */
    uint64_t *cells, *features;
    uint8_t own_ports[4];
    int32_t ecn;     /* the field that the socket sends with */
    int64_t largest; /* the largest packet that may go in a train */
    int32_t ready;   /* descriptors that Python is to look at */
    struct {
        int32_t descriptor;
        uint32_t events;
    } descriptors[MOST_READY];
    struct left_out out;
    struct left_in in;
};

size_t core_size(void) { return sizeof(struct core); }

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static void put16(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static void put32(uint8_t *at, uint32_t number)
{
    put16(at, number >> 16);
    put16(at + 2, number);
}

static size_t least(size_t one, size_t other) { return one < other ? one : other; }

/* `checksums`. */

/* For x86-64 compiled twice, and chosen when the library is loaded: 32 bytes at once where the processor can. */
#if defined(__x86_64__) && defined(__GLIBC__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

typedef uint64_t words __attribute__((vector_size(32)));

/* Return the sum of these bytes, an odd last one padded on the right; copy them if `to` is not NULL. */
static inline __attribute__((always_inline)) uint64_t added(uint8_t *to, const uint8_t *data, size_t size)
{
    words lower = {0}, upper = {0};
    for (; size >= sizeof(words); data += sizeof(words), size -= sizeof(words)) {
        words these;
        memcpy(&these, data, sizeof these);
        if (to) {
            memcpy(to, &these, sizeof these);
            to += sizeof these;
        }
        lower += these & UINT32_MAX;
        upper += these >> 32;
    }
    lower += upper;
    uint64_t total = lower[0] + lower[1] + lower[2] + lower[3];
    if (to)
        memcpy(to, data, size);
    for (; size >= 2; data += 2, size -= 2) {
        uint16_t word;
        memcpy(&word, data, 2);
        total += word;
    }
    if (size) {
        uint8_t padded[2] = {*data, 0};
        uint16_t word;
        memcpy(&word, padded, 2);
        total += word;
    }
    return total;
}

/* Return the sum of these bytes, an odd last one padded on the right. */
WIDE static uint64_t sum(const uint8_t *data, size_t size) { return added(NULL, data, size); }

/* Copy these bytes, and return their sum. */
WIDE static uint64_t sum_of_copy(uint8_t *to, const uint8_t *data, size_t size) { return added(to, data, size); }

/* Return a number below 65536 as it lies in memory in network byte order. */
static uint64_t native(size_t number) { return htons((uint16_t)number); }

static void put_native(uint8_t *at, uint64_t number)
{
    uint16_t word = (uint16_t)number;
    memcpy(at, &word, 2);
}

static bool is_right(uint64_t total) { return total % 65535 == 0; }

/* Return the checksum for this sum, never 0xffff, which equals 0. */
static uint64_t finished(uint64_t total) { return (65535 - total % 65535) % 65535; }

static uint64_t folded(uint64_t total) { return total ? (total - 1) % 65535 + 1 : 0; }

/* `ip`, `ecn`, `routing_loop`. */

/* Return whether this is not exactly one IP packet of its own stated length. */
static bool fault(const uint8_t *packet, size_t size)
{
    if (size >= IPV4_HEADER && packet[0] >> 4 == 4) {
        size_t header = (size_t)(packet[0] & 15) * 4;
        return header < IPV4_HEADER || header > size || get16(packet + 2) != size;
    }
    return size < IPV6_HEADER || packet[0] >> 4 != 6 || (size_t)get16(packet + 4) + IPV6_HEADER != size;
}

/* Return the ECN field of a packet without a fault. */
static int ecn_of(const uint8_t *packet) { return (packet[0] >> 4 == 4 ? packet[1] : packet[1] >> 4) & 3; }

/* Return whether a packet without a fault may be the endpoint's own datagram, or carry one. */
static bool may_be_own(const struct core *core, const uint8_t *packet, size_t size)
{
    size_t at = IPV6_HEADER;
    if (packet[0] >> 4 == 4) {
        if (packet[9] != UDP || packet[6] & 0x1F || packet[7])
            return false;
        at = (size_t)(packet[0] & 15) * 4;
    } else if (packet[6] != UDP) {
        /* Extension headers, behind which there may be UDP, are Python's. */
        uint8_t next = packet[6];
        return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
    }
    if (at + UDP_HEADER > size)
        return false;
    if (!memcmp(packet + at, core->own_ports, 4))
        return true;
    const uint8_t *inside = packet + at + UDP_HEADER;
    size_t rest = size - at - UDP_HEADER, stated = (size_t)get16(packet + at + 4) - UDP_HEADER;
    if (rest >= IPV4_HEADER && inside[0] >> 4 == 4)
        return get16(inside + 2) == stated;
    return rest >= IPV6_HEADER && inside[0] >> 4 == 6 && (size_t)get16(inside + 4) + IPV6_HEADER == stated;
}

/* Return whether a packet of the TUN device has to be looked at by Python. */
static bool unfit_out(const struct core *core, const uint8_t *packet, size_t size)
{
    return fault(packet, size) || ecn_of(packet) != core->ecn || may_be_own(core, packet, size);
}

/* `accounting`. */

static void add(const struct core *core, int cell, size_t packets, size_t bytes)
{
    core->cells[cell] += packets;
    core->cells[cell + 1] += bytes;
}

static void passed_out(const struct core *core, size_t packets, size_t bytes)
{
    add(core, TUN_READ, packets, bytes);
    add(core, UDP_SENT, packets, bytes);
}

static void passed_in(const struct core *core, size_t packets, size_t bytes)
{
    add(core, UDP_RECEIVED, packets, bytes);
    add(core, TUN_WRITTEN, packets, bytes);
    core->cells[TUN_WRITTEN_FRAMES] += 1;
}

/* Out: from the TUN device to the peer. */

/* Send `number` packets of this size, the last perhaps shorter, in one call; return 0 or the error. */
static int send_piece_out(const struct core *core, struct iovec *piece, size_t size, size_t number)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control = {.header = {CMSG_LEN(sizeof(uint16_t)), IPPROTO_UDP, UDP_SEGMENT}};
    struct msghdr message = {.msg_iov = piece, .msg_iovlen = 1};
    if (number > 1) {
        uint16_t segment = (uint16_t)size;
        memcpy(CMSG_DATA(&control.header), &segment, sizeof segment);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    return sendmsg(core->peer, &message, 0) < 0 ? errno : 0;
}

/* Return whether packets of this size may be sent in a train. */
static bool fits(const struct core *core, size_t size)
{
    return (int64_t)size <= core->largest && *core->features & USE_UDP_SEGMENT;
}

/* Return how many packets of this size one call sends. */
static size_t sendable(size_t size)
{
    size_t most = size ? MOST_BYTES / size : 0;
    return most > MOST_PACKETS ? MOST_PACKETS : most ? most : 1;
}

/* Send packets that lie in the frames' buffer behind one another; return false if some are left to Python. */
static bool send_out(struct core *core, const struct train *train)
{
    size_t most = sendable(train->size);
    for (size_t done = 0; done < train->number;) {
        size_t at = done * train->size, number = least(most, train->number - done);
        struct iovec piece = {(uint8_t *)train->data + at, least(number * train->size, train->length - at)};
        bool whole = number == 1 || fits(core, train->size);
        if (!whole || (core->out.refusal = send_piece_out(core, &piece, train->size, number))) {
            core->out.packets_at = train->data + at - core->frames;
            core->out.length = (int64_t)(train->length - at);
            core->out.size = (int64_t)train->size;
            core->out.number = (int64_t)(train->number - done);
            return false;
        }
        passed_out(core, number, piece.iov_len);
        core->cells[TUN_READ_FRAMES] += number;
        done += number;
    }
    return true;
}

struct layout {
    int version, protocol;
    size_t l4, head, check;
};

/* Return whether a superframe has headers that are cut here: TCP or UDP right behind an IP header. */
static bool layout_of(const uint8_t *frame, size_t length, const struct vnet_header *vnet, struct layout *layout)
{
    size_t l4 = vnet->csum_start;
    if (length < IPV6_HEADER + 20)
        return false;
    int version = frame[0] >> 4, udp = vnet->gso_type == UDP_L4, protocol = udp ? UDP : TCP;
    if ((version != 4 && version != 6) || (!udp && vnet->gso_type != (version == 4 ? TCPV4 : TCPV6)))
        return false;
    if (l4 != (version == 4 ? (size_t)(frame[0] & 15) * 4 : IPV6_HEADER) || l4 < IPV4_HEADER || l4 + 20 >= length)
        return false;
    if (frame[version == 4 ? 9 : 6] != protocol || vnet->csum_offset != (udp ? 6 : 16))
        return false;
    if (!(vnet->flags & NEEDS_CSUM) || !vnet->gso_size)
        return false;
    size_t head = l4 + (udp ? UDP_HEADER : (size_t)(frame[l4 + 12] >> 4) * 4);
    if ((!udp && head < l4 + 20) || head >= length)
        return false;
    *layout = (struct layout){version, protocol, l4, head, l4 + vnet->csum_offset};
    return true;
}

/* State in these headers the length of their packet, and make the checksum of IPv4 right. */
static void state_length(uint8_t *head, const struct layout *layout, size_t size)
{
    if (layout->version == 4) {
        put16(head + 2, (uint32_t)size);
        put16(head + 10, 0);
        put_native(head + 10, finished(sum(head, layout->l4)));
    } else {
        put16(head + 4, (uint32_t)(size - IPV6_HEADER));
    }
    if (layout->protocol == UDP)
        put16(head + layout->l4 + 4, (uint32_t)(size - layout->l4));
}

/* Send a superframe as packets, which `core->out` says what is left of; return false if that is not nothing. */
static bool split(struct core *core, const uint8_t *frame, size_t length, const struct vnet_header *vnet)
{
    struct layout layout;
    if (!layout_of(frame, length, vnet, &layout))
        return false;
    size_t head = layout.head, step = vnet->gso_size, size = head + step;
    size_t packets = (length - head + step - 1) / step, most = sendable(size);
    if (length > LARGEST_FRAME || size > LARGEST_FRAME || ecn_of(frame) != core->ecn)
        return false;
    if (packets > 1 && !fits(core, size))
        return false;
    uint16_t pseudo;
    memcpy(&pseudo, frame + layout.check, 2);
    for (size_t done = 0; done < packets;) {
        uint8_t together[LARGEST];
        struct iovec piece = {together, 0};
        size_t number = least(most, packets - done);
        for (size_t i = 0; i < number; i++) {
            size_t index = done + i, begin = head + index * step, payload = least(step, length - begin);
            bool last = index == packets - 1;
            uint8_t *packet = together + piece.iov_len;
            memcpy(packet, frame, head);
            if (layout.version == 4)
                put16(packet + 4, get16(frame + 4) + (uint32_t)index);
            state_length(packet, &layout, head + payload);
            if (layout.protocol == TCP) {
                put32(packet + layout.l4 + 4, get32(frame + layout.l4 + 4) + (uint32_t)(index * step));
                packet[layout.l4 + 13] &= (uint8_t)~((last ? 0 : FIN_PSH) | (index ? CWR : 0));
            }
            /* The frame's pseudo-header has the frame's length in it; 65535 counts as 0. */
            uint64_t total = pseudo + native(head + payload - layout.l4) + 65535 - native(length - layout.l4);
            put16(packet + layout.check, 0);
            total += sum(packet + layout.l4, head - layout.l4) + sum_of_copy(packet + head, frame + begin, payload);
            uint64_t check = finished(total);
            put_native(packet + layout.check, layout.protocol == UDP && !check ? 65535 : check);
            if (layout.protocol == UDP && may_be_own(core, packet, head + payload))
                return false;
            piece.iov_len += head + payload;
        }
        if ((core->out.refusal = send_piece_out(core, &piece, size, number)))
            return false;
        passed_out(core, number, piece.iov_len);
        done += number;
        core->out.sent = (int64_t)done;
    }
    core->out.sent = 0;
    core->cells[TUN_READ_FRAMES] += 1;
    return true;
}

/* Finish the checksum of a packet in place; return false if its header points elsewhere. */
static bool finish(uint8_t *packet, size_t size, const struct vnet_header *vnet)
{
    size_t start = vnet->csum_start, at = start + vnet->csum_offset;
    if (at + 2 > size)
        return false;
    uint64_t check = finished(sum(packet + start, size - start));
    put_native(packet + at, vnet->csum_offset == 6 && !check ? 65535 : check);
    return true;
}

/* Read a frame to the offset `at` of the buffer; return its length or -1, with errno. */
static ssize_t read_frame(const struct core *core, size_t at)
{
    struct iovec parts[] = {{core->header, VNET}, {core->frames + at, LARGEST}};
    ssize_t length = readv(core->tun, parts, 2);
    if (length >= 0 && length < VNET) {
        errno = EIO;
        return -1;
    }
    return length < 0 ? -1 : length - VNET;
}

/* Take a packet into the train, which is sent before if its packets are of another size. Return false if either
 * is left. */
static bool take_out(struct core *core, struct train *train, uint8_t *packet, size_t size,
                     const struct vnet_header *vnet)
{
    if (unfit_out(core, packet, size))
        return false;
    if (train->number && size != train->size) {
        if (!send_out(core, train))
            return false;
        *train = (struct train){packet, 0, size, 0};
    }
    if (vnet->flags & NEEDS_CSUM && !finish(packet, size, vnet))
        return false;
    if (!train->number)
        *train = (struct train){packet, 0, size, 0};
    train->length += size;
    train->number += 1;
    return true;
}

/* Move to the peer what waits at the TUN device, as much as one turn takes; return false if something is left. */
static bool tun_to_peer(struct core *core)
{
    struct train train = {core->frames, 0, 0, 0};
    size_t at = 0, superframes = 0;
    core->out = (struct left_out){.frame = -1};
    while (train.number < MOST_PACKETS && at <= LARGEST && superframes < MOST_FRAMES) {
        ssize_t length = read_frame(core, at);
        if (length < 0) {
            core->out.error = errno == EAGAIN ? 0 : errno;
            break;
        }
        struct vnet_header vnet;
        memcpy(&vnet, core->header, VNET);
        bool taken;
        if (vnet.gso_type) {
            taken = send_out(core, &train) && split(core, core->frames + at, (size_t)length, &vnet);
            train = (struct train){core->frames, 0, 0, 0};
            superframes++;
        } else {
            taken = take_out(core, &train, core->frames + at, (size_t)length, &vnet);
        }
        if (!taken) {
            core->out.frame_at = (int64_t)at;
            core->out.frame = length;
            break;
        }
        if (train.size > MOST_BYTES / 2 && train.number) {
            /* Two such packets are no train. */
            if (!send_out(core, &train))
                break;
            train = (struct train){core->frames, 0, 0, 0};
            superframes++;
        }
        at = train.number ? (size_t)(train.data - core->frames) + train.length : 0;
    }
    if (!core->out.number && train.number)
        send_out(core, &train);
    return !core->out.error && !core->out.number && core->out.frame < 0;
}

/* In: from the peer to the TUN device. */

/* Write one frame, a virtio header first; return 0 or the error. */
static int send_piece_in(const struct core *core, struct iovec *parts, size_t count)
{
    return writev(core->tun, parts, (int)count) < 0 ? errno : 0;
}

/* Return whether packets of this kind might merge with their like. */
static bool layout(const uint8_t *packet, size_t size, struct layout *layout)
{
    int protocol, offset;
    if (packet[0] == 0x45 && size > 32) {
        protocol = packet[9], offset = packet[32];
        *layout = (struct layout){.version = 4, .l4 = IPV4_HEADER};
    } else if (packet[0] >> 4 == 6 && size > 52) {
        protocol = packet[6], offset = packet[52];
        *layout = (struct layout){.version = 6, .l4 = IPV6_HEADER};
    } else {
        return false;
    }
    if (protocol != TCP && protocol != UDP)
        return false;
    layout->protocol = protocol;
    offset = (offset >> 4) * 4;
    layout->head = layout->l4 + (protocol == UDP ? UDP_HEADER : offset < 20 ? 20 : (size_t)offset);
    layout->check = layout->l4 + (protocol == UDP ? 6 : 16);
    return size > layout->head;
}

/* Return whether a packet is of this kind, states its own length and has right checksums. */
static bool good(const uint8_t *packet, size_t size, const struct layout *layout)
{
    size_t l4 = layout->l4, addresses = layout->version == 4 ? 12 : 8;
    if (size <= layout->head)
        return false;
    if (layout->version == 4) {
        if (packet[0] != 0x45 || get16(packet + 2) != size || get16(packet + 6) & 0xBFFF)
            return false;
        if (packet[9] != layout->protocol || !is_right(sum(packet, l4)))
            return false;
    } else if (packet[0] >> 4 != 6 || (size_t)get16(packet + 4) + IPV6_HEADER != size ||
               packet[6] != layout->protocol) {
        return false;
    }
    if (layout->protocol == TCP) {
        if (packet[l4 + 12] != (layout->head - l4) << 2 || (packet[l4 + 13] & ~PSH) != ACK)
            return false;
    } else if (get16(packet + l4 + 4) != size - l4 || !get16(packet + l4 + 6)) {
        return false;
    }
    uint64_t pseudo = native((size_t)layout->protocol) + native(size - l4);
    return is_right(pseudo + sum(packet + addresses, size - addresses));
}

/* Return whether the headers of two good packets are equal but for what may differ from packet to packet. */
static bool alike(const uint8_t *one, const uint8_t *other, const struct layout *layout)
{
    size_t l4 = layout->l4;
    bool same = layout->version == 4 ? !memcmp(one, other, 2) && !memcmp(one + 6, other + 6, 4) &&
                                           !memcmp(one + 12, other + 12, l4 + 4 - 12)
                                     : !memcmp(one, other, 4) && !memcmp(one + 6, other + 6, l4 + 4 - 6);
    if (same && layout->protocol == TCP)
        same = !memcmp(one + l4 + 8, other + l4 + 8, 5) && !memcmp(one + l4 + 14, other + l4 + 14, 2) &&
               !memcmp(one + l4 + 18, other + l4 + 18, layout->head - l4 - 18);
    return same;
}

/* Return by how much the IPv4 id counts on from one packet to the next; 0 for IPv6, which has none. */
static uint16_t id_step(const uint8_t *before, const uint8_t *packet, const struct layout *layout)
{
    return layout->version == 4 ? (uint16_t)(get16(packet + 4) - get16(before + 4)) : 0;
}

/* Return whether a good packet joins the good one before it, which has so many bytes of payload. */
static bool joins(const uint8_t *before, const uint8_t *packet, size_t payload, const struct layout *layout)
{
    size_t l4 = layout->l4;
    if (!alike(before, packet, layout))
        return false;
    if (layout->protocol == TCP) {
        if (before[l4 + 13] != ACK || get32(packet + l4 + 4) - get32(before + l4 + 4) != (uint32_t)payload)
            return false;
    }
    uint16_t step = id_step(before, packet, layout);
    return step == 1 || (step == 0 && (layout->version == 6 || packet[6] == DONT_FRAGMENT));
}

/* Write a run of packets that joined as one superframe; return 0 or the error. */
static int merge(const struct core *core, const struct train *run, const struct layout *layout)
{
    size_t head = layout->head, l4 = layout->l4, size = run->size;
    size_t length = run->length - (run->number - 1) * head, addresses = layout->version == 4 ? 12 : 8;
    uint8_t first[LARGEST_HEAD];
    memcpy(first, run->data, head);
    state_length(first, layout, length);
    if (layout->protocol == TCP)
        /* Nothing joins behind PSH, so only the last packet can have it. */
        first[l4 + 13] |= run->data[(run->number - 1) * size + l4 + 13] & PSH;
    uint64_t pseudo = native((size_t)layout->protocol) + native(length - l4);
    put_native(first + layout->check, folded(pseudo + sum(first + addresses, l4 - addresses)));

    uint8_t tcp = layout->version == 4 ? TCPV4 : TCPV6;
    struct vnet_header vnet = {NEEDS_CSUM,         layout->protocol == UDP ? UDP_L4 : tcp,
                               (uint16_t)head,     (uint16_t)(size - head),
                               (uint16_t)l4,       (uint16_t)(layout->check - l4)};
    struct iovec parts[2 + MOST_PACKETS] = {{&vnet, VNET}, {first, head}};
    for (size_t i = 0; i < run->number; i++) {
        size_t at = i * size + head;
        parts[2 + i] = (struct iovec){(uint8_t *)run->data + at, least(size - head, run->length - at)};
    }
    return send_piece_in(core, parts, 2 + run->number);
}

/* Write a packet that is alone; return 0 or the error. */
static int send_lone_in(const struct core *core, const uint8_t *packet, size_t size)
{
    static const uint8_t empty[VNET];
    struct iovec parts[] = {{(uint8_t *)empty, VNET}, {(uint8_t *)packet, size}};
    return send_piece_in(core, parts, 2);
}

/* Leave to Python the packets of a train from this one on, of which a run may have been refused; return false. */
static bool leave_in(struct core *core, const struct train *train, size_t from, int refusal, size_t run)
{
    struct left_in *in = &core->in;
    size_t at = from * train->size;
    in->there = 1;
    in->refusal = refusal;
    in->run = (int32_t)run;
    in->length = (int64_t)(train->length - at);
    in->gro = train->number > 1 ? (int32_t)train->size : 0;
    memmove(core->datagrams, train->data + at, train->length - at);
    return false;
}

/* Return for how many packets from this one on the bits of a mask are set. */
static size_t following(uint64_t joined, size_t from, size_t number)
{
    size_t end = from + 1;
    while (end < number && joined >> end & 1)
        end++;
    return end - from;
}

/* Write packets of the peer to the TUN device in runs; return false if some are left to Python. */
static bool send_in(struct core *core, const struct train *train)
{
    struct layout kind;
    const uint8_t *data = train->data;
    size_t size = train->size, number = train->number, most = 1;
    uint64_t goes_on = 0, joined = 0; /* a bit for each packet that goes on from the one before it, and that joins it */
    for (size_t at = 0; at < train->length; at += size)
        if (fault(data + at, least(size, train->length - at)))
            return leave_in(core, train, 0, 0, 0);
    if (number > 1 && layout(data, size, &kind)) {
        if (!(*core->features & (kind.protocol == TCP ? USE_TCP_MERGE : USE_UDP_MERGE)))
            return leave_in(core, train, 0, 0, 0);
        most = least(MOST_PACKETS, (LARGEST_FRAME - kind.head) / (size - kind.head));
        bool before = good(data, size, &kind);
        uint16_t steps = 0;
        for (size_t i = 1; i < number; i++) {
            const uint8_t *packet = data + i * size;
            bool fine = good(packet, least(size, train->length - i * size), &kind);
            if (before && fine && joins(packet - size, packet, size - kind.head, &kind)) {
                uint16_t step = id_step(packet - size, packet, &kind);
                goes_on |= 1ULL << i;
                /* One run does not count ids on here and leave them the same there. */
                if (!(goes_on >> (i - 1) & 1) || step == steps)
                    joined |= 1ULL << i;
                steps = step;
            }
            before = fine;
        }
    }
    for (size_t done = 0; done < number;) {
        size_t at = done * size;
        struct train run = {data + at, 0, size, least(most, following(joined, done, number))};
        run.length = least(run.number * size, train->length - at);
        int refusal = run.number == 1 ? send_lone_in(core, run.data, run.length) : merge(core, &run, &kind);
        if (refusal)
            return leave_in(core, train, done, refusal, run.number);
        passed_in(core, run.number, run.length);
        done += run.number;
    }
    return true;
}

/* Receive one message to the start of the buffer, with what came beside it; return false if nothing waits. */
static bool receive(struct core *core)
{
    struct left_in *in = &core->in;
    union {
        struct cmsghdr header;
        uint8_t bytes[ANCILLARY];
    } control;
    struct iovec buffer = {core->datagrams, LARGEST};
    struct msghdr message = {.msg_iov = &buffer, .msg_iovlen = 1, .msg_control = &control};
    message.msg_controllen = sizeof control;
    ssize_t length = recvmsg(core->peer, &message, 0);
    if (length < 0 && errno == EAGAIN)
        return false;
    *in = (struct left_in){.there = 1, .error = length < 0 ? errno : 0, .length = length};
    if (length < 0)
        return true;
    in->flags = message.msg_flags;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_TOS)
            in->ecn = *CMSG_DATA(each) & 3;
        else if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_TCLASS)
            memcpy(&in->ecn, CMSG_DATA(each), sizeof(int32_t)), in->ecn &= 3;
        else if (each->cmsg_level == IPPROTO_UDP && each->cmsg_type == UDP_GRO)
            memcpy(&in->gro, CMSG_DATA(each), sizeof(int32_t));
    }
    return true;
}

/* Move to the TUN device what the peer sent, as much as one turn takes; return false if something is left. */
static bool peer_to_tun(struct core *core)
{
    struct left_in *in = &core->in;
    for (int trains = 0; trains < MOST_FRAMES; trains++) {
        if (!receive(core))
            return true;
        /* An odd mark of congestion may change the packets, and flags say that something was cut off. */
        size_t length = (size_t)in->length, size = in->gro > 0 ? (size_t)in->gro : length;
        if (in->error || in->flags || in->ecn & 1 || in->gro < 0 || !length || length > MOST_PACKETS * size)
            return false;
        in->there = 0;
        struct train train = {core->datagrams, length, size, (length + size - 1) / size};
        if (!send_in(core, &train))
            return false;
    }
    return true;
}

/* `event_loop`. It does not linger and warms nothing, as `idling` does: C hardly notices that its caches are cold. */

/* Have Python look at a descriptor. */
static void leave(struct core *core, int descriptor, uint32_t events)
{
    core->descriptors[core->ready].descriptor = descriptor;
    core->descriptors[core->ready++].events = events;
}

/* Forward until a descriptor is ready for Python, or nothing was for `patience` milliseconds (-1: for ever); return the
 * number of such descriptors. A packet that was left is at its port by then, and nothing else is received before
 * Python has taken it. */
int core_poll(struct core *core, int patience)
{
    core->ready = 0;
    do {
        struct epoll_event events[MOST_READY];
        int number = epoll_wait(core->epoll, events, MOST_READY, patience);
        if (number <= 0)
            break; /* a signal, or time is up */
        for (int i = 0; i < number; i++) {
            int descriptor = events[i].data.fd;
            bool out = descriptor == core->tun && core->forwards_out;
            bool into = descriptor == core->peer && core->forwards_in;
            if (events[i].events != EPOLLIN || (!out && !into))
                leave(core, descriptor, events[i].events);
            else if (out ? !tun_to_peer(core) : !peer_to_tun(core))
                leave(core, descriptor, EPOLLIN);
        }
    } while (!core->ready);
    return core->ready;
}
