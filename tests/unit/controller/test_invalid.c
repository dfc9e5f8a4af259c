/* The table of invalid manifests (tests/e2e/invalid.yaml), as the controller takes them when an API server has let them
 * through: Stalled, with a message that names the field, and nothing is read or sent. */
#include "unit.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/tz_file.h"
#include "cmk/view.h"
#include "controller/codec.h"
#include "yaml/yaml_json.h"

#include <string.h>

#define NOW 1772884800000LL

static cJSON *read_yaml(const char *path)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (file_read(path, &text, &err) < 0 || yaml_read(&tree, path, text.data, text.len, text.max, &err) < 0)
        fail_msg("%s", err.msg);
    return tree;
}

/* RFC 7386, enough for a patch that changes one thing. */
static void merge(cJSON *into, const cJSON *patch)
{
    const cJSON *member;

    cJSON_ArrayForEach (member, patch) {
        cJSON *there = cJSON_GetObjectItemCaseSensitive(into, member->string);
        if (cJSON_IsObject(member) && cJSON_IsObject(there)) {
            merge(there, member);
            continue;
        }
        cJSON_DeleteItemFromObjectCaseSensitive(into, member->string);
        if (!cJSON_IsNull(member))
            cJSON_AddItemToObject(into, member->string, cJSON_Duplicate(member, true));
    }
}

/* The sample as the API server stores it, patched; over one that was looked at before when the row is an update. */
static cJSON *manifest(const cJSON *row)
{
    _cleanup_(json_freep) cJSON *patch = NULL;
    struct err err = ERR_INIT;
    const char *text = json_string_at(row, "patch");
    cJSON *object = read_yaml("../deploy/samples/periodic.yaml");

    assert_int_equal(json_parse(&patch, text, strlen(text), &err), 0);
    cJSON *metadata = cJSON_GetObjectItemCaseSensitive(object, "metadata");
    json_add_string(metadata, "namespace", "payments");
    json_add_string(metadata, "uid", "0f8fad5b-d9cb-469f-a165-70867728950e");
    json_add_string(metadata, "resourceVersion", "2");
    json_add_int(metadata, "generation", 2);
    if (str_eq(json_string_at(row, "on"), "update"))
        json_add_string(json_add_object(json_add_object(object, "status"), "account"), "name", "demo-orders");
    merge(object, patch);
    return object;
}

static void decide(const cJSON *object, struct cmk_step *ret)
{
    _cleanup_(cmk_resource_done) struct cmk_resource resource = {0};
    _cleanup_(cmk_view_done) struct cmk_view view;
    struct err err = ERR_INIT;
    struct tz *zone = NULL;

    if (cmk_decode(&resource, object, &err) < 0)
        fail_msg("%s", err.msg);
    cmk_view_init(&view, &cmk_default_options, &resource, NOW, 1);
    view.lease_valid = true;
    const struct cmk_window *window = &resource.spec.window;
    if (window->present && window->time_zone && tz_load(&zone, window->time_zone, NULL, &view.zone_err) == 0)
        view.zone = zone;
    cmk_next(&view, ret);
    (void)tz_free(zone);
}

static void check(const cJSON *row)
{
    _cleanup_(json_freep) cJSON *object = manifest(row);
    const char *name = json_string_at(row, "name"), *says = json_string_at(row, "controller");
    struct cmk_step step;

    if ((says != NULL) == (json_string_at(row, "unseen") != NULL))
        fail_msg("%s: neither what the controller says nor why it cannot see it, or both", name);
    if (!says)
        return;
    decide(object, &step);
    if (step.effect != CMK_REST || step.phase != CMK_IS_STALLED || step.reason != CMK_REASON_INVALID_SPEC)
        fail_msg("%s: the rule %s takes it: %s", name, step.rule, step.message);
    if (!str_has_prefix(step.message, "spec.") || !strstr(step.message, says))
        fail_msg("%s: the message does not say \"%s\": %s", name, says, step.message);
}

static void what_admission_refuses_is_refused_by_the_controller(void **state)
{
    _cleanup_(json_freep) cJSON *rows = read_yaml("e2e/invalid.yaml");
    const cJSON *row;
    (void)state;

    assert_true(cJSON_GetArraySize(rows) >= 40);
    cJSON_ArrayForEach (row, rows)
        check(row);
}

/* The patches of the table are what is wrong, and not what they are laid over. */
static void the_sample_itself_is_not_refused(void **state)
{
    _cleanup_(json_freep) cJSON *row = cJSON_CreateObject(), *object = NULL;
    struct cmk_step step;
    (void)state;

    json_add_string(row, "on", "update");
    json_add_string(row, "patch", "{}");
    object = manifest(row);
    decide(object, &step);
    assert_string_equal(step.rule, "account-unread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_admission_refuses_is_refused_by_the_controller),
        cmocka_unit_test(the_sample_itself_is_not_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
