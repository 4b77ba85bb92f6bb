/* SPDX-License-Identifier: MIT */
/* fuzz_replay.c - a fuzzer without libFuzzer: its corpus, then mutations of it. Prints TAP.
 *
 *     build/asan/fuzz/fdt_fuzz [FILE...]
 *
 * Without files: everything in test/fuzz/corpus/<x> and build/corpus/<x>, the name <x> taken from
 * the program's own. The mutations are a fixed sequence (SEED= starts another), as much of it as
 * fits into FUZZ_MS milliseconds. An input that stops the program stops the TAP, which counts as
 * failed; it is left in build/fuzz-<x>.input. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INPUTS = 512, INPUT_MAX = 64 * 1024, SPLICE = 8 };

typedef struct input {
    char name[256];
    uint8_t *bytes;
    size_t len;
} input;

static input inputs[INPUTS];
static size_t input_count;
static char target[64], left[96];
static unsigned results;
static uint64_t rng;

static size_t below(size_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (size_t)((rng >> 11) % n);
}

static uint64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static void fail(const char *what, const char *name)
{
    printf("Bail out! %s: %s\n", what, name);
    exit(EXIT_FAILURE);
}

static void load(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL || input_count == INPUTS)
        fail("cannot take", path);
    input *in = &inputs[input_count++];
    snprintf(in->name, sizeof in->name, "%s", path);
    in->len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    in->bytes = malloc(in->len + 1);
    if (in->bytes == NULL)
        fail("no memory for", path);
    memcpy(in->bytes, bytes, in->len);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const input *)a)->name, ((const input *)b)->name);
}

/* Files of a folder that are inputs themselves: not the sources that inputs are made from. */
static void load_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        const char *suffix = strrchr(entry->d_name, '.');
        char path[512];
        if (entry->d_name[0] == '.' || (suffix != NULL && strcmp(suffix, ".dts") == 0))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        load(path);
    }
    closedir(dir);
}

static void load_corpus(const char *program)
{
    const char *name = strrchr(program, '/');
    char folder[128];
    snprintf(target, sizeof target, "%s", name != NULL ? name + 1 : program);
    char *end = strstr(target, "_fuzz");
    if (end != NULL)
        *end = 0;
    snprintf(left, sizeof left, "build/fuzz-%s.input", target);
    snprintf(folder, sizeof folder, "test/fuzz/corpus/%s", target);
    load_folder(folder);
    snprintf(folder, sizeof folder, "build/corpus/%s", target);
    load_folder(folder);
    qsort(inputs, input_count, sizeof inputs[0], by_name);
}

/* Runs one input out of memory of exactly its size, so that a sanitizer sees a byte too far. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        fail("no memory for", target);
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void mutate_number(uint8_t *bytes, size_t len)
{
    static const uint32_t odd[] = {0,          1,          2,           3,           4,     9,
                                   0x7fffffff, 0x80000000, 0xfffffffcU, 0xffffffffU, 0x1000};
    if (len < 4)
        return;
    size_t at = below(2) ? below(len / 4) * 4 : below(len - 3);
    uint32_t v = (uint32_t)bytes[at] << 24 | (uint32_t)bytes[at + 1] << 16 |
                 (uint32_t)bytes[at + 2] << 8 | bytes[at + 3];
    v = below(2) ? odd[below(sizeof odd / sizeof odd[0])] : v + (uint32_t)below(17) - 8;
    for (unsigned i = 0; i < 4; i++)
        bytes[at + i] = (uint8_t)(v >> (24 - 8 * i));
}

/* One change of the bytes; returns their new length. */
static size_t mutate_once(uint8_t *bytes, size_t len)
{
    const input *other = &inputs[below(input_count)];
    size_t at = len > 0 ? below(len) : 0;
    switch (below(6)) {
    case 0:
        if (len > 0)
            bytes[at] = (uint8_t)below(256);
        return len;
    case 1:
        if (len > 0)
            bytes[at] ^= (uint8_t)(1U << below(8));
        return len;
    case 2:
        return below(8) ? len : at; /* cut off */
    case 3: {                       /* take out a few bytes */
        size_t n = below(SPLICE) + 1;
        if (below(2) == 0 || at + n > len)
            return len;
        memmove(bytes + at, bytes + at + n, len - at - n);
        return len - n;
    }
    case 4: { /* put in a piece of another one */
        size_t n = below(4 * SPLICE) + 1;
        if (other->len <= n || len + n > INPUT_MAX)
            return len;
        memmove(bytes + at + n, bytes + at, len - at);
        memcpy(bytes + at, other->bytes + below(other->len - n), n);
        return len + n;
    }
    default:
        mutate_number(bytes, len);
        return len;
    }
}

/* The input about to run, in a file: a sanitizer ends the program without a word to us. */
static void keep(int file, const uint8_t *bytes, size_t len)
{
    if (file >= 0 && (pwrite(file, bytes, len, 0) != (ssize_t)len || ftruncate(file, (off_t)len)))
        fail("cannot write", left);
}

static void mutate(uint64_t ms)
{
    static uint8_t bytes[INPUT_MAX];
    uint64_t until = now_ms() + ms, runs = 0;
    int file = open(left, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    while ((runs & 63) != 0 || now_ms() < until) {
        const input *in = &inputs[below(input_count)];
        size_t len = in->len;
        memcpy(bytes, in->bytes, len);
        for (uint64_t n = below(4) + 1; n > 0; n--)
            len = mutate_once(bytes, len);
        keep(file, bytes, len);
        run(bytes, len);
        runs++;
    }
    if (file >= 0)
        close(file);
    remove(left);
    printf("ok %u - fuzz %s: mutated inputs # %" PRIu64 " of them\n", ++results, target, runs);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("SEED"), *ms = getenv("FUZZ_MS");
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    load_corpus(argv[0]);
    if (argc > 1) {
        input_count = 0;
        for (int i = 1; i < argc; i++)
            load(argv[i]);
    }
    if (input_count == 0)
        fail("no corpus for", target);
    printf("1..%zu\n", input_count + (argc == 1));
    for (size_t i = 0; i < input_count; i++) {
        run(inputs[i].bytes, inputs[i].len);
        printf("ok %u - fuzz %s: %s\n", ++results, target, inputs[i].name);
    }
    rng = seed != NULL && strtoull(seed, NULL, 0) != 0 ? strtoull(seed, NULL, 0)
                                                       : 0x9e3779b97f4a7c15ULL;
    if (argc == 1)
        mutate(ms != NULL ? strtoull(ms, NULL, 0) : getenv("LOAM_LONG") != NULL ? 60000 : 2000);
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return EXIT_SUCCESS;
}
