/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_INTERNAL_H
#define LOAM_SLAB_INTERNAL_H

/* slab_internal.h - what slab*.c and kmalloc.c do for each other, and nobody else: the functions of
 * each file. Small questions about the data are in slab_desc.h, what is drawn in slab_random.h, the
 * fast paths in slab_fast.h.
 */
#include "slab_desc.h"
#include "slab_random.h"

/* ---- slab.c ---- */

/* The next word with a free slot, and a slot of it; false: every slab of this processor's front is
 * full, or it has none of its own. Not with modes. */
bool loam_slab__refill(loam_cache *c, void **object);
/* This processor's front has a current word with a free slot, any; false: every slab is full, or it
 * has none of its own. */
bool loam_slab__next_word(loam_cache *c);
/* [own] Takes a slot of a slab of which this word has one. */
unsigned loam_slab__take(slab_front *f, slab_desc *d, uint64_t *word);
/* The general allocation: refills, modes, trace. align: 0 for the cache's own. */
void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site);
/* The general free, by a block of this owner or cache (the other is NULL). */
loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, loam_cache *cache,
                         const void *caller);
/* After a slot was freed into a word that was empty, or a slab became empty. Restores irq. */
loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq);
/* Makes a slot that is out free, or tells its owner; false: it is free, or told already. */
bool loam_slab__put_slot(slab_desc *d, unsigned slot);
/* [own] The slab has no object out: which is to go now, off its list and dead, or NULL. */
slab_desc *loam_slab__emptied(slab_desc *d);
/* [own] A bit of this word was set: lists and the current word are right again; as emptied. */
slab_desc *loam_slab__settled(slab_desc *d, uint64_t *word);
/* Waiting blocks, kept slabs, unused leaves and line frames go; true when something went. Other
 * processors are asked for theirs. */
bool loam_slab__reclaim(loam_slabs *s);

/* ---- slab_fronts.c ---- */

/* Between enter or own, and leave, a front and its slabs are the caller's. */
typedef struct slab_hold {
    loam_irq irq;
    bool locked;
} slab_hold;

/* The front that this processor uses. */
slab_front *loam_slab__enter(loam_cache *c, slab_hold *hold);
/* The front of a slab that is alive; false: it is another processor's, and nothing is held. */
bool loam_slab__own(slab_desc *d, slab_hold *hold);
/* The same of what may be no slab, or cease to be one meanwhile; false also while another gives it
 * back. */
bool loam_slab__own_if(loam_slabs *s, slab_desc *d, slab_hold *hold);
void loam_slab__leave(loam_slabs *s, const slab_hold *hold);
/* Lock held, both fronts the caller's. The slab changes its owner. */
void loam_slab__move(slab_desc *d, slab_front *to);
/* [own] Off its front's list. */
void loam_slab__detach(slab_desc *d);
/* [own] An empty slab leaves its front for good, unless somebody has it pinned or queued. */
bool loam_slab__give_up(slab_desc *d);
/* Lock held. The slabs of a list go to the shared front, empty ones back. */
void loam_slab__hand_over(loam_list *list, slab_front *shared, loam_list *victims);
/* Gives back slabs that are off their lists and dead; were there any? */
bool loam_slab__release_all(loam_list *victims);
/* Gives back the empty slabs that this processor and the shared front keep, of a cache or of all
 * (NULL); did any go? */
bool loam_slab__drop_empty(loam_slabs *s, loam_cache *c);
/* Takes what others freed of this processor's, and gives if they asked; was there anything? */
bool loam_slab__look(loam_slabs *s);
/* Takes what others freed of this processor's, until some of it is of this cache; false: it was
 * not, or others have asked for what can be spared. */
bool loam_slab__take_for(loam_cache *c);
/* The same, and where there is none the next. */
bool loam_slab__more_for(loam_cache *c);
/* A slab with free slots that others handed over becomes this processor's; was there one? */
bool loam_slab__adopt(loam_cache *c);
/* Lock held. A slab of the shared front becomes this processor's, if that has a front of its own:
 * who frees one of its objects mostly has the others, too. */
void loam_slab__take_over(slab_desc *d);
/* This processor has something from now on, and is asked for what it can spare. Interrupts off. */
void loam_slab__begin(loam_slabs *s, uint32_t cpu);
/* Asks every other processor that has something for what it can spare. */
void loam_slab__ask(loam_slabs *s);
/* Waits, if the zone's config says how, until all have given; false: they have not, or there are
 * none. A second turn, which asks again: what one tells an owner in the first, that one gives. */
