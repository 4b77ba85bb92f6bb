/* SPDX-License-Identifier: MIT */
#ifndef OSC4_LIST_H
#define OSC4_LIST_H

/* list.h - the course's list words over Loam's list: circular, doubly linked, the head is a node.
 *
 *     head <-> a <-> b <-> c <-> (head)        an empty list is a head that points to itself
 *
 * The allocators of this folder link nothing (free memory is kept in bits); the demos keep what
 * they have allocated on such a list.
 */
#include "loam/base.h"

#define list_head loam_list /* struct list_head */

#define LIST_HEAD_INIT(name)                                                                       \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
    loam_list_init(head);
}

static inline bool list_empty(const struct list_head *head)
{
    return loam_list_is_empty(head);
}

/* A node that is on no list: first, or last. O(1). */
static inline void list_add(struct list_head *node, struct list_head *head)
{
    loam_list_push(head, node);
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
    loam_list_append(head, node);
}

/* Off its list; a node that is on none stays as it is. O(1). */
static inline void list_del(struct list_head *node)
{
    loam_list_remove(node);
}

#define list_entry(ptr, type, member)        LOAM_CONTAINER_OF(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)

#define list_for_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* The body may take pos off the list. */
#define list_for_each_safe(pos, n, head)                                                           \
    for ((pos) = (head)->next, (n) = (pos)->next; (pos) != (head); (pos) = (n), (n) = (pos)->next)

#endif
