/* SPDX-License-Identifier: MIT */
/* process_traps.c - what a program asks of the kernel, and what it does wrong.
 *
 * Nothing here follows an address of the program: bytes come and go through loam_aspace_copy_*,
 * which asks for every page what a fault would.
 */
#include "console.h"
#include "kern.h"
#include "process.h"
#include "user.h"
#include "x86_exception.h"

enum { WRITE_PART = 256 };

/* ---- system calls: arguments a, b, c; the answer goes to eax ---- */

static int from_err(loam_err err)
{
    switch (err) {
    case LOAM_OK:
        return 0;
    case LOAM_ENOMEM:
        return USER_ENOMEM;
    case LOAM_ENOENT:
        return USER_ENOENT;
    default:
        return USER_EINVAL;
    }
}

/* Characters that could do something to a terminal do not reach it. */
static void put_plain(char c)
{
    if ((c < ' ' || c >= 127) && c != '\n' && c != '\t')
        c = '.';
    console_put(c);
}

static int do_write(uint32_t text, uint32_t len)
{
    char part[WRITE_PART];
    uint32_t done = 0;
    if (len > INT32_MAX)
        return USER_EINVAL;
    len = len < USER_WRITE_MAX ? len : (uint32_t)USER_WRITE_MAX;
    while (done < len) {
        size_t want = len - done < sizeof(part) ? len - done : sizeof(part), got;
        loam_aspace_verdict verdict =
            loam_aspace_copy_from(process_current->as, part, (uint64_t)text + done, want, &got);
        for (size_t i = 0; i < got; i++)
            put_plain(part[i]);
        done += (uint32_t)got;
        if (verdict != LOAM_FAULT_DONE)
            return done != 0 ? (int)done : (int)USER_EFAULT;
    }
    return (int)done;
}

/* false: rights that nobody gets: to write and execute, or of a guard. */
static bool rights_of(uint32_t rights, unsigned *flags)
{
    if (rights > USER_GUARD || rights == (USER_WRITE | USER_EXEC))
        return false;
    *flags = ((rights & USER_WRITE) != 0 ? (unsigned)LOAM_PT_WRITE : 0U) |
             ((rights & USER_EXEC) != 0 ? (unsigned)LOAM_PT_EXEC : 0U) |
             ((rights & USER_GUARD) != 0 ? (unsigned)LOAM_ASPACE_GUARD : 0U);
    return true;
}

static int do_map(uint32_t hint, uint32_t len, uint32_t rights)
{
    unsigned flags;
    uint64_t at = 0;
    if (!rights_of(rights, &flags))
        return USER_EINVAL;
    loam_err err = loam_aspace_map(process_current->as, hint, len, flags, "map", &at);
    return err == LOAM_OK ? (int)(uint32_t)at : from_err(err);
}

static int do_protect(uint32_t address, uint32_t len, uint32_t rights)
{
    unsigned flags;
    if (!rights_of(rights, &flags))
        return USER_EINVAL;
    return from_err(loam_aspace_protect(process_current->as, address, len, flags));
}

static int to_program(uint32_t to, const void *from, size_t len)
{
    loam_aspace_verdict verdict = loam_aspace_copy_to(process_current->as, to, from, len, NULL);
    return verdict == LOAM_FAULT_DONE ? 0 : USER_EFAULT;
}

static int do_counts(uint32_t to)
{
    loam_aspace_stats s;
    loam_aspace_stat(process_current->as, &s);
    user_counts counts = {
        .regions = (uint32_t)s.regions,
        .resident = (uint32_t)s.resident,
        .shared = (uint32_t)s.shared,
        .tables = (uint32_t)s.tables,
        .demand_zero = (uint32_t)s.demand_zero,
        .cow_copied = (uint32_t)s.cow_copied,
        .cow_reused = (uint32_t)s.cow_reused,
        .stack_grown = (uint32_t)s.stack_grown,
        .free_pages = (uint32_t)kern_free_pages(),
    };
    return to_program(to, &counts, sizeof(counts));
}

/* ---- what the kernel keeps for a program: blocks of its pool ---- */

typedef struct kept {
    uint32_t handle, len;
    unsigned char data[];
} kept;

typedef struct kept_search {
    uint32_t handle;
    kept *found;
} kept_search;

static bool kept_is(void *ctx, void *block, size_t size, const void *site)
{
    kept_search *search = ctx;
    kept *k = block;
    (void)size;
    (void)site;
    if (k->handle == search->handle)
        search->found = k;
    return search->found == NULL;
}

static kept *kept_find(uint32_t handle)
{
    kept_search search = {handle, NULL};
    loam_pool_each(&process_current->pool, kept_is, &search);
    return search.found;
}

