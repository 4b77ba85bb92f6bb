/* SPDX-License-Identifier: MIT */
/* driver_main.c - loam-driver: the driver behind stdin and stdout, over fake RAM.
 *
 *     loam-driver [--meta=outside] [--cpus=N] [--slab=OPTIONS]
 *                 [--vm=FORMAT] [--vm-features=N]                  commands on stdin
 *     loam-driver dtb FILE                                         what a device tree hands over
 *     loam-driver mb1|mb2|pvh FILE LOADADDR INFOADDR BITS          what a PC's loader hands over
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

static unsigned char *machine_frame(void *ctx, uint64_t pa)
{
    return ram_frame_at(ctx, pa);
}

static void machine_peek(void *ctx, uint64_t pa, unsigned char *byte, unsigned n)
{
    ram_peek(ctx, pa, byte, n);
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

typedef struct options {
    unsigned cpus;
    bool meta_outside;
    const char *slab, *vm, *features; /* or NULL */
} options;

/* Puts the options into the driver; false: one of them is none, and that was said. */
static bool configure(driver *d, const options *o)
{
    const char *bad = o->slab;
    d->meta_outside = o->meta_outside;
    if (o->slab != NULL && loam_slab_config_parse(&d->config, o->slab, &bad) != LOAM_OK)
        fprintf(stderr, "loam-driver: not an option of the object layers: %s\n", bad);
    else if (o->vm != NULL && !driver_vm_format(d, loam_pt_format_of(o->vm)))
        fprintf(stderr, "loam-driver: no page-table format: %s\n", o->vm);
    else {
        if (o->features != NULL)
            d->vm_features = (unsigned)strtoul(o->features, NULL, 16);
        return true;
    }
    return false;
}

static int serve(const driver_machine *machine, const options *o)
{
    static loam_span spans[3 * SPANS];
    static driver d;
    driver_init(&d, machine, spans, SPANS);
    if (!configure(&d, o))
        return 2;
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
          "                   [--vm=i386|x86_64|aarch64] [--vm-features=N]\n"
          "       loam-driver dtb FILE\n"
          "       loam-driver mb1|mb2|pvh FILE LOADADDR INFOADDR 32|64\n",
          stderr);
    return 2;
}

/* What stands behind a name and '=' in an argument, or NULL. */
static const char *value_of(const char *arg, const char *name)
{
    size_t len = strlen(name);
    return strncmp(arg, name, len) == 0 && arg[len] == '=' ? arg + len + 1 : NULL;
}

static bool parse_option(options *o, const char *arg)
{
    const char *v;
    if (strcmp(arg, "--meta=outside") == 0)
        o->meta_outside = true;
    else if ((v = value_of(arg, "--cpus")) != NULL)
        o->cpus = (unsigned)strtoul(v, NULL, 16);
    else if ((v = value_of(arg, "--slab")) != NULL)
        o->slab = v;
    else if ((v = value_of(arg, "--vm")) != NULL)
        o->vm = v;
    else if ((v = value_of(arg, "--vm-features")) != NULL)
        o->features = v;
    else
        return false;
    return o->cpus != 0 && o->cpus <= LOAM_PORT_MAX_CPUS;
}

int main(int argc, char **argv)
{
    static ram memory;
    options o = {.cpus = CPUS};
    if (argc == 3 && strcmp(argv[1], "dtb") == 0)
        return driver_file_dtb(argv[2]);
    if (argc == 6 && driver_file_is_protocol(argv[1]))
        return driver_file_boot(argv[1], argv[2], argv[3], argv[4], argv[5]);
    for (int i = 1; i < argc; i++)
        if (!parse_option(&o, argv[i]))
            return usage();
    driver_machine machine = {&memory,      o.cpus,        set_cpu,       put,
                              note,         machine_reset, machine_map,   machine_outside,
                              machine_fill, machine_check, machine_frame, machine_peek};
    return serve(&machine, &o);
}
