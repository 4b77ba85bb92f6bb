/* SPDX-License-Identifier: MIT */
/* driver_main.c - loam-driver: the driver behind stdin and stdout, over fake RAM.
 *
 *     loam-driver [--meta=outside] [--cpus=N] [--slab=OPTIONS]     commands on stdin
 *     loam-driver dtb FILE                                         what a device tree hands over
 *     loam-driver mb1 FILE LOADADDR INFOADDR BITS                  what Multiboot 1 hands over
 *
 * Numbers, also those of options, are hexadecimal. Answers are flushed line by line.
 */
#define _POSIX_C_SOURCE 200809L
#include "driver.h"
#include "driver_files.h"
#include "driver_ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CPUS = 8,       /* of the machine, unless told otherwise */
    SPANS = 1 << 18 /* of each set of the boot map; touched only as they are used */
};

static void put(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    fwrite(text, 1, len, stdout);
}

static void note(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "loam-driver: %s\n", why);
}

static void set_cpu(void *ctx, unsigned cpu)
{
    (void)ctx;
    loam_hosted_set_cpu(cpu);
}

static void machine_reset(void *ctx)
{
    ram_reset(ctx);
}

static void *machine_map(void *ctx, uint64_t pa, uint64_t len)
{
    return ram_map(ctx, pa, len);
}

static void *machine_outside(void *ctx, uint64_t len)
{
    return ram_outside(ctx, len);
}

static bool machine_fill(void *ctx, uint64_t pa, uint64_t len, unsigned char byte)
{
    return ram_fill(ctx, pa, len, byte);
}

static bool machine_check(void *ctx, uint64_t pa, uint64_t len, unsigned char byte)
{
    return ram_check(ctx, pa, len, byte);
}

/* Reads a line of any length, without its newline, and keeps one character more than a line may
 * have. false: the end. */
static bool read_line(char *line, size_t *len)
{
    int c = getchar();
    if (c == EOF)
        return false;
    for (*len = 0; c != EOF && c != '\n'; c = getchar())
        if (*len <= DRIVER_LINE)
            line[(*len)++] = (char)c;
    return true;
}

static int serve(const driver_machine *machine, bool meta_outside, const char *slab)
{
    static loam_span spans[3 * SPANS];
    static driver d;
    const char *bad;
    driver_init(&d, machine, spans, SPANS);
    d.meta_outside = meta_outside;
    if (slab != NULL && loam_slab_config_parse(&d.config, slab, &bad) != LOAM_OK) {
        fprintf(stderr, "loam-driver: not an option of the object layers: %s\n", bad);
        return 2;
    }
    loam_port_set_policy(LOAM_POLICY_REPORT);
    static char line[DRIVER_LINE + 1];
    size_t len;
    while (read_line(line, &len)) {
        driver_line(&d, line, len);
        if (fflush(stdout) != 0)
            return 1; /* nobody listens any more */
    }
    driver_reset(&d);
    return 0;
}

static int usage(void)
{
    fputs("usage: loam-driver [--meta=outside] [--cpus=N] [--slab=OPTIONS]\n"
          "       loam-driver dtb FILE\n"
          "       loam-driver mb1 FILE LOADADDR INFOADDR 32|64\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static ram memory;
    driver_machine machine = {&memory,      CPUS,          set_cpu,     put,
                              note,         machine_reset, machine_map, machine_outside,
                              machine_fill, machine_check};
    bool meta_outside = false;
    const char *slab = NULL;
    if (argc == 3 && strcmp(argv[1], "dtb") == 0)
        return driver_file_dtb(argv[2]);
    if (argc == 6 && strcmp(argv[1], "mb1") == 0)
        return driver_file_mb1(argv[2], argv[3], argv[4], argv[5]);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--meta=outside") == 0)
            meta_outside = true;
        else if (strncmp(argv[i], "--cpus=", 7) == 0)
            machine.cpus = (unsigned)strtoul(argv[i] + 7, NULL, 16);
        else if (strncmp(argv[i], "--slab=", 7) == 0)
            slab = argv[i] + 7;
        else
            return usage();
    }
    if (machine.cpus == 0 || machine.cpus > LOAM_PORT_MAX_CPUS)
        return usage();
    return serve(&machine, meta_outside, slab);
}
