/* SPDX-License-Identifier: MIT */
/* main.c - play in a process: keys from a terminal one by one, or from a pipe.
 *
 *     shomp-play [grow] [guard]
 *
 * With guard, pages of free memory are made unreachable, and a read there ends the program with a
 * line that names it. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "../../inc/play/play.h"

static struct termios typed_before;
static bool terminal;

static void put(void *ctx, const char *text)
{
    fputs(text, ctx);
    fflush(ctx);
}

static void terminal_back(void)
{
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &typed_before);
}

/* Keys as they are pressed, without echo; Ctrl-C stays what it is. */
static void terminal_keys(void)
{
    struct termios keys;
    terminal = tcgetattr(STDIN_FILENO, &typed_before) == 0;
    if (!terminal)
        return;
    keys = typed_before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    atexit(terminal_back);
}

static void pages(void *ctx, void *page, size_t len, bool reachable)
{
    (void)ctx;
    if (mprotect(page, len, reachable ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
        abort();
}

/* A read or write of an unreachable page; anything else is a fault like any other. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    char buf[200];
    loam_text text;
    loam_report report;
    (void)context;
    if (!shomp_fault((uintptr_t)info->si_addr, &report)) {
        signal(number, SIG_DFL);
        return; /* and faults again */
    }
    loam_text_init(&text, buf, sizeof buf);
    loam_text_str(&text, "\nfault: ");
    loam_report_text(&text, &report);
    loam_text_char(&text, '\n');
    if (write(STDOUT_FILENO, buf, text.len) < 0)
        _exit(EXIT_FAILURE);
    if (terminal)
        tcsetattr(STDIN_FILENO, TCSANOW, &typed_before);
    _exit(3);
}

static bool options_read(shomp_options *options, int argc, char **argv)
{
    bool good = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "grow") == 0 || strcmp(argv[i], "guard") == 0)
            options->grow_to = SHOMP_MAX_SCALE;
        else
            good = false;
        if (strcmp(argv[i], "guard") == 0) {
            options->guard = true;
            options->pages = pages;
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    static shomp_play play;
    shomp_options options = {0};
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    int key;
    if (!options_read(&options, argc, argv)) {
        fprintf(stderr, "usage: shomp-play [grow] [guard]\n");
        return EXIT_FAILURE;
    }
    size_t bytes = shomp_bytes(&options);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("shomp-play: mmap");
        return EXIT_FAILURE;
    }
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGBUS, &fault, NULL);
    terminal_keys();
    setvbuf(stdin, NULL, _IONBF, 0);
    loam_port_set_policy(LOAM_POLICY_REPORT);
    shomp_play_start(&play, memory, &options, put, stdout);
    while ((key = getchar()) != EOF && shomp_play_key(&play, (char)key)) {
    }
    shomp_play_end(&play);
    munmap(memory, bytes);
    return EXIT_SUCCESS;
}
