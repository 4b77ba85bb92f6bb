/* SPDX-License-Identifier: MIT */
/* shell_system.c - commands for the machine: help, demos, tests, faults, the end. */
#include "arch.h"
#include "board.h"
#include "bugs.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "shell.h"
#include "smp.h"
#include "words.h"

static void do_help(size_t count, const char *const *word)
{
    shell_help(count == 2 ? word[1] : NULL);
}

static void do_hello(size_t count, const char *const *word)
{
    (void)count;
    (void)word;
    console_write("Hello World!\n");
}

static void do_uptime(size_t count, const char *const *word)
{
    uint64_t hz = arch_ticks_hz();
    uint64_t ms = hz == 0 ? 0 : loam_port_ticks() * 1000 / hz;
    (void)count;
    (void)word;
    kprintf("%U.%03U s, %U timer interrupts, counter at %U Hz\n", ms / 1000, ms % 1000,
            (uint64_t)kern_this.ticks, hz);
}

static void do_demo(size_t count, const char *const *word)
{
    int result;
    if (count == 1) {
        demo_list();
        return;
    }
    result = demo_run(word[1]);
    if (result < 0) {
        kprintf("%s: no demo '%s'; there are:\n", word[0], word[1]);
        demo_list();
    } else if (result > 0) {
        kprintf("%s: %s FAILED\n", word[0], word[1]);
    }
}

static void do_play(size_t count, const char *const *word)
{
    if (shomp_run == NULL)
        kprintf("%s: not in this kernel\n", word[0]);
    else
        (void)shomp_run(count == 2 ? word[1] : "");
}

static void do_test(size_t count, const char *const *word)
{
    (void)tests_run(count == 2 ? word[1] : NULL, kern_this.options.seed);
}

static void do_panic(size_t count, const char *const *word)
{
    (void)count;
    (void)word;
    kpanic("as asked for in the shell");
}

static void do_fault(size_t count, const char *const *word)
{
    (void)count;
    for (const arch_fault *f = arch_faults; f->name != NULL; f++)
        if (word_is(word[1], f->name))
            f->cause();
    kprintf("%s: '%s' is not one of:", word[0], word[1]);
    for (const arch_fault *f = arch_faults; f->name != NULL; f++)
        kprintf(" %s", f->name);
    console_put('\n');
}

static void do_bug(size_t count, const char *const *word)
{
    uint64_t cpu = 0;
    bool all = count == 3 && word_is(word[2], "all");
    if (count == 3 && !all && !shell_number(word[0], word[2], &cpu))
        return;
    if (!all && (cpu >= 64 || (smp_online_set() >> cpu & 1) == 0)) {
        kprintf("%s: no processor %U is online\n", word[0], cpu);
        return;
    }
    if (count > 1)
        bug_make(word[1], all ? BUG_EVERYWHERE : (unsigned)cpu);
    if (count > 1)
        kprintf("%s: '%s' is none of:\n", word[0], word[1]);
    bug_list();
}

static void do_reboot(size_t count, const char *const *word)
{
    (void)count;
    (void)word;
    console_write("reboot\n");
    board_reboot();
}

static void do_off(size_t count, const char *const *word)
{
    (void)count;
    (void)word;
    console_write("off\n");
    board_off(0);
}

const shell_command shell_system_commands[] = {
    {"help", 0, 1, "[COMMAND]", "this list", do_help},
    {"hello", 0, 0, "", "say hello", do_hello},
    {"uptime", 0, 0, "", "time since the machine started", do_uptime},
    {"demo", 0, 1, "[NAME]", "run a demo, or list them", do_demo},
    {"play", 0, 1, "[grow|guard]", "take and free blocks by keys", do_play},
    {"test", 0, 1, "[TEXT]", "the core's tests, or those whose name has TEXT", do_test},
    {"fault", 1, 1, "NAME", "cause an exception on purpose", do_fault},
    {"bug", 0, 2, "[NAME [CORE|all]]", "make a bug on purpose, or list them", do_bug},
    {"panic", 0, 0, "", "stop with a backtrace", do_panic},
    {"reboot", 0, 0, "", "start again", do_reboot},
    {"off", 0, 0, "", "end", do_off},
    {NULL, 0, 0, NULL, NULL, NULL},
};
