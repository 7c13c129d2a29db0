// SPDX-License-Identifier: GPL-2.0-only
/*
 * silent - callers whose memory never answers, for the tests in the VM
 *
 * Their optval lies in memory of a userfaultfd that nobody serves: whoever
 * touches it waits until the caller is killed. It is there up to some byte, so
 * that a call waits where it reads its argument, or where it gets its answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GET_INFO	64
#define INFO_LEN	84
#define NAME_LEN	32
#define REPLACE_LEN	5000
#define REPLACE_HEAD	96

/* What each of the measured callers asks, and how long an answer may take. */
#define CALLS		50
#define WAIT_MAX	100000000LL

static const char usage[] =
	"usage: silent one THERE get|set OPTION LEN\n"
	"           one call whose optval answers up to THERE bytes; says `waits`\n"
	"           when it does, and is to be killed then. 1 if it does not wait\n"
	"       silent crowd\n"
	"           20 callers at once, of which 5 do not answer, 5 do not take their\n"
	"           answer, 3 fail, 2 are killed again and again: no call of the other\n"
	"           5 may take 100 ms\n";

struct call {
	unsigned int there;
	int set;
	int option;
	socklen_t len;
};

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

/*
 * @len bytes of which the first @there are in a page of their own, and the others
 * behind it, where @uffd hears of who comes.
 */
static char *silent_memory(unsigned int there, size_t len, int *uffd)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	const size_t size = (len + page - 1) / page * page;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *memory = mmap(NULL, page + size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	memset(memory, 0, page);
	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*uffd < 0 || ioctl(*uffd, UFFDIO_API, &api))
		die("userfaultfd");
	range.range.start = (unsigned long)memory + page;
	range.range.len = size;
	if (ioctl(*uffd, UFFDIO_REGISTER, &range))
		die("UFFDIO_REGISTER");
	memory += page - there;
	memcpy(memory, "filter", there < 6 ? there : 6);
	return memory;
}

static char *memory;
static struct call what;

static void *make_call(void *unused)
{
	int fd = new_socket();
	socklen_t len = what.len;
	int ret;

	if (what.set)
		ret = setsockopt(fd, SOL_IP, what.option, memory, len);
	else
		ret = getsockopt(fd, SOL_IP, what.option, memory, &len);
	fprintf(stderr, "silent: %s %d, %u bytes there: %s\n",
		what.set ? "set" : "get", what.option, what.there,
		ret ? strerrorname_np(errno) : "0");
	exit(1);
	return unused;
}

/* @say: a descriptor that hears of it when the call waits. */
static _Noreturn void one(const struct call *call, int say)
{
	struct uffd_msg message;
	pthread_t thread;
	int uffd;

	what = *call;
	memory = silent_memory(call->there, call->len, &uffd);
	if (pthread_create(&thread, NULL, make_call, NULL))
		die("pthread_create");
	if (read(uffd, &message, sizeof(message)) != sizeof(message) ||
	    message.event != UFFD_EVENT_PAGEFAULT)
		die("userfaultfd");
	if (write(say, "waits\n", 6) != 6)
		die("write");
	for (;;)
		pause();
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int get_info(int fd, void *info, socklen_t len)
{
	return getsockopt(fd, SOL_IP, GET_INFO, info, &len) ? errno : 0;
}

/* The longest of @CALLS calls, which must be right and in time. */
static int measured(void)
{
	long long start, took, longest = 0;
	char info[INFO_LEN] = "filter";
	int fd = new_socket();
	int i, err;

	for (i = 0; i < CALLS; i++) {
		start = now();
		err = get_info(fd, info, sizeof(info));
		took = now() - start;
		if (took > longest)
			longest = took;
		if (err) {
			fprintf(stderr, "silent: %s\n", strerrorname_np(err));
			return 1;
		}
		usleep(1000);
	}
	printf("longest call of a caller: %lld us\n", longest / 1000);
	fflush(stdout);
	return longest >= WAIT_MAX;
}

/* Until it is killed; a call that succeeds ends it. */
static _Noreturn void failing(int nth)
{
	char info[INFO_LEN] = "nosuch";
	int fd = new_socket();

	for (;;) {
		int err = nth == 0 ? get_info(fd, info, sizeof(info)) :
			  nth == 1 ? get_info(fd, info, 7) :
			  get_info(fd, NULL, sizeof(info));

		if (!err)
			_exit(1);
	}
}

/* Until it is killed: callers that do not live long. */
static _Noreturn void short_lived(void)
{
	unsigned int delay = 0;

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			char info[INFO_LEN] = "filter";
			int fd = new_socket();

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				get_info(fd, info, sizeof(info));
		}
		usleep(delay % 3000);
		delay += 170;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static int crowd(void)
{
	static const struct call no_optval = { 0, 0, GET_INFO, INFO_LEN };
	static const struct call no_entries = { REPLACE_HEAD, 1, GET_INFO, REPLACE_LEN };
	static const struct call no_reply = { NAME_LEN, 0, GET_INFO, INFO_LEN };
	const int kinds = 20, others = 15;
	pid_t pids[20];
	int i, status, failed = 0;
	char line[6];
	int say[2];

	if (pipe(say))
		die("pipe");
	for (i = 0; i < kinds; i++) {
		/* Those who wait do so before the first is measured. */
		if (i == 10) {
			for (int j = 0; j < 10; j++) {
				if (read(say[0], line, sizeof(line)) != 6)
					die("read");
			}
		}
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (pids[i])
			continue;
		if (i < 5)
			one(i % 2 ? &no_optval : &no_entries, say[1]);
		if (i < 10)
			one(&no_reply, say[1]);
		if (i < 13)
			failing(i - 10);
		if (i < others)
			short_lived();
		_exit(measured());
	}
	for (i = others; i < kinds; i++) {
		if (waitpid(pids[i], &status, 0) < 0 || status)
			failed = 1;
	}
	/* All others are still at it. */
	for (i = 0; i < others; i++) {
		if (waitpid(pids[i], &status, WNOHANG)) {
			fprintf(stderr, "silent: caller %d has ended\n", i);
			failed = 1;
			continue;
		}
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	return failed;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "one") && argc == 6) {
		struct call call = {
			.there = atoi(argv[2]),
			.set = !strcmp(argv[3], "set"),
			.option = atoi(argv[4]),
			.len = atoi(argv[5]),
		};

		one(&call, STDOUT_FILENO);
	}
	if (!strcmp(command, "crowd") && argc == 2)
		return crowd();
	fputs(usage, stderr);
	return 2;
}
