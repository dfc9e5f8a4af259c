/* Breadth first over everything that can be reached. States lie one after another in the order in which they were
 * found, each with the number of the one it came from: the shortest way to a broken invariant is told by walking back
 * and then repeating that way with words. */
#include "model/model.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define BLOCK 4096

struct explorer {
    struct model_sink sink;
    struct model_world **blocks;
    uint32_t *parents;
    uint32_t *table; /* number + 1 */
    size_t n, room, table_size, max;
    size_t transitions, current;
    const char *broken; /* the first; at the state with the number broken_at, or on the way out of it to broken_world */
    struct model_world broken_world;
};

static struct model_world *state(const struct explorer *e, size_t i)
{
    return &e->blocks[i / BLOCK][i % BLOCK];
}

/* FNV-1a by words. */
static uint64_t hash(const struct model_world *world)
{
    uint64_t h = 14695981039346656037ULL, word;
    const char *p = (const char *)world;

    _Static_assert(sizeof(*world) % 4 == 0, "the last word would be cut");
    for (size_t i = 0; i + 8 <= sizeof(*world); i += 8) {
        memcpy(&word, p + i, 8);
        h = (h ^ word) * 1099511628211ULL;
        h ^= h >> 32;
    }
    if (sizeof(*world) % 8) {
        memcpy(&word, p + sizeof(*world) - 8, 8);
        h = (h ^ word) * 1099511628211ULL;
    }
    return h ^ h >> 29;
}

static uint32_t *slot_of(const struct explorer *e, const struct model_world *world)
{
    size_t i = hash(world) & (e->table_size - 1);

    while (e->table[i] && memcmp(state(e, e->table[i] - 1), world, sizeof(*world)) != 0)
        i = (i + 1) & (e->table_size - 1);
    return &e->table[i];
}

static void grow(struct explorer *e)
{
    free(e->table);
    e->table_size = e->table_size ? 2 * e->table_size : 1 << 16;
    e->table = xcalloc(e->table_size, sizeof(*e->table));
    for (size_t i = 0; i < e->n; i++)
        *slot_of(e, state(e, i)) = (uint32_t)(i + 1);
}

static void add(struct explorer *e, const struct model_world *world)
{
    if (2 * (e->n + 1) >= e->table_size)
        grow(e);
    uint32_t *slot = slot_of(e, world);
    if (*slot || e->n == e->max)
        return;
    if (e->n == e->room) {
        e->blocks = xrealloc(e->blocks, (e->room / BLOCK + 1) * sizeof(struct model_world *));
        e->blocks[e->room / BLOCK] = xmalloc(BLOCK * sizeof(struct model_world));
        e->room += BLOCK;
        e->parents = xrealloc(e->parents, e->room * sizeof(*e->parents));
    }
    *state(e, e->n) = *world;
    e->parents[e->n] = (uint32_t)e->current;
    *slot = (uint32_t)++e->n;
}

static void take(struct model_sink *sink, const struct model_world *world)
{
    struct explorer *e = (struct explorer *)sink;

    e->transitions++;
    if (sink->broken && !e->broken) {
        e->broken = sink->broken;
        e->broken_world = *world;
    }
    add(e, world);
}

/* ---- telling ---- */

struct teller {
    struct model_sink sink;
    const struct model_world *want;
    struct buf *out;
    struct buf words;
    bool told;
};

static void tell_one(struct model_sink *sink, const struct model_world *world)
{
    struct teller *t = (struct teller *)sink;

    if (t->told || memcmp(world, t->want, sizeof(*world)) != 0)
        return;
    t->told = true;
    buf_printf(t->out, "  %s\n      ", buf_str(&t->words));
    model_describe(world, t->out);
    buf_putc(t->out, '\n');
}

static void tell_transition(
    const struct explorer *e, const struct model_world *from, const struct model_world *to, struct buf *ret)
{
    struct teller t = {
        .sink = {.take = tell_one, .config = e->sink.config}, .want = to, .out = ret, .words = BUF_INIT(1 << 16)};

    t.sink.tell = &t.words;
    model_world_moves(from, &t.sink);
    buf_done(&t.words);
}

static void tell_way(const struct explorer *e, size_t number, struct buf *ret)
{
    uint32_t way[1024];
    size_t n = 0;

    for (; number && n < ARRAY_LEN(way); number = e->parents[number])
        way[n++] = (uint32_t)number;
    for (size_t before = 0; n > 0; before = way[n])
        tell_transition(e, state(e, before), state(e, way[--n]), ret);
}

/* ---- the search ---- */

static int check_liveness(struct explorer *e, size_t number, struct buf *ret_trace)
{
    const char *why = model_liveness(state(e, number), e->sink.config, NULL);

    if (!why)
        return 0;
    tell_way(e, number, ret_trace);
    buf_puts(ret_trace, "  -- from here on nothing fails any more\n");
    (void)model_liveness(state(e, number), e->sink.config, ret_trace);
    buf_printf(ret_trace, "  ** %s\n", why);
    return -1;
}

static int search(struct explorer *e, struct model_figures *ret, struct buf *ret_trace)
{
    size_t level_end = 1;

    for (; e->current < e->n; e->current++) {
        struct model_world world = *state(e, e->current);
        if (e->current == level_end) {
            ret->depth++;
            level_end = e->n;
        }
        model_world_moves(&world, &e->sink);
        if (e->broken) {
            tell_way(e, e->current, ret_trace);
            tell_transition(e, &world, &e->broken_world, ret_trace);
            buf_printf(ret_trace, "  ** %s\n", e->broken);
            return -1;
        }
        if (e->n == e->max) {
            buf_printf(ret_trace, "  ** more than %zu states\n", e->max);
            return -1;
        }
        if (check_liveness(e, e->current, ret_trace) < 0)
            return -1;
    }
    return 0;
}

static void explorer_done(struct explorer *e)
{
    for (size_t i = 0; i < e->room / BLOCK; i++)
        free(e->blocks[i]);
    free(e->blocks);
    free(e->parents);
    free(e->table);
}

int model_explore(
    const struct model_config *config, size_t max_states, struct model_figures *ret, struct buf *ret_trace)
{
    struct explorer e = {.sink = {.take = take, .config = config}, .max = max_states};
    struct model_world first;
    int64_t begin = clock_mono_ms();

    model_options.unreachable_grace = config->patient ? 10 : 2;
    *ret = (struct model_figures){0};
    model_world_begin(&first, config);
    add(&e, &first);
    int r = search(&e, ret, ret_trace);
    ret->states = e.n;
    ret->transitions = e.transitions;
    ret->cores = model_core_count();
    ret->statuses = model_status_count();
    ret->seconds = (double)(clock_mono_ms() - begin) / 1000;
    explorer_done(&e);
    model_liveness_forget();
    model_core_forget();
    model_status_forget();
    return r;
}
