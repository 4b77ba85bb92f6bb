/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_STARTUP_H
#define LOAM_KERN_STARTUP_H

/* startup.h - what the boot's steps share: startup.c makes the map, handover.c what stands on it.
 */
#include "loam/base.h"

/* kern_this.map from bootinfo, holdings, and the metadata's place. */
void startup_map(void);

/* Takes the metadata of all zones and of the trace ring out of the map; false: there is no room. */
bool handover_measure(void);

/* A line of the boot log: "WHAT [base, end) KiB, note". */
void startup_log_span(const char *what, loam_span span, const char *note);

#endif
