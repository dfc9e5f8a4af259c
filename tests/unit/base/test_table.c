/* The table beside a plain array that says what must be in it. */
#include "unit.h"

#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct thing {
    uint64_t hash;
    int id;
    bool in;
};

static uint64_t hash_of(const void *item)
{
    return ((const struct thing *)item)->hash;
}

static bool has_id(const void *item, const void *key)
{
    return ((const struct thing *)item)->id == *(const int *)key;
}

/* hash_bits 0: all collide. */
static void play(unsigned hash_bits)
{
    static struct thing things[300];
    struct table t = TABLE_INIT(hash_of);
    uint64_t dice = 7, mask = hash_bits ? (1ULL << hash_bits) - 1 : 0;
    size_t in = 0;

    for (int i = 0; i < 300; i++)
        things[i] = (struct thing){.hash = (uint64_t)i * 2654435761U & mask, .id = i};
    for (int step = 0; step < 5000; step++) {
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        struct thing *thing = &things[(dice >> 33) % 300];
        if (thing->in) {
            table_remove(&t, thing);
            in--;
        } else {
            table_add(&t, thing);
            in++;
        }
        thing->in = !thing->in;
        assert_int_equal(t.len, in);
        thing = &things[(dice >> 40) % 300];
        assert_ptr_equal(table_find(&t, thing->hash, has_id, &thing->id), thing->in ? thing : NULL);
    }
    table_foreach(slot, &t) in -= ((struct thing *)*slot)->in;
    assert_int_equal(in, 0);
    table_done(&t);
    assert_null(t.slots);
}

static void it_holds_what_was_added_and_not_removed(void **state)
{
    (void)state;
    play(32);
    play(3);
    play(0);
}

static void an_empty_one_finds_and_removes_nothing(void **state)
{
    struct table t = TABLE_INIT(hash_of);
    struct thing thing = {0};
    (void)state;

    assert_null(table_find(&t, 0, has_id, &thing.id));
    table_remove(&t, &thing);
    assert_int_equal(t.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_was_added_and_not_removed),
        cmocka_unit_test(an_empty_one_finds_and_removes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