bool loam_slab__await(loam_slabs *s, unsigned turn);
/* The fronts of a new cache: the shared one, and unless the layer is lazy all others; false: no
 * memory, none is there. */
bool loam_slab__start_fronts(loam_cache *c);
/* Gives this processor a front of its own, unless it has one, or uses what all share; or memory is
 * out: then it goes on using that. */
void loam_slab__make_front(loam_cache *c);
/* Gives back the memory of all but the shared one. */
void loam_slab__end_fronts(loam_cache *c);

/* ---- slab_remote.c ---- */

/* [lock] A slab of the layer begins. half: lines for its remote words, or NULL for those inside. */
void loam_slab__remote_start(loam_slabs *s, slab_desc *d, uint32_t *half);
/* [own] Nobody may touch it any more; false: somebody is about to, and it will be queued. */
bool loam_slab__kill(const loam_slabs *s, const slab_desc *d);
/* Was this slot freed by another processor, and not taken yet? */
bool loam_slab__is_told(const loam_slabs *s, const slab_desc *d, unsigned slot);
/* A slot of another's slab, of this cache, is freed: gathers it; false: it was gathered before. The
 * slab may be gone already, by a wrong free: then its descriptor no longer tells the cache. */
bool loam_slab__gather(loam_slabs *s, const slab_desc *d, const loam_cache *c, unsigned slot);
/* One free more was gathered in this entry, which is full, or now it is much: tells the word, or
 * all. Restores irq. */
void loam_slab__tell(loam_slabs *s, slab_gathered *at, loam_irq irq);
/* Bytes of the frees of an entry; 0 when its slab is gone, by a double free. */
uint32_t loam_slab__gathered_bytes(const loam_slabs *s, const slab_gathered *e);
/* Publishes all that this processor gathered. */
void loam_slab__publish_all(loam_slabs *s);
/* Handles the slabs of a stack that was taken whole, this one and those behind it. */
void loam_slab__take_stack(loam_slabs *s, uint32_t first);
/* Handles the next slab that is queued here, of a processor that is online; NULL: there is none. */
slab_desc *loam_slab__take_next(loam_slabs *s);
/* [lock] Keeps a slab where it is while it is looked at; false: it is gone. */
bool loam_slab__pin(const slab_desc *d);
void loam_slab__unpin(loam_slabs *s, slab_desc *d);

/* ---- slab_find.c ---- */

typedef enum slab_fault {
    SLAB_FINE,
    SLAB_IS_FREE,
    SLAB_IS_WAITING,
    SLAB_IS_INNER,
    SLAB_IS_MISALIGNED,
    SLAB_IS_FOREIGN,
    SLAB_IS_OTHERS,
    SLAB_FAULTS
} slab_fault;

typedef struct slab_place {
    slab_desc *desc; /* NULL when the address is nowhere in a slab or large block */
    unsigned slot;   /* of a slab */
} slab_place;

/* Finds the block that is out at exactly p; any other answer than SLAB_FINE says what p is. */
slab_fault loam_slab__find(loam_slabs *s, const void *p, const void *owner, const loam_cache *cache,
                           slab_place *at);
/* Reports a fault found so: LOAM_EINVAL. freeing: free, else another use. */
loam_err loam_slab__refuse(loam_slabs *s, const void *p, slab_fault fault, const slab_place *at,
                           bool freeing, const void *caller);
/* [own] Looks at a slab that a slow path came upon, and at the word with a free slot that it is to
 * use: ends with the rule that is broken, if one is. */
void loam_slab__verify(const slab_front *f, const slab_desc *d, const uint64_t *word);
/* The same when no object of the slab is out any more: every bit is set. */
void loam_slab__verify_empty(const slab_desc *d);
/* [own] Is it a slot of the front's that waits? */
bool loam_slab__wait_is_sound(const slab_front *f, uint64_t wait);
/* [own] The same of what is about to leave a front's ring: it is a slot of the front's that waits.
 */
