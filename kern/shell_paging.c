/* SPDX-License-Identifier: MIT */
/* shell_paging.c - commands of boards whose kernel makes its own page tables. */
#include "memview.h"
#include "shell.h"

const shell_command shell_paging_commands[] = {
    {"memview", 0, 1, "[text|churn]", "a picture of all of memory", memview_command},
    {NULL, 0, 0, NULL, NULL, NULL},
};
