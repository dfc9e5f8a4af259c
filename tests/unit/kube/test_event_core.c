/* The correlation of events in virtual time. A case is a script of what happens and what the core says to each. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/event_core.h"
#include "kube/event_object.h"

#include <stdio.h>
#include <string.h>

#define MINUTE 60000
#define WALL 1772438400000LL /* 2026-03-02T08:00:00Z */

/* Words of an event: reason, action, object; '!' before the reason: a warning. */
static struct kube_event event_of(const char *reason, const char *action, const char *object)
{
    bool warning = *reason == '!';

    return (struct kube_event){.regarding = {"cosmoscmk.io/v1", "CosmosCMK", "payments", object, object, "7"},
        .reason = warning ? reason + 1 : reason,
        .action = action,
        .note = "a note",
        .warning = warning};
}

static struct event_time at(int64_t ms)
{
    return (struct event_time){.mono = ms, .wall = WALL + ms};
}

static const char *word(enum event_verdict verdict)
{
    static const char *const words[] = {"counted", "limited", "create", "patch"};

    return words[verdict];
}

struct happening {
    int64_t at;
    const char *reason; /* NULL: what is due is asked for, as often as there is something */
    const char *action, *object;
    const char *expected; /* "VERDICT" or "VERDICT xCOUNT"; for what is due all of them, "" for none */
};

static void note_verdict(struct buf *b, enum event_verdict verdict, const struct event_series *s)
{
    buf_printf(b, "%s%s", b->len ? ", " : "", word(verdict));
    if (verdict == EVENT_PATCH)
        buf_printf(b, " %s x%lld", s->event->reason, (long long)s->count);
}

static void play(struct event_core *core, const struct happening *happenings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct happening *h = &happenings[i];
        _cleanup_(buf_done) struct buf b = BUF_INIT(4096);
        struct event_series s;
        int64_t wake;

        if (h->reason) {
            struct kube_event event = event_of(h->reason, h->action, h->object);
            enum event_verdict verdict = event_core_observe(core, &event, at(h->at), i, &s);
            note_verdict(&b, verdict, &s);
        } else {
            while (event_core_due(core, at(h->at), h->action != NULL, &s, &wake) == EVENT_PATCH)
                note_verdict(&b, EVENT_PATCH, &s);
        }
        if (!str_eq(buf_str(&b), h->expected))
            fail_msg("line %zu: %s instead of %s", i, buf_str(&b), h->expected);
    }
}

#define PLAY(options, ...)                                                                                             \
    do {                                                                                                               \
        const struct happening happenings_[] = {__VA_ARGS__};                                                          \
        _cleanup_(event_core_freep) struct event_core *core_ = event_core_new(options);                                \
        play(core_, happenings_, ARRAY_LEN(happenings_));                                                              \
    } while (0)
#define DUE NULL, NULL, NULL
#define ALL NULL, "all", NULL

static void a_second_one_makes_a_series_and_the_rest_is_counted(void **state _unused_)
{
    PLAY(NULL, {0, "R", "A", "a", "create"}, {1000, "R", "A", "a", "patch R x2"}, {2000, "R", "A", "a", "counted"},
        {3000, "R", "A", "a", "counted"}, {4000, DUE, ""}, {3000 + 6 * MINUTE - 1, DUE, ""},
        {3000 + 6 * MINUTE, DUE, "patch R x4"}, {3001 + 6 * MINUTE, DUE, ""},
        {3002 + 6 * MINUTE, "R", "A", "a", "create"});
}

static void what_differs_is_not_one_series(void **state _unused_)
{
    PLAY(NULL, {0, "R", "A", "a", "create"}, {1, "S", "A", "a", "create"}, {2, "R", "B", "a", "create"},
        {3, "R", "A", "b", "create"}, {4, "!R", "A", "a", "create"}, {5, "!R", "A", "a", "patch R x2"});
}

