// SPDX-License-Identifier: GPL-2.0-only
/*
 * helper.c - the helper's process: from the bytes of an executable to a process
 *
 * Owns: the executable, a file in a tmpfs that is mounted nowhere; the process
 * that runs it; and the two files through which it is spoken to.
 *
 * Promises: no path of any disk is looked at, so the helper starts before there
 * is a root file system, and is the one that was built with the kernel half. Its
 * fd 0 is what requests are written to, its fd 1 what answers are read from, and
 * it has no other. It is a child of the kernel's workers, in the initial
 * namespaces, with all of their privileges.
 *
 * Leaves to others: when it is started and stopped, and what is said to it
 * (mailbox.c). All of it is for one thread at a time.
 *
 * Linux had this as usermode_driver.c until 6.17. A driver of that kind cannot be
 * had in later kernels, or by a module.
 */
#define pr_fmt(fmt) "bpfilter: " fmt

#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/umh.h>
#include "compat.h"
#include "internal.h"

/* The name of the file, and of the process. */
#define NAME	"bpfilter_umh"

static struct vfsmount *mount;

/*
 * In the child, before it becomes the helper. What it has of the kernel's worker is
 * a copy: no file is open, and where it stands is nobody else's.
 */
static int become_helper(struct subprocess_info *info, struct cred *new)
{
	struct bpfilter_helper *helper = info->data;
	struct path root = { .mnt = mount, .dentry = mount->mnt_root };
	int fd;

	if (current->fs->users != 1)
		return -EBUSY;
	for (fd = 0; fd < ARRAY_SIZE(helper->its); fd++) {
		if (get_unused_fd_flags(0) != fd)
			return -EBUSY;
		fd_install(fd, get_file(helper->its[fd]));
	}
	bpfilter_chdir(current->fs, &root);
	helper->tgid = get_pid(task_tgid(current));
	return 0;
}

static void close_files(struct file **files)
{
	fput(files[0]);
	fput(files[1]);
}

/*
 * The kernel may be configured to run one program in the place of all others
 * (STATIC_USERMODEHELPER), which would not be the helper. An empty path runs none.
 */
static bool replaced(struct subprocess_info *info)
{
	if (!strcmp(info->path, NAME))
		return false;
	pr_err("this kernel starts %s in the place of the helper: it needs a kernel without STATIC_USERMODEHELPER\n",
	       *info->path ? info->path : "nothing");
	info->path = "";
	return true;
}

/**
 * bpfilter_helper_start() - run the executable
 * @helper: with no process; its files when this returns 0
 *
 * Context: process context; sleeps.
 * Return: 0 when the process runs the executable, or a negative errno.
 */
int bpfilter_helper_start(struct bpfilter_helper *helper)
{
	static const char * const argv[] = { NAME, NULL };
	struct subprocess_info *info;
	struct file *ours[2];
	bool other;
	int err;

	err = bpfilter_channel(helper->its, ours);
	if (err)
		return err;
	info = call_usermodehelper_setup(NAME, (char **)argv, NULL, GFP_KERNEL,
					 become_helper, NULL, helper);
	err = -ENOMEM;
	if (!info)
		goto out;
	other = replaced(info);
	err = call_usermodehelper_exec(info, UMH_WAIT_EXEC);
	/* Where such processes are switched off, it starts none and says 0. */
	if (!err && (other || !helper->tgid))
		err = -ENOENT;
out:
	close_files(helper->its);
	if (!err) {
		helper->to = ours[0];
		helper->from = ours[1];
		bpfilter_status_helper(helper->tgid);
		return 0;
	}
	close_files(ours);
	put_pid(helper->tgid);
	helper->tgid = NULL;
	return err;
}

/**
 * bpfilter_helper_stop() - kill the process
 * @helper: with a process; none, when this returns
 *
 * Context: process context. Does not wait until it is gone.
 */
void bpfilter_helper_stop(struct bpfilter_helper *helper)
{
	bpfilter_status_helper(NULL);
	kill_pid(helper->tgid, SIGKILL, 1);
	put_pid(helper->tgid);
	fput(helper->to);
	fput(helper->from);
	*helper = (struct bpfilter_helper){};
}

static int write_file(const void *elf, size_t len)
{
	struct path root = { .mnt = mount, .dentry = mount->mnt_root };
	struct file *file;
	loff_t pos = 0;
	ssize_t n;

	file = file_open_root(&root, NAME, O_CREAT | O_WRONLY, 0700);
	if (IS_ERR(file))
		return PTR_ERR(file);
	n = kernel_write(file, elf, len, &pos);
	/* A file that may still be written to cannot be executed. */
	__fput_sync(file);
	if (n == len)
		return 0;
	return n < 0 ? n : -ENOSPC;
}

/**
 * bpfilter_helper_load() - keep the executable
 * @elf: its bytes, not needed any more when this returns
 * @len: the number of bytes
 *
 * Context: a thread of the kernel's: it may close a file at once.
 * Return: 0 or a negative errno.
 */
int bpfilter_helper_load(const void *elf, size_t len)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	int err;

	if (!type)
		return -ENODEV;
	mount = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	err = write_file(elf, len);
	if (err)
		kern_unmount(mount);
	return err;
}

/**
 * bpfilter_helper_unload() - forget the executable
 *
 * Context: no process runs it any more.
 */
void bpfilter_helper_unload(void)
{
	kern_unmount(mount);
}
