/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_SHELL_H
#define LOAM_KERN_SHELL_H

/* shell.h - a command of the shell. word[0] is the command's name; count includes it. */
#include "loam/base.h"

typedef struct shell_command {
    const char *name;
    size_t least, most; /* arguments */
    const char *usage;  /* the arguments, as shown */
    const char *help;
    void (*run)(size_t count, const char *const *word);
} shell_command;

/* Tables of commands, each ended by a NULL name. */
extern const shell_command shell_memory_commands[];
extern const shell_command shell_system_commands[];
extern const shell_command shell_file_commands[];
extern const shell_command shell_driver_commands[];
extern const shell_command shell_cpus_commands[];
extern const shell_command shell_paging_commands[]; /* where a board's .commands says so */
extern const shell_command shell_user_commands[];   /* where there is a user mode */

/* Reads a number, or prints why it is none. */
bool shell_number(const char *command, const char *word, uint64_t *value);
/* The same for a number of bytes: it has to fit this machine's addresses. */
bool shell_size(const char *command, const char *word, size_t *value);
/* "usage: NAME ARGUMENTS" of a command. */
void shell_usage(const char *name);
/* All commands with a line each, or one. */
void shell_help(const char *name);

#endif