void loam_slab__verify_wait(const slab_front *f, uint64_t wait);
/* The same of what slab_swift.c holds. */
bool loam_slab__held_is_sound(const slab_front *f, const swift_slot *held);
void loam_slab__verify_held(const slab_front *f, const swift_slot *held);
/* Counts a refusal. */
void loam_slab__count_refusal(loam_slabs *s);
/* The words for a fault: of a free, else of another use. */
const char *loam_slab__what(slab_fault fault, bool freeing);
/* The rule that a free of such an address would break. */
const char *loam_slab__rule_at_risk(slab_fault fault);
/* Name, size and site of what lies there, for a report. */
void loam_slab__describe(const slab_place *at, loam_report *r);
/* Bytes that the owner of the block may use. */
size_t loam_slab__usable(const slab_place *at);
/* The next descriptor in use at or after *index, which is moved past it; NULL: no more. With many
 * processors [lock], or nobody else inside. */
slab_desc *loam_slab__next(const loam_slabs *s, uintptr_t *index);
/* A walk over all that is in use, by address, while others may be inside. Starts with all zero. */
typedef struct slab_visit {
    uintptr_t index; /* where to look next */
    slab_desc *slab; /* stays where it is until the next step; NULL: a large block, as it was */
    const void *owner, *site;
    void *block; /* NULL: it waits */
    size_t size;
} slab_visit;
bool loam_slab__visit(loam_slabs *s, slab_visit *v);
/* Ends a walk early. */
void loam_slab__visit_end(loam_slabs *s, slab_visit *v);

/* What became of a free on a fast path: slab_fast.h, slab_stack.h. */
typedef enum slab_put { SLAB_PUT, SLAB_PUT_REFUSED, SLAB_PUT_SETTLE } slab_put;

/* ---- slab_stack.c: of caches that are stacked ---- */

/* Bytes of a front's stack. */
size_t loam_slab__stack_bytes(const loam_cache *c);
/* A front's stack, which is empty. */
void loam_slab__stack_start(slab_front *f);
/* [own] The free slots of a word, none of which waits, come onto the stack, which is on: lowest on
 * top, and as many as come at a time. */
void loam_slab__stack_add(slab_front *f, slab_desc *d, uint64_t *word);
/* [own] A request found nothing, and goes on in this word: from time to time the stack is on from
 * now on, or no longer. */
void loam_slab__stack_judge(slab_front *f, uint64_t word);
/* The current word is used up: takes the lowest slot of the next one of its slab that was begun.
 * false: there is none, or more is to be asked; then nothing has changed that matters. Interrupts
 * are off. */
bool loam_slab__stack_go_on(slab_stack *k, void **object);
/* [own] All that waits there is free, or what waits of one slab (not NULL); slabs that are to go
 * join the list. */
void loam_slab__stack_empty(slab_front *f, const slab_desc *only, loam_list *victims);
/* Slots of a slab that wait on the stack of its front. */
uint32_t loam_slab__stacked(const slab_desc *d);
/* S11 of a front; *waiting: less the slots on it. */
const char *loam_slab__check_stack(slab_front *f, uint64_t *waiting);

/* ---- slab_build.c ---- */

/* A new slab, and its first slot, which so nobody else can take; false: no memory. */
bool loam_slab__build(loam_cache *c, slab_place *at);
/* Gives back a slab that is off its list and dead. */
void loam_slab__release(slab_desc *d);

/* ---- slab_meta.c ---- */

void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__frames_free(loam_slabs *s, void *va);
/* A block of so many frames has another number of them, in place; false: it has not. */
bool loam_slab__frames_resize(loam_slabs *s, void *va, uint64_t was, uint64_t npages);
/* The same for what is the layer's own. */
void *loam_slab__own_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__own_free(loam_slabs *s, void *va);
/* Does the zone know a frame of the layer's own as the object layers'? */
bool loam_slab__own_is_ours(const loam_slabs *s, const void *va);
/* Makes a frame, or two, a leaf that knows of nothing; fresh: they read 0. */
void loam_slab__leaf_clear(loam_slabs *s, unsigned char *leaf, bool fresh);
/* What the zones say of the frame at an offset of the window. */
loam_frame_state loam_slab__frame_state(const loam_slabs *s, uintptr_t off);
/* The descriptor for an address of the window, its leaf made when missing; NULL: no memory. */
slab_desc *loam_slab__desc_make(loam_slabs *s, const void *va);
/* Lock held. The same; NULL: the leaf is missing. */
slab_desc *loam_slab__desc_there(const loam_slabs *s, const void *va);
/* Gives back the leaf of this address, or every one (NULL), when nothing uses it; did any go? */
bool loam_slab__leaf_trim(loam_slabs *s, const void *va);
/* Whole lines, or whole frames when that is more than a frame has. NULL: no memory. */
void *loam_slab__meta_alloc(loam_slabs *s, size_t bytes);
void loam_slab__meta_free(loam_slabs *s, void *p, size_t bytes);
/* Lock held. Lines of a frame that has others; NULL: there are none. */
void *loam_slab__meta_take(loam_slabs *s, size_t bytes);
/* Lock held. Back they go; not NULL: frames that the caller passes on to own_free, without it. */
void *loam_slab__meta_put(loam_slabs *s, void *p, size_t bytes);
/* Gives back line frames that nothing uses; did any go? */
bool loam_slab__meta_trim(loam_slabs *s);

