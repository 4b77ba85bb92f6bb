/* SPDX-License-Identifier: MIT */
/* process.c - processes come, take turns, and go.
 *
 * The table is a round: the next one to run is the first ready one behind the one that ran last. A
 * process that waits has a child that lives, and one without children cannot wait; so while a
 * process lives one is ready, and the round never stands still.
 */
#include "process.h"
#include "aspace_view.h"
#include "console.h"
#include "kern.h"
#include "user.h"
#include "words.h"

enum { LEAKS_TOLD = 16 /* each in a line of its own */ };

static process table[USER_PROCESSES];
static int last_number;

process *process_current;
run_result *process_result;
loam_aspace_world *process_world;

/* ---- coming ---- */

process *process_new(const char *name, int parent)
{
    for (process *p = table; p < table + USER_PROCESSES; p++) {
        if (p->state != PROCESS_NONE)
            continue;
        *p = (process){.state = PROCESS_READY, .number = ++last_number, .parent = parent};
        (void)word_copy(p->name, sizeof(p->name), name);
        (void)loam_pool_init(&p->pool, kern_this.kmalloc, p->name, LOAM_POOL_SITES);
        return p;
    }
    return NULL;
}

void process_drop(process *p)
{
    (void)loam_pool_fini(&p->pool, NULL, NULL);
    p->state = PROCESS_NONE;
}

int process_clone(const i386_trap *t)
{
    process *parent = process_current;
    process *child = process_new(parent->name, parent->number);
    if (child == NULL)
        return USER_EFULL;
    child->as = loam_aspace_clone(parent->as);
    if (child->as == NULL) {
        process_drop(child);
        return USER_ENOMEM;
    }
    child->frame = *t;
    child->frame.eax = 0;
    process_result->processes++;
    return child->number;
}

/* ---- turns ---- */

static process *next_ready(const process *after)
{
    size_t start = (size_t)(after - table);
    for (size_t i = 1; i <= USER_PROCESSES; i++) {
        process *p = &table[(start + i) % USER_PROCESSES];
        if (p->state == PROCESS_READY)
            return p;
    }
    return NULL;
}

static void turn_to(i386_trap *t, process *p)
{
    process_current = p;
    arch_use_root(loam_aspace_root(p->as));
    *t = p->frame;
}

void process_yield(i386_trap *t)
{
    process *next = next_ready(process_current);
    process_current->frame = *t;
    if (next != NULL && next != process_current)
        turn_to(t, next);
}

/* ---- waiting ---- */

static process *child_of(int parent, process_state state)
{
    for (process *p = table; p < table + USER_PROCESSES; p++)
        if (p->state == state && p->parent == parent)
            return p;
    return NULL;
}

/* The child's number goes to the parent's eax, its status to where the parent said. */
static void reap(process *parent, process *child)
{
    loam_aspace_verdict verdict = LOAM_FAULT_DONE;
    if (parent->frame.ebx != 0)
        verdict = loam_aspace_copy_to(parent->as, parent->frame.ebx, &child->status,
                                      sizeof(child->status), NULL);
    parent->frame.eax = (uint32_t)(verdict == LOAM_FAULT_DONE ? child->number : (int)USER_EFAULT);
    child->state = PROCESS_NONE;
}

void process_wait(i386_trap *t)
{
    process *self = process_current, *child = child_of(self->number, PROCESS_ENDED);
    self->frame = *t;
    if (child != NULL) {
        reap(self, child);
        *t = self->frame;
    } else if (child_of(self->number, PROCESS_READY) == NULL &&
               child_of(self->number, PROCESS_WAITS) == NULL) {
        t->eax = (uint32_t)USER_ENOENT;
    } else {
        self->state = PROCESS_WAITS;
        turn_to(t, next_ready(self));
    }
}

/* ---- going ---- */

typedef struct leaks {
    const process *of;
    unsigned told;
} leaks;

