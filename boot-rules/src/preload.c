// SPDX-License-Identifier: GPL-2.0-only
/*
 * preload.c - iptables-restore asks us in the place of the kernel
 *
 * Preloaded by boot-rules. The socket options of iptables go to the socket whose
 * descriptor BPFILTER_BOOT_RULES names: four u32 (is_set, level, option, length),
 * then as many bytes of optval. What comes back is an errno or 0 and a length, and
 * bytes for optval. No real socket is made, so no privilege is needed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void give_up(const char *what)
{
	perror(what);
	_exit(99);
}

static int peer(void)
{
	const char *number = getenv("BPFILTER_BOOT_RULES");

	if (!number)
		give_up("BPFILTER_BOOT_RULES");
	return atoi(number);
}

static void put(const void *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(peer(), bytes, len);

		if (n <= 0)
			give_up("boot-rules does not listen");
		bytes = (const char *)bytes + n;
		len -= n;
	}
}

static void get(void *bytes, size_t len)
{
	while (len) {
		ssize_t n = read(peer(), bytes, len);

		if (n <= 0)
			give_up("boot-rules does not answer");
		bytes = (char *)bytes + n;
		len -= n;
	}
}

static int ask(uint32_t is_set, int level, int option, const void *optval,
	       uint32_t len, void *into)
{
	uint32_t question[] = { is_set, level, option, len };
	uint32_t answer[2];

	put(question, sizeof(question));
	put(optval, len);
	get(answer, sizeof(answer));
	if (answer[1] > len)
		give_up("boot-rules answers too much");
	get(into, answer[1]);
	errno = answer[0];
	return answer[0] ? -1 : 0;
}

int socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return open("/dev/null", O_RDWR);
}

int getsockopt(int fd, int level, int option, void *optval, socklen_t *optlen)
{
	(void)fd;
	return ask(0, level, option, optval, *optlen, optval);
}

int setsockopt(int fd, int level, int option, const void *optval, socklen_t optlen)
{
	(void)fd;
	return ask(1, level, option, optval, optlen, NULL);
}
