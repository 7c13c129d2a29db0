// SPDX-License-Identifier: GPL-2.0-only
/*
 * sockopt - raw get/setsockopt calls of level SOL_IP, or with -6 SOL_IPV6, for the tests
 *	in the VM
 *
 * Needs nothing from the guest, and exists for i386 too (sockopt32). For what
 * a table contains there is iptables; this is about who is answered, how fast,
 * and what happens when somebody dies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GET_INFO	64
#define GET_REV_MATCH	66
#define INFO_LEN	84
#define REVISION_LEN	30

static const char usage[] =
	"usage: sockopt [-6] COMMAND\n"
	"       sockopt expect ERRNO get|set OPTION LEN [NAME]\n"
	"           one call must end with ERRNO (a name, or 0), or the status is 1;\n"
	"           the memory holds NAME (filter), then zeros\n"
	"       sockopt foreign ERRNO get|set OPTION LEN [NAME]\n"
	"           the same, as root of a new user namespace on a socket made before\n"
	"       sockopt elsewhere ERRNO get|set OPTION LEN [NAME]\n"
	"           the same, from a new network namespace, and still as who one is\n"
	"       sockopt loop COUNT [ERRNO]\n"
	"           GET_INFO again and again, prints the nanoseconds per call\n"
	"       sockopt hammer PROCESSES COUNT\n"
	"           COUNT calls in all, from all at once; every answer must be right\n"
	"       sockopt storm PROCESSES SECONDS\n"
	"           calls as fast as they go, whatever the answer; none may hang\n"
	"       sockopt namespaces COUNT COMMAND...\n"
	"           runs COMMAND in that many new network namespaces, one after the\n"
	"           other, and lets go of them at the end only\n";

struct info {
	char name[32];
	unsigned int valid_hooks;
	unsigned int hook_entry[5];
	unsigned int underflow[5];
	unsigned int num_entries;
	unsigned int size;
};

_Static_assert(sizeof(struct info) == INFO_LEN, "as in ip_tables.h");

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static int family = AF_INET, level = SOL_IP;

static int new_socket(void)
{
	int fd = socket(family, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "sockopt: %s is not a number\n", text);
		exit(2);
	}
	return n;
}

/* The name of the errno that a call ends with, "0" for success. */
static const char *call(int fd, int set, int option, void *memory, socklen_t len)
{
	socklen_t after = len;
	int ret;

	if (set)
		ret = setsockopt(fd, level, option, memory, len);
	else
		ret = getsockopt(fd, level, option, memory, &after);
	if (after != len)
		return "optlen changed";
	if (ret > 0)
		return "positive";
	return ret ? strerrorname_np(errno) : "0";
}

static int expect(int fd, char **arg)
{
	int set = !strcmp(arg[1], "set");
	unsigned int option = number(arg[2]);
	unsigned int len = number(arg[3]);
	const char *name = arg[4] ? arg[4] : "filter";
	char *memory = calloc(1, len + strlen(name) + 1);
	const char *got;

	if (!memory)
		die("calloc");
	strcpy(memory, name);
	got = call(fd, set, option, memory, len);
	if (!strcmp(got, arg[0]))
		return 0;
	fprintf(stderr, "sockopt: %s %u, %u bytes: %s, not %s\n", arg[1], option,
		len, got, arg[0]);
	return 1;
}

static int foreign(int namespaces, char **arg)
{
	int fd = new_socket();

	if (unshare(namespaces))
		die("unshare");
	return expect(fd, arg);
}

