/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_MEMVIEW_H
#define LOAM_KERN_MEMVIEW_H

/* memview.h - a picture of memory, as a command of the shell. */
#include "loam/base.h"

/* Prints the picture; then shows it on the screen, where there is one, and renews it until a key is
 * pressed. `text`: prints alone; `churn`: pages are taken and freed meanwhile. */
void memview_command(size_t count, const char *const *word);

#endif