static void the_note_and_the_resource_version_make_no_difference(void **state _unused_)
{
    _cleanup_(event_core_freep) struct event_core *core = event_core_new(NULL);
    struct kube_event event = event_of("R", "A", "a");
    struct event_series s;

    assert_int_equal(event_core_observe(core, &event, at(0), 1, &s), EVENT_CREATE);
    event.note = "another";
    event.regarding.resource_version = "8";
    assert_int_equal(event_core_observe(core, &event, at(1000), 2, &s), EVENT_PATCH);
    assert_string_equal(s.event->note, "a note");
    assert_int_equal(s.first, WALL);
    assert_int_equal(s.last, WALL + 1000);
}

static void a_single_one_is_forgotten_after_six_minutes_of_quiet(void **state _unused_)
{
    PLAY(NULL, {0, "R", "A", "a", "create"}, {6 * MINUTE - 1, "R", "A", "a", "patch R x2"},
        {12 * MINUTE - 1, "R", "A", "a", "create"}, {18 * MINUTE - 2, DUE, ""}, {18 * MINUTE - 1, DUE, ""},
        {18 * MINUTE, "R", "A", "a", "create"});
}

static void a_series_that_goes_on_is_refreshed_every_half_hour(void **state _unused_)
{
    _cleanup_(event_core_freep) struct event_core *core = event_core_new(NULL);
    struct kube_event event = event_of("R", "A", "a");
    struct event_series s;
    int64_t wake;
    size_t written = 0;

    for (int64_t now = 0; now < 95 * MINUTE; now += MINUTE) {
        enum event_verdict verdict = event_core_observe(core, &event, at(now), 1, &s);
        written += verdict == EVENT_CREATE || verdict == EVENT_PATCH;
        while (event_core_due(core, at(now), false, &s, &wake) == EVENT_PATCH)
            written++;
        assert_true(wake > now && wake <= now + 30 * MINUTE);
    }
    assert_int_equal(written, 2 + 3);
}

static void one_object_has_25_and_one_more_every_5_minutes(void **state _unused_)
{
    _cleanup_(event_core_freep) struct event_core *core = event_core_new(NULL);
    struct event_series s;
    char reason[16];

    for (int i = 0; i < 40; i++) {
        (void)snprintf(reason, sizeof(reason), "R%d", i);
        struct kube_event event = event_of(reason, "A", "a");
        assert_int_equal(event_core_observe(core, &event, at(0), 1, &s), i < 25 ? EVENT_CREATE : EVENT_LIMITED);
    }
    struct kube_event other = event_of("R", "A", "b"), late = event_of("S", "A", "a"), later = event_of("T", "A", "a");
    assert_int_equal(event_core_observe(core, &other, at(0), 1, &s), EVENT_CREATE);
    assert_int_equal(event_core_observe(core, &late, at(5 * MINUTE - 1), 1, &s), EVENT_LIMITED);
    assert_int_equal(event_core_observe(core, &late, at(5 * MINUTE), 1, &s), EVENT_CREATE);
    assert_int_equal(event_core_observe(core, &later, at(5 * MINUTE), 1, &s), EVENT_LIMITED);
}

static void a_series_that_the_limit_holds_back_is_written_at_its_end(void **state _unused_)
{
    const struct event_core_options options = {.object_burst = 1};

    PLAY(&options, {0, "R", "A", "a", "create"}, {1, "R", "A", "a", "counted"}, {2, "R", "A", "a", "counted"},
        {2 + 6 * MINUTE, DUE, "patch R x3"});
}

static void all_objects_together_have_a_limit(void **state _unused_)
{
    const struct event_core_options options = {.burst = 2, .every = 1000};

    PLAY(&options, {0, "R", "A", "a", "create"}, {0, "R", "A", "b", "create"}, {0, "R", "A", "c", "limited"},
        {999, "R", "A", "c", "limited"}, {1000, "R", "A", "c", "create"}, {1000, "R", "A", "d", "limited"});
}

