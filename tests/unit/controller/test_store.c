/* The store: versions, owners, lists, memory, and threads. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "controller/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNT "/subscriptions/x/resourceGroups/g/providers/Microsoft.DocumentDB/databaseAccounts/"

/* An object as a reflector would put it. */
struct object {
    const char *name;
    const char *uid;
    const char *account; /* name, or NULL for a spec without one */
    const char *version;
    int64_t created_at;
    int64_t generation;
    bool deleting;
    const char *asked;
};

static enum store_change put(struct store *store, const struct object *o)
{
    struct cmk_resource r = {.ns = xstrdup("shop"),
        .name = xstrdup(o->name),
        .uid = xstrdup(o->uid ? o->uid : o->name),
        .resource_version = xstrdup(o->version ? o->version : "1"),
        .created_at = o->created_at,
        .generation = o->generation,
        .deleting = o->deleting,
        .reconcile_requested_at = xstrdup(o->asked)};

    if (o->account)
        r.spec.account_id = xasprintf(ACCOUNT "%s", o->account);
    enum store_change change = store_put(store, &r);
    assert_null(r.name); /* taken over */
    return change;
}

static enum store_change put_in(struct store *store, const char *ns, const char *name)
{
    struct cmk_resource r = {
        .ns = xstrdup(ns), .name = xstrdup(name), .uid = xstrdup(name), .resource_version = xstrdup("1")};

    return store_put(store, &r);
}

#define PUT(store, ...) put(store, &(const struct object){__VA_ARGS__})

static void expect_version(struct store *store, const char *key, const char *version)
{
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(store, key);

    if (!version) {
        assert_null(item);
        return;
    }
    assert_non_null(item);
    assert_string_equal(store_item_resource(item)->resource_version, version);
}

static void expect_owner(struct store *store, const char *key, const char *owner)
{
    _cleanup_(store_item_unrefp) struct store_item *item = store_get(store, key);
    _cleanup_(freep) char *older = store_older_owner(store, item);

    if (owner)
        assert_string_equal(older, owner);
    else
        assert_null(older);
}

struct queued {
    char text[256];
};

static void enqueue(void *ctx, const char *key)
{
    struct queued *q = ctx;

    (void)snprintf(q->text + strlen(q->text), sizeof(q->text) - strlen(q->text), "%s ", key);
}

static void versions_never_go_back(void **state _unused_)
{
    static const struct {
        const char *held, *put, *kept;
    } table[] = {
        {"9", "10", "10"}, /* numbers, not texts */
        {"10", "9", "10"},
        {"10", "10", "10"},
        {"999", "1000", "1000"},
        {"18446744073709551615", "18446744073709551616", "18446744073709551616"},
        {"7", "abc", "abc"}, /* no number: nothing can be said, so it is new */
        {"abc", "8", "8"},
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct store *store = store_new();
        assert_int_equal(PUT(store, .name = "a", .version = table[i].held), STORE_CHANGED);
        enum store_change change = PUT(store, .name = "a", .version = table[i].put);
        assert_int_equal(change == STORE_SAME, str_eq(table[i].kept, table[i].held));
        expect_version(store, "shop/a", table[i].kept);
        store_free(store);
    }
}

static void what_changed_is_told(void **state _unused_)
{
    struct store *store = store_new();

    assert_int_equal(PUT(store, .name = "a", .version = "1", .generation = 1), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "2", .generation = 1), STORE_STATUS_ONLY);
    assert_int_equal(PUT(store, .name = "a", .version = "3", .generation = 2), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "4", .generation = 2, .asked = "now"), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "5", .generation = 2, .asked = "now"), STORE_STATUS_ONLY);
    assert_int_equal(PUT(store, .name = "a", .version = "6", .generation = 2), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "7", .generation = 2, .deleting = true), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "8", .generation = 2, .uid = "another"), STORE_CHANGED);
    assert_int_equal(PUT(store, .name = "a", .version = "8", .generation = 9), STORE_SAME);
    assert_int_equal(store_len(store), 1);
    store_free(store);
}

static void an_item_outlives_what_replaces_it(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    (void)PUT(store, .name = "a", .version = "1", .account = "orders");
    struct store_item *item = store_get(store, "shop/a");
    (void)PUT(store, .name = "a", .version = "2", .account = "orders");
    assert_string_equal(store_item_resource(item)->resource_version, "1");
    store_remove(store, "shop/a", enqueue, &q);
    expect_version(store, "shop/a", NULL);
    store_free(store);
    assert_string_equal(store_item_resource(item)->name, "a");
    assert_null(store_item_unref(item));
    assert_null(store_item_unref(NULL));
}

