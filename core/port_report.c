/* SPDX-License-Identifier: MIT */
/* port_report.c - a refusal in words.
 *
 * WHAT   The core says why it refused a call by filling in a loam_report. Every port turns that
 *        into a line here, so that a test, a serial console and a crash log read the same.
 *
 * MODEL  One line, parts that are unknown left out:
 *
 *            zone: double free: frame 1a2b, free, caller 0x80412c
 *            slab: overrun: address 4f00, out, kmalloc-64, 64 bytes, allocated by 0x80399c, ...
 *            |     |        |                |    |                                |
 *            unit  what     object, value   state name, size             site, caller, rule
 *
 * RULES  None: nothing is kept.
 * LOCKS  None.
 * COST   O(characters).
 * FROM   The wish never again to read a panic that does not say which check failed.
 * NOT    Printing: that is the port's.
 */
#include "loam/port.h"

/* Orders are counted in decimal; addresses and frames are read in hexadecimal. */
static bool report_counts(const char *object)
{
    const char *word = "order";
    while (*word != '\0' && *word == *object)
        word++, object++;
    return *word == *object;
}

static void report_object(loam_text *out, const loam_report *report)
{
    loam_text_fmt(out, report_counts(report->object) ? ": %s %U" : ": %s %X", report->object,
                  report->value);
}

void loam_report_text(loam_text *out, const loam_report *report)
{
    loam_text_fmt(out, "%s: %s", report->unit, report->what);
    if (report->object != NULL)
        report_object(out, report);
    if (report->state != NULL)
        loam_text_fmt(out, ", %s", report->state);
    if (report->name != NULL)
        loam_text_fmt(out, ", %s", report->name);
    if (report->size != 0)
        loam_text_fmt(out, ", %U bytes", report->size);
    if (report->site != NULL)
        loam_text_fmt(out, ", allocated by %p", report->site);
    if (report->caller != NULL)
        loam_text_fmt(out, ", caller %p", report->caller);
    if (report->rule != NULL)
        loam_text_fmt(out, ", rule %s", report->rule);
}
