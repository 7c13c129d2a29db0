// SPDX-License-Identifier: GPL-2.0-only
/*
 * changing_match - a match from outside of the kernel's tree that changes the packet
 *
 * It goes by the name of connlimit, whose data iptables can write, sets the packet's
 * mark to 7 and says yes.
 */
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_connlimit.h>
#include <linux/skbuff.h>

static bool changing_match(const struct sk_buff *skb, struct xt_action_param *par)
{
	((struct sk_buff *)skb)->mark = 7;
	return true;
}

static struct xt_match match = {
	.name = "connlimit",
	.revision = 1,
	.family = NFPROTO_UNSPEC,
	.match = changing_match,
	.matchsize = sizeof(struct xt_connlimit_info),
	.usersize = offsetof(struct xt_connlimit_info, data),
	.me = THIS_MODULE,
};

static int __init changing_match_init(void)
{
	return xt_register_match(&match);
}

static void __exit changing_match_exit(void)
{
	xt_unregister_match(&match);
}

module_init(changing_match_init);
module_exit(changing_match_exit);
MODULE_DESCRIPTION("A match that changes the packet, for the tests");
MODULE_LICENSE("GPL");
