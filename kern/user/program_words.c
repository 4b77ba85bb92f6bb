/* SPDX-License-Identifier: MIT */
/* program_words.c - programs for the shell, the demo and the tests: which there are, and how each
 * of them has to end. */
#include "aspace_view.h"
#include "console.h"
#include "process.h"
#include "programs.h"
#include "shell.h"
#include "words.h"

typedef struct expected {
    const char *name;
    const char *reason; /* a part of why it is killed; NULL: it ends by itself, with status 0 */
    uint64_t leaks;
} expected;

static const expected programs[] = {
    {"hello", NULL, 0},
    {"touch", NULL, 0},
    {"clone", NULL, 0},
    {"stack", NULL, 0},
    {"malloc", NULL, 0},
    {"calls", NULL, 0},
    {"flags", NULL, 0},
    {"leak", NULL, 2},
    {"null", "read of address 0x0: a NULL pointer", 0},
    {"near-null", "a guard page", 0},
    {"kernel", "the address is not the program's", 0},
    {"jump", "execution of address 0x30000000: nothing is mapped there", 0},
    {"overflow", "stack overflow ('stack')", 0},
    {"write-text", "write to read-only memory ('text')", 0},
    {"divide", "divide error", 0},
    {"privileged", "general protection fault", 0},
    {"invalid", "invalid opcode", 0},
    {"step", "debug exception", 0},
    {"vector", "general protection fault", 0},
    {"port", "general protection fault", 0},
};

/* ---- the shell's ---- */

void programs_command_run(size_t count, const char *const *word)
{
    static run_result result;
    program_run(count - 1, word + 1, &result);
}

static bool print_program(void *ctx, const char *path, uint32_t size)
{
    (void)ctx;
    kprintf("  %s (%u bytes)\n", word_after(path, "bin/"), (int)size);
    return true;
}

void programs_command_list(size_t count, const char *const *word)
{
    (void)count;
    if (!program_each("bin/", print_program, NULL))
        kprintf("%s: there is no initrd, or it is broken: try `ls`\n", word[0]);
}

/* ---- demo and tests ---- */

static bool contains(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (word_after(text, part) != NULL)
            return true;
    return false;
}

static bool is_as_expected(const expected *e, const run_result *r)
{
    if (!r->started || !r->frames_back || r->leaks != e->leaks)
        return false;
    if (e->reason == NULL)
        return r->status == 0 && r->killed == 0;
    return r->status == USER_KILLED && contains(r->reason, e->reason);
}

static bool run_expected(const expected *e)
{
    static run_result result;
    const char *argv[] = {e->name, "one", "two words"};
    kprintf("\n-- %s --\n", e->name);
    program_run(LOAM_ARRAY_LEN(argv), argv, &result);
    bool good = is_as_expected(e, &result);
    kprintf("user test: %s: %s\n", e->name, good ? "as it should be" : "WRONG");
    return good;
}

int user_demo(void)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(programs); i++)
        if (programs[i].reason == NULL)
            wrong += !run_expected(&programs[i]);
    kprintf("\nuser: %s\n", wrong == 0 ? "every program ended well" : "SOMETHING WENT WRONG");
    return wrong == 0 ? 0 : 1;
}

typedef struct tally {
    unsigned run, wrong;
} tally;

/* A file that lies: it is refused, by the name of a rule, and nothing is lost. */
static bool run_broken(void *ctx, const char *path, uint32_t size)
{
    static run_result result;
    tally *t = ctx;
    (void)size;
    program_run(1, &path, &result);
    bool good = !result.started && result.frames_back && result.reason[0] == 'X';
    kprintf("user test: %s: %s\n", path, good ? "as it should be" : "WRONG");
    t->run++;
    t->wrong += !good;
    return true;
}

unsigned user_tests(void)
{
    loam_span file;
    const char *why;
    tally t = {0, 0};
    if (!program_find(programs[0].name, &file, &why)) {
        kprintf("user tests: left out: %s\n", why);
        return 0;
    }
    for (size_t i = 0; i < LOAM_ARRAY_LEN(programs); i++) {
        t.run++;
        t.wrong += !run_expected(&programs[i]);
    }
    kprintf("\n-- broken files --\n");
    if (!program_each("bad/", run_broken, &t))
        t.wrong++;
    kprintf("user tests: %u of %u as they should be\n", (int)(t.run - t.wrong), (int)t.run);
    return t.wrong;
}

const shell_command shell_user_commands[] = {
    {"aspace", 0, 0, "", "what the last programs had in their spaces", aspace_view_command},
    {"run", 1, 6, "PROGRAM [ARGUMENTS]", "a program of the initrd, in user mode",
     programs_command_run},
    {"programs", 0, 0, "", "programs of the initrd", programs_command_list},
    {NULL, 0, 0, NULL, NULL, NULL},
};
