/* Put before `common_way.c` by tests: its sends and writes meet the errors that `next_fault` returns, 0 for none. */

#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

int (*next_fault)(void);

static int faulty(void)
{
    int error = next_fault ? next_fault() : 0;
    errno = error ? error : errno;
    return error;
}

static ssize_t faulty_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    return faulty() ? -1 : sendmsg(descriptor, message, flags);
}

static ssize_t faulty_writev(int descriptor, const struct iovec *parts, int count)
{
    return faulty() ? -1 : writev(descriptor, parts, count);
}

#define sendmsg faulty_sendmsg
#define writev faulty_writev
