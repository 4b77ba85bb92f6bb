/* SPDX-License-Identifier: MIT */
/* kport.c - the port's three functions in a kernel: a refusal is a line on the console and, unless
 * the policy is `report`, a panic with registers of time: the calls that led there. */
#include "arch.h"
#include "console.h"
#include "loam/port.h"

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

void loam_port_misuse(const loam_report *report)
{
    tell("refused", report);
    if (policy == LOAM_POLICY_PANIC)
        kpanic("%s: %s", report->unit, report->what);
}

_Noreturn void loam_port_corrupt(const loam_report *report)
{
    tell("corrupt", report);
    kpanic("%s: %s", report->unit, report->what);
}