static void the_older_resource_owns_the_account(void **state _unused_)
{
    struct store *store = store_new();

    (void)PUT(store, .name = "b", .uid = "2", .account = "orders", .created_at = 100);
    expect_owner(store, "shop/b", NULL);
    (void)PUT(store, .name = "a", .uid = "9", .account = "ORDERS", .created_at = 200);
    (void)PUT(store, .name = "c", .uid = "5", .account = "orders", .created_at = 50);
    (void)PUT(store, .name = "other", .uid = "0", .account = "billing", .created_at = 1);
    (void)PUT(store, .name = "none", .uid = "00");
    expect_owner(store, "shop/a", "shop/c");
    expect_owner(store, "shop/b", "shop/c");
    expect_owner(store, "shop/c", NULL);
    expect_owner(store, "shop/other", NULL);
    expect_owner(store, "shop/none", NULL);
    store_free(store);
}

static void of_two_created_at_once_the_smaller_uid_owns(void **state _unused_)
{
    struct store *store = store_new();

    (void)PUT(store, .name = "a", .uid = "9", .account = "orders", .created_at = 100);
    (void)PUT(store, .name = "b", .uid = "1", .account = "orders", .created_at = 100);
    expect_owner(store, "shop/a", "shop/b");
    expect_owner(store, "shop/b", NULL);
    store_free(store);
}

static void one_that_is_being_deleted_owns_nothing(void **state _unused_)
{
    struct store *store = store_new();

    (void)PUT(store, .name = "a", .account = "orders", .created_at = 1);
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 2);
    expect_owner(store, "shop/b", "shop/a");
    (void)PUT(store, .name = "a", .account = "orders", .created_at = 1, .version = "2", .deleting = true);
    expect_owner(store, "shop/b", NULL);
    store_free(store);
}

static void a_resource_that_moves_to_another_account_leaves_the_first(void **state _unused_)
{
    struct store *store = store_new();

    (void)PUT(store, .name = "a", .account = "orders", .created_at = 1);
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 2);
    (void)PUT(store, .name = "c", .account = "billing", .created_at = 3);
    (void)PUT(store, .name = "a", .account = "billing", .created_at = 1, .version = "2");
    expect_owner(store, "shop/b", NULL);
    expect_owner(store, "shop/c", "shop/a");
    (void)PUT(store, .name = "a", .created_at = 1, .version = "3");
    expect_owner(store, "shop/c", NULL);
    store_free(store);
}

static void who_remains_is_told_when_one_goes(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    (void)PUT(store, .name = "a", .account = "orders", .created_at = 1);
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 2);
    (void)PUT(store, .name = "c", .account = "billing", .created_at = 3);
    store_remove(store, "shop/nobody", enqueue, &q);
    store_remove(store, "shop/c", enqueue, &q);
    assert_string_equal(q.text, "");
    store_remove(store, "shop/a", enqueue, &q);
    assert_string_equal(q.text, "shop/b ");
    expect_owner(store, "shop/b", NULL);
    assert_int_equal(store_len(store), 1);
    store_free(store);
}

static void a_list_removes_what_it_does_not_name(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    store_list_begin(store, NULL);
    (void)PUT(store, .name = "a", .account = "orders", .created_at = 1, .version = "5");
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 2, .version = "5");
    (void)PUT(store, .name = "c", .version = "5");
    store_list_end(store, NULL, enqueue, &q);
    assert_int_equal(store_len(store), 3);
    assert_string_equal(q.text, "");

    store_list_begin(store, NULL);
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 2, .version = "5"); /* unchanged counts as named */
    (void)PUT(store, .name = "d", .version = "6");
    (void)PUT(store, .name = "c", .version = "4"); /* so does older than held */
    store_list_end(store, NULL, enqueue, &q);
    expect_version(store, "shop/a", NULL);
    expect_version(store, "shop/b", "5");
    expect_version(store, "shop/c", "5");
    expect_version(store, "shop/d", "6");
    assert_string_equal(q.text, "shop/b ");
    store_free(store);
}