static int info_is_right(int fd)
{
	struct info info = { .name = "filter" };
	const char *got = call(fd, 0, GET_INFO, &info, sizeof(info));

	if (strcmp(got, "0") || info.valid_hooks != 0xe || !info.num_entries ||
	    !info.size) {
		fprintf(stderr, "sockopt: GET_INFO: %s, hooks %#x\n", got,
			info.valid_hooks);
		return 0;
	}
	return 1;
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int info_fails(int fd, const char *expected)
{
	struct info info = { .name = "filter" };
	const char *got = call(fd, 0, GET_INFO, &info, sizeof(info));

	if (!strcmp(got, expected))
		return 1;
	fprintf(stderr, "sockopt: GET_INFO: %s, not %s\n", got, expected);
	return 0;
}

static int loop(unsigned int count, const char *expected)
{
	int fd = new_socket();
	long long start = 0;
	unsigned int i;

	for (i = 0; i <= count; i++) {
		if (expected ? !info_fails(fd, expected) : !info_is_right(fd))
			return 1;
		if (!i) /* what has to be started is started */
			start = now();
	}
	printf("%lld\n", (now() - start) / count);
	return 0;
}

/* A process of hammer: answers of two kinds, so that a mix-up is seen. */
static int hammer_one(unsigned int count)
{
	int fd = new_socket();
	unsigned int i;

	for (i = 0; i < count; i++) {
		if ((i + getpid()) % 8) {
			if (!info_is_right(fd))
				return 1;
		} else {
			char revision[REVISION_LEN] = "no such match";
			const char *got = call(fd, 0, GET_REV_MATCH, revision,
					       sizeof(revision));

			if (strcmp(got, "ENOENT")) {
				fprintf(stderr, "sockopt: GET_REVISION: %s\n", got);
				return 1;
			}
		}
	}
	return 0;
}

static int storm_one(unsigned int seconds)
{
	long long end = now() + seconds * 1000000000LL;
	int fd = new_socket();

	while (now() < end) {
		struct info info = { .name = "filter" };

		call(fd, 0, GET_INFO, &info, sizeof(info));
	}
	return 0;
}

static int in_processes(unsigned int processes, int (*one)(unsigned int),
			unsigned int argument)
{
	int status, failed = 0;
	unsigned int i;

	for (i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			_exit(one(argument));
	}
	while (wait(&status) > 0) {
		if (status)
			failed = 1;
	}
	return failed;
}

static int namespaces(unsigned int count, char **command)
{
	const struct rlimit files = { count + 16, count + 16 };
	unsigned int i;
	int status;

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("setrlimit");
	for (i = 0; i < count; i++) {
		pid_t pid;

		if (unshare(CLONE_NEWNET))
			die("unshare");
		if (open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) < 0)
			die("/proc/self/ns/net");
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			execvp(command[0], command);
			die(command[0]);
		}
		if (waitpid(pid, &status, 0) < 0 || status)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *command;

	if (argc > 1 && !strcmp(argv[1], "-6")) {
		family = AF_INET6;
		level = SOL_IPV6;
		argc--;
		argv++;
	}
	command = argc > 1 ? argv[1] : "";
	/* A shell has it ignored in what it starts in the background. */
	signal(SIGINT, SIG_DFL);
	if (!strcmp(command, "expect") && (argc == 6 || argc == 7))
		return expect(new_socket(), argv + 2);
	if (!strcmp(command, "foreign") && (argc == 6 || argc == 7))
		return foreign(CLONE_NEWUSER | CLONE_NEWNET, argv + 2);
	if (!strcmp(command, "elsewhere") && (argc == 6 || argc == 7))
		return foreign(CLONE_NEWNET, argv + 2);
	if (!strcmp(command, "loop") && (argc == 3 || argc == 4))
		return loop(number(argv[2]), argv[3]);
	if (!strcmp(command, "hammer") && argc == 4)
		return in_processes(number(argv[2]), hammer_one,
				    number(argv[3]) / number(argv[2]));
	if (!strcmp(command, "storm") && argc == 4)
		return in_processes(number(argv[2]), storm_one, number(argv[3]));
	if (!strcmp(command, "namespaces") && argc >= 4)
		return namespaces(number(argv[2]), argv + 3);
	fputs(usage, stderr);
	return 2;
}
