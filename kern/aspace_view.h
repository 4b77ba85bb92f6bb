/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_ASPACE_VIEW_H
#define LOAM_KERN_ASPACE_VIEW_H

/* aspace_view.h - what user address spaces looked like, as a command of the shell. */
#include "loam/aspace.h"

/* Keeps what there is to say of a space that is about to be destroyed; of the last few. name is
 * copied. */
void aspace_view_remember(const char *name, int number, loam_aspace *as);

/* Prints the spaces that are remembered, the last one with its regions. */
void aspace_view_command(size_t count, const char *const *word);

#endif
