#include "e2e/crash.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "e2e/files.h"

#include <string.h>

#define POLL_MS 250
#define CALM_POLLS 3    /* so often in a row the same */
#define NO_SIGN_MS 3000 /* a controller that the scene has stopped makes no requests */
#define SETTLE_MS 60000 /* a lease or a wait for a lost answer may have to run out */
#define FILE_MAX (32 << 20)

const char *crash_scene(void)
{
    return env_get("E2E_SCENE");
}

const char *crash_pid_file(void)
{
    return env_get("E2E_PIDFILE");
}

bool crash_lists(void)
{
    return env_get("E2E_LIST") != NULL;
}

bool crash_is_on(void)
{
    return crash_pid_file() != NULL;
}

/* ---- the rule ---- */

/* The point of this run when it is on that side, the caller's. */
static cJSON *point_on(const char *side)
{
    const char *text = env_get("E2E_POINT");
    struct err err = ERR_INIT;
    cJSON *point = NULL;

    if (!text)
        return NULL;
    if (json_parse(&point, text, strlen(text), &err) < 0)
        fail_msg("E2E_POINT: %s", err.msg);
    return str_eq(json_string_at(point, "side"), side) ? point : json_free(point);
}

/* As text, or NULL. */
static char *rule_for(const char *side)
{
    _cleanup_(json_freep) cJSON *point = point_on(side), *rule = NULL;

    if (!point)
        return NULL;
    rule = cJSON_CreateObject();
    (void)cJSON_AddItemToObject(rule, "match", cJSON_DetachItemFromObjectCaseSensitive(point, "match"));
    cJSON *action = json_add_object(rule, "action");
    json_add_string(action, "kill", crash_pid_file());
    json_add_string(action, "cut", env_get("E2E_WHEN"));
    return json_print(rule);
}

void crash_arm_azure(struct world *w)
{
    _cleanup_(freep) char *rule = rule_for("azure");

    if (rule)
        azure_fault(w, rule);
}

void crash_arm_apiserver(void)
{
    _cleanup_(freep) char *rule = rule_for("apiserver");

    if (rule)
        (void)json_free(apiserver_ask("POST", "/fake/faults", rule));
}

/* Whether the rule has had its turn. */
static bool has_fired(struct world *w)
{
    _cleanup_(json_freep) cJSON *here = point_on("azure");
    _cleanup_(json_freep) cJSON *rules =
        here ? azure_ask(w, "GET", "/fake/faults", NULL) : apiserver_ask("GET", "/fake/faults", NULL);
    int64_t fired = 0;

    return json_int(json_at(cJSON_GetArrayItem(rules, 0), "fired"), false, &fired) && fired > 0;
}

void crash_forget_killed(cJSON *journal)
{
    for (int i = cJSON_GetArraySize(journal) - 1; i >= 0; i--)
        if (str_eq(json_string_at(cJSON_GetArrayItem(journal, i), "killed"), "before"))
            cJSON_DeleteItemFromArray(journal, i);
}

/* ---- the end ---- */

static char *file_of(const char *name, const char *suffix)
{
    return xasprintf("%s.%s", env_get(name), suffix);
}

static char *read_text(const char *path)
{
    struct buf text = BUF_INIT(FILE_MAX);
    struct err err = ERR_INIT;

    if (file_read(path, &text, &err) < 0)
        fail_msg("%s", err.msg);
    return buf_take(&text);
}

/* Waits until the end state has been the same (as expected, or as it was, when NULL) for a while, and gives it. */
static char *await_calm(struct world *w, const char *expected)
{
    int64_t begin = clock_mono_ms(), deadline = begin + SETTLE_MS;
    char *last = record_end(w);
    int same = 0;

    for (int requests = record_requests(w); same < CALM_POLLS && clock_mono_ms() < deadline;) {
        clock_sleep_ms(POLL_MS);
        char *now = record_end(w);
        bool alive = record_requests(w) > requests + 1 || clock_mono_ms() > begin + NO_SIGN_MS;
        same = alive && str_eq(now, expected ? expected : last) ? same + 1 : 0;
        free(last);
        last = now;
    }
    return last;
}

static _Noreturn void tell_difference(struct world *w, const char *expected_file, const char *what, const char *got)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", w->dir, what);
    const struct process_spec spec = {.name = "diff", .argv = {"diff", "-U1", expected_file, path}};
    _cleanup_(buf_done) struct buf output = {0};

    write_file(path, got);
    (void)process_run(&spec, WAIT_MS, &output);
    (void)fprintf(stderr, "%s\n", buf_str(&output));
    fail_msg("the %s is not that of the undisturbed run", what);
    abort();
}

/* That Azure took a change can be told more often than undisturbed, where a fault of the scene has swallowed it; and
 * that it took each once has been compared. */
static bool tells_of_a_change(const char *line)
{
    return strstr(line, " Encrypting/") || strstr(line, " PreparingIdentity/") || strstr(line, " GrantingAccess/");
}

/* Each line of got is one of expected. */
static bool has_all_lines(const char *expected, const char *got)
{
    _cleanup_(freep) char *all = xasprintf("\n%s", expected);

    for (size_t n; *got; got += n) {
        n = strcspn(got, "\n") + 1;
        _cleanup_(freep) char *rest = xstrndup(got, n), *line = xasprintf("\n%s", rest);
        if (!strstr(all, line) && !tells_of_a_change(line))
            return false;
    }
    return true;
}

static void compare(struct world *w)
{
    _cleanup_(freep) char *end_file = file_of("E2E_EXPECT", "end"), *events_file = file_of("E2E_EXPECT", "events");
    _cleanup_(freep) char *expected = read_text(end_file), *expected_events = read_text(events_file);

    if (!has_fired(w)) {
        (void)printf("the point was not reached\n");
        return;
    }
    _cleanup_(freep) char *got = await_calm(w, expected), *events = record_events(w);
    if (!str_eq(expected, got))
        tell_difference(w, end_file, "end", got);
    if (!has_all_lines(expected_events, events))
        tell_difference(w, events_file, "events", events);
}

static void write_record(struct world *w)
{
    _cleanup_(freep) char *end = await_calm(w, NULL), *events = record_events(w), *points = record_points(w);
    _cleanup_(freep) char *end_file = file_of("E2E_RECORD", "end"), *events_file = file_of("E2E_RECORD", "events");
    _cleanup_(freep) char *points_file = file_of("E2E_RECORD", "points");

    write_file(end_file, end);
    write_file(events_file, events);
    write_file(points_file, points);
}

void crash_settle(struct world *w)
{
    if (env_get("E2E_RECORD"))
        write_record(w);
    else if (env_get("E2E_EXPECT"))
        compare(w);
}