static void the_oldest_series_goes_when_there_are_too_many(void **state _unused_)
{
    const struct event_core_options options = {.max_series = 2};

    PLAY(&options, {0, "R", "A", "a", "create"}, {1, "R", "A", "b", "create"}, {2, "R", "A", "a", "patch R x2"},
        {3, "R", "A", "c", "create"}, {4, "R", "A", "a", "counted"}, {5, "R", "A", "b", "create"});
}

static void the_rate_of_the_oldest_object_is_forgotten(void **state _unused_)
{
    const struct event_core_options options = {.max_objects = 1, .object_burst = 1};

    PLAY(&options, {0, "R", "A", "a", "create"}, {1, "S", "A", "a", "limited"}, {2, "R", "A", "b", "create"},
        {3, "S", "A", "a", "create"});
}

static void at_the_end_what_is_not_written_is_due(void **state _unused_)
{
    PLAY(NULL, {0, "R", "A", "a", "create"}, {1, "R", "A", "a", "patch R x2"}, {2, ALL, ""},
        {3, "R", "A", "a", "counted"}, {4, "S", "A", "a", "create"}, {5, ALL, "patch R x3"}, {6, ALL, ""});
}

static void what_was_not_taken_begins_anew(void **state _unused_)
{
    _cleanup_(event_core_freep) struct event_core *core = event_core_new(NULL);
    struct kube_event event = event_of("R", "A", "a");
    struct event_series s;

    assert_int_equal(event_core_observe(core, &event, at(0), 1, &s), EVENT_CREATE);
    event_core_forget(core, s.name);
    assert_int_equal(event_core_len(core), 0);
    event_core_forget(core, "nothing.of.this.name");
    assert_int_equal(event_core_observe(core, &event, at(1), 2, &s), EVENT_CREATE);
}

/* ---- objects ---- */

static char *object_text(const struct kube_event *event, int64_t count)
{
    const struct event_series s = {
        .name = "orders.1", .event = event, .first = WALL + 123, .last = WALL + 60000, .count = count};
    _cleanup_(json_freep) cJSON *object = event_object_new(&s, "cosmoscmk", "cosmoscmk-pod");

    return json_print(object);
}

#define OBJECT                                                                                                         \
    "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"namespace\":\"payments\",\"name\":"       \
    "\"orders.1\"},\"eventTime\":\"2026-03-02T08:00:00.123000Z\",\"type\":\"Warning\",\"reason\":\"R\",\"action\":"    \
    "\"A\",\"note\":\"a note\",\"regarding\":{\"apiVersion\":\"cosmoscmk.io/v1\",\"kind\":\"CosmosCMK\","              \
    "\"namespace\":\"payments\",\"name\":\"orders\",\"uid\":\"orders\",\"resourceVersion\":\"7\"},"                    \
    "\"reportingController\":\"cosmoscmk\",\"reportingInstance\":\"cosmoscmk-pod\""
#define SERIES(count) "\"series\":{\"count\":" count ",\"lastObservedTime\":\"2026-03-02T08:01:00.000000Z\"}"

static void objects_are_as_the_api_server_wants_them(void **state _unused_)
{
    const struct kube_event event = event_of("!R", "A", "orders");
    const struct event_series s = {.name = "orders.1", .event = &event, .last = WALL + 60000, .count = 3};
    _cleanup_(freep) char *single = object_text(&event, 1), *many = object_text(&event, 2);
    _cleanup_(json_freep) cJSON *patch = event_object_series(&s);
    _cleanup_(freep) char *patch_text = json_print(patch);

    assert_string_equal(single, OBJECT "}");
    assert_string_equal(many, OBJECT "," SERIES("2") "}");
    assert_string_equal(patch_text, "{" SERIES("3") "}");
}

