/* SPDX-License-Identifier: MIT */
/* shell.c - reads a line, finds the command, checks how many words it got, runs it. */
#include "shell.h"
#include "board.h"
#include "console.h"
#include "kern.h"
#include "line.h"
#include "words.h"

enum { WORDS = 8 };

static const shell_command *const tables[] = {shell_memory_commands, shell_file_commands,
                                              shell_driver_commands, shell_cpus_commands,
                                              shell_system_commands};

enum { TABLES = LOAM_ARRAY_LEN(tables) + 2 }; /* the board's own, too */

static const shell_command *table(size_t t)
{
    static const shell_command none = {NULL, 0, 0, NULL, NULL, NULL};
    const shell_command *own;
    if (t < LOAM_ARRAY_LEN(tables))
        return tables[t];
    own = t == LOAM_ARRAY_LEN(tables) ? board_this.commands : board_this.more_commands;
    return own != NULL ? own : &none;
}

static const shell_command *find(const char *name)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const shell_command *c = table(t); c->name != NULL; c++)
            if (word_is(c->name, name))
                return c;
    return NULL;
}

bool shell_number(const char *command, const char *word, uint64_t *value)
{
    if (word_number(word, value))
        return true;
    kprintf("%s: '%s' is no number (decimal, 0x..., with K, M or G)\n", command, word);
    return false;
}

bool shell_size(const char *command, const char *word, size_t *value)
{
    uint64_t number;
    if (!shell_number(command, word, &number))
        return false;
    *value = (size_t)number;
    if (*value == number)
        return true;
    kprintf("%s: %U bytes are more than this machine can address\n", command, number);
    return false;
}

static void print_usage(const shell_command *c)
{
    kprintf("usage: %s%s%s\n", c->name, c->usage[0] != '\0' ? " " : "", c->usage);
}

void shell_usage(const char *name)
{
    const shell_command *c = find(name);
    if (c != NULL)
        print_usage(c);
}

static void print_help(const shell_command *c)
{
    char head[48];
    loam_text t;
    loam_text_init(&t, head, sizeof(head));
    loam_text_fmt(&t, "%s %s", c->name, c->usage);
    while (t.len < 28)
        loam_text_char(&t, ' ');
    kprintf("  %s %s\n", head, c->help);
}

void shell_help(const char *name)
{
    if (name != NULL && find(name) == NULL) {
        kprintf("help: no command '%s'\n", name);
        return;
    }
    if (name != NULL) {
        print_help(find(name));
        return;
    }
    for (size_t t = 0; t < TABLES; t++)
        for (const shell_command *c = table(t); c->name != NULL; c++)
            print_help(c);
}

static void run(char *text)
{
    const char *word[WORDS];
    size_t count = words_split(text, word, WORDS);
    const shell_command *c;
    if (count == 0)
        return;
    c = find(word[0]);
    if (c == NULL) {
        kprintf("unknown command '%s': try help\n", word[0]);
        return;
    }
    if (count - 1 < c->least || count - 1 > c->most || count > WORDS) {
        print_usage(c);
        return;
    }
    c->run(count, word);
}

static void read_line(line *l)
{
    line_state state = LINE_MORE;
    line_start(l);
    console_write("loam> ");
    while (state == LINE_MORE)
        state = line_feed(l, console_key());
}

_Noreturn void shell_run(void)
{
    static line typed;
    (void)kern_misuse_default(true);
    line_init(&typed, console_put);
    console_write("\nShell: `help` lists the commands, `off` ends.\n");
    for (;;) {
        read_line(&typed);
        run(typed.text);
    }
}
