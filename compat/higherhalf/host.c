/* SPDX-License-Identifier: MIT */
/* host.c - the eight steps and the demo in a process. */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>

static void print_line(void *ctx, const char *line)
{
    fprintf(ctx, "%s\n", line);
}

int main(void)
{
    const hh_machine *machine = hh_process_machine();
    if (machine == NULL)
        return EXIT_FAILURE;
    hh_set_output(print_line, stdout);
    int wrong = hh_kmain(machine);
    if (wrong == 0)
        wrong = hh_demo();
    return wrong == 0 && hh_leave() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
