/* SPDX-License-Identifier: MIT */
/* play.c - the keys of ShompOS' memory module.
 *
 * WHAT   Turns keys into calls of the heap, and the rest of the keyboard into a text console.
 *
 * MODEL  Ten slots, each a stack of blocks, kept by unit number outside of the heap:
 *
 *            top[4] --> unit 3 --below[3]--> unit 0 --below[0]--> none
 *
 *        Text of others (the heap, the port) starts on a line of its own; the prompt comes back
 *        behind it.
 *
 * RULES  A block is in one slot, until its key frees it; the original lost the one before.
 * LOCKS  The heap's. Keys are handled one after the other, outside of interrupts.
 * COST   That of the calls.
 * FROM   The module's document.
 * NOT    Where keys come from.
 */
#include "../../inc/play/play.h"

enum { PLAY_NONE = 0xffff, CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, ESCAPE = 27, DELETE = 127 };

static const char play_free_keys[] = "qwertyuio"; /* slots 1 to 9 */
static const char play_prompt[] = "shompOS>";

/* ---- text ---- */

/* A shomp_output_fn: what the heap says, behind a line that is being typed. */
static void play_tell(void *ctx, const char *text)
{
    shomp_play *play = ctx;
    if (!play->told)
        play->put(play->ctx, "\n");
    play->told = true;
    play->put(play->ctx, text);
}

/* A loam_report_fn. */
static void play_report(void *ctx, const loam_report *report)
{
    char buf[160];
    loam_text text;
    loam_text_init(&text, buf, sizeof(buf));
    loam_text_str(&text, "refused: ");
    loam_report_text(&text, report);
    play_tell(ctx, buf);
    play_tell(ctx, "\n");
}

static void play_show_prompt(shomp_play *play)
{
    play->put(play->ctx, play_prompt);
    play->typed = 0;
}

static void play_help(void)
{
    shomp_say("4 5 6 7 8 9        take 1, 8, 24, 56, 120, 248 bytes: a block of that scale\n");
    shomp_say("1 2 3              as 4 5 6, into slots 1 2 3\n");
    shomp_say("q w e r t y u i o  free slots 1 to 9, last taken first\n");
    shomp_say("p                  free blocks of each scale\n");
    shomp_say("Ctrl-D, or Escape twice: leave\n");
}

static void play_help_guard(void)
{
    shomp_say("0 -                take a block of a page, free it\n");
    shomp_say("! @                write into the block freed last, read from it\n");
}

/* ---- blocks ---- */

static unsigned play_unit_of(const void *payload)
{
    return (unsigned)((size_t)((const unsigned char *)payload - shomp_base()) >> SHOMP_MIN_SCALE);
}

static unsigned char *play_payload_of(unsigned unit)
{
    return shomp_base() + ((size_t)unit << SHOMP_MIN_SCALE) + sizeof(block_header);
}

/* Bytes that a slot's key asks for: the fewest that need its scale, 4 to 9; of 0 a page. */
static size_t play_size(unsigned slot)
{
    unsigned scale = slot >= 1 && slot <= 3 ? slot + 3 : slot;
    if (slot == 0)
        return SHOMP_PAGE;
    return scale == SHOMP_MIN_SCALE ? 1 : ((size_t)1 << (scale - 1)) - 8;
}

static void play_take(shomp_play *play, unsigned slot)
{
    void *payload = shomp_allocate(play_size(slot));
    if (payload == NULL)
        return;
    unsigned unit = play_unit_of(payload);
    play->below[unit] = play->top[slot];
    play->top[slot] = (uint16_t)unit;
}

static void play_give(shomp_play *play, unsigned slot)
{
    unsigned unit = play->top[slot];
    if (unit == PLAY_NONE)
        return;
    void *payload = play_payload_of(unit);
    play->freed = payload;
    play->top[slot] = play->below[unit];
    shomp_free(&payload);
}

/* What nobody should do. The byte is the heap's by now. */
static void play_write_freed(const shomp_play *play)
{
    if (play->freed == NULL)
        shomp_say("nothing was freed yet\n");
    else
        *(volatile unsigned char *)play->freed = '!';
}

static void play_read_freed(const shomp_play *play)
{
    if (play->freed == NULL)
        shomp_say("nothing was freed yet\n");
    else
        shomp_say("it holds %u\n", *(volatile unsigned char *)play->freed);
}

/* ---- keys ---- */

static void play_act_guard(shomp_play *play, char key)
{
    if (key == '0')
        play_take(play, 0);
    else if (key == '-')
        play_give(play, 0);
    else if (key == '!')
        play_write_freed(play);
    else if (key == '@')
        play_read_freed(play);
}