static void what_is_put_between_lists_stays_until_a_list_ends_without_it(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    store_list_begin(store, NULL);
    store_list_end(store, NULL, enqueue, &q);
    (void)PUT(store, .name = "a");
    expect_version(store, "shop/a", "1");
    store_list_begin(store, NULL);
    expect_version(store, "shop/a", "1");
    store_list_end(store, NULL, enqueue, &q);
    expect_version(store, "shop/a", NULL);
    store_free(store);
}

static void memory_belongs_to_one_life_of_a_resource(void **state _unused_)
{
    struct store *store = store_new();
    const struct store_memory memory = {
        .failing_since = 1, .quiet_since = 2, .operation_read_at = 3, .operation_lost = true};

    (void)PUT(store, .name = "a", .uid = "first", .version = "1");
    struct store_item *item = store_get(store, "shop/a");
    assert_int_equal(store_recall(store, item).failing_since, 0);
    store_remember(store, item, &memory);
    (void)PUT(store, .name = "a", .uid = "first", .version = "2");
    assert_int_equal(store_recall(store, item).operation_read_at, 3);
    assert_true(store_recall(store, item).operation_lost);

    (void)PUT(store, .name = "a", .uid = "second", .version = "3");
    assert_int_equal(store_recall(store, item).failing_since, 0);
    store_remember(store, item, &memory); /* a pass that began in the life before */
    assert_int_equal(store_recall(store, item).failing_since, 0);
    store_item_unref(item);
    store_free(store);
}

static void a_resource_that_was_removed_and_came_back_remembers_nothing(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};
    const struct store_memory memory = {.failing_since = 1};

    (void)PUT(store, .name = "a", .version = "1");
    struct store_item *old = store_get(store, "shop/a");
    store_remove(store, "shop/a", enqueue, &q);
    store_remember(store, old, &memory);
    (void)PUT(store, .name = "a", .version = "2");
    struct store_item *new = store_get(store, "shop/a");
    assert_int_equal(store_recall(store, new).failing_since, 0);
    store_remember(store, old, &memory);
    assert_int_equal(store_recall(store, new).failing_since, 0);
    store_item_unref(old);
    store_item_unref(new);
    store_free(store);
}

static void learn(struct store *store, const char *uid, const char *version)
{
    struct cmk_resource r = {.ns = xstrdup("shop"),
        .name = xstrdup("a"),
        .uid = xstrdup(uid),
        .resource_version = xstrdup(version),
        .spec.account_id = xstrdup(ACCOUNT "orders")};

    store_learn(store, &r);
    assert_null(r.name);
}

static void the_answer_to_a_write_is_learned_but_brings_nothing_back(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    (void)PUT(store, .name = "a", .uid = "first", .account = "orders", .version = "1");
    learn(store, "first", "3");
    expect_version(store, "shop/a", "3");
    learn(store, "first", "2");
    expect_version(store, "shop/a", "3");
    learn(store, "before", "4");
    expect_version(store, "shop/a", "3");
    store_remove(store, "shop/a", enqueue, &q);
    learn(store, "first", "5");
    expect_version(store, "shop/a", NULL);
    (void)PUT(store, .name = "b", .account = "orders", .created_at = 9);
    expect_owner(store, "shop/b", NULL);
    store_free(store);
}

static void an_answer_does_not_stand_for_the_list(void **state _unused_)
{
    struct store *store = store_new();
    struct queued q = {0};

    (void)PUT(store, .name = "a", .uid = "first", .account = "orders", .version = "1");
    store_list_begin(store, NULL);
    learn(store, "first", "3");
    store_list_end(store, NULL, enqueue, &q);
    expect_version(store, "shop/a", NULL);
    store_free(store);
}

/* ---- threads ---- */

#define ROUNDS 2000

struct race {
    struct store *store;
    atomic_int versions;
    atomic_int backward;
};

static void ignore(void *ctx _unused_, const char *key _unused_)
{
}

static void *write_versions(void *ctx)
{
    struct race *race = ctx;
    char version[16];

    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(version, sizeof(version), "%d", atomic_fetch_add(&race->versions, 1) + 1);
        (void)PUT(race->store, .name = i % 3 ? "a" : "b", .account = "orders", .version = version);
        if (i % 50 == 0)
            store_remove(race->store, "shop/b", ignore, NULL);
        if (i % 200 == 0) {
            store_list_begin(race->store, NULL);
            (void)PUT(race->store, .name = "a", .account = "orders", .version = "1");
            store_list_end(race->store, NULL, ignore, NULL);
        }
    }
    return NULL;
}

