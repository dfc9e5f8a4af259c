/* The store of fake-apiserver: versions, order, the past, what is forgotten. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fakes/fake_apiserver_model_store.h"
#include "json/json.h"

#include <string.h>

#define C "g/things"

static int64_t put(struct store *store, const char *key, const char *mark)
{
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    json_add_string(object, "mark", mark);
    return store_put(store, C, key, object)->version;
}

static void drop(struct store *store, const char *key)
{
    _cleanup_(json_freep) cJSON *object = cJSON_CreateObject();
    store_delete(store, C, key, object);
}

/* "key=mark key=mark" of the list as it was at version. */
static char *listed(const struct store *store, const char *prefix, const char *after, int64_t version)
{
    struct buf text = BUF_INIT(4096);
    struct store_list list;
    store_list(store, C, prefix, after, version, &list);
    for (size_t i = 0; i < list.len; i++) {
        _cleanup_(json_freep) cJSON *tree = cJSON_Parse(list.items[i].value->text);
        buf_printf(&text, "%s%s=%s", i ? " " : "", list.items[i].key, json_string_at(tree, "mark"));
    }
    store_list_done(&list);
    return buf_take(&text);
}

static void assert_listed(
    const struct store *store, const char *prefix, const char *after, int64_t version, const char *want)
{
    _cleanup_(freep) char *text = listed(store, prefix, after, version);
    assert_string_equal(text, want);
}

static void every_change_has_its_own_version_which_is_in_the_object(void **state)
{
    (void)state;
    struct store *store = store_new(10);
    int64_t first = put(store, "a", "1"), second = put(store, "b", "1");
    assert_true(second > first);
    _cleanup_(json_freep) cJSON *tree = cJSON_Parse(store_get(store, C, "b")->text);
    assert_int_equal(strtoll(json_string_at(tree, "metadata.resourceVersion"), NULL, 10), second);
    assert_null(store_get(store, C, "c"));
    assert_null(store_get(store, "g/others", "a"));
    store_free(store);
}

static void lists_are_sorted_and_can_begin_after_a_key(void **state)
{
    (void)state;
    struct store *store = store_new(10);
    (void)put(store, "ns/b", "1");
    (void)put(store, "ns/a", "1");
    (void)put(store, "ns2/a", "1");
    assert_listed(store, "", NULL, store->version, "ns/a=1 ns/b=1 ns2/a=1");
    assert_listed(store, "ns/", NULL, store->version, "ns/a=1 ns/b=1");
    assert_listed(store, "ns/", "ns/a", store->version, "ns/b=1");
    assert_int_equal(store_count(store, C, "ns/"), 2);
    store_free(store);
}

static void a_list_of_the_past_shows_the_past(void **state)
{
    (void)state;
    struct store *store = store_new(20);
    (void)put(store, "a", "1");
    (void)put(store, "b", "1");
    (void)put(store, "c", "1");
    int64_t then = store->version;
    (void)put(store, "b", "2");
    (void)put(store, "b", "3");
    drop(store, "a");
    (void)put(store, "d", "1");
    drop(store, "c");
    (void)put(store, "c", "again");
    assert_listed(store, "", NULL, then, "a=1 b=1 c=1");
    assert_listed(store, "", "a", then, "b=1 c=1");
    assert_listed(store, "", NULL, then + 1, "a=1 b=2 c=1");
    assert_listed(store, "", NULL, store->version, "b=3 c=again d=1");
    store_free(store);
}

static void events_tell_what_was_and_what_is(void **state)
{
    (void)state;
    struct store *store = store_new(20);
    int64_t before = store->version;
    (void)put(store, "a", "1");
    (void)put(store, "a", "2");
    drop(store, "a");
    drop(store, "a"); /* is not there any more */
    const enum store_change want[] = {STORE_ADDED, STORE_MODIFIED, STORE_DELETED};
    const struct store_event *event;
    size_t n = 0;
    for (int64_t at = before; (event = store_event_after(store, at)) != NULL; at = event->version) {
        assert_true(n < ARRAY_LEN(want));
        assert_int_equal(event->change, want[n++]);
        assert_int_equal(event->before != NULL, event->change != STORE_ADDED);
        assert_int_equal(event->now->version, event->version);
    }
    assert_int_equal(n, 3);
    store_free(store);
}

static void a_full_ring_forgets_the_oldest_and_says_so(void **state)
{
    (void)state;
    struct store *store = store_new(2);
    (void)put(store, "a", "1");
    (void)put(store, "a", "2");
    int64_t forgotten = store->compacted;
    (void)put(store, "a", "3");
    assert_int_equal(store->compacted, forgotten + 1);
    assert_int_equal(store_event_after(store, 0)->version, store->version - 1);
    store_free(store);
}

static void compaction_forgets_everything_until_now(void **state)
{
    (void)state;
    struct store *store = store_new(10);
    (void)put(store, "a", "1");
    store_compact(store);
    assert_int_equal(store->compacted, store->version);
    assert_null(store_event_after(store, 0));
    (void)put(store, "a", "2");
    assert_non_null(store_event_after(store, store->compacted));
    assert_listed(store, "", NULL, store->compacted, "a=1");
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_has_its_own_version_which_is_in_the_object),
        cmocka_unit_test(lists_are_sorted_and_can_begin_after_a_key),
        cmocka_unit_test(a_list_of_the_past_shows_the_past),
        cmocka_unit_test(events_tell_what_was_and_what_is),
        cmocka_unit_test(a_full_ring_forgets_the_oldest_and_says_so),
        cmocka_unit_test(compaction_forgets_everything_until_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
