/* The arithmetic of `common_way.c` alone, under sanitizers: `make sanitize`.
 *
 * Each input is put into memory of exactly its own size, so that AddressSanitizer sees every byte that is read beside
 * it, and goes both ways: as a frame with a virtio header, and as a train. What would be sent or written is read to its
 * last byte, and added up: the packets of one input must come to as many bytes as the counters say.
 *
 * With clang, -fsanitize=fuzzer calls LLVMFuzzerTestOneInput with what it finds to cover more. Without it, `main` of
 * this file changes what it is given at random: FILE..., COUNT times each. What it prints last is a sum of every byte
 * that was sent or written: the same on machines of every kind.
 */

#define sendmsg kept_sendmsg
#define writev kept_writev
#include "../../labctl/engine/core/common_way.c"
#undef sendmsg
#undef writev

#include <stdio.h>
#include <stdlib.h>

static uint64_t taken;    /* bytes that were sent or written */
static unsigned read_all; /* so that no read is left out */

static ssize_t take(const struct iovec *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < parts[i].iov_len; at++)
            read_all += ((const uint8_t *)parts[i].iov_base)[at];
        taken += parts[i].iov_len;
    }
    return 1;
}

ssize_t kept_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    (void)descriptor, (void)flags;
    return take(message->msg_iov, message->msg_iovlen);
}

ssize_t kept_writev(int descriptor, const struct iovec *parts, int count)
{
    (void)descriptor;
    return take(parts, (size_t)count);
}

static void *exactly(const uint8_t *data, size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        abort();
    return memcpy(memory, data, size);
}

static void expect(uint64_t one, uint64_t other)
{
    if (one != other)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t cells[16] = {0}, features = 0x7F;
    struct core core = {.cells = cells, .features = &features, .own_ports = {35, 40, 35, 40}, .largest = LARGEST};
    struct vnet_header vnet;
    if (size < VNET + 1 || size > LARGEST_FRAME)
        return 0;
    memcpy(&vnet, data, VNET);
    data += VNET, size -= VNET;

    core.frames = exactly(data, size);
    struct train train = {core.frames, 0, 0, 0};
    taken = 0;
    if (vnet.gso_type)
        split(&core, core.frames, size, &vnet);
    else if (take_out(&core, &train, core.frames, size, &vnet))
        send_out(&core, &train);
    expect(cells[TUN_READ + 1], taken);
    expect(cells[UDP_SENT], cells[TUN_READ]);
    free(core.frames);

    core.datagrams = exactly(data, size);
    size_t each = vnet.gso_size && vnet.gso_size <= size ? vnet.gso_size : size;
    train = (struct train){core.datagrams, size, each, (size + each - 1) / each};
    if (train.number <= MOST_PACKETS && send_in(&core, &train))
        expect(cells[TUN_WRITTEN + 1], size);
    free(core.datagrams);
    return 0;
}

#ifndef FUZZER
static void change(uint8_t *data, size_t size)
{
    for (int changes = rand() % 4; changes > 0; changes--) {
        size_t at = (size_t)rand() % (rand() % 2 ? size : least(size, VNET + 60));
        data[at] = (uint8_t)(rand() % 3 ? data[at] ^ 1 << rand() % 8 : rand());
    }
}

int main(int count, char **words)
{
    int times = atoi(words[1]);
    for (int i = 2; i < count; i++) {
        static uint8_t data[VNET + LARGEST], changed[VNET + LARGEST];
        FILE *file = fopen(words[i], "rb");
        if (!file)
            return 1;
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        for (int time = 0; time < times && size; time++) {
            size_t length = rand() % 4 ? size : 1 + (size_t)rand() % size;
            memcpy(changed, data, length);
            if (time)
                change(changed, length);
            LLVMFuzzerTestOneInput(changed, length);
        }
    }
    printf("%d inputs, %d times each: no fault, sum %08x\n", count - 2, times, read_all);
    return 0;
}
#endif