static void *read_versions(void *ctx)
{
    struct race *race = ctx;
    int64_t last = 0, version;

    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_(store_item_unrefp) struct store_item *item = store_get(race->store, i % 3 ? "shop/a" : "shop/b");
        if (!item)
            continue;
        struct store_memory memory = store_recall(race->store, item);
        memory.quiet_since++;
        store_remember(race->store, item, &memory);
        free(store_older_owner(race->store, item));
        if (i % 3 && str_to_i64(store_item_resource(item)->resource_version, 0, INT64_MAX, &version)) {
            if (version < last)
                atomic_store(&race->backward, 1);
            last = version;
        }
    }
    return NULL;
}

static void readers_and_writers_do_not_disturb_each_other(void **state _unused_)
{
    struct race race = {.store = store_new()};
    pthread_t threads[4];

    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? read_versions : write_versions, &race), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    store_free(race.store);
}

static void a_reader_never_sees_a_version_go_back(void **state _unused_)
{
    struct race race = {.store = store_new()};
    pthread_t reader;
    char version[16];

    assert_int_equal(pthread_create(&reader, NULL, read_versions, &race), 0);
    for (int i = ROUNDS; i > 0; i--) { /* up and down */
        (void)snprintf(version, sizeof(version), "%d", i % 2 ? i : 2 * ROUNDS - i);
        (void)PUT(race.store, .name = "a", .version = version);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&race.backward), 0);
    store_free(race.store);
}

static void a_list_of_one_namespace_leaves_the_others_alone(void **state _unused_)
{
    struct store *store = store_new();
    struct queued gone = {""};

    (void)put_in(store, "shop", "old");
    (void)put_in(store, "shop-2", "other");
    store_list_begin(store, "shop");
    store_list_begin(store, "shop-2"); /* both at the same time */
    (void)put_in(store, "shop", "new");
    store_list_end(store, "shop", enqueue, &gone);
    expect_version(store, "shop/old", NULL);
    expect_version(store, "shop/new", "1");
    expect_version(store, "shop-2/other", "1");
    store_list_end(store, "shop-2", enqueue, &gone);
    expect_version(store, "shop/new", "1");
    expect_version(store, "shop-2/other", NULL);
    store_free(store);
}

static void what_is_held_is_released_once_and_by_namespace(void **state _unused_)
{
    struct store *store = store_new();
    struct queued first = {""}, second = {""}, third = {""};

    (void)put_in(store, "shop", "a");
    (void)put_in(store, "shop", "gone");
    (void)put_in(store, "stock", "b");
    store_hold(store, "shop/a");
    store_hold(store, "shop/a");
    store_hold(store, "shop/gone");
    store_hold(store, "stock/b");
    store_hold(store, "shop/never");
    store_remove(store, "shop/gone", enqueue, &first);
    store_release(store, "shop", enqueue, &first);
    assert_string_equal(first.text, "shop/a ");
    store_release(store, NULL, enqueue, &second);
    assert_string_equal(second.text, "stock/b ");
    store_release(store, NULL, enqueue, &third);
    assert_string_equal(third.text, "");
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_one_namespace_leaves_the_others_alone),
        cmocka_unit_test(what_is_held_is_released_once_and_by_namespace),
        cmocka_unit_test(versions_never_go_back),
        cmocka_unit_test(what_changed_is_told),
        cmocka_unit_test(an_item_outlives_what_replaces_it),
        cmocka_unit_test(the_older_resource_owns_the_account),
        cmocka_unit_test(of_two_created_at_once_the_smaller_uid_owns),
        cmocka_unit_test(one_that_is_being_deleted_owns_nothing),
        cmocka_unit_test(a_resource_that_moves_to_another_account_leaves_the_first),
        cmocka_unit_test(who_remains_is_told_when_one_goes),
        cmocka_unit_test(a_list_removes_what_it_does_not_name),
        cmocka_unit_test(what_is_put_between_lists_stays_until_a_list_ends_without_it),
        cmocka_unit_test(memory_belongs_to_one_life_of_a_resource),
        cmocka_unit_test(a_resource_that_was_removed_and_came_back_remembers_nothing),
        cmocka_unit_test(the_answer_to_a_write_is_learned_but_brings_nothing_back),
        cmocka_unit_test(an_answer_does_not_stand_for_the_list),
        cmocka_unit_test(readers_and_writers_do_not_disturb_each_other),
        cmocka_unit_test(a_reader_never_sees_a_version_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
