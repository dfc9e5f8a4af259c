/* The map: owns its keys, survives growth, and removal leaves every other key reachable. */
#include "unit.h"

#include "base/map.h"

#include <stdbool.h>
#include <stdio.h>

enum { KEYS = 300, STEPS = 200000 };

static void an_empty_map_answers(void **state)
{
    struct map m = MAP_INIT;
    (void)state;

    assert_null(map_get(&m, "a"));
    assert_null(map_key(&m, "a"));
    assert_null(map_remove(&m, "a"));
    map_foreach (e, &m)
        fail_msg("an entry in an empty map: %s", e->key);
    map_done(&m);
}

static void old_values_are_returned_and_keys_are_copied(void **state)
{
    struct map m = MAP_INIT;
    char key[] = "key";
    int one, two;
    (void)state;

    assert_null(map_set(&m, key, &one));
    key[0] = 'x';
    assert_ptr_equal(map_get(&m, "key"), &one);
    assert_null(map_get(&m, "xey"));
    const char *own = map_key(&m, "key");
    assert_string_equal(own, "key");
    assert_ptr_equal(map_set(&m, "key", &two), &one);
    assert_int_equal(m.len, 1);
    assert_ptr_equal(map_key(&m, "key"), own);
    assert_ptr_equal(map_remove(&m, own), &two); /* the map's own copy will do, too */
    assert_int_equal(m.len, 0);
    map_done(&m);
}

static size_t count(const struct map *m)
{
    size_t n = 0;

    map_foreach (e, m)
        n++;
    return n;
}

static void random_steps_agree_with_an_array(void **state)
{
    static int values[KEYS];
    static bool present[KEYS];
    struct map m = MAP_INIT;
    uint64_t seed = 1;
    size_t len = 0;
    char key[16];
    (void)state;

    for (int i = 0; i < STEPS; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        int k = (int)((seed >> 33) % KEYS);
        void *expected = present[k] ? &values[k] : NULL;
        (void)snprintf(key, sizeof(key), "k%d", k);
        if ((seed >> 60) % 2) {
            assert_ptr_equal(map_set(&m, key, &values[k]), expected);
            len += !present[k];
            present[k] = true;
        } else {
            assert_ptr_equal(map_remove(&m, key), expected);
            len -= present[k];
            present[k] = false;
        }
        assert_int_equal(m.len, len);
        k = (k * 7 + 13) % KEYS;
        (void)snprintf(key, sizeof(key), "k%d", k);
        assert_ptr_equal(map_get(&m, key), present[k] ? &values[k] : NULL);
    }
    assert_int_equal(count(&m), len);
    map_done(&m);
    assert_int_equal(m.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_answers),
        cmocka_unit_test(old_values_are_returned_and_keys_are_copied),
        cmocka_unit_test(random_steps_agree_with_an_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