static void a_long_note_is_cut_at_a_character(void **state _unused_)
{
    struct kube_event event = event_of("R", "A", "orders");
    char note[1200], instance[200];

    memset(note, 'a', sizeof(note));
    (void)str_copy(note + 1023, sizeof(note) - 1023, "\xc3\xbc and more");
    memset(instance, 'i', sizeof(instance) - 1);
    instance[sizeof(instance) - 1] = '\0';
    event.note = note;
    const struct event_series s = {.name = "n", .event = &event, .count = 1};
    _cleanup_(json_freep) cJSON *object = event_object_new(&s, "cosmoscmk", instance);
    assert_int_equal(strlen(json_string_at(object, "note")), 1023);
    assert_int_equal(strlen(json_string_at(object, "reportingInstance")), 128);
}

static void names_are_unique_and_fit(void **state _unused_)
{
    static const struct {
        size_t length;
        char last;
        const char *end;
    } rows[] = {{6, 'a', "a.0000000000000abc"}, {236, 'a', "a.0000000000000abc"}, {237, 'a', "a.0000000000000abc"},
        {253, 'a', "a.0000000000000abc"}};
    char name[260];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(event_core_freep) struct event_core *core = event_core_new(NULL);
        struct event_series s;
        memset(name, 'a', sizeof(name));
        name[rows[i].length] = '\0';
        name[235] = i == 3 ? '.' : 'a'; /* where it is cut: a name must not have ".." */
        struct kube_event event = event_of("R", "A", name);
        assert_int_equal(event_core_observe(core, &event, at(0), 0xabc, &s), EVENT_CREATE);
        assert_true(strlen(s.name) <= 253);
        assert_string_equal(s.name + strlen(s.name) - strlen(rows[i].end), rows[i].end);
    }
}

static void what_would_be_refused_is_known_before(void **state _unused_)
{
    static const struct {
        const char *name;
        bool valid;
    } controllers[] = {{"cosmoscmk", true}, {"cosmoscmk.io/controller", true}, {"a", true}, {"", false}, {NULL, false},
        {"a b", false}, {"a/b/c", false}, {"-a", false}, {"a.", false}, {"/a", false}, {"a/", false},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}};
    struct kube_event event = event_of("R", "A", "a"), nameless = event_of("R", "A", ""), mute = event_of("", "A", "a"),
                      idle = event_of("R", "", "a");

    for (size_t i = 0; i < ARRAY_LEN(controllers); i++)
        assert_int_equal(event_controller_valid(controllers[i].name), controllers[i].valid);
    assert_true(event_object_valid(&event));
    assert_false(event_object_valid(&nameless));
    assert_false(event_object_valid(&mute));
    assert_false(event_object_valid(&idle));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_one_makes_a_series_and_the_rest_is_counted),
        cmocka_unit_test(what_differs_is_not_one_series),
        cmocka_unit_test(the_note_and_the_resource_version_make_no_difference),
        cmocka_unit_test(a_single_one_is_forgotten_after_six_minutes_of_quiet),
        cmocka_unit_test(a_series_that_goes_on_is_refreshed_every_half_hour),
        cmocka_unit_test(one_object_has_25_and_one_more_every_5_minutes),
        cmocka_unit_test(a_series_that_the_limit_holds_back_is_written_at_its_end),
        cmocka_unit_test(all_objects_together_have_a_limit),
        cmocka_unit_test(the_oldest_series_goes_when_there_are_too_many),
        cmocka_unit_test(the_rate_of_the_oldest_object_is_forgotten),
        cmocka_unit_test(at_the_end_what_is_not_written_is_due),
        cmocka_unit_test(what_was_not_taken_begins_anew),
        cmocka_unit_test(objects_are_as_the_api_server_wants_them),
        cmocka_unit_test(a_long_note_is_cut_at_a_character),
        cmocka_unit_test(names_are_unique_and_fit),
        cmocka_unit_test(what_would_be_refused_is_known_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