static int do_keep(uint32_t from, uint32_t len)
{
    static uint32_t handles;
    process *p = process_current;
    if (len == 0 || len > USER_KEPT_MAX)
        return USER_EINVAL;
    kept *k = loam_pool_alloc(&p->pool, sizeof(*k) + len);
    if (k == NULL)
        return USER_ENOMEM;
    if (loam_aspace_copy_from(p->as, k->data, from, len, NULL) != LOAM_FAULT_DONE) {
        (void)loam_pool_free(&p->pool, k);
        return USER_EFAULT;
    }
    handles = handles % INT32_MAX + 1;
    k->handle = handles;
    k->len = len;
    return (int)k->handle;
}

static int do_fetch(uint32_t handle, uint32_t to, uint32_t len)
{
    const kept *k = kept_find(handle);
    if (k == NULL)
        return USER_ENOENT;
    len = len < k->len ? len : k->len;
    return to_program(to, k->data, len) == 0 ? (int)len : (int)USER_EFAULT;
}

static int do_drop(uint32_t handle)
{
    kept *k = kept_find(handle);
    if (k == NULL)
        return USER_ENOENT;
    (void)loam_pool_free(&process_current->pool, k);
    return 0;
}

static void on_syscall(i386_trap *t)
{
    const uint32_t a = t->ebx, b = t->ecx, c = t->edx;
    int answer = USER_ECALL;
    switch (t->eax) {
    case USER_CALL_EXIT:
        process_end(t, (int)a);
        return;
    case USER_CALL_YIELD:
        t->eax = 0;
        process_yield(t);
        return;
    case USER_CALL_WAIT:
        process_wait(t);
        return;
    case USER_CALL_WRITE:
        answer = do_write(a, b);
        break;
    case USER_CALL_MAP:
        answer = do_map(a, b, c);
        break;
    case USER_CALL_UNMAP:
        answer = from_err(loam_aspace_unmap(process_current->as, a, b));
        break;
    case USER_CALL_PROTECT:
        answer = do_protect(a, b, c);
        break;
    case USER_CALL_CLONE:
        answer = process_clone(t);
        break;
    case USER_CALL_NUMBER:
        answer = process_current->number;
        break;
    case USER_CALL_COUNTS:
        answer = do_counts(a);
        break;
    case USER_CALL_KEEP:
        answer = do_keep(a, b);
        break;
    case USER_CALL_FETCH:
        answer = do_fetch(a, b, c);
        break;
    case USER_CALL_DROP:
        answer = do_drop(a);
        break;
    default:
        break;
    }
    t->eax = (uint32_t)answer;
}

/* ---- faults ---- */

/* i386 tables cannot refuse execution, so a fetch is known by its address alone. */
static loam_aspace_access access_of(const i386_trap *t, uint32_t address)
{
    if ((t->error & X86_PF_WRITE) != 0)
        return LOAM_ACCESS_WRITE;
    return address == t->eip ? LOAM_ACCESS_EXEC : LOAM_ACCESS_READ;
}

static const char *access_text(loam_aspace_access access)
{
    static const char *const text[] = {"read", "write", "execution"};
    return text[access];
}

static bool on_page_fault(i386_trap *t, uint32_t address)
{
    loam_aspace_access access = access_of(t, address);
    loam_aspace_region region;
    loam_aspace_verdict verdict;
    if (!i386_trap_from_user(t) || process_current == NULL)
        return false;
    verdict = loam_aspace_fault(process_current->as, address, access);
    if (verdict == LOAM_FAULT_DONE)
        return true;
    bool known = loam_aspace_find(process_current->as, address, &region);
    process_kill(t, "%s of address 0x%X: %s%s%s%s, at eip 0x%X", access_text(access),
                 (uint64_t)address, loam_aspace_verdict_text(verdict), known ? " ('" : "",
                 known ? region.name : "", known ? "')" : "", (uint64_t)t->eip);
    return true;
}

static void on_exception(i386_trap *t)
{
    process_kill(t, "%s, at eip 0x%X", x86_exception_name(t->vector), (uint64_t)t->eip);
}

/* Each tick is somebody else's turn; Ctrl-C ends them all. */
static void on_interrupt(i386_trap *t)
{
    static uint64_t last;
    uint64_t now = kern_this.ticks;
    if (now == last)
        return;
    last = now;
    if (console_interrupted())
        process_stop_all(t);
    else
        process_yield(t);
}

void process_hooks(void)
{
    static const arch_user_hooks hooks = {on_syscall, on_page_fault, on_exception, on_interrupt};
    arch_set_user_hooks(&hooks);
}
