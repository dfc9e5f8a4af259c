/* Events about what somebody else has named, counted into series: what would be written is what events.k8s.io takes.
 *
 * Lines: namespace, name, uid, reason, action, note, controller; then one byte a step: which of four events happens (or
 * none), and how long after the last. */
#include "fuzz.h"

#include "base/str.h"
#include "kube/event_object.h"

#define STEPS_MAX 256
#define CONTROLLER "cosmoscmk"

static void check_text(const cJSON *object, const char *name, size_t max)
{
    const char *text = json_string_at(object, name);

    FUZZ_CHECK(text && *text && strlen(text) <= max && utf8_valid(text, strlen(text)));
}

static void check_object(const struct event_series *series)
{
    _cleanup_(json_freep) cJSON *object = event_object_new(series, CONTROLLER, "instance"), *again = NULL;
    _cleanup_(freep) char *text = json_print(object);
    struct err err = ERR_INIT;

    FUZZ_CHECK(json_parse(&again, text, strlen(text), &err) == 0);
    check_text(again, "reason", EVENT_WORD_MAX);
    check_text(again, "action", EVENT_WORD_MAX);
    check_text(again, "metadata.name", EVENT_NAME_MAX);
    const char *note = json_string_at(again, "note");
    FUZZ_CHECK(!note || strlen(note) <= EVENT_NOTE_MAX);
    FUZZ_CHECK((series->count > 1) == (json_member(again, "series") && !cJSON_IsNull(json_member(again, "series"))));
    FUZZ_CHECK(series->first <= series->last && series->count > 0);
}

static void check_patch(const struct event_series *series)
{
    _cleanup_(json_freep) cJSON *patch = event_object_series(series);

    FUZZ_CHECK(series->count > 1 && series->first <= series->last);
    FUZZ_CHECK(json_at(patch, "series.count"));
}

static void step(struct event_core *core, struct kube_event *event, uint8_t byte, struct event_time *now)
{
    struct event_series series;
    int64_t wake = 0;

    now->mono += (int64_t)(byte >> 3) * 20000;
    now->wall += (int64_t)(byte >> 3) * 20000;
    event->warning = byte & 1;
    event->note = byte & 2 ? "another note" : event->note;
    if (byte & 4) {
        enum event_verdict verdict = event_core_observe(core, event, *now, byte, &series);
        if (verdict == EVENT_CREATE)
            check_object(&series);
        else if (verdict == EVENT_PATCH)
            check_patch(&series);
    }
    for (int i = 0; event_core_due(core, *now, byte == 0xff, &series, &wake) == EVENT_PATCH; i++) {
        FUZZ_CHECK(i < STEPS_MAX);
        check_patch(&series);
    }
    FUZZ_CHECK(wake > now->mono);
    FUZZ_CHECK(event_core_len(core) <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *ns = fuzz_line(&lines), *name = fuzz_line(&lines), *uid = fuzz_line(&lines),
                          *reason = fuzz_line(&lines), *action = fuzz_line(&lines), *note = fuzz_line(&lines),
                          *controller = fuzz_line(&lines);
    struct kube_event event = {.regarding = {.api_version = "cosmoscmk.io/v1", .kind = "CosmosCMK"}};
    const struct event_core_options options = {.max_series = 4};
    struct event_time now = {.mono = 1000, .wall = 1795503300000};

    event.regarding.ns = ns;
    event.regarding.name = name;
    event.regarding.uid = uid;
    event.reason = reason;
    event.action = action;
    event.note = note;
    (void)event_controller_valid(controller);
    if (!event_object_valid(&event) || !utf8_valid(reason, strlen(reason)) || !utf8_valid(action, strlen(action)) ||
        !utf8_valid(note, strlen(note)) || !utf8_valid(name, strlen(name)) || !utf8_valid(ns, strlen(ns)) ||
        !utf8_valid(uid, strlen(uid)))
        return 0; /* bytes of an object that was read as JSON are UTF-8 */
    struct event_core *core = event_core_new(&options);
    for (size_t i = 0; i < lines.left && i < STEPS_MAX; i++)
        step(core, &event, (uint8_t)lines.at[i], &now);
    (void)event_core_free(core);
    return 0;
}
