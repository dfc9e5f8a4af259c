/* Patches, the two faces of events, kubectl's protocol buffers, and what is served, in fake-apiserver. */
#include "unit.h"

#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_apiserver_model_patch.h"
#include "fakes/fake_apiserver_model_proto.h"
#include "fakes/fake_apiserver_model_registry.h"
#include "json/json.h"

#include <string.h>

/* JSON with ' for ". */
static cJSON *parsed(const char *text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;
    _cleanup_(freep) char *copy = xstrdup(text);
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    if (json_parse(&tree, copy, strlen(copy), &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tree;
}

static void a_merge_patch_merges(void **state)
{
    (void)state;
    static const struct {
        const char *target, *patch, *want;
        bool strategic;
    } rows[] = {
        {"{'a':'b'}", "{'a':'c'}", "{'a':'c'}", false},
        {"{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}", false},
        {"{'a':['b']}", "{'a':'c'}", "{'a':'c'}", false},
        {"{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}", false},
        {"{'a':'x'}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}", false},
        {"{'a':{'b':1}}", "{'a':[1]}", "{'a':[1]}", false},
        {"{}", "{'$setElementOrder/x':[1],'a':1}", "{'a':1}", true},
        {"{}", "{'$x':1}", "{'$x':1}", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(json_freep) cJSON *target = parsed(rows[i].target);
        _cleanup_(json_freep) cJSON *patch = parsed(rows[i].patch);
        _cleanup_(json_freep) cJSON *want = parsed(rows[i].want);
        patch_merge(target, patch, rows[i].strategic);
        if (!cJSON_Compare(target, want, true))
            fail_msg("row %zu", i);
    }
}

static void a_json_patch_does_its_operations_or_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *target, *patch, *want; /* NULL: refused */
    } rows[] = {
        {"{'a':1}", "[{'op':'replace','path':'/a','value':2}]", "{'a':2}"},
        {"{}", "[{'op':'add','path':'/a~1b','value':{}},{'op':'add','path':'/a~1b/c','value':1}]", "{'a/b':{'c':1}}"},
        {"{'l':[1,3]}", "[{'op':'add','path':'/l/1','value':2},{'op':'add','path':'/l/-','value':4}]",
            "{'l':[1,2,3,4]}"},
        {"{'l':[1,2]}", "[{'op':'replace','path':'/l/0','value':9},{'op':'remove','path':'/l/1'}]", "{'l':[9]}"},
        {"{'a':1}", "[{'op':'test','path':'/a','value':1},{'op':'remove','path':'/a'}]", "{}"},
        {"{'a':1}", "[{'op':'test','path':'/a','value':2}]", NULL},
        {"{'a':1}", "[{'op':'remove','path':'/b'}]", NULL},
        {"{'a':1}", "[{'op':'replace','path':'/b','value':1}]", NULL},
        {"{'a':1}", "[{'op':'add','path':'/b/c','value':1}]", NULL},
        {"{'l':[]}", "[{'op':'add','path':'/l/1','value':1}]", NULL},
        {"{}", "[{'op':'copy','path':'/a','from':'/b'}]", NULL},
        {"{}", "[{'op':'add','path':'a','value':1}]", NULL},
        {"{}", "{}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = ERR_INIT;
        _cleanup_(json_freep) cJSON *target = parsed(rows[i].target);
        _cleanup_(json_freep) cJSON *patch = parsed(rows[i].patch);
        _cleanup_(json_freep) cJSON *want = rows[i].want ? parsed(rows[i].want) : NULL;
        int result = patch_json(&target, patch, &err);
        if (result != (want ? 0 : -1) || (want && !cJSON_Compare(target, want, true)))
            fail_msg("row %zu: %s", i, err.msg);
    }
}

static void an_event_has_two_faces(void **state)
{
    (void)state;
    _cleanup_(json_freep) cJSON *event =
        parsed("{'apiVersion':'v1','message':'m','involvedObject':{'name':'a'},'reportingComponent':'c','count':2}");
    _cleanup_(json_freep) cJSON *core = cJSON_Duplicate(event, true);
    event_from_core(event);
    assert_string_equal(json_string_at(event, "note"), "m");
    assert_string_equal(json_string_at(event, "regarding.name"), "a");
    assert_string_equal(json_string_at(event, "apiVersion"), "events.k8s.io/v1");
    event_to_core(event);
    assert_true(cJSON_Compare(event, core, true));
}

static void kubectl_create_namespace_is_understood(void **state)
{
    (void)state;
    /* As kubectl 1.32 sends it, with a label added. */
    static const char bytes[] = "k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x22\x0a\x1a\x0a\x08payments\x12\0\x5a\x0c"
                                "\x0a\x04team\x12\x04"
                                "blue"
                                "\x12\0\x1a\x02\x0a\0\x1a\0\x22\0";
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(proto_decode(&tree, bytes, sizeof(bytes) - 1, &err), 0);
    _cleanup_(freep) char *text = json_print(tree);
    assert_string_equal(text,
        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"payments\",\"labels\":{"
        "\"team\":\"blue\"}}}");
}

static void damaged_protocol_buffers_are_refused_at_any_length(void **state)
{
    (void)state;
    static const char bytes[] = "k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x0e\x0a\x0a\x0a\x08payments\x12\0";
    for (size_t len = 0; len < sizeof(bytes) - 1; len++) {
        char *copy = xmalloc(len + 1);
        memcpy(copy, bytes, len);
        cJSON *tree = NULL;
        struct err err = ERR_INIT;
        char *exact = len ? memcpy(xmalloc(len), copy, len) : NULL;
        if (exact && proto_decode(&tree, exact, len, &err) == 0)
            assert_string_equal(json_string_at(tree, "kind"), "Namespace");
        else
            assert_null(tree);
        json_free(tree);
        free(exact);
        free(copy);
    }
}

static void a_crd_adds_what_it_defines_to_discovery(void **state)
{
    (void)state;
    struct registry registry = {0};
    struct err err = ERR_INIT;
    registry_add_builtin(&registry);
    _cleanup_(json_freep) cJSON *crd = parsed(
        "{'spec':{'group':'x.io','scope':'Namespaced','names':{'kind':'Thing','plural':'things','shortNames':['th']},"
        "'versions':[{'name':'v1','served':true,'storage':true,'subresources':{'status':{}},'schema':{'openAPIV3Schema'"
        ":"
        "{'type':'object','properties':{'spec':{'type':'object'}}}}},{'name':'v0','served':false}]}}");
    assert_null(discovery_group(&registry, "x.io"));
    assert_int_equal(registry_add(&registry, crd, true, &err), 0);
    const struct resource *r = registry_find(&registry, "x.io", "v1", "things");
    assert_non_null(r);
    assert_string_equal(r->list_kind, "ThingList");
    assert_string_equal(r->singular, "thing");
    assert_string_equal(r->collection, "x.io/things");
    assert_null(registry_find(&registry, "x.io", "v0", "things"));

    _cleanup_(json_freep) cJSON *resources = discovery_resources(&registry, "x.io", "v1");
    assert_int_equal(cJSON_GetArraySize(json_member(resources, "resources")), 2);
    _cleanup_(json_freep) cJSON *v3 = openapi_v3(&registry, "x.io", "v1");
    assert_non_null(json_member(json_at(v3, "components.schemas"), "x.io.v1.Thing"));
    registry_remove(&registry, "x.io/things");
    assert_null(registry_find(&registry, "x.io", "v1", "things"));
    registry_done(&registry);
}

static void both_kinds_of_events_are_one_collection(void **state)
{
    (void)state;
    struct registry registry = {0};
    registry_add_builtin(&registry);
    assert_string_equal(registry_find(&registry, "", "v1", "events")->collection,
        registry_find(&registry, "events.k8s.io", "v1", "events")->collection);
    assert_string_equal(registry_find(&registry, "", "v1", "namespaces")->collection, "/namespaces");
    registry_done(&registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_patch_merges),
        cmocka_unit_test(a_json_patch_does_its_operations_or_is_refused),
        cmocka_unit_test(an_event_has_two_faces),
        cmocka_unit_test(kubectl_create_namespace_is_understood),
        cmocka_unit_test(damaged_protocol_buffers_are_refused_at_any_length),
        cmocka_unit_test(a_crd_adds_what_it_defines_to_discovery),
        cmocka_unit_test(both_kinds_of_events_are_one_collection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