static bool tell_leak(void *ctx, void *block, size_t size, const void *site)
{
    leaks *l = ctx;
    (void)site;
    if (l->told == LEAKS_TOLD)
        return false;
    l->told++;
    kprintf("user: %s (%u): leak: %U bytes at %p, kept and never dropped\n", l->of->name,
            (int)l->of->number, (uint64_t)size, block);
    return true;
}

static void end_pool(process *p)
{
    leaks l = {p, 0};
    uint64_t count = loam_pool_fini(&p->pool, tell_leak, &l);
    if (count > l.told)
        kprintf("user: %s (%u): leak: and %U more\n", p->name, (int)p->number, count - l.told);
    process_result->leaks += count;
}

static void add_stats(loam_aspace *as)
{
    loam_aspace_stats s, *sum = &process_result->sum;
    loam_aspace_stat(as, &s);
    sum->demand_zero += s.demand_zero;
    sum->cow_copied += s.cow_copied;
    sum->cow_reused += s.cow_reused;
    sum->stack_grown += s.stack_grown;
    sum->refused += s.refused;
}

/* Children of a process that has ended are nobody's: those that have ended, too, are forgotten. */
static void orphan(int number)
{
    for (process *p = table; p < table + USER_PROCESSES; p++) {
        if (p->state == PROCESS_NONE || p->parent != number)
            continue;
        p->parent = 0;
        if (p->state == PROCESS_ENDED)
            p->state = PROCESS_NONE;
    }
}

/* What the process has goes back: nobody stands on its root any more. */
static void release(process *p)
{
    const char *broken = loam_aspace_world_check(process_world);
    if (broken != NULL)
        kprintf("user: %s (%u): BROKEN RULE: %s\n", p->name, (int)p->number, broken);
    add_stats(p->as);
    aspace_view_remember(p->name, p->number, p->as);
    arch_use_root(kern_this.pt.root);
    loam_aspace_destroy(p->as);
    p->as = NULL;
    end_pool(p);
}

void process_end(i386_trap *t, int status)
{
    process *self = process_current, *next;
    process *parent = NULL;
    release(self);
    self->status = status;
    if (self->number == process_result->first)
        process_result->status = status;
    self->state = self->parent != 0 ? PROCESS_ENDED : PROCESS_NONE;
    orphan(self->number);
    for (process *p = table; p < table + USER_PROCESSES; p++)
        if (p->state == PROCESS_WAITS && p->number == self->parent)
            parent = p;
    if (parent != NULL) {
        parent->state = PROCESS_READY;
        reap(parent, self);
    }
    next = next_ready(self);
    if (next == NULL)
        arch_leave_user(0);
    turn_to(t, next);
}

void process_kill(i386_trap *t, const char *fmt, ...)
{
    const process *self = process_current;
    run_result *result = process_result;
    loam_text text;
    __builtin_va_list ap;
    loam_text_init(&text, result->reason, sizeof(result->reason));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    kprintf("user: %s (%u): killed: %s\n", self->name, (int)self->number, result->reason);
    result->killed++;
    process_end(t, USER_KILLED);
}

/* No parent is left to wait for anybody: no place in the table stays taken. */
_Noreturn void process_stop_all(i386_trap *t)
{
    process_current->parent = 0;
    for (process *p = table; p < table + USER_PROCESSES; p++) {
        if (p == process_current || p->state == PROCESS_NONE)
            continue;
        if (p->number == process_result->first)
            process_result->status = USER_KILLED;
        if (p->state != PROCESS_ENDED) {
            release(p);
            process_result->killed++;
        }
        p->state = PROCESS_NONE;
    }
    process_kill(t, "stopped by Ctrl-C");
    kpanic("a process is ready after all were stopped");
}

void process_run_all(process *p, uint32_t eip, uint32_t esp)
{
    process_current = p;
    arch_use_root(loam_aspace_root(p->as));
    (void)arch_enter_user(eip, esp);
    arch_use_root(kern_this.pt.root);
    process_current = NULL;
}
