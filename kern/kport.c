/* SPDX-License-Identifier: MIT */
/* kport.c - the port's three functions in a kernel: a refusal is a line on the console and, unless
 * the policy is `report`, a panic: the rule, what it is about, and who called. */
#include "console.h"
#include "loam/port.h"
#include "panic.h"
#include "smp.h"

#if LOAM_LOCK_ORDER
loam_lock_held loam_port_held[LOAM_PORT_MAX_CPUS];
#endif

static loam_policy policy = LOAM_POLICY_PANIC;
static loam_report_fn *listener; /* NULL: print */
static void *listener_ctx;

loam_policy loam_port_set_policy(loam_policy wanted)
{
    loam_policy former = policy;
    policy = wanted;
    return former;
}

void loam_port_on_report(loam_report_fn *fn, void *ctx)
{
    listener = fn;
    listener_ctx = ctx;
}

/* Ports with one processor never wait, and have no word for it. */
/* NOLINTNEXTLINE(readability-redundant-declaration): the others' headers have it */
void loam_port_lock_wait(void);
void loam_port_lock_wait(void)
{
    smp_serve();
    loam_port_relax();
}

static void tell(const char *kind, const loam_report *report)
{
    char line[CONSOLE_LINE];
    loam_text text;
    if (listener != NULL) {
        listener(listener_ctx, report);
        return;
    }
    loam_text_init(&text, line, sizeof(line));
    loam_report_text(&text, report);
    kprintf("%s: %s\n", kind, line);
}

/* The second line of a panic, where there is something to say: "rule Z6, frame 8a31, called from
 * bug_run+0x2c". */
static void describe(loam_text *out, const loam_report *report)
{
    const char *before = "\npanic: ";
    if (report->rule != NULL)
        loam_text_fmt(out, "%srule %s", before, report->rule);
    before = report->rule != NULL ? ", " : before;
    if (report->object != NULL)
        loam_text_fmt(out, "%s%s 0x%X", before, report->object, report->value);
    before = report->object != NULL ? ", " : before;
    if (report->caller == NULL)
        return;
    loam_text_fmt(out, "%scalled from ", before);
    panic_call(out, (uintptr_t)report->caller);
}

static _Noreturn void stop(const loam_report *report)
{
    char line[CONSOLE_LINE];
    loam_text text;
    loam_text_init(&text, line, sizeof(line));
    describe(&text, report);
    kpanic("%s: %s%s", report->unit, report->what, line);
}

void loam_port_misuse(const loam_report *report)
{
    tell("refused", report);
    if (policy == LOAM_POLICY_PANIC)
        stop(report);
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    tell("corrupt", report);
    stop(report);
}