/* ---- slab_modes.c ---- */

/* A slot that was just taken becomes a block: poison checked, magic written. */
void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site);
/* A block comes back: magic checked, poison written; the slot is free or waits. false: it came back
 * already. */
bool loam_slab__undress(slab_desc *d, unsigned slot);
/* The size of a block changes in place. */
void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site);
/* The slot is no virgin any more; was it? */
bool loam_slab__take_virgin(const slab_desc *d, unsigned slot);
/* [own] A free slot becomes a virgin one, if it is as it was left; false: it is not, and stays. */
bool loam_slab__strip(const slab_desc *d, unsigned slot);
/* A slab begins: no slot of it was ever out. */
void loam_slab__slab_comes(const slab_desc *d);
/* The last look at one that goes. */
void loam_slab__slab_goes(const slab_desc *d);
void loam_slab__large_dress(slab_desc *d, const loam_slabs *s);
/* false: it came back already. */
bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p);
/* What the seals say of a slot whose bits say out; where there are none: the class's size. */
typedef struct slab_block {
    unsigned char *at;
    size_t size;
    bool out, whole; /* false: it came back and nobody told yet; its seal was written into */
} slab_block;
slab_block loam_slab__block(const slab_desc *d, unsigned slot);
/* The side of the block whose magic is damaged, or NULL. */
const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s);
bool loam_slab__poison_fault(const loam_slabs *s, const slab_desc *d, unsigned slot);
/* Is the seal of a slot that is free, or waits, another? */
bool loam_slab__seal_fault(const loam_slabs *s, const slab_desc *d, unsigned slot);
_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at);
/* A large block that waited is looked at, and goes. */
void loam_slab__large_settle(loam_slabs *s, slab_desc *d);

/* ---- slab_swift.c: where loam_slabs.swift, and the cache is ---- */

/* What is taken and freed mostly, at once: slab_swift.h. */
void *loam_slab__take_swift(loam_cache *c, size_t size, size_t align);
bool loam_slab__put_swift(loam_slabs *s, void *block, const void *owner);
/* [own] A slot of a front that slab_swift.c serves waits from now on; its bits say so. */
void loam_slab__swift_hold(slab_front *f, swift_slot held, loam_list *victims);
/* [own] The same as put_own for slots of a word of a front that is for it, none of which waits. */
void loam_slab__swift_put_word(slab_desc *d, unsigned word, uint64_t bits, loam_list *victims);
/* Are a free slot's bytes as they should be? false: a second look says what is wrong, if it is. */
bool loam_slab__swift_is_clean(const loam_slabs *s, const slab_desc *d, unsigned slot);

/* ---- slab_quarantine.c ---- */

/* A front's ring, which is empty, and what slab_swift.c wants to know of it. */
void loam_slab__ring_start(slab_front *f);
/* [own] A slot that is out is free from now on, or waits, and who waited longest is free; slabs
 * that are to go join the list. */
void loam_slab__put_own(slab_desc *d, unsigned slot, loam_list *victims);
/* [own] Some that waited longest are free; as put_own. */
void loam_slab__ring_spill(slab_front *f, loam_list *victims);
/* [own] All that waits in a front's ring is free, or what waits of one slab (not NULL); slabs that
 * are to go join the list. */
void loam_slab__ring_empty(slab_front *f, const slab_desc *only, loam_list *victims);
/* A large block that was claimed waits from now on, and others so no longer; false: there is no
 * such mode, or the block is too large for it. */
bool loam_slab__quarantine_put(loam_slabs *s, slab_desc *d);
/* All that waits in this processor's rings, and in the shared ones, goes; did any? */
bool loam_slab__quarantine_empty(loam_slabs *s);
/* Blocks that wait: [lock] of all caches and large; of one slab. */
uint64_t loam_slab__quarantined(const loam_slabs *s);
uint32_t loam_slab__waiting(const slab_desc *d);
/* Slots of a stride that wait for a front. */
uint32_t loam_slab__ring_cap(const loam_slabs *s, size_t stride);
/* Bytes behind a front for it; and the first of them, what slab_swift.c keeps, which read 0 when
 * the front starts. */
