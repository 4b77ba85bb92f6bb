/* SPDX-License-Identifier: MIT */
/* frames_textbook_work.c - the loops over the textbook buddy. */
#include "frames_textbook.h"
#define FRAMES_ALLOC(a, order)       textbook_alloc((textbook *)(a), order)
#define FRAMES_FREE(a, block, order) textbook_free((textbook *)(a), block, order)
#include "frames_work.inc"

const frames_api frames_textbook = {.name = "textbook",
                                    .any_order = true,
                                    .bytes = textbook_bytes,
                                    .init = textbook_init,
                                    FRAMES_LOOPS};