static void play_act(shomp_play *play, char key)
{
    if (key >= '1' && key <= '9') {
        play_take(play, (unsigned)(key - '0'));
        return;
    }
    for (unsigned i = 0; play_free_keys[i] != '\0'; i++)
        if (key == play_free_keys[i])
            play_give(play, i + 1);
    if (key == 'p')
        shomp_print_free_counts();
    if (key == '?')
        play_help();
    if (key == '?' && play->guard)
        play_help_guard();
    if (play->guard)
        play_act_guard(play, key);
}

static void play_new_line(shomp_play *play)
{
    play->put(play->ctx, "\n");
    play_show_prompt(play);
}

static void play_backspace(shomp_play *play)
{
    if (play->typed == 0)
        return;
    play->typed--;
    play->put(play->ctx, "\b \b");
}

static void play_visible(shomp_play *play, char key)
{
    char echo[2] = {key, '\0'};
    if (play->typed == SHOMP_LINE)
        play_new_line(play);
    play->put(play->ctx, echo);
    play->typed++;
    play->told = false;
    play_act(play, key);
    if (play->told)
        play_show_prompt(play);
}

/* Arrows and their like come as ESC [ ... letter: nothing to a line that only grows. */
static bool play_escape(shomp_play *play, char key)
{
    if (play->escape == 0 && key != ESCAPE)
        return false;
    if (play->escape == 1 && key == ESCAPE)
        play->left = true;
    if (play->escape == 2)
        play->escape = key >= '@' && key <= '~' ? 0 : 2;
    else if (play->escape == 1)
        play->escape = key == '[' || key == 'O' ? 2 : 0;
    else
        play->escape = 1;
    return true;
}

bool shomp_play_key(shomp_play *play, char key)
{
    char last = play->last;
    play->last = key;
    if (play_escape(play, key))
        return !play->left;
    if (key == CTRL_C || key == CTRL_D)
        play->left = true;
    else if (key == '\r' || (key == '\n' && last != '\r'))
        play_new_line(play);
    else if (key == BACKSPACE || key == DELETE)
        play_backspace(play);
    else if (key >= ' ' && key < DELETE)
        play_visible(play, key);
    return !play->left;
}

/* ---- start and end ---- */

void shomp_play_start(shomp_play *play, void *memory, const shomp_options *options,
                      shomp_output_fn *put, void *ctx)
{
    __builtin_memset(play, 0, sizeof(*play));
    __builtin_memset(play->top, 0xff, sizeof(play->top));
    play->put = put;
    play->ctx = ctx;
    play->guard = options->guard;
    play->told = true;
    shomp_set_output(play_tell, play);
    loam_port_on_report(play_report, play);
    shomp_start(memory, options);
    shomp_say("ShompOS memory module: 4-9 take a block, q w e r t y u i o free it, p prints.\n");
    shomp_say("? lists the keys. To leave: Ctrl-D, or Escape twice.\n");
    play_show_prompt(play);
}

static unsigned play_leaks(shomp_play *play)
{
    unsigned leaks = 0;
    for (unsigned slot = 0; slot < SHOMP_SLOTS; slot++)
        for (unsigned unit = play->top[slot]; unit != PLAY_NONE; unit = play->below[unit]) {
            if (leaks++ == 0)
                shomp_say("leak report:\n");
            shomp_say("  slot %u: %U %s at %p, a block of scale %X\n", slot,
                      (uint64_t)play_size(slot), play_size(slot) == 1 ? "byte" : "bytes",
                      (void *)play_payload_of(unit),
                      (uint64_t)shomp_header(play_payload_of(unit))->scale);
        }
    return leaks;
}

unsigned shomp_play_end(shomp_play *play)
{
    unsigned count[SHOMP_MAX_SCALE + 1];
    play->told = false; /* behind the prompt */
    unsigned leaks = play_leaks(play);
    if (leaks == 0)
        shomp_say("leak report: nothing was left\n");
    else
        shomp_say("leak report: %u %s left, now freed\n", leaks, leaks == 1 ? "block" : "blocks");
    for (unsigned slot = 0; slot < SHOMP_SLOTS; slot++)
        while (play->top[slot] != PLAY_NONE)
            play_give(play, slot);
    const char *broken = shomp_check();
    bool whole = shomp_counts(count) == SHOMP_HEAP_SCALE && count[SHOMP_HEAP_SCALE] == 1;
    shomp_say("heap: %s\n", broken != NULL ? broken
                            : whole        ? "one free block, as at the start"
                                           : "not all came back");
    loam_port_on_report(NULL, NULL);
    shomp_set_output(NULL, NULL);
    shomp_init_heap(NULL);
    return leaks;
}