size_t loam_slab__ring_bytes(const loam_slabs *s, size_t stride);
size_t loam_slab__kept_bytes(const loam_slabs *s, size_t stride);

/* ---- slab_large.c ---- */

void *loam_slab__large_alloc(loam_slabs *s, const void *owner, size_t size, size_t align,
                             const void *site);
/* The same, and the block reads 0. */
void *loam_slab__large_zeroed(loam_slabs *s, const void *owner, size_t size, size_t align,
                              const void *site);
/* Traces what happens to a large block, and counts OBJ_FAIL. */
void loam_slab__large_tell(loam_slabs *s, loam_trace_kind kind, const void *p, uint64_t size);
/* Whose a block is, how large, and who asked; it is the caller's. */
void loam_slab__large_name(slab_desc *d, const void *owner, size_t size, const void *site);
/* Keeps the block or gives its frames back; it is claimed. */
void loam_slab__large_release(loam_slabs *s, slab_desc *d);
/* Lock held. The block, which is claimed or was kept, is none: its descriptor is clear. */
void loam_slab__large_unname(loam_slabs *s, slab_desc *d);
/* Gives the frames back; the block is claimed. */
void loam_slab__large_give_back(loam_slabs *s, slab_desc *d);
/* Is it a large block whose memory may move as it grows to so many bytes? */
bool loam_slab__large_carries(const loam_slabs *s, const slab_desc *d, size_t size);
/* It gets a place of so many bytes; NULL: no memory, and all is as before. */
void *loam_slab__large_grow(loam_slabs *s, slab_desc *d, size_t size, const void *site);
/* A large block that is the caller's has room for so many bytes, in place, where blocks are kept:
 * when it grows for some more besides; false: it has not. */
bool loam_slab__large_resize(loam_slabs *s, slab_desc *d, size_t size);
/* Bytes for the block in its frames. */
size_t loam_slab__large_room(const loam_slabs *s, const slab_desc *d);

/* ---- slab_kept.c ---- */

/* A block that is out is on its way back; false: it is none, or was claimed before. */
bool loam_slab__large_claim(slab_desc *d, const void *p);
/* Without modes, a trace or an aligned address: a block out of what is kept; NULL: the general way.
 */
void *loam_slab__large_again(loam_slabs *s, const void *owner, size_t size, const void *site);
/* Without modes or a trace: frees a large block of this owner that starts at an offset of the
 * window; false: it is none, nothing done. */
bool loam_slab__large_put(loam_slabs *s, uintptr_t off, const void *owner);
/* A kept block of so many frames, or a few more, that lies at a multiple of the slab size: it is
 * the caller's, and waits. NULL: none. */
slab_desc *loam_slab__kept_take(loam_slabs *s, uint64_t npages);
/* Keeps a block that is claimed; false: it is too large, or there are too many. Others may go. */
bool loam_slab__keep(loam_slabs *s, slab_desc *d);
/* Frames of a slab out of what is kept, a block that waits for the caller; NULL: none. */
unsigned char *loam_slab__kept_slab(loam_slabs *s);
/* Frames for a slab go back: such a block, or of the zone. */
void loam_slab__kept_lose(loam_slabs *s, unsigned char *base);
/* Lock held. The frames of a slab whose descriptor is clear become a large block that waits; false:
 * none is kept. It remembers what the descriptor does. */
bool loam_slab__kept_name(loam_slabs *s, slab_desc *d, unsigned char *base);
/* This processor's go back, or everybody's; did any? */
bool loam_slab__kept_drop(loam_slabs *s, bool all);
/* Frames and blocks that are kept. */
void loam_slab__kept_sums(loam_slabs *s, uint64_t *frames, uint64_t *blocks);
/* Every processor's lock, for a copy of the whole; and back. */
void loam_slab__kept_freeze(loam_slabs *s);
void loam_slab__kept_thaw(loam_slabs *s);
/* The parts of a layer that keeps, up to this place; fresh: it reads 0. */
void loam_slab__kept_start(loam_slabs *s, void *end, bool fresh);
/* Frames of this processor that are kept. */
uint64_t loam_slab__kept_mine(const loam_slabs *s);
/* S17; the descriptors are sound. */
const char *loam_slab__check_kept(const loam_slabs *s);

/* ---- slab_idle.c ---- */

/* [own] The front got a new slab: was it one that it should have kept? */
void loam_slab__idle_learn(slab_front *f);
/* [own] An empty slab stays, idle; false: it may not. */
bool loam_slab__idle_put(slab_front *f, slab_desc *d);
/* [own] The newest slab that is idle, on its front's list now; NULL: there is none. */
slab_desc *loam_slab__idle_take(slab_front *f);
/* [own] None is idle any more: they are victims, or somebody has them pinned or queued. */
void loam_slab__idle_end(slab_front *f, loam_list *victims);
/* The same of all fronts of this processor, and gives them back; were there any? */
bool loam_slab__idle_drop(loam_slabs *s);
/* Frames of this processor that are idle. */
uint32_t loam_slab__idle_mine(const loam_slabs *s);
/* S5 of the counts; the fronts are sound. */
const char *loam_slab__check_idle(const loam_slabs *s);

/* ---- slab_worn.c ---- */

/* These bytes are about to be given out: others may lose their memory for them (config.spare). No
 * lock is held. */
void loam_slab__spare(loam_slabs *s, const void *va, size_t len);
/* Bytes of the pieces that are worn. */
size_t loam_slab__worn_bytes(const loam_slabs *s);
/* These bytes are about to be given out, from now on they may hold what was written. len > 0, in
 * all of these. */
void loam_slab__wear(loam_slabs *s, const void *va, size_t len);
/* Was all of it given out since it read 0, or is that not known? */
bool loam_slab__is_worn(const loam_slabs *s, const void *va, size_t len);
/* Some of it? */
bool loam_slab__has_worn(const loam_slabs *s, const void *va, size_t len);
/* The pieces that lie in it whole read 0 again; the caller has all their frames. */
void loam_slab__wear_not(loam_slabs *s, const void *va, size_t len);
/* Writes 0 where it is worn. */
void loam_slab__wear_zero(loam_slabs *s, unsigned char *va, size_t len);
/* S18; the descriptors are sound. */
const char *loam_slab__check_worn(const loam_slabs *s);

/* ---- slab_sparse.c ---- */

/* Takes the memory of whole pages, which read 0 then; false: they are what they were. */
typedef bool slab_sparse_fn(void *ctx, void *va, size_t len);
/* Of the pages named (bit i: page i) of the slab that starts at va those on which nothing lies go,
 * if the slab is this processor's, or the shared front's; bytes. 0 where no slab is. A page has
 * 2^shift bytes, no more than the slab. give: called with the slab's front held. */
uint64_t loam_slab__sparse(loam_slabs *s, const void *va, uint32_t pages, unsigned shift,
                           slab_sparse_fn *give, void *ctx);
/* Is there a slab at this multiple of their size? A hint, unless it is this processor's. */
bool loam_slab__has_slab(const loam_slabs *s, const void *va);
/* From now on config.tight is told, by each processor when that are so many bytes; 2: of each word
 * that comes, too; 0: no longer. */
void loam_slab__set_tight(loam_slabs *s, uint32_t tight, size_t step);
void loam_slab__tell_tight(loam_slabs *s, size_t bytes);
/* So many bytes are about to be used that may be new pages. No lock is held. */
static inline void loam_slab__tight(loam_slabs *s, size_t bytes)
{
    if (LOAM_UNLIKELY(loam_atomic_peek(&s->tight_now) != 0)) /* no order: a hint */
        loam_slab__tell_tight(s, bytes);
}

/* ---- slab_check.c ---- */

/* S6: may the leaves be read? The first question of every check. */
const char *loam_slab__check_leaves(const loam_slabs *s);
/* May the large block be believed: its place, its list and its size? */
bool loam_slab__large_is_sound(const loam_slabs *s, const slab_desc *d, uintptr_t index);

/* S13 to S16; all other rules hold. slab_check_many.c */
const char *loam_slab__check_many(const loam_slabs *s);

/* ---- slab_cache.c ---- */

/* The slabs of a new cache with stacks begin so many bytes apart, a power of two, as far as what
 * their last page has to spare allows. */
void loam_slab__set_shades(loam_cache *c, uint32_t step);
loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner, loam_ctor_fn *ctor, void *ctx);
size_t loam_slab__stride(const loam_slabs *s, size_t size, size_t align, size_t *lead);

#endif
